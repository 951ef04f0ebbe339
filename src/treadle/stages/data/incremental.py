"""Building a table by parts: what is new of its inputs, and which part of it that makes anew. Pure.

Rows are numbered as they come, loaded and pushed ones apart, and numbers are never given twice. So what is new of an input
is what lies beyond the marks, as long as none of its rows was replaced or removed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from treadle.define.tables import APPEND, Table
from treadle.records.rows import PUSHED, ROW
from treadle.stages.data.arrivals import Arrival, Merged, merge
from treadle.stages.data.canonical import row_faults

Mark: TypeAlias = tuple[int, int, int]
"""How often an input's rows were replaced, and the numbers that its next loaded and its next pushed row can have."""


@dataclass(frozen=True, slots=True)
class Increment:
    """What a table's code is given to build a part of it."""

    inputs: Mapping[str, pl.DataFrame]
    because: str
    touched: pl.Series | None = None
    """The values of the partitions that are built; None where rows are added."""


def mark_of(rows: pl.DataFrame, replaced: int) -> Mark:
    """Return the mark of an input that has been seen whole."""
    numbers = rows[ROW]
    loaded, pushed = numbers.filter(numbers < PUSHED), numbers.filter(numbers >= PUSHED)
    return (replaced, _after(loaded, 0), _after(pushed, PUSHED))


def beyond(rows: pl.DataFrame, mark: Mark) -> pl.DataFrame:
    """Return the rows of an input that came after a mark."""
    _, loaded, pushed = mark
    number = pl.col(ROW)
    return rows.filter(((number >= loaded) & (number < PUSHED)) | (number >= pushed))


def plan_increment(
    table: Table,
    inputs: Mapping[str, pl.DataFrame],
    before: Mapping[str, Mark] | None,
    now: Mapping[str, Mark],
) -> Increment | str:
    """Return what part of a table has to be built, or why all of it.

    Args:
        table: its definition, the same as before.
        inputs: all rows of what it reads.
        before: the marks of what it has seen; None where nothing was noted.
        now: the marks as they are.
    """
    if before is None or before.keys() != now.keys():
        return "nothing is noted of what it has seen"
    replaced = [name for name in table.inputs if before[name][0] != now[name][0]]
    if replaced:
        return f"rows of {', '.join(replaced)} were replaced"
    new = {name: beyond(rows, before[name]) for name, rows in inputs.items()}
    grown = [name for name, rows in new.items() if rows.height]
    because = f"{', '.join(grown)} has new rows" if grown else "its inputs have new versions"
    if table.incremental == APPEND:
        return Increment(new, because)
    by = table.partition
    if by is None:
        return because
    fixed = [name for name in grown if by not in inputs[name].columns]
    if fixed:
        return f"{', '.join(fixed)}, which has no column {by!r}, has new rows"
    with_it = [rows[by] for rows in new.values() if by in rows.columns]
    if not with_it:
        return f"no input has the column {by!r}"
    if len({series.dtype for series in with_it}) > 1:
        return f"the column {by!r} is of several types"
    touched = pl.concat(with_it).unique()
    parts = {
        name: rows.filter(pl.col(by).is_in(touched.implode(), nulls_equal=True))
        if by in rows.columns
        else rows
        for name, rows in inputs.items()
    }
    return Increment(parts, f"{because}, in {len(touched):,} values of {by}", touched)


def merge_increment(
    table: Table, stored: pl.DataFrame, made: pl.DataFrame, increment: Increment, arrival: Arrival
) -> Merged:
    """Return what becomes of a table's stored rows by the part that was built; `made` conforms and has no faults."""
    if increment.touched is None:
        return merge(table, stored, made, arrival, whole=False)
    by = table.partition
    assert by is not None
    touched = increment.touched.cast(stored.schema[by]).implode()
    inside = pl.col(by).is_in(touched, nulls_equal=True)
    strange = made.filter(~inside).height
    if strange:
        fault = f"returned {strange:,} rows of other values of {by!r} than it was given; it cannot be built by them"
        return Merged(stored, stored.clear(), faults=(fault,))
    part = merge(table, stored.filter(inside), made, arrival, whole=True)
    rows = pl.concat([stored.filter(~inside), part.rows]).sort(ROW)
    faults = row_faults(rows, table) if table.unique and by not in table.unique else []
    return Merged(rows, part.arrived, part.gone, replaces=part.replaces, faults=tuple(faults))


def _after(numbers: pl.Series, none: int) -> int:
    return int(numbers.max()) + 1 if len(numbers) else none  # type: ignore[arg-type]  # an int64 column
