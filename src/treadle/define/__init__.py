"""What a person writes: definitions as values, without effects."""
