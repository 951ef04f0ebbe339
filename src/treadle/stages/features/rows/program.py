"""Compiled sets of row features: the same features over frames and over single rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.define.binding import Bound, bind
from treadle.define.operators import ConstantValue
from treadle.define.row_features import RowFeature
from treadle.stages.features.rows.python import function

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class RowProgram:
    """Row features over typed inputs, ready to run."""

    bound: Bound
    inputs: tuple[str, ...]
    """What `row` takes, in order; only what some feature really reads."""
    outputs: tuple[str, ...]
    """What `row` returns, in order: the features as they were given."""
    types: Mapping[str, str]
    """The type of each output."""
    row: Callable[..., tuple[ConstantValue, ...]]
    """From the values of `inputs` to those of `outputs`. None is null; instants and durations are integers of
    microseconds; every value must be of its declared type, as `treadle.stages.features.rows.values.coerce` makes it.
    """
    source: str
    """The code of `row`, for people."""

    def expressions(self) -> list[pl.Expr]:
        """Return the features as Polars expressions, for `frame.with_columns(...)` (`select` may shorten constants).

        Each reads the frame's columns called like `inputs` and is named like its feature; instants come out as
        `Datetime("us", "UTC")`.

        Raises:
            InvalidInput: features of features multiplied into an expression too large to plan.
        """
        from treadle.stages.features.rows.frame import expressions

        return expressions(self.bound)


def compile_rows(features: Sequence[RowFeature], types: Mapping[str, str]) -> RowProgram:
    """Compile row features; some milliseconds, and 0.1 s for each time zone not seen before in this process.

    Args:
        features: the features; one may read another of them by its name, in any order.
        types: the type (float, int, string, bool, time, duration) of everything else they may read.

    Raises:
        InvalidInput: a name is unknown, features read each other in a circle, or types don't fit; every fault is
            listed.
    """
    bound = bind(features, types)
    row, source = function(bound, bound.inputs)
    kinds = {name: node.type for name, node in bound.outputs.items()}
    return RowProgram(bound, bound.inputs, tuple(bound.outputs), kinds, row, source)
