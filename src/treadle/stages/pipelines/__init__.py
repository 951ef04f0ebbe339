"""Steps run, are recorded, cached and resumed."""
