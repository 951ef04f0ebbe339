"""Aggregates: what a window view computes of the events in a window, and how it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treadle.define.names import duplicates
from treadle.define.row_features import RowFeature, row_feature
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR, MINUTE, Duration, Instant, duration, short

AggregateFunction: TypeAlias = Literal[
    "count", "sum", "mean", "var", "std", "min", "max", "first", "last", "distinct", "quantile"
]
Accuracy: TypeAlias = Literal["exact", "tile"]
"""`exact`: windows begin at `T - w`. `tile`: they begin at the hop boundary at or before `T - w`."""

Where: TypeAlias = RowFeature | Callable[..., object]
"""A filter: a row feature, or the plain function of one. Its parameters name columns of the source."""

LADDER: tuple[tuple[Duration, Duration], ...] = ((12 * HOUR, 5 * MINUTE), (12 * DAY, HOUR))
"""Longest window and hop of each kind of tile; longer windows than all of them have hops of a day."""

NUMERIC = ("float", "int", "bool")


def hop_of(over: Duration) -> Duration:
    """Return the width of the tiles a window is made of: 5 minutes up to 12 hours, 1 hour up to 12 days, else a day."""
    return next((hop for longest, hop in LADDER if over <= longest), DAY)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate over a sliding window that ends at the prediction time. Made by `mean`, `count` and the like."""

    function: AggregateFunction
    column: str | None
    over: Duration
    name: str
    where: RowFeature | None = None
    """Which events count; None for all. An event counts where it is true, not where it is null."""
    level: float | None = None
    """Of a quantile: which, from 0 to 1."""

    def begin(self, at: Instant, accuracy: Accuracy) -> Instant:
        """Return the first instant of the window at T: `T - w`, or the hop boundary at or before it."""
        start = at - self.over
        return start if accuracy == "exact" else start // hop_of(self.over) * hop_of(self.over)


Aggregates: TypeAlias = Aggregate | tuple[Aggregate, ...]
"""One aggregate, or the same one over several windows."""

Over: TypeAlias = str | int | Sequence[str | int]
"""A window's length, or several: each becomes a feature."""


def count(
    column: str | None = None, *, over: Over, where: Where | None = None, name: str | None = None
) -> Aggregates:
    """Number of events in the window, or of a column's non-null values; 0 when there are none."""
    return _aggregates("count", column, over, where, name)


def total(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Sum of a column's non-null values over the window; 0 when there are none."""
    return _aggregates("sum", column, over, where, name)


def mean(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Mean of a column's non-null values over the window; null when there are none."""
    return _aggregates("mean", column, over, where, name)


def var(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Sample variance (divided by n - 1) of a column's non-null values; null for fewer than two.

    It is the nearest float to the true variance of the values, however large they are beside their spread.
    """
    return _aggregates("var", column, over, where, name)


def std(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Sample standard deviation: the square root of `var`; null for fewer than two values."""
    return _aggregates("std", column, over, where, name)


def smallest(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Smallest of a column's non-null values over the window; null when there are none."""
    return _aggregates("min", column, over, where, name)


def largest(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Largest of a column's non-null values over the window; null when there are none."""
    return _aggregates("max", column, over, where, name)


def first(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Value of the window's first event, by event time, created time, then row; null when it has none.

    Null is a value: to skip events without one, filter with `where=lambda x: x.is_not_null()`.
    """
    return _aggregates("first", column, over, where, name)


def last(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Value of the window's last event, by event time, created time, then row; null when it has none.

    Null is a value: to skip events without one, filter with `where=lambda x: x.is_not_null()`.
    """
    return _aggregates("last", column, over, where, name)


def distinct(column: str, *, over: Over, where: Where | None = None, name: str | None = None) -> Aggregates:
    """Number of different non-null values of a column over the window; 0 when there are none.

    Exact; text is told apart by a 64-bit digest. Needs a window view of `accuracy="exact"`.
    """
    return _aggregates("distinct", column, over, where, name)


def quantile(
    column: str, level: float, *, over: Over, where: Where | None = None, name: str | None = None
) -> Aggregates:
    """Quantile of a column's non-null values, interpolated between neighbours; null when there are none.

    Exact. Needs a window view of `accuracy="exact"`.

    Args:
        column: whose values.
        level: which quantile, from 0 (the smallest value) over 0.5 (the median) to 1 (the largest).
        over: the window, or several.
        where: which events count.
        name: the feature's name.
    """
    if not 0 <= level <= 1:
        raise InvalidInput(
            f"the quantile {level!r} of {column!r} is not between 0 and 1",
            fix="write tr.quantile('price', 0.9, over='7d') for the value that nine in ten do not exceed",
        )
    return _aggregates("quantile", column, over, where, name, float(level))


def flatten(features: Sequence[Aggregates]) -> tuple[Aggregate, ...]:
    """Return aggregates in order, those over several windows taken apart; other things are left as they are."""
    out: list[Aggregate] = []
    for feature in features:
        out += feature if isinstance(feature, tuple) else (feature,)
    return tuple(out)


def _aggregates(
    function: AggregateFunction,
    column: str | None,
    over: Over,
    where: Where | None,
    name: str | None,
    level: float | None = None,
) -> Aggregates:
    several = isinstance(over, Sequence) and not isinstance(over, str)
    windows = [duration(one) for one in over] if several else [duration(over)]  # type: ignore[union-attr,arg-type]  # told apart by `several`
    said = f"{function}({column!r})"
    if not windows or 0 in windows:
        raise InvalidInput(f"the window of {said} is empty", fix="give a duration such as over='3h'")
    if duplicates([short(window) for window in windows]):
        raise InvalidInput(f"a window of {said} stands twice", fix="list each duration once")
    condition, label = _filter(where, said, name)
    made = []
    for window in windows:
        called = name
        if called is None:
            parts = (column, _called(function, level), label, short(window))
            called = "_".join(part for part in parts if part)
        elif several:
            called = f"{name}_{short(window)}"
        made.append(Aggregate(function, column, window, called, condition, level))
    return tuple(made) if several else made[0]


def _called(function: AggregateFunction, level: float | None) -> str:
    """Return the function as it stands in a default name: a quantile of 0.95 is `p95`."""
    if level is None:
        return function
    return "p" + f"{level * 100:.6f}".rstrip("0").rstrip(".").replace(".", "_")


def _filter(where: Where | None, said: str, name: str | None) -> tuple[RowFeature | None, str]:
    """Return a filter traced, and the word it adds to a default name."""
    if isinstance(where, RowFeature) and not where.portable:
        raise InvalidInput(
            f"the filter of {said} is the opaque feature {where.name!r}, and state must outlive the code",
            where=where.where,
            fix="write it with tr.row_feature",
        )
    if where is None or isinstance(where, RowFeature):
        return where, "" if where is None else where.name
    if not callable(where):
        raise InvalidInput(
            f"the filter of {said} is {where!r}",
            fix="write a function of columns, e.g. where=lambda price: price > 10",
        )
    label = str(getattr(where, "__name__", "filter"))
    plain = label == "<lambda>"
    if plain and name is None:
        raise InvalidInput(
            f"{said} has a filter without a name, so the feature cannot be named after it",
            fix="give the feature a name: name='late', or decorate a function with @tr.row_feature and filter by that",
        )
    return row_feature(name="filter" if plain else label)(where), "" if plain else label
