"""treadle keeps the machine-learning loop turning."""
