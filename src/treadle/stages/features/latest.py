"""Latest-value features offline: one as-of join on the running best, which is what the online store held.

A row is a candidate at T when its key matches, `known_at <= T`, and `T - event_time <= ttl`. The winner has the greatest
event time, then created time, then row number. The running best by that order, taken in known_at order, is exactly the
state an online writer keeps; so the value at T is the running best of the last row known by T.

An engine's as-of join knows nothing of this: asked about event times it answers with rows that were not known yet, and
picks any of several that tie. So it is only given rows in the order they became known, each with the row that was the
best at that moment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.views import FeatureView
from treadle.records.rows import CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE
from treadle.stages.features.events import Ints, Times
from treadle.stages.features.forms import Form, forms_of
from treadle.stages.features.keys import KeyCodes, by_code, same_kinds

_BEST = "__best"
_AT = KNOWN_AT


class Asked:
    """Rows asked about, in the order of their T: arranged once for all views."""

    def __init__(self, spine: pl.DataFrame, at: Ints) -> None:
        self._spine = spine
        times = pl.Series(_AT, at)
        places = times.arg_sort()
        self.order = places.to_numpy()
        self._places = places
        self._times = times.gather(places).set_sorted()
        self._frames: dict[tuple[str, ...], pl.DataFrame] = {}

    def by_time(self, keys: Sequence[str]) -> pl.DataFrame:
        """Return the key columns with T, by T."""
        known = self._frames.get(tuple(keys))
        if known is None:
            columns = [self._spine[key].gather(self._places) for key in keys]
            known = pl.DataFrame([*columns, self._times])
            self._frames[tuple(keys)] = known
        return known


class LatestTable:
    """A view's rows, arranged for point-in-time lookups; built once per table version.

    Cost: a look at the order where each row is newer and known later than all before it, as stored rows mostly are; else
    a sort by known_at and the running best.
    """

    def __init__(self, view: FeatureView, rows: pl.DataFrame) -> None:
        self.view = view
        self._forms = [_FormTable(view, form, form.counted(rows)) for form in forms_of(view) if form.features]

    def lookup(self, spine: pl.DataFrame, at: Ints, asked: Asked | None = None) -> pl.DataFrame:
        """Return the view's features as known at each row's T, one output row per spine row, in order.

        Args:
            spine: rows that have the entity's key columns.
            at: T of each row, shape (rows,).
            asked: the same, arranged already, where several views are looked up.
        """
        asked = asked or Asked(spine, at)
        found = [form.lookup(at, asked) for form in self._forms]
        return pl.concat(found, how="horizontal").select(self.view.columns) if len(found) > 1 else found[0]


class _FormTable:
    """The rows of one form of a view, arranged for lookups."""

    def __init__(self, view: FeatureView, form: Form, rows: pl.DataFrame) -> None:
        self._ttl = view.ttl
        self._keys = list(view.entity.keys)
        self._known = _known_in_order(rows, self._keys).with_columns(pl.col(_AT).set_sorted())
        self._event_time = rows[EVENT_TIME].to_numpy() if view.ttl is not None else None
        self._tombstone = rows[TOMBSTONE].to_numpy() if rows[TOMBSTONE].any() else None
        self._values = rows.select(pl.col(f.column).alias(f"{view.name}_{f.name}") for f in form.features)

    def lookup(self, at: Ints, asked: Asked) -> pl.DataFrame:
        """Return the form's features as known at each row's T."""
        if self._values.height == 0:
            return self._values.clear(len(at)) if len(at) else self._values.clear()
        rows, usable = self._winners(asked)
        if self._tombstone is not None:
            usable &= ~self._tombstone[rows]
        if self._ttl is not None and self._event_time is not None:
            usable &= at - self._event_time[rows] <= self._ttl
        picks = pl.Series(rows)
        if not usable.all():
            picks = picks.set(pl.Series(~usable), None)
        return self._values.select(pl.all().gather(picks))

    def _winners(self, asked: Asked) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
        """Return the best row known at each T, and whether there was one."""
        left = asked.by_time(self._keys)
        same_kinds(left, self._known, self._keys)
        found = left.join_asof(
            self._known, on=_AT, by=self._keys or None, strategy="backward", check_sortedness=False
        )[_BEST]
        rows = np.empty(len(found), np.uint32)
        usable = np.ones(len(found), np.bool_)
        if found.null_count():
            usable[asked.order] = found.is_not_null().to_numpy()
            found = found.fill_null(0)
        rows[asked.order] = found.to_numpy()
        return rows, usable


def _known_in_order(rows: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Return keys, known_at and the best row so far, in the order the rows became known."""
    if all(rows[name].is_sorted() for name in (KNOWN_AT, EVENT_TIME, CREATED_TIME, ROW)):
        # Each row is newer than all before it, as stored rows mostly are: it is its own best.
        known = rows.select(*keys, pl.col(KNOWN_AT).alias(_AT))
        return known.with_columns(pl.int_range(rows.height, dtype=pl.UInt32).alias(_BEST))
    codes, times = KeyCodes(rows, keys), Times.of(rows)
    order: Ints = np.argsort(times.known_at)
    best = running_best(codes.of(rows), times, order)
    return rows.select(keys)[order].with_columns(
        pl.Series(_AT, times.known_at[order]), pl.Series(_BEST, best.astype(np.uint32))
    )


def running_best(codes: Ints, times: Times, order: Ints) -> Ints:
    """Return for each row, in known_at order, the best row of its key up to it, by (event time, created time, row).

    Of rows that became known at one instant, only the last in the order is sure to see the others.

    Args:
        codes: key codes of the rows, -1 for none. Shape (rows,).
        times: the rows' canonical times.
        order: the positions of the rows by known_at.

    Returns:
        Positions of rows, in the given order. Shape (rows,).
    """
    by_key = order[by_code(codes[order])]
    ranked = _by_goodness(times)
    goodness = by_key if ranked is None else _inverse(ranked)[by_key]
    # Running maxima per key in one pass: lift each key's block above the one before it.
    lift = (codes[by_key] + 1) * np.int64(len(codes))
    best = np.maximum.accumulate(goodness + lift) - lift
    of_row = np.empty(len(codes), np.int64)
    of_row[by_key] = best if ranked is None else ranked[best]
    found: Ints = of_row[order]
    return found


def _by_goodness(times: Times) -> Ints | None:
    """Return the positions of the rows by (event time, created time, row); None where they stand so."""
    event, created, row = times.event_time, times.created_time, times.row
    tied = event[1:] == event[:-1]
    worse = event[1:] < event[:-1]
    if tied.any():
        same = created[1:] == created[:-1]
        worse |= tied & ((created[1:] < created[:-1]) | (same & (row[1:] < row[:-1])))
    return np.lexsort((row, created, event)) if worse.any() else None


def _inverse(order: Ints) -> Ints:
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places
