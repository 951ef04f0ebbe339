"""`treadle runs`: what was run, with which parameters, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, open_home, reading, seconds, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    AsJson,
    Home,
    Plain,
    at_home,
    cut,
    emit,
    emit_heading,
    emit_json,
    emit_lines,
    emit_record,
    group_app,
)
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import SECOND, short
from treadle.records.runs import Run, RunFilter, RunStatus, StepRun

if TYPE_CHECKING:
    from treadle.ports.metadata import View

COLUMNS = ("run_id", "pipeline", "status", "started", "took", "versions", "reason")
STEP_COLUMNS = ("index", "step", "status", "attempt", "took", "cached_from", "inputs", "outputs")
AT_MOST = 10_000
SHORT = 12
"""As many characters of a digest or run id as people are shown inside a table."""

app = group_app("list")


@app.command("list")
def list_runs(
    home: Home = DEFAULT_HOME,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    status: Annotated[
        RunStatus | None, typer.Option(case_sensitive=False, help="Only runs in this state.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=AT_MOST, help="At most this many, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first; `treadle runs` alone does this."""
    with reading(open_home(home)) as view:
        where = RunFilter(pipeline=pipeline, statuses=(status,) if status else ())
        rows = [summary(view, run) for run in view.runs.search_runs(where, limit=limit).items]
        if not rows and pipeline is not None:
            check_pipeline(view, pipeline)
    empty = (
        "no such run"
        if pipeline or status
        else f"no run yet\n  next:  {at_home('treadle run PIPELINE', home)}"
    )
    emit(
        rows if as_json else [cut(with_took(row), "reason") for row in rows],
        COLUMNS,
        as_json=as_json,
        empty=empty,
    )


@app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="A run's id, or how it begins.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show a run: parameters, metrics, steps with inputs and outputs, code, environment, errors."""
    with reading(open_home(home)) as view:
        run = find_run(view, run_id)
        record = whole(view, run)
        steps = view.runs.steps(run.run_id, all_attempts=True)
    if as_json:
        emit_json({**record, "steps": [step_record(step) for step in steps]})
        return
    emit_record(with_took(record), as_json=False)
    emit_heading("steps")
    emit(
        [shortened(step_record(step)) for step in steps],
        STEP_COLUMNS,
        as_json=False,
        empty="no step was begun",
    )
    for step in steps:
        if step.error:
            emit_heading(f"error of step {step.index}, {step.name} (attempt {step.attempt})")
            emit_lines(step.error)


def find_run(view: View, run_id: str) -> Run:
    """Return the run with an id, or the only one whose id begins so.

    Raises:
        NotFound: there is none.
        InvalidInput: several ids begin so.
    """
    try:
        return view.runs.get_run(run_id)
    except NotFound:
        recent = view.runs.search_runs(RunFilter(lifecycle=None), limit=AT_MOST).items
    begun = [run for run in recent if run_id and run.run_id.startswith(run_id)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise InvalidInput(
            f"{len(begun)} runs begin with {run_id!r}",
            fix=f"write more of it, e.g. {begun[0].run_id}",
            command="treadle runs",
        )
    raise NotFound.among("run", run_id, (run.run_id for run in recent[:200]), command="treadle runs")


def check_pipeline(view: View, pipeline: str) -> None:
    """Refuse the name of a pipeline that never ran.

    Raises:
        NotFound: it never ran; those that did are named.
    """
    ran = {run.pipeline for run in view.runs.search_runs(limit=AT_MOST).items if run.pipeline}
    if pipeline not in ran:
        raise NotFound.among("pipeline that ran", pipeline, ran, command="treadle runs")


def summary(view: View, run: Run) -> dict[str, Plain]:
    """Return a run as a row."""
    return {
        "run_id": run.run_id,
        "name": run.name,
        "pipeline": run.pipeline,
        "status": run.status.value,
        "started": when(run.started),
        "ended": when(run.ended),
        "seconds": seconds(run.started, run.ended),
        "versions": [version.ref for version in view.models.list_versions(run_id=run.run_id)],
        "reason": run.tags.get("reason"),
        "params": dict(run.params),
        "metrics": {key: metric.value for key, metric in run.metrics.items()},
    }


def whole(view: View, run: Run) -> dict[str, Plain]:
    """Return everything about a run but its steps."""
    return {
        **summary(view, run),
        "user": run.user or None,
        "experiment": view.runs.get_experiment(run.experiment_id).name,
        "code_commit": run.code_commit,
        "pipeline_version": run.pipeline_version,
        "environment": run.environment,
        "tags": {key: value for key, value in run.tags.items() if key != "reason"},
        "datasets": [f"{data.name} ({data.context})" for data in run.datasets],
    }


def step_record(step: StepRun) -> dict[str, Plain]:
    """Return one attempt at a step as a record. Pure."""
    return {
        "index": step.index,
        "step": step.name,
        "status": step.status.value,
        "attempt": step.attempt,
        "started": when(step.started),
        "seconds": seconds(step.started, step.ended),
        "cached_from": str(step.cached_from) if step.cached_from else None,
        "executor": step.executor,
        "params": dict(step.params),
        "inputs": dict(step.inputs),
        "outputs": dict(step.outputs),
        "version": step.version,
        "cache_key": step.cache_key,
        "error": step.error,
    }


def with_took(row: dict[str, Plain]) -> dict[str, Plain]:
    """Return a row for people, with its seconds as a duration. Pure."""
    span = row["seconds"]
    shown = for_people({key: value for key, value in row.items() if key != "seconds"})
    if isinstance(span, float):
        shown["took"] = f"{span:.2f}s" if span < 60 else short(int(span) * SECOND)
    return shown


def shortened(step: dict[str, Plain]) -> dict[str, Plain]:
    """Return a step's record with its digests cut to what fits a table. Pure."""
    row = with_took(step)
    for side in ("inputs", "outputs"):
        digests = row.get(side)
        if isinstance(digests, dict):
            row[side] = {name: str(digest)[:SHORT] for name, digest in digests.items()}
    return row
