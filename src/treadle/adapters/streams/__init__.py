"""Streams: a file per broker, each named as it is there."""
