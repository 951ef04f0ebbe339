"""`treadle run PIPELINE`: train a challenger, hold it against the gates, promote it or say why not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.bootstrap import Home as OpenedHome
from treadle.bootstrap import LoadedProject, open_world
from treadle.define.project import Project as DefinedProject
from treadle.define.steps import Pipeline
from treadle.entry.cli._data import data_place, data_root
from treadle.entry.cli._homes import existing_home, for_people, open_project, reading
from treadle.entry.cli._parameters import UNTIL, pipeline_parameters
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    TakeOver,
    command_app,
    emit_heading,
    emit_json,
    emit_lines,
    emit_record,
    note,
)
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.ids import make_id
from treadle.records.instants import Instant

if TYPE_CHECKING:
    from treadle.define.endpoints import Endpoint
    from treadle.loop.training import Store
    from treadle.loop.turn import Stage, TurnResult
    from treadle.loop.world import World
    from treadle.stages.data.batches import Batch

BY_HAND = "a person asked for it"
METADATA = "metadata.db"
NEWEST = "just after the newest known label"

app = command_app()


@app.command("run")
def run(
    pipeline: Annotated[str, typer.Argument(metavar="PIPELINE", help="The pipeline's name.")],
    project: Project = DEFAULT_PROJECT,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="The folder of the sources' files, or its s3:// URL; left out: the rows the home has.",
        ),
    ] = None,
    home: Home = DEFAULT_HOME,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the pipeline; repeatable."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Learn from labels known before this; else from all of them."),
    ] = None,
    gate: Annotated[
        bool, typer.Option("--gate/--no-gate", help="Whether to judge the new version, and promote it.")
    ] = True,
    endpoint: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Judge for this endpoint only; repeatable; else for all."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run.")] = BY_HAND,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what would be done, and do nothing.")
    ] = False,
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline: train a model, hold it against the gates, promote it or say why not.

    Steps that were done before with the same code, parameters and data are not done again.
    """
    from treadle.loop.turn import explain as sentences

    loaded = open_project(project, existing_home(home))
    found = find_pipeline(loaded.project, pipeline)
    params = pipeline_parameters(found, [*(param or []), *([f"{UNTIL}={until}"] if until else [])])
    judged = endpoint_names(loaded.project, endpoint or [], gate=gate)
    if explain:
        shown = params if UNTIL in params or UNTIL not in found.parameters else {UNTIL: NEWEST, **params}
        lines = sentences(planned(found.name, shown, "", reason, judged))
        if as_json:
            emit_json({"pipeline": found.name, "plan": lines})
        else:
            emit_lines("\n".join(lines))
        return
    record = perform_turn(loaded, home, data, found, params, judged, reason, take_over=take_over)
    if as_json:
        emit_json(record)
    else:
        _show(record)


def find_pipeline(project: DefinedProject, name: str) -> Pipeline[..., object]:
    """Return the project's pipeline of that name.

    Raises:
        NotFound: there is none; the nearest names are offered.
    """
    known = {pipeline.name: pipeline for pipeline in project.pipelines}
    if name not in known:
        raise NotFound.among("pipeline", name, known, where=f"project {project.name!r}")
    return known[name]


def endpoint_names(project: DefinedProject, wanted: Sequence[str], *, gate: bool) -> list[str]:
    """Return the endpoints for which a new version is judged: those wanted, or all.

    Raises:
        NotFound: the project has no such endpoint.
        InvalidInput: endpoints are named though nothing is to be judged.
    """
    known = [endpoint.name for endpoint in project.endpoints]
    for name in wanted:
        if name not in known:
            raise NotFound.among("endpoint", name, known, where=f"project {project.name!r}")
    if wanted and not gate:
        raise InvalidInput(
            "--endpoint names what to judge for, --no-gate says not to judge", fix="give one of them"
        )
    return (list(dict.fromkeys(wanted)) or known) if gate else []


def planned(
    pipeline: str, params: dict[str, Json], key: str, reason: str, endpoints: Sequence[str]
) -> tuple[Stage, ...]:
    """Return the plan of a run."""
    from treadle.loop.turn import Train, plan_turn

    return plan_turn(Train(pipeline, params, key=key, reason=reason), endpoints)


def perform_turn(
    loaded: LoadedProject,
    home: Path,
    data: str | None,
    pipeline: Pipeline[..., object],
    params: dict[str, Json],
    endpoints: Sequence[str],
    reason: str,
    *,
    take_over: bool = False,
) -> dict[str, Plain]:
    """Bring the data in and perform the plan, saying on stderr how far it has come.

    Raises:
        InvalidInput: the data cannot be used; nothing was stored.
        Conflict: another process controls the home.
        TreadleError: a step failed; the run is recorded as failed.
    """
    from treadle.adapters.clock import ShiftedClock, SystemClock
    from treadle.entry.cli._definitions import record
    from treadle.entry.cli._events import followed
    from treadle.loop.turn import perform

    batches = None
    if data is not None and not _has_data(home):
        batches = read_first(loaded.project, data)  # bad data leaves no home behind
    opened = OpenedHome.at(home, create=data is not None)
    simulated = opened.notes().get("clock_end")  # a replay's home lives on in its own time
    clock = ShiftedClock(simulated) if isinstance(simulated, int) else SystemClock()
    with open_world(opened, loaded, clock, take_over=take_over) as world:
        record(world, clock.now())
        store = stored_rows(world, data, batches, clock.now())
        if data is not None:
            opened.note(data=data_root(data))
        if UNTIL in pipeline.parameters and UNTIL not in params:
            params = {UNTIL: newest_label(world, store, endpoints), **params}
        at = max(clock.now(), *(value for value in [params.get(UNTIL)] if isinstance(value, int)), 0)
        key = f"run:{make_id(at, os.urandom(10))}"
        with followed(world.metadata, note):
            result = perform(world, store, planned(pipeline.name, params, key, reason, endpoints), at)
        return outcome(world, result)


def _has_data(home: Path) -> bool:
    """Say whether a home has stored any rows."""
    if not (home / METADATA).is_file():
        return False
    with reading(OpenedHome.at(home, create=False)) as view:
        return bool(view.datasets.names())


def read_first(project: DefinedProject, data: str) -> Mapping[str, Batch]:
    """Return what the sources hold, for a home that has nothing yet.

    Raises:
        InvalidInput: the data cannot be used; every fault is listed.
    """
    from treadle.stages.data.reading import first_rows, read_batches

    place = data_place(data)
    note(f"reading {place.root}")
    batches, faults = read_batches(project.sources, place, {})
    first_rows(project.sources, batches, faults, place)  # refuses what is faulty
    return batches


def stored_rows(world: World, data: str | None, batches: Mapping[str, Batch] | None, at: Instant) -> Store:
    """Bring data in and return all rows; without any, return those that the home has."""
    from treadle.loop.stored import ingest, load_store

    if data is None:
        store = load_store(world)
    else:
        if batches is None:
            note(f"reading what is new in {data}")
        store = ingest(world, data_root(data), at, note, batches)
    total = sum(frame.height for frame in store.rows.values())
    note(f"{total:,} rows in {len(store.rows)} sources and tables")
    return store


def newest_label(world: World, store: Store, endpoints: Sequence[str]) -> Instant:
    """Return the instant just after the newest label of the endpoints that is known by now.

    Raises:
        InvalidInput: no label is known.
    """
    from treadle.records.rows import KNOWN_AT

    of: list[Endpoint] = [e for e in world.project.endpoints if e.name in endpoints or not endpoints]
    newest: list[Instant] = []
    present = world.clock.now()
    for endpoint in of:
        rows = store.rows[endpoint.labels.source.name]
        known = rows[KNOWN_AT].filter(rows[endpoint.labels.value].is_not_null() & (rows[KNOWN_AT] <= present))
        newest += [int(known.max())] if len(known) else []  # type: ignore[arg-type]  # an int64 column
    if not newest:
        raise InvalidInput(
            "no label is known yet, so there is nothing to learn from",
            fix="give data whose labels are known by now, or name an instant with --until",
        )
    return max(newest) + 1


def outcome(world: World, result: TurnResult) -> dict[str, Plain]:
    """Return what came of a run as a record."""
    from treadle.loop.turn import load_report

    trained, decision = result.trained, result.decision
    reports = [load_report(world, version) for version in trained.versions]
    measured = [report.metrics() for report in reports if report is not None]
    return {
        "run_id": trained.run.run_id,
        "pipeline": trained.run.pipeline,
        "params": dict(trained.run.params),
        "versions": [version.ref for version in trained.versions],
        "rows": trained.rows,
        "fit_seconds": trained.fit_seconds,
        "metrics": dict(measured[-1]) if measured else {},
        "verdict": decision.verdict.value if decision else None,
        "reasons": list(decision.reasons) if decision else [],
    }


def _show(record: dict[str, Plain]) -> None:
    reasons = record["reasons"]
    emit_record(for_people({key: value for key, value in record.items() if key != "reasons"}), as_json=False)
    if isinstance(reasons, list) and reasons:
        emit_heading("reasons")
        emit_lines("\n".join(f"- {reason}" for reason in reasons))
