"""Aggregates over many ranges of one ordered array at once: what windows are offline.

A range is `[starts, ends)` of positions. Sums are two lookups in running totals; smallest and largest come from a table of
doubling spans, of which one span at a time is held; quantiles and distinct counts look at every (range, value) pair, a
million pairs at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.aggregates import Aggregate
from treadle.stages.features.channels import Contributions
from treadle.stages.features.exact import (
    deviation,
    join_array,
    split_array,
    squares_array,
    variance,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PAIRS = 1_000_000
"""At most this many (range, value) pairs are looked at together, unless one range alone has more: some 50 MiB."""


class Ranged:
    """The contributions of ordered events to one channel, ready to be aggregated over ranges of events."""

    def __init__(self, contributions: Contributions) -> None:
        present = contributions.present
        self._before: Ints | None = None
        self._numbers = contributions.numbers
        if not present.all():
            self._before = _running(present.astype(np.int64))
            self._numbers = contributions.numbers[present]

    def aggregate(self, feature: Aggregate, starts: Ints, ends: Ints) -> pl.Series:
        """Return an aggregate of each range of events, float64, null for "no value". Shape: (ranges,)."""
        if self._before is not None:
            starts, ends = self._before[starts], self._before[ends]
        match feature.function:
            case "count":
                return pl.Series((ends - starts).astype(np.float64))
            case "sum":
                return pl.Series(self._sums(starts, ends))
            case "mean":
                counted = ends - starts
                means: Floats = np.zeros(len(starts))
                np.divide(self._sums(starts, ends), counted, out=means, where=counted > 0)
                return _where(means, counted > 0)
            case "var" | "std":
                return self._variances(feature.function, starts, ends)
            case "min" | "max":
                return self._extremes(np.minimum if feature.function == "min" else np.maximum, starts, ends)
            case "first" | "last":
                return self._ends(feature.function, starts, ends)
            case "distinct":
                return pl.Series(self._distinct(starts, ends))
            case "quantile":
                return self._quantiles(feature.level or 0.0, starts, ends)

    @cached_property
    def _parts(self) -> tuple[Ints, Ints]:
        return split_array(self._numbers.astype(np.float64))

    @cached_property
    def _totals(self) -> tuple[Ints, Ints]:
        high, low = self._parts
        return _running(high), _running(low)

    @cached_property
    def _squares(self) -> list[Ints]:
        return [_running(limb) for limb in squares_array(*self._parts)]

    @cached_property
    def _ranks(self) -> tuple[Ints, npt.NDArray[np.generic]]:
        """Each value's rank among the different values, and those values in order."""
        different, ranks = np.unique(self._numbers, return_inverse=True)
        return ranks.astype(np.int64), different

    def _sums(self, starts: Ints, ends: Ints) -> Floats:
        high, low = self._totals
        return join_array(high[ends] - high[starts], low[ends] - low[starts])

    def _variances(self, function: str, starts: Ints, ends: Ints) -> pl.Series:
        high, low = (total[ends] - total[starts] for total in self._totals)
        limbs = np.stack([limb[ends] - limb[starts] for limb in self._squares], axis=1)
        counts = (ends - starts).tolist()
        exact = zip(counts, high.tolist(), low.tolist(), limbs.tolist(), strict=True)
        found = [variance(*parts) for parts in exact]
        if function == "std":
            found = [deviation(one) for one in found]
        return pl.Series(found, dtype=pl.Float64)

    def _extremes(self, better: np.ufunc, starts: Ints, ends: Ints) -> pl.Series:
        lengths = ends - starts
        out: Floats = np.zeros(len(starts))
        spans = np.frexp(lengths)[1] - 1  # the largest power of two that fits: two such spans cover the range
        best = self._numbers.astype(np.float64)
        for span in range(int(spans.max(initial=-1)) + 1):
            chosen = np.flatnonzero((spans == span) & (lengths > 0))
            out[chosen] = better(best[starts[chosen]], best[ends[chosen] - (1 << span)])
            best = better(best[: -(1 << span)], best[1 << span :])
        return _where(out, lengths > 0)

    def _ends(self, function: str, starts: Ints, ends: Ints) -> pl.Series:
        some = ends > starts
        out: Floats = np.full(len(starts), np.nan)
        out[some] = self._numbers[starts[some] if function == "first" else ends[some] - 1]
        return _where(out, ~np.isnan(out))

    def _distinct(self, starts: Ints, ends: Ints) -> Floats:
        out: Floats = np.zeros(len(starts))
        ranks, different = self._ranks
        for rows, owners, places in walk(starts, ends):
            pairs = np.sort(owners * len(different) + ranks[places])
            new = np.diff(pairs, prepend=-1) != 0
            out[rows] = np.bincount(pairs[new] // max(len(different), 1), minlength=len(rows))
        return out

    def _quantiles(self, level: float, starts: Ints, ends: Ints) -> pl.Series:
        out: Floats = np.zeros(len(starts))
        ranks, different = self._ranks
        for rows, owners, places in walk(starts, ends):
            ordered = np.sort(owners * len(different) + ranks[places]) % max(len(different), 1)
            lengths = (ends - starts)[rows]
            some = lengths > 0
            place = level * (lengths[some] - 1)
            below = place.astype(np.int64)
            part = place - below
            at = (np.cumsum(lengths) - lengths)[some] + below
            lower = different[ordered[at]]
            upper = different[ordered[at + (part > 0)]]
            inside = part > 0
            out[rows[some]] = lower
            out[rows[some][inside]] = lower[inside] + (upper[inside] - lower[inside]) * part[inside]
        return _where(out, ends > starts)


def walk(starts: Ints, ends: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Yield ranges' members in portions of at most `PAIRS`: rows, owner of each pair among them, position of each pair."""
    lengths = np.maximum(ends - starts, 0)
    reached = np.cumsum(lengths)
    begin = 0
    while begin < len(starts):
        done = reached[begin - 1] if begin else 0
        stop = max(int(np.searchsorted(reached, done + PAIRS, "right")), begin + 1)
        size = lengths[begin:stop]
        owners = np.repeat(np.arange(stop - begin), size)
        offsets = np.arange(len(owners)) - np.repeat(np.cumsum(size) - size, size)
        yield np.arange(begin, stop), owners, starts[begin:stop][owners] + offsets
        begin = stop


def _running(values: Ints) -> Ints:
    """Return sums over all values before each position, shape (values + 1,)."""
    totals = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=totals[1:])
    return totals


def _where(values: Floats, valid: npt.NDArray[np.bool_]) -> pl.Series:
    return pl.Series(values).set(pl.Series(~valid), None)
