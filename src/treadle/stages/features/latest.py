"""Latest-value features offline: one as-of join on the running best, which is what the online store held.

A row is a candidate at T when its key matches, `known_at <= T`, and `T - event_time <= ttl`. The winner has the greatest
event time, then created time, then row number. The running best by that order, taken in known_at order, is exactly the
state an online writer keeps; so the value at T is the running best of the last row known by T.

An engine's as-of join knows nothing of this: asked about event times it answers with rows that were not known yet, and
picks any of several that tie. So it is only given rows in the order they became known, each with the row that was the
best at that moment.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.views import FeatureView
from treadle.records.rows import KNOWN_AT
from treadle.stages.features.events import Ints, Times
from treadle.stages.features.keys import KeyCodes, same_kinds

_BEST = "__best"
_AT = KNOWN_AT


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
    """A view's rows, arranged for point-in-time lookups; built once per table version.

    Cost: one pass where the rows come in the order they became known and each is newer than those before it, as stored
    rows mostly do; a sort, and the running best of the keys it matters for, where they do not.
    """

    def __init__(self, view: FeatureView, rows: pl.DataFrame) -> None:
        self.view = view
        self._keys = list(view.entity.keys)
        times = Times.of(rows)
        self._known = _known_in_order(rows, self._keys, times)
        self._event_time = times.event_time if view.ttl is not None else None
        self._tombstone = times.tombstone if times.tombstone.any() else None
        self._values = rows.select(pl.col(f.column).alias(f"{view.name}_{f.name}") for f in view.features)

    def lookup(self, spine: pl.DataFrame, at: Ints, order: Ints | None = None) -> pl.DataFrame:
        """Return the view's features as known at each row's T, one output row per spine row, in order.

        Args:
            spine: rows that have the entity's key columns.
            at: T of each row, shape (rows,).
            order: the positions of the rows by T, where it is at hand: the same for all views. Shape (rows,).
        """
        if self._values.height == 0:
            return self._values.clear(spine.height) if spine.height else self._values.clear()
        rows, usable = self._winners(spine, at, np.argsort(at) if order is None else order)
        if self._tombstone is not None:
            usable &= ~self._tombstone[rows]
        if self.view.ttl is not None and self._event_time is not None:
            usable &= at - self._event_time[rows] <= self.view.ttl
        picks = pl.Series(rows)
        if not usable.all():
            picks = picks.set(pl.Series(~usable), None)
        return self._values.select(pl.all().gather(picks))

    def _winners(
        self, spine: pl.DataFrame, at: Ints, order: Ints
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Return the best row known at each T, and whether there was one."""
        asked = spine.select(self._keys)
        same_kinds(asked, self._known, self._keys)
        asked = asked[order].with_columns(pl.Series(_AT, at[order]).set_sorted())
        found = asked.join_asof(
            self._known, on=_AT, by=self._keys or None, strategy="backward", check_sortedness=False
        )[_BEST]
        rows = np.empty(len(at), np.uint32)
        usable = np.ones(len(at), np.bool_)
        if found.null_count():
            usable[order] = found.is_not_null().to_numpy()
            found = found.fill_null(0)
        rows[order] = found.to_numpy()
        return rows, usable


def _known_in_order(rows: pl.DataFrame, keys: list[str], times: Times) -> pl.DataFrame:
    """Return keys, known_at and the best row so far, in the order the rows became known."""
    order: Ints | None = None
    if (times.known_at[1:] < times.known_at[:-1]).any():
        order = np.argsort(times.known_at, kind="stable")  # mostly in order: few runs to merge
        times = _taken(times, order)
    best: Ints = np.arange(rows.height) if order is None else order
    if _worse_than_before(times).any():
        best = best[_best_so_far(KeyCodes(rows, keys).of(rows)[best], times)]
    known = rows.select(keys) if order is None else rows.select(keys)[order]
    return known.with_columns(
        pl.Series(_AT, times.known_at).set_sorted(), pl.Series(_BEST, best.astype(np.uint32))
    )


def _best_so_far(codes: Ints, times: Times) -> Ints:
    """Return the running best of each key, for rows in known_at order; rows without a key keep themselves."""
    by_key = np.argsort(codes, kind="stable")
    ordered, sorted_times = codes[by_key], _taken(times, by_key)
    # Only keys in which some row is worse than the one before it: most keys never see a late row.
    worse = _worse_than_before(sorted_times) & (ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)
    concerned = np.zeros(max(int(ordered[-1]), 0) + 1, np.bool_)
    concerned[ordered[1:][worse]] = True
    inside = np.flatnonzero(concerned[ordered] & (ordered >= 0))
    best = np.arange(len(codes))
    places = by_key[inside]
    best[places] = places[running_best(ordered[inside], _taken(sorted_times, inside))]
    return best


def _worse_than_before(times: Times) -> npt.NDArray[np.bool_]:
    """Say of each row but the first whether it is less than the one before by (event time, created time, row)."""
    event, created, row = times.event_time, times.created_time, times.row
    tied = event[1:] == event[:-1]
    worse = event[1:] < event[:-1]
    if tied.any():
        same = created[1:] == created[:-1]
        worse |= tied & ((created[1:] < created[:-1]) | (same & (row[1:] < row[:-1])))
    return worse


def _taken(times: Times, places: Ints) -> Times:
    return Times(*(getattr(times, name)[places] for name in Times.__slots__))
