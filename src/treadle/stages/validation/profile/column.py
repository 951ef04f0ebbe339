"""One column's running state: which kind of values it has, and what is kept of them."""

from __future__ import annotations

import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from treadle.records import distinct_sketch
from treadle.records.frequent_items import Counter, FrequentItems, RowId, Value, fitted
from treadle.records.instants import DAY
from treadle.records.moments import Moments
from treadle.records.profiles import ColumnProfile, Finding, Kind, pick_rows
from treadle.stages.validation.profile.blocks import Places, Rows
from treadle.stages.validation.profile.numbers import NumberState, count_values
from treadle.stages.validation.profile.texts import TextState

_WIDE = (pl.UInt64, pl.Int128, pl.UInt128)
"""Integers that 64 bits with a sign may not hold: taken as floats."""


def kind_of(dtype: pl.DataType) -> Kind:
    """Return the kind of a column of this type."""
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype.is_integer():
        return "int"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    if dtype == pl.Boolean:
        return "bool"
    if dtype in (pl.Datetime, pl.Date):
        return "time"
    return "other"


class ColumnState:
    """What is known so far of one column whose values have one type."""

    def __init__(self, name: str, dtype: pl.DataType) -> None:
        self.name = name
        self.dtype = dtype
        self.kind = kind_of(dtype)
        self.texts = TextState()
        self.numbers = NumberState(bool if self.kind == "bool" else _itself, count=self.kind != "time")
        self.days = FrequentItems()
        self.rows = self.nulls = self.nan = self.infinities = 0
        self.examples: dict[Finding, tuple[RowId, ...]] = {}

    def add(self, values: pl.Series, rows: Rows) -> None:
        """Take the column of a block in."""
        self.rows += len(values)
        places: Places | None = None
        if nulls := values.null_count():
            missing = values.is_null().to_numpy()
            self.nulls += nulls
            self._example("null", np.flatnonzero(missing), rows)
            places = np.flatnonzero(~missing)
            values = values.drop_nulls()
        if self.kind == "other" or not len(values):
            return
        if self.kind == "string":
            self.texts.add(values.cast(pl.String), places, rows)
        elif self.kind == "float" or self.dtype in _WIDE:
            self._add_floats(values.cast(pl.Float64).to_numpy(), places, rows)
        elif self.kind == "time":
            instants = values.cast(pl.Datetime("us")).to_physical().to_numpy()
            self.numbers.add(instants, places, rows)
            self._add_days(instants // DAY)
        else:
            self.numbers.add(values.cast(pl.Int64).to_numpy(), places, rows)

    def build(self) -> ColumnProfile:
        """Return the profile of what was taken in."""
        present = self.rows - self.nulls
        common = ColumnProfile(
            name=self.name,
            kind=self.kind,
            dtype=str(self.dtype),
            rows=self.rows,
            nulls=self.nulls,
            nan=self.nan,
            infinities=self.infinities,
            types={self.kind: present} if present else {},
            examples={finding: pick_rows(rows) for finding, rows in sorted(self.examples.items())},
        )
        if self.kind == "other" or not present:
            return common
        return self._with_texts(common) if self.kind == "string" else self._with_numbers(common)

    def _add_floats(self, values: NDArray[np.float64], places: Places | None, rows: Rows) -> None:
        finite = np.isfinite(values)
        if not finite.all():
            where = np.arange(len(values)) if places is None else places
            nan = np.isnan(values)
            self.nan += int(nan.sum())
            self.infinities += int(len(values) - finite.sum() - nan.sum())
            self._example("nan", where[nan], rows)
            self._example("infinite", where[~finite & ~nan], rows)
            values, places = values[finite], where[finite]
        self.numbers.add(values + 0.0, places, rows)  # which makes -0.0 the same as 0.0

    def _add_days(self, days: NDArray[np.int64]) -> None:
        counted = count_values(days)
        if counted is None:  # too many days to be told apart in one block: as good as none
            counted = np.unique(days, return_counts=True)
        texts = counted[0].astype("datetime64[D]").astype(str).tolist()
        block = (Counter(text, count) for text, count in zip(texts, counted[1].tolist(), strict=True))
        self.days = self.days.merge(fitted(block, 0, len(days)))

    def _example(self, finding: Finding, places: Places, rows: Rows) -> None:
        if len(places):
            self.examples[finding] = pick_rows((*self.examples.get(finding, ()), *rows.drawn(places)))

    def _with_texts(self, common: ColumnProfile) -> ColumnProfile:
        state = self.texts
        return replace(
            common,
            lowest=state.lowest,
            highest=state.highest,
            distinct=distinct_sketch.to_bytes(state.registers),
            frequent=state.frequent,
            lengths=state.lengths,
        )

    def _with_numbers(self, common: ColumnProfile) -> ColumnProfile:
        state, time, truth = self.numbers, self.kind == "time", self.kind == "bool"
        return replace(
            common,
            zeros=0 if time else state.zeros,
            negatives=0 if time else state.negatives,
            moments=Moments() if time else state.moments,
            lowest=state.extremes.lowest,
            highest=state.extremes.highest,
            quantiles=state.quantiles.to_bytes() if state.quantiles.n and not truth else b"",
            distinct=distinct_sketch.to_bytes(state.registers) if state.quantiles.n else b"",
            frequent=self.days if time else state.frequent(),
            longest_run=state.runs.longest(),
        )


def _itself(value: float) -> Value:
    return value
