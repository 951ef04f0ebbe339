"""The outermost values of a stream with their rows, and its longest run of equal values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from treadle.records.frequent_items import Value
from treadle.records.profiles import EXAMPLES, Extreme, Run, longer_run, merge_extremes
from treadle.stages.validation.profile.blocks import Places, Rows

Numbers = NDArray[np.float64] | NDArray[np.int64]


class Extremes:
    """The five smallest and the five largest numbers."""

    def __init__(self, shown: Callable[[float], Value]) -> None:
        self._shown = shown
        self.lowest: tuple[Extreme, ...] = ()
        self.highest: tuple[Extreme, ...] = ()

    def add(self, values: Numbers, places: Places | None, rows: Rows) -> None:
        """Take a block in; `places` says which rows the values are of, None: all, in order."""
        for largest in (False, True):
            kept = self.highest if largest else self.lowest
            found = _outermost(values, kept, largest=largest)
            if not len(found):
                continue
            at = found if places is None else places[found]
            new = tuple(
                Extreme(self._shown(values[i].item()), rows.id(int(place)))
                for i, place in zip(found.tolist(), at.tolist(), strict=True)
            )
            kept = merge_extremes(kept, new, largest=largest)
            if largest:
                self.highest = kept
            else:
                self.lowest = kept


def _outermost(values: Numbers, kept: tuple[Extreme, ...], *, largest: bool) -> NDArray[np.intp]:
    """Return where the values are that may belong among the outermost, the first of equal ones."""
    if len(kept) == EXAMPLES:
        worst = float(kept[-1].value)
        beyond = np.flatnonzero(values > worst) if largest else np.flatnonzero(values < worst)
        if len(beyond) <= EXAMPLES:
            return beyond
        return beyond[_outermost(values[beyond], (), largest=largest)]
    if len(values) <= EXAMPLES:
        return np.arange(len(values))
    place = len(values) - EXAMPLES if largest else EXAMPLES - 1
    limit = np.partition(values, place)[place]
    beyond = np.flatnonzero(values > limit) if largest else np.flatnonzero(values < limit)
    equal = np.flatnonzero(values == limit)[: EXAMPLES - len(beyond)]
    return np.concatenate([beyond, equal])


class Runs:
    """The longest stretch of equal values, over the seams between blocks; missing values do not break it."""

    def __init__(self, shown: Callable[[float], Value]) -> None:
        self._shown = shown
        self._longest: Run | None = None
        self._open: Run | None = None

    def add(self, values: Numbers, places: Places | None, rows: Rows) -> None:
        """Take a block in; `places` says which rows the values are of, None: all, in order."""
        if not len(values):
            return
        ties = np.flatnonzero(values[1:] == values[:-1])
        # A run of k + 1 equal values is k neighbouring ties; most columns have few, so only these are looked at.
        seams = np.flatnonzero(ties[1:] != ties[:-1] + 1) + 1
        starts = np.concatenate([[0], seams])[: len(ties)]
        lengths = np.diff(np.concatenate([starts, [len(ties)]]))[: len(starts)] + 1
        firsts = ties[starts]
        head = int(lengths[0]) if len(ties) and firsts[0] == 0 else 1
        first = self._run(values, 0, head, places, rows)
        if self._open is not None and self._open.value == first.value:
            first = Run(self._open.length + head, self._open.value, self._open.row)
        else:
            self._longest = longer_run(self._longest, self._open)
        if head == len(values):
            self._open = first
            return
        self._longest = longer_run(self._longest, first)
        if len(lengths):
            best = int(np.argmax(lengths))
            inner = self._run(values, int(firsts[best]), int(lengths[best]), places, rows)
            self._longest = longer_run(self._longest, inner)
        tail = int(lengths[-1]) if len(ties) and firsts[-1] + lengths[-1] == len(values) else 1
        self._open = self._run(values, len(values) - tail, tail, places, rows)

    def longest(self) -> Run | None:
        """Return the longest run of at least two values."""
        found = longer_run(self._longest, self._open)
        return found if found is not None and found.length > 1 else None

    def _run(self, values: Numbers, start: int, length: int, places: Places | None, rows: Rows) -> Run:
        at = start if places is None else int(places[start])
        return Run(length, self._shown(values[start].item()), rows.id(at))
