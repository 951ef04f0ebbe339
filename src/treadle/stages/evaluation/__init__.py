"""Reports on a model, comparisons of two, and how sure both are."""
