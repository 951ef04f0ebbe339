"""What the core needs from the world: one small protocol per file."""
