"""Latest-value features offline: one as-of join on the running best, which is what the online store held.

A row is a candidate at T when its key matches, `known_at <= T`, and `T - event_time <= ttl`. The winner has the greatest
event time, then created time, then row number. The running best by that order, taken in known_at order, is exactly the
state an online writer keeps; so the value at T is the running best of the last row known by T.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from treadle.define.views import FeatureView
from treadle.stages.features.events import Ints, TimeRanks, Times
from treadle.stages.features.keys import KeyCodes


def running_best(codes: Ints, times: Times) -> Ints:
    """Return for each row, in (code, known_at) order, which row is the best known so far for its key.

    Args:
        codes: key codes of the rows, shape (rows,), none negative, sorted by (code, known_at).
        times: the rows' canonical times in the same order.

    Returns:
        Positions into the given order, shape (rows,).
    """
    count = len(codes)
    if count == 0:
        return np.empty(0, np.int64)
    order = np.lexsort((times.row, times.created_time, times.event_time))
    goodness = np.empty(count, np.int64)
    goodness[order] = np.arange(count)
    # Running maxima per key in one pass: lift each key's block above the one before it.
    lifted = goodness + codes * np.int64(count)
    best = np.maximum.accumulate(lifted) - codes * np.int64(count)
    winners: Ints = order[best]
    return winners


class LatestTable:
    """A view's rows, arranged for point-in-time lookups; built once per table version. Cost: one sort of the rows."""

    def __init__(self, view: FeatureView, rows: pl.DataFrame) -> None:
        self.view = view
        self._keys = KeyCodes(rows, view.entity.keys)
        codes, times = self._keys.of(rows), Times.of(rows)
        order = np.lexsort((times.known_at, codes))
        order = order[codes[order] >= 0]
        codes = codes[order]
        times = Times(*(getattr(times, name)[order] for name in Times.__slots__))
        best = running_best(codes, times)
        self._codes = codes
        self._event_time = times.event_time[best]
        self._tombstone = times.tombstone[best]
        self._source_row = order[best]
        self._ranks = TimeRanks.of(times.known_at)
        self._packed = self._ranks.pack(codes, self._ranks.of_known(times.known_at))
        self._values = rows.select(pl.col(f.column).alias(f"{view.name}_{f.name}") for f in view.features)

    def lookup(self, spine: pl.DataFrame, at: Ints) -> pl.DataFrame:
        """Return the view's features as known at each row's T, one output row per spine row, in order.

        Args:
            spine: rows that have the entity's key columns.
            at: T of each row, shape (rows,).
        """
        codes = self._keys.of(spine)
        known = self._ranks.up_to(at) - 1
        found = np.searchsorted(self._packed, self._ranks.pack(codes, known), "right") - 1
        usable = (codes >= 0) & (known >= 0) & (found >= 0)
        found = np.where(usable, found, 0)
        if len(self._codes) == 0:
            return self._values.clear(len(at)) if len(at) else self._values.clear()
        usable &= (self._codes[found] == codes) & ~self._tombstone[found]
        if self.view.ttl is not None:
            usable &= at - self._event_time[found] <= self.view.ttl
        rows = pl.Series(self._source_row[found]).set(pl.Series(~usable), None)
        return self._values.select(pl.all().gather(rows))
