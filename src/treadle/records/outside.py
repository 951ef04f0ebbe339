"""What is found outside: files of a folder or bucket, and Delta tables, without their rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as a listing shows it."""

    path: str
    """Relative to the place that was listed, with `/` between its parts."""
    size: int
    stamp: str
    """What changes when the file does: its time of change, or the entity tag of object storage."""


@dataclass(frozen=True, slots=True)
class DeltaFacts:
    """A Delta table at its newest version."""

    id: str
    """Its own id: another table in its place has another."""
    version: int
    files: tuple[str, ...]
    """Its data files, relative to the table."""
    plain: bool
    """Whether a file's rows are all there is to it: no partition columns, and no vectors of deleted rows."""
