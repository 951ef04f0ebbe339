"""Tables come in and get versions."""
