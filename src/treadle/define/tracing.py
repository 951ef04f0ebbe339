"""What a row feature may call besides the operators and methods of its columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from treadle.define.columns import Column, Plain, apply
from treadle.define.trace_sites import misused


class When:
    """`tr.when(condition)`, waiting for its `.then(value)`."""

    unfinished: ClassVar = "a tr.when without its end"
    __slots__ = ("_condition", "_so_far")

    def __init__(self, so_far: tuple[object, ...], condition: Column) -> None:
        if not isinstance(condition, Column):
            raise misused("the condition of tr.when is not a column", "compare a parameter: tr.when(x > 3)")
        self._so_far = so_far
        self._condition = condition

    def then(self, value: Column | Plain) -> Then:
        """The value where the condition is true."""
        return Then((*self._so_far, self._condition, value))


class Then:
    """`tr.when(...).then(...)`: finish it with `.otherwise(value)`, or go on with `.when(condition)`."""

    unfinished: ClassVar = "a tr.when without its end"
    __slots__ = ("_so_far",)

    def __init__(self, so_far: tuple[object, ...]) -> None:
        self._so_far = so_far

    def when(self, condition: Column) -> When:
        """A further condition, asked where none before it was true."""
        return When(self._so_far, condition)

    def otherwise(self, value: Column | Plain) -> Column:
        """The value where no condition was true; None for null."""
        return apply("when", *self._so_far, value)


def when(condition: Column) -> When:
    """Choose by condition: `tr.when(c).then(a).when(d).then(b).otherwise(z)`.

    A null condition counts as not true.
    """
    return When((), condition)


def coalesce(first: Column | Plain, *others: Column | Plain) -> Column:
    """The first of the values that is not null."""
    return apply("coalesce", first, *others)


def minimum(a: Column | Plain, b: Column | Plain) -> Column:
    """The smaller of two; null when either is null, else NaN when either is NaN."""
    return apply("minimum", a, b)


def maximum(a: Column | Plain, b: Column | Plain) -> Column:
    """The greater of two; null when either is null, else NaN when either is NaN."""
    return apply("maximum", a, b)


def cyclic(value: Column, period: float) -> tuple[Column, Column]:
    """Sine and cosine of a value that comes round after `period`: 23:59 and 0:00 become neighbours.

    Returns:
        `(sin(value * 2π/period), cos(value * 2π/period))`; return one of them from a row feature.
    """
    if not 0 < period < math.inf:
        raise misused(f"the period is a positive number, got {period!r}", "write tr.cyclic(minute, 1440)")
    angle = value * (2 * math.pi / period)
    return angle.sin(), angle.cos()


def bucketise(value: Column, edges: Sequence[float]) -> Column:
    """The number of the interval that a value lies in: 0 below the first edge, 1 from it on, and so forth.

    An edge belongs to the interval above it. Null and NaN lie in none: null.

    Args:
        value: a number.
        edges: ascending numbers.
    """
    listed = list(edges)
    rising = all(a < b for a, b in pairwise(listed))
    if not listed or not rising or any(edge != edge for edge in listed):
        raise misused(f"the edges {listed} do not rise", "write tr.bucketise(age, [18, 30, 65])")
    cases: list[object] = []
    for position, edge in enumerate(listed):
        cases += [value < edge, position]
    return apply("when", *cases, value >= listed[-1], len(listed), None)
