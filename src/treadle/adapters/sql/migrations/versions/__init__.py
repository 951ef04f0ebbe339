"""The migrations in order: number, then what it does."""
