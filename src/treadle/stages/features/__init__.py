"""Point-in-time values, offline and online from one definition."""
