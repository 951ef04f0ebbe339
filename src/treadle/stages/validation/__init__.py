"""Rows are checked against what was promised about them."""
