"""Window features offline: exact sliding sums from prefix sums, two binary searches a row and window.

An event counts at T when its key matches, `T - w <= event_time < T` and `known_at <= T`. Where every row is known the
same time after its event, both conditions are one range of the (key, event time) order. Where lateness varies, the range
is walked and the rows not yet known are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.aggregates import Aggregate
from treadle.define.views import WindowView
from treadle.stages.features.events import Ints, TimeRanks, Times
from treadle.stages.features.exact import join_array, split_array
from treadle.stages.features.keys import KeyCodes

_WALK = 4_000_000
"""At most this many (row, event) pairs are looked at together when lateness varies: about 100 MiB."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """Per-event contributions of one column: whether it counts, and its exact parts."""

    count: Ints
    high: Ints
    low: Ints

    def prefix(self) -> _Sums:
        """Return sums over all events before each position, shape (events + 1,)."""
        return _Sums(*(np.concatenate([[0], np.cumsum(part)]) for part in (self.count, self.high, self.low)))

    def between(self, first: Ints, last: Ints) -> _Sums:
        """Return sums over [first, last) of prefix sums."""
        return _Sums(*(part[last] - part[first] for part in (self.count, self.high, self.low)))


def _contributions(values: pl.Series) -> _Sums:
    numbers = values.cast(pl.Float64).fill_nan(None)
    present = numbers.is_not_null().to_numpy()
    high, low = split_array(numbers.fill_null(0.0).to_numpy())
    return _Sums(present.astype(np.int64), high, low)


class WindowTable:
    """A view's events, arranged for point-in-time windows; built once per table version. Cost: one sort of the rows."""

    def __init__(self, view: WindowView, rows: pl.DataFrame) -> None:
        self.view = view
        self._keys = KeyCodes(rows, view.entity.keys)
        codes, times = self._keys.of(rows), Times.of(rows)
        order = np.lexsort((times.row, times.event_time, codes))
        order = order[(codes[order] >= 0) & ~times.tombstone[order]]
        event_time = times.event_time[order]
        self._known_at = times.known_at[order]
        lateness = self._known_at - event_time
        self._lateness: int | None = 0 if len(order) == 0 else int(lateness[0])
        if len(order) and (lateness != lateness[0]).any():
            self._lateness = None
        self._ranks = TimeRanks.of(event_time)
        self._packed = self._ranks.pack(codes[order], self._ranks.of_known(event_time))
        ordered = rows.select(view.value_columns)[order]
        self._each = {name: _contributions(ordered[name]) for name in view.value_columns}
        self._prefix = {name: sums.prefix() for name, sums in self._each.items()}

    def lookup(self, spine: pl.DataFrame, at: Ints) -> pl.DataFrame:
        """Return the view's aggregates as known at each row's T (float64), one output row per spine row, in order.

        Args:
            spine: rows that have the entity's key columns.
            at: T of each row, shape (rows,).
        """
        codes = self._keys.of(spine)
        last = self._position(codes, self._last_rank(at))
        columns: dict[str, pl.Series] = {}
        ranges: dict[int, tuple[Ints, Ints]] = {}
        for feature in self.view.features:
            if feature.over not in ranges:
                first = self._position(codes, self._ranks.below(at - feature.over))
                ranges[feature.over] = (np.where(codes < 0, last, np.minimum(first, last)), last)
            columns[f"{self.view.name}_{feature.name}"] = self._aggregate(feature, *ranges[feature.over], at)
        return pl.DataFrame(columns)

    def _last_rank(self, at: Ints) -> Ints:
        before = self._ranks.below(at)
        if self._lateness:
            return np.minimum(before, self._ranks.up_to(at - self._lateness))
        return before

    def _position(self, codes: Ints, ranks: Ints) -> Ints:
        return np.searchsorted(self._packed, self._ranks.pack(codes, ranks), "left").astype(np.int64)

    def _aggregate(self, feature: Aggregate, first: Ints, last: Ints, at: Ints) -> pl.Series:
        if feature.column is None:
            return pl.Series(self._counts(first, last, at).astype(np.float64))
        sums = self._sums(feature.column, first, last, at)
        counted = sums.count.astype(np.float64)
        if feature.function == "count":
            return pl.Series(counted)
        added = join_array(sums.high, sums.low)
        if feature.function == "sum":
            return pl.Series(added)
        means: npt.NDArray[np.float64] = np.divide(
            added, counted, out=np.zeros_like(added), where=counted > 0
        )
        return pl.Series(means).set(pl.Series(counted == 0), None)

    def _counts(self, first: Ints, last: Ints, at: Ints) -> Ints:
        if self._lateness is not None:
            return last - first
        counts = np.zeros(len(at), np.int64)
        for rows, pairs, events in self._walk(first, last, at):
            np.add.at(counts, rows[pairs], (self._known_at[events] <= at[rows[pairs]]).astype(np.int64))
        return counts

    def _sums(self, column: str, first: Ints, last: Ints, at: Ints) -> _Sums:
        if self._lateness is not None:
            return self._prefix[column].between(first, last)
        each = self._each[column]
        out = _Sums(*(np.zeros(len(at), np.int64) for _ in range(3)))
        for rows, pairs, events in self._walk(first, last, at):
            owners = rows[pairs]
            known = self._known_at[events] <= at[owners]
            inside = events[known]
            for target, part in ((out.count, each.count), (out.high, each.high), (out.low, each.low)):
                np.add.at(target, owners[known], part[inside])
        return out

    def _walk(self, first: Ints, last: Ints, at: Ints) -> list[tuple[Ints, Ints, Ints]]:
        """Return, in chunks, (rows of the chunk, owner of each pair within it, event position of each pair)."""
        lengths = last - first
        ends = np.cumsum(lengths)
        chunks, start = [], 0
        while start < len(at):
            done = ends[start - 1] if start else 0
            stop = max(int(np.searchsorted(ends, done + _WALK, "right")), start + 1)
            rows = np.arange(start, stop)
            size = lengths[start:stop]
            owners = np.repeat(np.arange(stop - start), size)
            offsets = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
            chunks.append((rows, owners, first[start:stop][owners] + offsets))
            start = stop
        return chunks
