"""Answers from running totals and from values: the last step of every online read, the same for events and for tiles."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.define.aggregates import Aggregate
from treadle.records.instants import Instant
from treadle.stages.features.exact import SQUARES, deviation, join, variance, wrap
from treadle.stages.features.window_layout import Layout

ROWS, COUNT, SUM, MEAN, VAR, STD, MIN, MAX, FIRST, LAST, DISTINCT, QUANTILE = range(12)
_OPERATIONS = {
    "count": COUNT, "sum": SUM, "mean": MEAN, "var": VAR, "std": STD, "min": MIN, "max": MAX, "first": FIRST, "last": LAST,
    "distinct": DISTINCT, "quantile": QUANTILE,
}  # fmt: skip

ReadWindows: TypeAlias = Callable[[bytes | None, Instant], list[float | None]]
"""From an entity's stored bytes and T to the aggregates, in their order."""


@dataclass(frozen=True, slots=True)
class Task:
    """One aggregate to read: what to do, and where its words stand in an entry."""

    operation: int
    over: int
    place: int
    """Of `count` for what is counted or summed, else of the first word looked at."""
    squares: int = 0
    level: float = 0.0


def task_of(feature: Aggregate, layout: Layout) -> Task:
    """Return how an aggregate is read from entries of a layout."""
    operation = _OPERATIONS[feature.function]
    slot = layout.slot(feature)
    if slot is None:
        return Task(ROWS, feature.over, 0)
    tile_places = {MIN: slot.low, MAX: slot.high, FIRST: slot.first, LAST: slot.last}
    if operation in (COUNT, SUM, MEAN, VAR, STD):
        place = slot.count
    else:
        place = slot.value or tile_places.get(operation, 0)
    return Task(operation, feature.over, place, slot.squares, feature.level or 0.0)


def nothing(task: Task) -> float | None:
    """Return the answer over no events."""
    return 0.0 if task.operation in (ROWS, COUNT, SUM, DISTINCT) else None


def summed(task: Task, words: Sequence[int], low_at: int, high_at: int) -> float | None:
    """Return what running totals say of the entries after one and up to another.

    Args:
        task: count, sum, mean, var or std.
        words: the state.
        low_at: where the task's place is in the entry before the window.
        high_at: where it is in the window's last entry.
    """
    counted = words[high_at] - words[low_at]
    if task.operation == COUNT:
        return float(counted)
    high = wrap(words[high_at + 1] - words[low_at + 1])
    low = wrap(words[high_at + 2] - words[low_at + 2])
    if task.operation == SUM:
        return join(high, low)
    if task.operation == MEAN:
        return join(high, low) / counted if counted else None
    back = task.place - task.squares  # from the count back to the squares, in both entries
    limbs = [wrap(words[high_at - back + i] - words[low_at - back + i]) for i in range(SQUARES)]
    found = variance(counted, high, low, limbs)
    return found if task.operation == VAR else deviation(found)


def position(times: Sequence[int], at: Instant) -> int:
    """Return how many of the times are before an instant."""
    return bisect_left(times, at)
