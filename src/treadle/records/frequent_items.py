"""The most frequent values with their counts: exact while there are few, bounded for ever.

The mergeable summary of P. K. Agarwal and others, "Mergeable summaries" (PODS 2012), after J. Misra and D. Gries
(1982): counts are added; when there are more values than counters, the largest count among those that must go is
taken off every counter. A count is then too small by at most `error`, in whatever order parts are merged, and
`error` <= rows / (counters + 1).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from treadle.records.digests import digest_bytes
from treadle.records.record import Record

Value: TypeAlias = bool | int | float | str
RowId: TypeAlias = int | str
"""How a row is found again: its number, or the key that the profile was asked to use."""

MOST_COUNTERS = 512
MOST_BYTES = 24_000
"""Counters are kept while their values and row ids take no more than about this."""
LONGEST = 96
"""Characters of a text that are kept; a longer one is cut and closed with a part of its digest."""


class Counter(Record, frozen=True, array_like=True):
    """One value, how often it was seen at least, and one row that has it."""

    value: Value
    count: int
    row: RowId | None = None

    @property
    def key(self) -> tuple[str, Value]:
        """What tells values apart: 1, 1.0 and True are three."""
        return type(self.value).__name__, self.value


class FrequentItems(Record, frozen=True, array_like=True):
    """Counters, the largest first; equal counts in the order of their values."""

    counters: tuple[Counter, ...] = ()
    error: int = 0
    """A count is too small by at most this, and a value without a counter came at most so often."""
    total: int = 0
    """Rows that were counted."""

    @property
    def exact(self) -> bool:
        """Whether every value that came has its counter, with its exact count."""
        return self.error == 0

    def counts(self) -> dict[Value, int]:
        """Return the counts by value, the most frequent first."""
        return {one.value: one.count for one in self.counters}

    def merge(self, other: FrequentItems) -> FrequentItems:
        """Return the counters of both; exact if they are and all fit."""
        return fitted((*self.counters, *other.counters), self.error + other.error, self.total + other.total)


def fitted(counters: Iterable[Counter], error: int, total: int) -> FrequentItems:
    """Return counters of equal values added up and, if they are too many, cut to what may be kept."""
    sums: dict[tuple[str, Value], Counter] = {}
    for one in counters:
        seen = sums.get(one.key)
        sums[one.key] = one if seen is None else Counter(one.value, seen.count + one.count, _first(seen, one))
    ordered = sorted(sums.values(), key=lambda one: (-one.count, one.key))
    kept = _room_for(ordered)
    if kept == len(ordered):
        return FrequentItems(tuple(ordered), error, total)
    off = ordered[kept].count
    left = (Counter(one.value, one.count - off, one.row) for one in ordered[:kept] if one.count > off)
    return FrequentItems(tuple(left), error + off, total)


def shortened(text: str) -> str:
    """Return a text as it is kept: whole, or its beginning and a part of its digest."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - 13]}…{digest_bytes(text.encode('utf-8', 'surrogatepass'))[:12]}"


def _first(one: Counter, other: Counter) -> RowId | None:
    rows = [row for row in (one.row, other.row) if row is not None]
    return min(rows, key=lambda row: (isinstance(row, str), row), default=None)


def _room_for(ordered: list[Counter]) -> int:
    room = MOST_BYTES
    for place, one in enumerate(ordered[:MOST_COUNTERS]):
        room -= 12 + _size(one.value) + (0 if one.row is None else _size(one.row))
        if room < 0:
            return place
    return min(len(ordered), MOST_COUNTERS)


def _size(value: Value) -> int:
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else 9
