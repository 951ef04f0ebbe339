"""Windows of a source: how many rows they hold, how late, and what is missing in them."""

from __future__ import annotations

from treadle.records.digests import Digest
from treadle.records.estimates import Window
from treadle.records.instants import Duration, Instant
from treadle.records.record import Record


class ColumnCounts(Record, frozen=True, kw_only=True):
    """One column of one window."""

    column: str
    nulls: int = 0
    """Rows without a value; NaN is none."""
    distinct: int = 0
    """Different values, missing left out."""
    outside: int | None = None
    """Values outside the schema's `min` and `max`; None where it sets neither."""


class SourceWindow(Record, frozen=True, kw_only=True):
    """What the rows of one window show; a window that got more rows is measured again and counts in place of the former."""

    monitor: str
    source: str
    window: Window
    """By event time."""
    at: Instant
    """When it was measured: rows known until then are in."""
    rows: int
    late: int = 0
    """Rows that became known more than the lateness after the window's end."""
    newest: Instant | None = None
    """The greatest event time; None without rows."""
    delay: Duration | None = None
    """Median time between a row's event and its becoming known."""
    duplicates: int = 0
    """Rows that repeat an earlier row's unique columns, or all columns where none are unique."""
    columns: tuple[ColumnCounts, ...] = ()
    profile: Digest | None = None
    """The window's profile among the blobs, where drift is watched."""
    revision: int = 0
    """How often it has been measured again."""

    def share(self, count: int) -> float:
        """Return a count of rows as a share of the window's."""
        return count / self.rows if self.rows else 0.0
