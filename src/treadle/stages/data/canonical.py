"""The canonical columns of stored rows: four times, a stable row number, and the tombstone."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.define.sources import Rows, Timing
from treadle.records.rows import CANONICAL, CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE


def add_canonical(rows: pl.DataFrame, timing: Timing, unique: Sequence[str]) -> pl.DataFrame:
    """Return the rows with their canonical columns, in an order that does not depend on how they arrived.

    Rows are numbered by event time, created time and then their identifying columns (all columns when none are declared),
    so shuffled files give the same numbers, and with them the same winner of every tie.

    Args:
        rows: conforming rows; the event time column has no nulls.
        timing: when they are true and known.
        unique: the columns that identify a row, if declared.
    """
    event = _micros(timing.event_time)
    created = _micros(timing.created_time) if timing.created_time else event
    known = [event + timing.known_after] + [_micros(c) for c in (timing.created_time, timing.known_at) if c]
    tombstone = pl.col(timing.tombstone).fill_null(False) if timing.tombstone else pl.lit(False)
    framed = rows.with_columns(
        event.alias(EVENT_TIME),
        pl.max_horizontal(known).alias(KNOWN_AT),
        created.alias(CREATED_TIME),
        tombstone.alias(TOMBSTONE),
    )
    ties = list(unique) or list(rows.columns)
    return (
        framed.sort(EVENT_TIME, CREATED_TIME, *ties, maintain_order=True)
        .with_row_index(ROW)
        .with_columns(pl.col(ROW).cast(pl.Int64))
        .select(*rows.columns, *CANONICAL)
    )


def row_faults(owner: str, rows: pl.DataFrame, definition: Rows) -> list[str]:
    """Return the faults that only the values show: rows without an event time, and repeated rows."""
    faults = []
    event_time = definition.timing.event_time
    if event_time is not None and rows[event_time].null_count():
        faults.append(
            f"{owner}: {rows[event_time].null_count()} rows have no {event_time!r}; leave them out in the table that makes "
            "them, since a row without an event time can never be used"
        )
    if definition.unique:
        repeated = rows.group_by(definition.unique).len().filter(pl.col("len") > 1)
        if repeated.height:
            first = repeated.sort(definition.unique).row(0, named=True)
            example = ", ".join(f"{c}={first[c]}" for c in definition.unique)
            faults.append(
                f"{owner}: {repeated.height} keys stand in several rows, e.g. {first['len']} rows with {example}; "
                f"({', '.join(definition.unique)}) must identify a row: remove the repeated rows"
            )
    return faults


def _micros(column: str | None) -> pl.Expr:
    if column is None:
        return pl.lit(0, pl.Int64)
    return pl.col(column).to_physical().cast(pl.Int64)
