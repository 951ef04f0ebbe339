"""`treadle replay`: the whole loop over history, on a simulated clock."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.bootstrap import Home as HomeFolder
from treadle.bootstrap import LoadedProject, load_project, open_world
from treadle.entry.cli._data import data_place, data_root
from treadle.entry.cli._dispatch import Interrupted
from treadle.entry.cli._homes import reading
from treadle.entry.cli._shared import Home, Project, command_app, note
from treadle.records.instants import Instant, instant

if TYPE_CHECKING:
    import polars as pl

    from treadle.records.replays import ReplayReport

app = command_app()


@app.command("replay")
def replay(
    project: Project,
    data: Annotated[
        str, typer.Option("--data", help="The folder that the sources' files are in, or its s3:// URL.")
    ],
    home: Home,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what was found to this file, as JSON.")
    ] = None,
    report_file: Annotated[
        Path | None,
        typer.Option("--report", help="Write the report with its pictures to this file, as HTML."),
    ] = None,
    picture_file: Annotated[
        Path | None, typer.Option("--picture", help="Write the AUC by month to this file, as SVG.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Stop before this day or instant, e.g. 2013-06-01.")
    ] = None,
) -> None:
    """Run the loop over history: predictions, late labels, monitors, triggers, retraining and gates.

    The first three months train the first model; every later request is answered at its time, with what was known then.
    Stopped at any moment, the same command goes on where it was. The home it leaves behind can be served by `treadle up`.
    """
    from treadle.loop.replay_inputs import check_replayable
    from treadle.stages.data.reading import read_folder

    started = time.perf_counter()
    stop = None if until is None else instant(until)
    loaded = load_project(project)
    rows = read_folder(loaded.project.sources, data_place(data))  # bad data leaves no home behind
    check_replayable(loaded.project, rows, stop)
    place = HomeFolder.at(home, create=True)
    _begin_anew_if_unanswered(place, loaded, rows, stop)
    try:
        report = _run(loaded, place, data_root(data), rows, stop, started)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command goes on where it was") from None
    _write(report, place, json_file, report_file, picture_file)


def _begin_anew_if_unanswered(
    place: HomeFolder, loaded: LoadedProject, rows: dict[str, pl.DataFrame], until: Instant | None
) -> None:
    """Empty a home in which a replay of other data or definitions, or to another end, began and no day was answered."""
    from treadle.adapters.log import FileLogReader
    from treadle.loop.replay_inputs import is_unanswered, replay_inputs

    if not (place.folder / "metadata.db").is_file():
        return
    with place.held("treadle replay"):
        with reading(place) as view:
            logs = [FileLogReader(place.folder / name) for name in ("predictions", "events")]
            anew = is_unanswered(view, logs, replay_inputs(loaded.project, rows, until))
        if anew:
            place.empty()
            note("the home held a replay that had answered no day; it is begun anew")


def _run(
    loaded: LoadedProject,
    place: HomeFolder,
    data: str,
    rows: dict[str, pl.DataFrame],
    until: Instant | None,
    started: float,
) -> ReplayReport:
    from treadle.adapters.clock import SimulatedClock
    from treadle.entry.cli.progress import ReplayProgress
    from treadle.loop.replay import Replay
    from treadle.loop.replay_inputs import prepare_store
    from treadle.loop.replay_summary import build_report, measure_month

    clock = SimulatedClock(0)
    with open_world(place, loaded, clock) as world:
        store = prepare_store(world, rows, until)
        place.note(data=data)
        with ReplayProgress(sys.stdout) as progress:
            loop = Replay(
                world,
                store,
                clock,
                until=until,
                resuming=progress.resuming,
                turn_done=progress.turn_done,
                day_done=progress.day_done,
                month_done=lambda month: progress.month_done(measure_month(loop, month)[0]),
            )
            progress.begin(loop.span)
            loop.run()
            with loop.watch.measure("report"):
                report = build_report(loop, 0.0)
        place.note(clock_end=clock.now())
    seconds = time.perf_counter() - started
    from msgspec.structs import replace

    return replace(report, seconds=seconds, time_spent=dict(loop.watch.seconds))


def _write(
    report: ReplayReport,
    place: HomeFolder,
    json_file: Path | None,
    report_file: Path | None,
    picture_file: Path | None,
) -> None:
    from treadle.loop.replay_lines import closing_lines
    from treadle.loop.replay_report import readme_picture, replay_html
    from treadle.loop.replay_summary import report_json

    page = report_file or place.folder / "replay.html"
    _put(page, replay_html(report))
    if json_file is not None:
        _put(json_file, json.dumps(report_json(report), indent=2, allow_nan=False) + "\n")
    if picture_file is not None:
        _put(picture_file, readme_picture(report))
    for line in closing_lines(report, home=str(place.folder), page=str(page)):
        print(line)


def _put(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text)
    part.replace(path)
