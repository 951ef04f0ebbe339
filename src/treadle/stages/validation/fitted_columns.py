"""Columns that look as if they had been fitted on data before they were stored: scaled, or split into one-hot codes.

Such values belong to one training set (see `treadle.define.fitted`). That a column is one can't be proved from its values,
so this warns and refuses nothing: a share of flights lies between 0 and 1 as well, and may reach both ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, TypeAlias

from treadle.records.profiles import ColumnProfile, Profile

FittedKind: TypeAlias = Literal["standardised", "min_max", "one_hot"]
NEAR = 1e-6
"""How near the mean of standardised values is to 0, and their standard deviation to 1."""
FEWEST = 30
"""Fewer values than this say nothing."""


@dataclass(frozen=True, slots=True)
class FittedColumns:
    """Columns that look fitted, and why."""

    kind: FittedKind
    columns: tuple[str, ...]
    why: str


def fitted_columns(profile: Profile) -> tuple[FittedColumns, ...]:
    """Return the columns that look standardised, scaled to [0, 1], or one-hot encoded. Pure."""
    columns = [column for column in profile.columns if column.moments.count >= FEWEST]
    return (*_scaled(columns), *_one_hot(columns))


def _scaled(columns: Iterable[ColumnProfile]) -> Iterator[FittedColumns]:
    for column in columns:
        if column.kind != "float" or column.infinities:
            continue
        n, mean, m2 = column.moments.count, column.moments.mean, column.moments.m2
        spreads = (math.sqrt(m2 / n), math.sqrt(m2 / (n - 1)))  # libraries divide by either
        if abs(mean) <= NEAR and any(abs(spread - 1.0) <= NEAR for spread in spreads):
            said = f"its {n:,} values have mean {mean:.1g} and standard deviation 1 to a millionth"
            yield FittedColumns("standardised", (column.name,), said)
        elif (column.low, column.high) == (0.0, 1.0) and column.distinct_count() > 2:
            said = f"its {n:,} values go from exactly 0 to exactly 1; a share may do so too"
            yield FittedColumns("min_max", (column.name,), said)


def _one_hot(columns: Iterable[ColumnProfile]) -> Iterator[FittedColumns]:
    flags = [column for column in columns if _is_flag(column)]
    for prefix, group in groupby(
        sorted(flags, key=lambda c: c.name), key=lambda c: c.name.rpartition("_")[0]
    ):
        found = list(group)
        rows = {column.rows for column in found}
        ones = sum(round(column.moments.mean * column.moments.count) for column in found)
        if prefix and len(found) >= 3 and rows == {ones}:
            said = f"exactly one of {len(found)} columns is set for each of {ones:,} rows, as far as sums can tell"
            yield FittedColumns("one_hot", tuple(column.name for column in found), said)


def _is_flag(column: ColumnProfile) -> bool:
    """Say whether a column has zeros and ones alone, and a value in every row."""
    counts = column.counts() if column.categorical else {}
    return (
        column.kind in ("int", "float", "bool")
        and column.moments.count == column.rows
        and bool(counts)
        and set(counts) <= {0, 1}  # False and True are 0 and 1
    )
