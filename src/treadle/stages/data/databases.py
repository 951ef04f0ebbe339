"""Rows of a database: those from the greatest watermark on, so that ties and late commits are not lost, nor stored twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from treadle.define.origins import Sql
from treadle.define.sources import Source
from treadle.ports.outside import Outside
from treadle.records.errors import InvalidInput
from treadle.records.instants import Duration
from treadle.stages.data.arrivals import once_each
from treadle.stages.data.batches import Batch, Read
from treadle.stages.data.canonical import row_faults
from treadle.stages.data.conform import conform
from treadle.stages.data.cursors import Mark, MarkSeen


def read_database(source: Source, origin: Sql, outside: Outside, seen: MarkSeen | None) -> Read:
    """Return the rows from the mark on, less the lookback; all of them without a mark or a watermark column.

    Raises:
        NotReady: the database cannot be reached.
    """
    owner = f"source {source.name!r} ({origin.place})"
    since = None if seen is None else _earlier(seen.mark, origin.lookback)
    try:
        found = outside.query(
            origin.url,
            list(source.columns.items()),
            table=origin.table,
            query=origin.query,
            watermark=origin.watermark,
            since=since,
        )
    except InvalidInput as error:
        return Batch.none(), [f"{owner}: {fault}" for fault in error.faults or (error.what,)]
    rows, faults = conform(found, source.columns, source.zone)
    if faults:
        return Batch.none(), [f"{owner}: {fault}" for fault in faults]
    rows = once_each(source, rows)
    faults = [f"{owner}: {fault}" for fault in row_faults(rows, source)]
    if origin.watermark is None:
        return Batch(rows, whole=True), faults
    faults += _unmarked(owner, found, origin.watermark)
    if faults:
        return Batch.none(), faults
    mark = _greatest(found[origin.watermark])
    newest = seen if mark is None or (seen is not None and not _after(mark, seen.mark)) else MarkSeen.of(mark)
    if since is None:
        return Batch(rows, whole=True, seen=newest), []
    least = conform(
        pl.DataFrame({origin.watermark: [since]}),
        {origin.watermark: source.columns[origin.watermark]},
        source.zone,
    )
    bound = least[0][origin.watermark][0]
    return Batch(rows, seen=newest, overlap=pl.col(origin.watermark) >= bound), []


def _unmarked(owner: str, found: pl.DataFrame, watermark: str) -> list[str]:
    empty = found[watermark].null_count()
    if not empty:
        return []
    return [
        f"{owner}: {empty:,} of {found.height:,} rows have no {watermark!r}, their watermark: "
        "a later reading could not tell whether they were seen; fill it, or read without watermark="
    ]


def _greatest(marks: pl.Series) -> Mark | None:
    greatest = marks.max()
    if isinstance(greatest, datetime) or not isinstance(greatest, date | timedelta | bytes | list):
        return greatest  # type: ignore[return-value]  # what conformed as a time or an int
    return None


def _after(mark: Mark, other: Mark) -> bool:
    return type(mark) is not type(other) or mark > other  # type: ignore[operator]  # of one type


def _earlier(mark: Mark, lookback: Duration) -> Mark:
    """Return the mark less the lookback, written as the database writes it."""
    if not lookback:
        return mark
    if isinstance(mark, datetime):
        return mark - timedelta(microseconds=lookback)
    text = str(mark)
    moved = datetime.fromisoformat(text) - timedelta(microseconds=lookback)
    written = moved.isoformat(text[10:11] or " ", "microseconds" if "." in text else "seconds")
    return written.replace("+00:00", "Z") if text.endswith(("Z", "z")) else written
