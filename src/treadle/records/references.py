"""What later scores are compared with: the distribution of a model's scores when it was accepted."""

from __future__ import annotations

from treadle.records.record import Record


class Reference(Record, frozen=True, kw_only=True):
    """A distribution of scores, small enough for JSON: bins of equal mass and the distribution function."""

    n: int
    edges: tuple[float, ...]
    """Inner edges, ascending; a bin holds the scores above one edge, up to the next one included."""
    counts: tuple[int, ...]
    """Rows in each bin: one more than there are edges."""
    points: tuple[float, ...]
    """Scores at which the distribution function is kept, ascending from the smallest."""
    cumulative: tuple[float, ...]
    """The share of scores at or below each point."""
    below: tuple[float, ...]
    """The share of scores below each point: less than the one above where scores are tied."""
