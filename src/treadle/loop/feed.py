"""The feed: stored rows flow to the online store in the order in which they became known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import polars as pl

from treadle.define.views import FeatureView, View
from treadle.ports.online import Batch, Online
from treadle.records.instants import Instant
from treadle.records.rows import KNOWN_AT, ROW
from treadle.stages.features.state import Value
from treadle.stages.features.writer import make_applier

CURSOR = "feed"
"""The online store's cursor: everything known up to and including this instant has been applied."""


_EVER: Instant = -(1 << 62)
"""Before every instant, also those before 1970."""

Change: TypeAlias = tuple[Instant, int, int, Sequence[Value]]
"""One row on its way to the online store: (known_at, source's place, row number, values). The first three order it, and no
two rows share them, so tuples sort by themselves."""


class Feed:
    """The rows of every source that has views, sliced by when they became known.

    Args:
        views: the views to keep up to date.
        rows: the stored rows of each of their sources, by source name.
    """

    def __init__(self, views: Sequence[View], rows: Mapping[str, pl.DataFrame]) -> None:
        self._views = tuple(views)
        names = sorted({view.source.name for view in views})
        self._rows = {name: rows[name].sort(KNOWN_AT, ROW) for name in names}
        self._known = {name: frame[KNOWN_AT].to_numpy() for name, frame in self._rows.items()}
        self._appliers = [make_applier(name, [v for v in views if v.source.name == name]) for name in names]
        self._apply = [applier.apply for applier in self._appliers]

    def changes(self, after: Instant, until: Instant) -> Iterator[Change]:
        """Yield the rows that became known in (after, until], in order."""
        waiting = [
            (known_at, order, row, values)
            for order, applier in enumerate(self._appliers)
            for known_at, row, values in applier.events(self._slice(applier.source, after, until))
        ]
        waiting.sort()  # one source after the other is sorted already, which the sort makes use of
        return iter(waiting)

    def next_known(self, after: Instant) -> Instant | None:
        """Return when the first row after an instant becomes known, or None when there is none."""
        following = (
            times[int(np.searchsorted(times, after, "right")) :][:1] for times in self._known.values()
        )
        return min((int(times[0]) for times in following if len(times)), default=None)

    def apply(self, batch: Batch, change: Change) -> None:
        """Apply one row to every view on its source."""
        known_at, order, row, values = change
        self._apply[order](batch, known_at, row, values)

    def advance(self, online: Online, until: Instant) -> int:
        """Bring the online store to an instant, from wherever it stands; returns the number of rows applied.

        Values and cursor are committed together, so a crash loses or repeats nothing. An empty store is filled: latest-value
        views from all rows, window views from the rows that their longest window can still see.
        """
        with online.begin() as batch:
            applied = self.advance_in(batch, read_cursor(batch), until)
            write_cursor(batch, until)
        return applied

    def advance_in(self, batch: Batch, stands: Instant | None, until: Instant) -> int:
        """Do that in a batch of the caller's, who writes the cursor; returns the number of rows applied."""
        return self.fill(batch, until) if stands is None else self._catch_up(batch, stands, until)

    def fill(self, batch: Batch, until: Instant) -> int:
        """Build every view's state at an instant from nothing."""
        applied = 0
        for view in self._views:
            applier = make_applier(view.source.name, [view])
            since = _EVER if isinstance(view, FeatureView) else until - view.longest - 1
            for known_at, row, values in applier.events(self._slice(view.source.name, since, until)):
                applier.apply(batch, known_at, row, values)
                applied += 1
        return applied

    def _catch_up(self, batch: Batch, after: Instant, until: Instant) -> int:
        applied = 0
        for change in self.changes(after, until):
            self.apply(batch, change)
            applied += 1
        return applied

    def _slice(self, source: str, after: Instant, until: Instant) -> pl.DataFrame:
        first, last = np.searchsorted(self._known[source], [after, until], "right")
        return self._rows[source].slice(int(first), max(int(last - first), 0))


def read_cursor(batch: Batch) -> Instant | None:
    """Return the instant the online store has reached, or None for an empty one."""
    stored = batch.cursor(CURSOR)
    return None if stored is None else int.from_bytes(stored, "big", signed=True)


def stands_at(online: Online) -> Instant | None:
    """Return the instant an online store has reached, or None for an empty one."""
    stored = online.cursor(CURSOR)
    return None if stored is None else int.from_bytes(stored, "big", signed=True)


def write_cursor(batch: Batch, at: Instant) -> None:
    """Record the instant the online store has reached, together with the batch's values."""
    batch.set_cursor(CURSOR, at.to_bytes(8, "big", signed=True))
