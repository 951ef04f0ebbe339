"""`treadle data quality`: how the rows of sources were over time, and whether that is as usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import home_now, open_home, open_project, opened_metadata
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    emit,
    emit_heading,
    emit_json,
    note,
)
from treadle.records.errors import NotFound, TreadleError
from treadle.records.instants import DAY, Instant, duration, instant, iso

if TYPE_CHECKING:
    from treadle import bootstrap
    from treadle.define.source_monitors import SourceMonitor
    from treadle.records.readings import MonitorReading
    from treadle.records.source_windows import SourceWindow

ALL_COLUMNS = ("source", "monitor", "window", "rows", "history", "state", "what")
ONE_COLUMNS = ("metric", "column", "newest", "history", "state")
WIDTH = 40
STATE_OF = {
    "rows": "volume",
    "null_share": "nulls",
    "duplicate_share": "duplicates",
    "outside_share": "ranges",
    "freshness_seconds": "freshness",
}
"""Which kind of reading judges a metric."""
SHOWN_ALWAYS = ("rows", "freshness_seconds", "delay_seconds", "late_share", "duplicate_share")
LOUD = ("alert", "warn", "ok", "inconclusive", "insufficient_data")

Since = Annotated[
    str | None,
    typer.Option(metavar="INSTANT|SPAN", help="Windows since an instant, or of a span back, such as 14d."),
]


def quality(
    source: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="A source or table.")] = None,
    home: Home = DEFAULT_HOME,
    project: Project = DEFAULT_PROJECT,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """Show how the rows of a source were over time: volume, freshness, missing values, repeats, ranges, drift.

    A source that a monitor watches is shown as it was measured and judged; another is measured now, from its rows, day by
    day.
    """
    opened = open_home(home)
    at = home_now(opened)
    start = None if since is None else _since(since, at)
    found = [
        _told(monitor, windows, readings)
        for monitor, windows, readings in _histories(opened, project, source, at, start)
    ]
    if as_json:
        emit_json([plain for plain, _ in found])
    elif source is None:
        rows = [_summary(plain, windows) for plain, windows in found]
        emit(rows, ALL_COLUMNS, as_json=False, empty="no source has an event time")
    else:
        for plain, windows in found:
            _show(plain, windows)


def _histories(
    opened: bootstrap.Home,
    project: Project,
    source: str | None,
    at: Instant,
    since: Instant | None,
) -> list[tuple[SourceMonitor, list[SourceWindow], dict[str, MonitorReading]]]:
    """Return what there is to show: a monitor, its windows and its newest readings, for each source asked for."""
    from treadle.define.source_monitors import SourceMonitor
    from treadle.loop.source_history import measured_from_rows, newest_readings, read_history

    watched: Sequence[SourceMonitor] = ()
    try:
        watched = open_project(project, opened).project.source_monitors
    except TreadleError as error:  # what can be told without the project is told
        note(f"without a project nothing is known of monitors: {error.what}")
    found = []
    with opened_metadata(opened) as metadata:
        with metadata.read() as view:
            names = view.datasets.names() if source is None else [source]
            if source is not None and source not in view.datasets.names():
                raise NotFound.among("dataset", source, view.datasets.names(), command="treadle data list")
            for monitor in watched:
                if monitor.source in names:
                    windows = read_history(view, monitor.name, since)
                    found.append((monitor, windows, newest_readings(view, monitor.name)))
        done = {monitor.source for monitor, windows, _ in found if windows}
        found = [entry for entry in found if entry[0].source in done]
        for name in names:
            if name not in done:
                plain = SourceMonitor(name, source=name, lateness=0)
                windows = measured_from_rows(
                    metadata, opened.tables(), plain, at, None if since is None else since // DAY * DAY
                )
                if windows or source is not None:
                    found.append((plain, windows, {}))
    return found


def _told(
    monitor: SourceMonitor, windows: Sequence[SourceWindow], readings: Mapping[str, MonitorReading]
) -> tuple[dict[str, Plain], Sequence[SourceWindow]]:
    """Return all that is known of a source, for programs. Pure."""
    from treadle.loop.source_history import metrics_of

    return {
        "source": monitor.source,
        "monitor": monitor.name if readings else None,
        "windows": [
            {
                "start": iso(one.window.start),
                "end": iso(one.window.end),
                "measured_at": iso(one.at),
                "revision": one.revision,
                "metrics": [
                    {"column": column, "metric": metric, "value": value}
                    for column, metric, value in metrics_of(one)
                ],
            }
            for one in windows
        ],
        "readings": [
            {
                "kind": one.kind,
                "state": one.state,
                "at": iso(one.at),
                "value": one.value,
                "what": one.sentence,
            }
            for one in readings.values()
        ],
    }, windows


def _summary(plain: Mapping[str, Plain], windows: Sequence[SourceWindow]) -> dict[str, Plain]:
    """Return a source in one line. Pure."""
    readings = _readings(plain)
    states = [str(one["state"]) for one in readings]
    loud = next((state for state in LOUD if state in states), "")
    newest = windows[-1] if windows else None
    return {
        "source": plain["source"],
        "monitor": plain["monitor"] or "",
        "window": "" if newest is None else str(newest.window),
        "rows": None if newest is None else newest.rows,
        "history": _spark([float(one.rows) for one in windows]),
        "state": loud,
        "what": "; ".join(str(one["what"]) for one in readings if one["state"] in ("alert", "warn")),
    }


def _show(plain: Mapping[str, Plain], windows: Sequence[SourceWindow]) -> None:
    """Write a source's page for people: a line for each number, then what stands out."""
    readings = _readings(plain)
    states = {str(one["kind"]): str(one["state"]) for one in readings}
    span = ""
    if windows:
        span = f"{len(windows)} windows, {iso(windows[0].window.start)[:10]} to {iso(windows[-1].window.end)[:10]}"
    who = f"watched by {plain['monitor']}" if plain["monitor"] else "not watched: measured now, from its rows"
    emit_heading(f"{plain['source']} ({who}; {span or 'no window is over yet'})")
    emit(_metric_rows(windows, states), ONE_COLUMNS, as_json=False)
    for one in readings:
        if one["state"] in ("alert", "warn"):
            emit_heading(f"{one['state']}: {one['what']}")


def _metric_rows(windows: Sequence[SourceWindow], states: Mapping[str, str]) -> list[Mapping[str, Plain]]:
    """Return a row for each metric that has something to say. Pure."""
    from treadle.loop.source_history import metrics_of

    series: dict[tuple[str | None, str], list[float | None]] = {}
    for one in windows:
        for column, metric, value in metrics_of(one):
            series.setdefault((column, metric), []).append(value)
    return [
        {
            "metric": metric,
            "column": column or "",
            "newest": values[-1],
            "history": _spark(values),
            "state": states.get(STATE_OF.get(metric, ""), ""),
        }
        for (column, metric), values in series.items()
        if metric in SHOWN_ALWAYS or (metric != "distinct" and any(values))
    ]


def _readings(plain: Mapping[str, Plain]) -> list[Mapping[str, Plain]]:
    listed = plain["readings"]
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _spark(values: Sequence[float | None]) -> str:
    from treadle.pictures.text import sparkline

    return sparkline(values, width=WIDTH) if values else ""


def _since(text: str, at: Instant) -> Instant:
    """Return the instant that is meant: itself, or a span before now. Pure."""
    return (
        at - duration(text)
        if text[-1:].isalpha() and text[:1].isdigit() and "T" not in text
        else instant(text)
    )
