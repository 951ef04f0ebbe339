"""The canonical columns of stored rows: four times, a stable row number, and the tombstone."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.define.sources import Rows, Source, Timing
from treadle.records.rows import CANONICAL, CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE


def add_canonical(
    rows: pl.DataFrame, timing: Timing, unique: Sequence[str], first_row: int = 0
) -> pl.DataFrame:
    """Return the rows with their canonical columns, in an order that does not depend on how they arrived. Pure.

    Rows are numbered by event time, created time and then their identifying columns (all columns when none are declared),
    so shuffled files give the same numbers, and with them the same winner of every tie.

    Args:
        rows: conforming rows without faults: the columns of their timing have no nulls.
        timing: when they are true and known.
        unique: the columns that identify a row, if declared.
        first_row: the number of the first row.
    """
    event = _micros(timing.event_time)
    created = _micros(timing.created_time) if timing.created_time else event
    known = [event + timing.known_after] + [_micros(c) for c in (timing.created_time, timing.known_at) if c]
    tombstone = pl.col(timing.tombstone).fill_null(False) if timing.tombstone else pl.lit(False)
    order = [c for c in (timing.event_time, timing.created_time) if c]
    order += [c for c in unique or rows.columns if c not in order]
    return (
        rows.sort(order, maintain_order=True)
        .with_row_index(ROW, first_row)
        .with_columns(
            event.alias(EVENT_TIME),
            pl.max_horizontal(known).alias(KNOWN_AT),
            created.alias(CREATED_TIME),
            tombstone.alias(TOMBSTONE),
            pl.col(ROW).cast(pl.Int64),
        )
        .select(*rows.columns, *CANONICAL)
    )


def row_faults(rows: pl.DataFrame, definition: Rows) -> list[str]:
    """Return the faults that only the values show: rows without one of their times, and repeated rows. Pure."""
    faults = []
    where = "where the data is made" if isinstance(definition, Source) else "in the table's function"
    timing = definition.timing
    for role in ("event_time", "known_at", "created_time"):
        column = getattr(timing, role)
        empty = rows[column].null_count() if column is not None else 0
        if empty:
            faults.append(
                f"{empty:,} of {rows.height:,} rows have no {column!r}, their {role}; leave them out {where}: "
                "nobody can say when they may be used"
            )
    if isinstance(definition, Source) and definition.event_id is not None:
        empty = rows[definition.event_id].null_count()
        if empty:
            faults.append(
                f"{empty:,} of {rows.height:,} rows have no {definition.event_id!r}, their event_id"
            )
    if definition.unique:
        faults += _repeated(rows, list(definition.unique), where)
    return faults


def _repeated(rows: pl.DataFrame, unique: list[str], where: str) -> list[str]:
    if rows.select(unique).n_unique() == rows.height:
        return []
    repeated = rows.group_by(unique).len().filter(pl.col("len") > 1)
    first = repeated.sort(unique).row(0, named=True)
    example = ", ".join(f"{c}={first[c]}" for c in unique)
    keys = "1 key stands" if repeated.height == 1 else f"{repeated.height:,} keys stand"
    return [
        f"{keys} in several rows, e.g. {first['len']} rows with {example}; "
        f"({', '.join(unique)}) must identify a row: remove the repeated rows {where}, or name more columns in `unique`"
    ]


def _micros(column: str | None) -> pl.Expr:
    if column is None:
        return pl.lit(0, pl.Int64)
    return pl.col(column).to_physical().cast(pl.Int64)
