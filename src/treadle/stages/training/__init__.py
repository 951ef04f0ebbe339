"""Training sets, fits and the exact export of models."""
