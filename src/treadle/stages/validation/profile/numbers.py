"""The running state of numbers: moments, quantiles, different values, extremes, runs, and counts while there are few."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.records import distinct_sketch
from treadle.records.frequent_items import MOST_COUNTERS, Counter, FrequentItems, RowId, Value
from treadle.records.moments import Moments
from treadle.records.quantile_sketch import Quantiles
from treadle.records.sketch_hashes import hash_floats, hash_integers
from treadle.stages.validation.profile.blocks import Places, Rows
from treadle.stages.validation.profile.extremes import Extremes, Numbers, Runs

_SAMPLE = 1024
"""Values of a block that are looked at to guess whether counting them is worth its time."""
_SPARSE = 2
"""Integers are counted by a table when it needs at most so many cells a value."""

Counted = tuple[Numbers, NDArray[np.int64]]
"""Different values, ascending, and how often each came."""


class NumberState:
    """Finite numbers of one column, block after block."""

    def __init__(self, shown: Callable[[float], Value], *, count: bool) -> None:
        """Start with nothing.

        Args:
            shown: turns a number into the value that readers know: True for 1.
            count: whether to count each value, while there are few.
        """
        self._shown = shown
        self.moments = Moments()
        self.quantiles = Quantiles()
        self.registers = distinct_sketch.no_values()
        self.extremes = Extremes(shown)
        self.runs = Runs(shown)
        self.zeros = 0
        self.negatives = 0
        self._counts: dict[float, tuple[int, RowId]] | None = {} if count else None

    def add(self, values: Numbers, places: Places | None, rows: Rows) -> None:
        """Take a block in; `places` says which rows the values are of, None: all, in order."""
        if not len(values):
            return
        self.extremes.add(values, places, rows)
        self.runs.add(values, places, rows)
        counted = count_values(values)
        if counted is None:
            self._counts = None
            self._add_plain(values)
            return
        self._add_counted(*counted)
        self._count(values, counted, places, rows)

    def frequent(self) -> FrequentItems | None:
        """Return the exact counts, or None when there were too many different values."""
        if self._counts is None:
            return None
        counters = [Counter(self._shown(v), count, row) for v, (count, row) in self._counts.items()]
        found = FrequentItems().merge(FrequentItems(tuple(counters), 0, self.moments.count))
        return found if found.exact else None

    def _add_plain(self, values: Numbers) -> None:
        floats = np.ascontiguousarray(values, np.float64)
        self.zeros += len(values) - int(np.count_nonzero(values))
        self.negatives += int(np.count_nonzero(values < 0))
        self.moments = self.moments.merge(Moments.of(floats))
        self.quantiles = self.quantiles.add(floats)
        distinct_sketch.count_in(self.registers, hashes_of(values))

    def _add_counted(self, values: Numbers, counts: NDArray[np.int64]) -> None:
        floats = values.astype(np.float64)
        self.zeros += int(counts[values == 0].sum())
        self.negatives += int(counts[values < 0].sum())
        self.moments = self.moments.merge(Moments.of_counted(floats, counts))
        self.quantiles = self.quantiles.add_counted(floats, counts)
        distinct_sketch.count_in(self.registers, hashes_of(values))

    def _count(self, values: Numbers, counted: Counted, places: Places | None, rows: Rows) -> None:
        if self._counts is None:
            return
        fresh = [value for value in counted[0].tolist() if value not in self._counts]
        if len(self._counts) + len(fresh) > MOST_COUNTERS:
            self._counts = None
            return
        for value in fresh:
            at = int(np.argmax(values == value))
            self._counts[value] = (0, rows.id(at if places is None else int(places[at])))
        for value, count in zip(counted[0].tolist(), counted[1].tolist(), strict=True):
            before, row = self._counts[value]
            self._counts[value] = (before + count, row)


def hashes_of(values: Any) -> NDArray[np.uint64]:  # Any: an array of either kind, told apart at run time
    """Return the hashes of numbers or of integers."""
    return hash_floats(values) if values.dtype == np.float64 else hash_integers(values)


def count_values(values: Numbers) -> Counted | None:
    """Return the different values and their counts where that is cheaper than taking each; None where it is not.

    Integers in a narrow range are counted by a table; others where few differ among the first thousand.
    """
    if values.dtype == np.int64:
        low, high = int(values.min()), int(values.max())
        if high - low < max(_SPARSE * len(values), _SAMPLE):
            table = np.bincount((values - low).astype(np.intp))
            found = np.flatnonzero(table)
            return found + low, table[found].astype(np.int64)
    if len(np.unique(values[:_SAMPLE])) > _SAMPLE // 2:
        return None
    series = pl.Series("value", values + 0 if values.dtype == np.int64 else values + 0.0)
    counts = series.value_counts().sort("value")
    return counts["value"].to_numpy(), counts["count"].to_numpy().astype(np.int64)
