"""The rows of a source cut into windows by event time, and what each window shows. Pure: rows in, windows out.

Windows are half-open, as long as one another, and begin at multiples of their length since 1970 (UTC). One without rows is a
window like any other: that nothing came is what a monitor has to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from treadle.define.source_monitors import SourceMonitor
from treadle.records.estimates import Window
from treadle.records.instants import Duration, Instant
from treadle.records.rows import EVENT_TIME, KNOWN_AT, TOMBSTONE
from treadle.records.schemas import DatasetSchema
from treadle.records.source_windows import ColumnCounts, SourceWindow

Bounds = Mapping[str, tuple[float | None, float | None]]
"""Column to the least and the greatest value that its schema allows."""

_WINDOW = "__window"


def bounds_of(schema: DatasetSchema | None) -> dict[str, tuple[float | None, float | None]]:
    """Return the bounds that a schema sets for numbers."""
    if schema is None:
        return {}
    return {
        name: (column.min, column.max)
        for name, column in schema.columns.items()
        if column.type in ("int", "float") and (column.min is not None or column.max is not None)
    }


def known_rows(rows: pl.DataFrame, at: Instant, *, since: Instant | None = None) -> pl.DataFrame:
    """Return the rows known at an instant, without those that hide others; with `since`, of events since then alone."""
    known = (pl.col(KNOWN_AT) <= at) & ~pl.col(TOMBSTONE)
    return rows.filter(known if since is None else known & (pl.col(EVENT_TIME) >= since))


def counts_by_window(rows: pl.DataFrame, window: Duration) -> dict[Instant, int]:
    """Return the number of rows of every window that has any, by its begin."""
    starts = rows[EVENT_TIME] // window * window
    found = starts.value_counts()
    return dict(zip(found[EVENT_TIME].to_list(), found["count"].to_list(), strict=True))


def closed_starts(counts: Mapping[Instant, int], monitor: SourceMonitor, at: Instant) -> range:
    """Return the begins of all windows from the first one with rows up to the last one that is over, empty ones included."""
    if not counts:
        return range(0)
    last = (at - monitor.lateness) // monitor.window * monitor.window
    return range(min(counts), last, monitor.window)


def rows_of(rows: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Return the rows whose event time lies in a window."""
    return rows.filter((pl.col(EVENT_TIME) >= window.start) & (pl.col(EVENT_TIME) < window.end))


def measure_windows(
    rows: pl.DataFrame,
    starts: Sequence[Instant],
    monitor: SourceMonitor,
    at: Instant,
    *,
    columns: Iterable[str],
    unique: Iterable[str] = (),
    bounds: Bounds | None = None,
) -> list[SourceWindow]:
    """Return what windows show, in the order of `starts`.

    Args:
        rows: stored rows of the source, known at `at`; those of other windows are passed over.
        starts: the windows' begins.
        monitor: whose windows.
        at: when this is measured.
        columns: which columns are looked at; those that are not there are passed over.
        unique: the columns that identify a row; all when there are none.
        bounds: what the source's schema allows.
    """
    bounds = bounds or {}
    columns = [name for name in columns if name in rows.columns]
    begin = pl.col(EVENT_TIME) // monitor.window * monitor.window
    inside = rows.with_columns(begin.alias(_WINDOW)).filter(pl.col(_WINDOW).is_in(list(starts)))
    identity = [name for name in unique if name in rows.columns] or columns
    found = inside.group_by(_WINDOW).agg(
        pl.len().alias("rows"),
        (pl.col(KNOWN_AT) > pl.col(_WINDOW) + monitor.window + monitor.lateness).sum().alias("late"),
        pl.col(EVENT_TIME).max().alias("newest"),
        (pl.col(KNOWN_AT) - pl.col(EVENT_TIME)).median().cast(pl.Int64).alias("delay"),
        (pl.len() - pl.struct(identity).n_unique()).alias("duplicates"),
        *(expression for name in columns for expression in _of_column(name, rows.schema[name], bounds)),
    )
    by_start = {row[_WINDOW]: row for row in found.iter_rows(named=True)}
    return [_window(by_start.get(start), start, columns, bounds, monitor, at) for start in starts]


def _of_column(name: str, dtype: pl.DataType, bounds: Bounds) -> list[pl.Expr]:
    value = pl.col(name)
    if dtype.is_float():
        value = value.fill_nan(None)
    made = [
        value.is_null().sum().alias(f"nulls {name}"),
        value.drop_nulls().n_unique().alias(f"distinct {name}"),
    ]
    if name in bounds and dtype.is_numeric():
        low, high = bounds[name]
        below = pl.lit(False) if low is None else value < low
        above = pl.lit(False) if high is None else value > high
        made.append((below | above).sum().alias(f"outside {name}"))
    return made


def _window(
    row: Mapping[str, int] | None,
    start: Instant,
    columns: Sequence[str],
    bounds: Bounds,
    monitor: SourceMonitor,
    at: Instant,
) -> SourceWindow:
    found = row or {}
    return SourceWindow(
        monitor=monitor.name,
        source=monitor.source,
        window=Window(start, start + monitor.window),
        at=at,
        rows=found.get("rows", 0),
        late=found.get("late", 0),
        newest=found.get("newest"),
        delay=found.get("delay"),
        duplicates=found.get("duplicates", 0),
        columns=tuple(
            ColumnCounts(
                column=name,
                nulls=found.get(f"nulls {name}", 0),
                distinct=found.get(f"distinct {name}", 0),
                outside=found.get(f"outside {name}", 0) if name in bounds else None,
            )
            for name in columns
        ),
    )
