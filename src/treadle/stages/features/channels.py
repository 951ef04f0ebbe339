"""Channels: what the events of a window view contribute to its aggregates, each kind of contribution once.

Aggregates that need the same of an event share a channel: the mean and the maximum of one column under one filter, say.
Online and offline both go through here, so that they agree on what counts: NaN is null, minus zero is zero, integers and
booleans are floats, and a filter counts where it is true.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.aggregates import Aggregate
from treadle.define.row_features import RowFeature
from treadle.define.views import WindowView
from treadle.stages.features.rows.program import RowProgram, compile_rows
from treadle.stages.features.state import Value

Kind: TypeAlias = Literal["rows", "value", "event", "code"]
"""`rows`: that there is an event. `value`: a number that is not null. `event`: a number, NaN for null. `code`: an integer
that stands for a value of any type that is not null."""

Reading: TypeAlias = float | None
"""What one event contributes to a channel: a number, 1 for `rows`, an integer for `code`; None for nothing."""

NO_CODE = -(1 << 63)
"""The integer that is no value's code."""

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

_bits = struct.Struct("<d").pack
_whole = struct.Struct("<q").unpack


@dataclass(frozen=True, slots=True)
class Channel:
    """One contribution of the events that a filter lets through."""

    kind: Kind
    column: str | None
    where: RowFeature | None

    @property
    def everything(self) -> bool:
        """Whether it only says that there is an event, of every event."""
        return self.kind == "rows" and self.where is None


_KINDS: dict[str, Kind] = {"first": "event", "last": "event", "distinct": "code"}


def channel_of(feature: Aggregate) -> Channel:
    """Return what an aggregate needs of each event."""
    kind: Kind = "rows" if feature.column is None else _KINDS.get(feature.function, "value")
    where = feature.where
    plain = None if where is None else RowFeature("filter", where.inputs, where.expression)
    return Channel(kind, feature.column, plain)


def channels_of(features: Sequence[Aggregate]) -> tuple[Channel, ...]:
    """Return the channels of some aggregates, each once, in order of first use."""
    return tuple(dict.fromkeys(channel_of(feature) for feature in features))


def code_of(value: Value) -> int | None:
    """Return the integer that stands for a value: the number itself, a float's bits, a digest of text; None for null."""
    if value is None or value != value:
        return None
    if isinstance(value, str):
        code = int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "little", signed=True)
    elif isinstance(value, float):
        (code,) = _whole(_bits(value + 0.0))
    else:
        code = int(value)
    return code if code != NO_CODE else NO_CODE + 1


def number_of(value: Value) -> float | None:
    """Return a value as a number: None for null and NaN, and zero has no sign."""
    if value is None or isinstance(value, str):
        return None
    number = float(value) + 0.0
    return number if number == number else None


def _event_of(value: Value) -> float:
    number = number_of(value)
    return float("nan") if number is None else number


class Reads:
    """Online: turns the values of one row into the readings of channels.

    Args:
        view: the view that the channels are of; its source has the types.
        channels: what to read.
    """

    def __init__(self, view: WindowView, channels: Sequence[Channel]) -> None:
        columns = view.value_columns
        self._program = _filters(view, channels)
        self._filter_inputs = [columns.index(name) for name in self._program.inputs] if self._program else []
        positions = _filter_positions(channels)
        self._steps = [
            (
                _READERS[channel.kind],
                None if channel.column is None else columns.index(channel.column),
                None if channel.where is None else positions[channel.where],
            )
            for channel in channels
        ]
        self._plain = (
            [index for _, index, _ in self._steps if index is not None]
            if all(c.kind == "value" and c.where is None for c in channels)
            else None
        )

    def of(self, values: Sequence[Value]) -> list[Reading]:
        """Return a reading per channel.

        Args:
            values: the row's values in the order of the view's `value_columns`.
        """
        if self._plain is not None:
            return [number_of(values[index]) for index in self._plain]
        passed: tuple[Value, ...] = ()
        if self._program is not None:
            passed = self._program.row(*[values[i] for i in self._filter_inputs])
        return [
            None
            if where is not None and passed[where] is not True
            else 1.0
            if column is None
            else read(values[column])
            for read, column, where in self._steps
        ]


_READERS: dict[Kind, Callable[[Value], Reading]] = {
    "rows": number_of,
    "value": number_of,
    "event": _event_of,
    "code": code_of,
}


@dataclass(frozen=True, slots=True)
class Contributions:
    """Offline: what all events contribute to one channel."""

    present: Bools
    """Which events contribute, shape (events,)."""
    numbers: Floats | Ints
    """What, shape (events,): codes of the channel `code`, else floats; NaN is null."""


def contributions(
    view: WindowView, channels: Sequence[Channel], rows: pl.DataFrame
) -> dict[Channel, Contributions]:
    """Return what rows contribute to each channel; the same readings as `Reads` gives one at a time."""
    program = _filters(view, channels)
    positions = _filter_positions(channels)
    passed = {}
    if program is not None:
        answers = rows.select(pl.col(c) for c in program.inputs).with_columns(program.expressions())
        passed = {
            where: answers[_filter_name(at)].fill_null(False).to_numpy() for where, at in positions.items()
        }
    out = {}
    for channel in channels:
        present = np.ones(rows.height, np.bool_) if channel.where is None else passed[channel.where]
        numbers: Floats | Ints = np.ones(rows.height)
        if channel.column is not None:
            column = rows[channel.column]
            if channel.kind == "code":
                codes = _codes(column)
                present, numbers = present & codes.is_not_null().to_numpy(), codes.fill_null(0).to_numpy()
            else:
                floats = column.cast(pl.Float64).fill_nan(None)
                if channel.kind == "value":
                    present = present & floats.is_not_null().to_numpy()
                numbers = floats.fill_null(np.nan).to_numpy() + 0.0
        out[channel] = Contributions(present, numbers)
    return out


def _codes(column: pl.Series) -> pl.Series:
    """Return `code_of` every value (Int64, null for null); text is digested once for each different one."""
    distinct = (column.to_physical() if column.dtype.is_temporal() else column).unique()
    known = pl.Series([code_of(value) for value in distinct.to_list()], dtype=pl.Int64)
    return (column.to_physical() if column.dtype.is_temporal() else column).replace_strict(
        distinct, known, return_dtype=pl.Int64
    )


def _filters(view: WindowView, channels: Sequence[Channel]) -> RowProgram | None:
    positions = _filter_positions(channels)
    if not positions:
        return None
    named = [RowFeature(_filter_name(at), where.inputs, where.expression) for where, at in positions.items()]
    types = {name: view.source.columns[name] for where in positions for name in where.inputs}
    return compile_rows(named, types)


def _filter_positions(channels: Sequence[Channel]) -> dict[RowFeature, int]:
    wheres = dict.fromkeys(channel.where for channel in channels if channel.where is not None)
    return {where: at for at, where in enumerate(wheres)}


def _filter_name(position: int) -> str:
    return f"__filter_{position}"
