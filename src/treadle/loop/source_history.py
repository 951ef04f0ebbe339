"""The history of a source's quality: read from the journal, kept as a table for queries, or computed from the rows.

Each source has a table `source-quality/SOURCE` in long form: one row for each number of each window, `column` null where it
is about the window as a whole. A window that was measured again has rows of the next `revision`; the greatest counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from treadle.define.source_monitors import SourceMonitor
from treadle.ports.metadata import Metadata, View
from treadle.ports.tables import Tables
from treadle.records.instants import SECOND, Instant
from treadle.records.readings import MonitorReading
from treadle.records.source_windows import SourceWindow
from treadle.stages.data.versions import find_version, version_rows
from treadle.stages.monitoring.source_windows import (
    closed_starts,
    counts_by_window,
    known_rows,
    measure_windows,
)

MEASURED = "quality.measured"
PREFIX = "source-quality/"
"""No source can have a name with a hyphen, so no table can be in the way."""
PAGE = 1_000
MOST = 400
"""So many windows of a source that nobody watches are measured."""
_INSTANT = pl.Datetime("us", "UTC")
_SCHEMA = {
    "monitor": pl.String(),
    "start": _INSTANT,
    "end": _INSTANT,
    "measured_at": _INSTANT,
    "revision": pl.Int64(),
    "column": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
}

Metric = tuple[str | None, str, float | None]
"""Column (None: the window as a whole), name and value; None where there is none."""


def metrics_of(window: SourceWindow) -> Iterator[Metric]:
    """Yield every number of a window: shares of its rows from 0 to 1, spans in seconds. Pure."""
    some = window.rows > 0
    yield None, "rows", float(window.rows)
    yield None, "late_share", window.share(window.late) if some else None
    yield None, "duplicate_share", window.share(window.duplicates) if some else None
    yield None, "delay_seconds", None if window.delay is None else window.delay / SECOND
    newest = window.newest
    yield None, "freshness_seconds", None if newest is None else (window.window.end - newest) / SECOND
    for column in window.columns:
        yield column.column, "null_share", window.share(column.nulls) if some else None
        yield column.column, "distinct", float(column.distinct)
        if column.outside is not None:
            yield column.column, "outside_share", window.share(column.outside) if some else None


def read_history(view: View, monitor: str, since: Instant | None = None) -> list[SourceWindow]:
    """Return what was measured of a monitor's source, oldest window first, each as it was measured last."""
    found: dict[Instant, SourceWindow] = {}
    after = 0
    while True:
        events = view.journal.read(after, kinds=[MEASURED], subject=monitor, limit=PAGE)
        for event in events:
            one = SourceWindow.from_json(event.data)
            found[one.window.start] = one
        if len(events) < PAGE:
            break
        after = events[-1].cursor
    return [found[start] for start in sorted(found) if since is None or found[start].window.end > since]


def newest_readings(view: View, monitor: str) -> dict[str, MonitorReading]:
    """Return the newest reading of each kind of a monitor."""
    found: dict[str, MonitorReading] = {}
    after = 0
    while True:
        events = view.journal.read(after, kinds=["monitor.read"], subject=monitor, limit=PAGE)
        for event in events:
            reading = MonitorReading.from_json(event.data)
            found[reading.kind] = reading
        if len(events) < PAGE:
            return found
        after = events[-1].cursor


def measured_from_rows(
    metadata: Metadata, tables: Tables, monitor: SourceMonitor, at: Instant, since: Instant | None = None
) -> list[SourceWindow]:
    """Return the windows of a source that nobody watches, from the rows of its newest version; nothing is kept.

    They are the newest 400 up to the last that has rows: nobody has said that more are to come.

    Raises:
        NotFound: there is no such dataset.
    """
    with metadata.read() as view:
        manifest = find_version(view.datasets, monitor.source)
    rows = known_rows(version_rows(tables, manifest, times=True).collect(), at, since=since)
    counts = counts_by_window(rows, monitor.window)
    last = max(counts, default=0)
    starts = [start for start in closed_starts(counts, monitor, at) if start <= last][-MOST:]
    columns = [name for name in rows.columns if not name.startswith("__")]
    return measure_windows(rows, starts, monitor, at, columns=columns, unique=manifest.unique)


def flush_history(metadata: Metadata, tables: Tables, monitors: Sequence[SourceMonitor]) -> int:
    """Bring what was measured from the journal to the tables, once each; returns the number of windows.

    A table commit carries the cursor that it reaches, so after a crash the same events are offered again and land once.
    """
    written = 0
    for monitor in monitors:
        table, writer = PREFIX + monitor.source, f"quality:{monitor.name}"
        after = tables.writer_number(table, writer) or 0
        while True:
            with metadata.read() as view:
                events = view.journal.read(after, kinds=[MEASURED], subject=monitor.name, limit=PAGE)
            if not events:
                break
            after = events[-1].cursor
            frame = metric_rows([SourceWindow.from_json(event.data) for event in events])
            tables.append(table, frame, writer=(writer, after))
            written += len(events)
    return written


def metric_rows(windows: Sequence[SourceWindow]) -> pl.DataFrame:
    """Return the numbers of windows as rows of a quality table. Pure."""
    rows = [
        (one.monitor, one.window.start, one.window.end, one.at, one.revision, column, metric, value)
        for one in windows
        for column, metric, value in metrics_of(one)
    ]
    plain = {name: pl.Int64() if dtype == _INSTANT else dtype for name, dtype in _SCHEMA.items()}
    return pl.DataFrame(rows, schema=plain, orient="row").with_columns(
        pl.col(name).cast(_INSTANT) for name, dtype in _SCHEMA.items() if dtype == _INSTANT
    )
