"""What a replay runs on: the data, stored; a home holds one replay of one input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from treadle.define.definitions import definitions_of
from treadle.define.describe import definition_digest
from treadle.define.project import Project
from treadle.loop.batch_check import BatchCheck
from treadle.loop.calendar import next_midnight
from treadle.loop.definitions import record_definitions
from treadle.loop.span import plan_span
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.ports.log import LogReader
from treadle.ports.metadata import View
from treadle.records.digests import Json, digest_value
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.instants import Instant, iso
from treadle.stages.data.bringing import note_first_load
from treadle.stages.data.content import content_hash
from treadle.stages.data.ingest import store_rows

CHECKPOINT = "replay-inputs"
PROGRESS = "replay"
"""The checkpoint that says how far a replay has come."""
FIRST = "the first model"
CALENDAR = "the calendar"
"""How the reasons of a replay's own trainings begin, those of the first day's beginning."""
_WORDS = {"data": "other data", "definitions": "other definitions", "end": "another end (--until)"}


def check_replayable(project: Project, rows: Mapping[str, pl.DataFrame], until: Instant | None) -> None:
    """Refuse what no replay can be made of, before anything is stored. Pure.

    Raises:
        InvalidInput: the project has no endpoint, a name in it means two things, or its requests end before the warm-up does.
    """
    if not project.endpoints:
        raise InvalidInput(
            f"the project {project.name!r} has no endpoint: there are no requests to replay",
            fix="list one: tr.Project(..., endpoints=[tr.Endpoint(...)])",
        )
    definitions_of(project)  # refuses a name that means two things
    plan_span(rows, project.endpoints[0], project.timezone, until)


def replay_inputs(
    project: Project, rows: Mapping[str, pl.DataFrame], until: Instant | None
) -> dict[str, Json]:
    """Return what a replay is of: its data and definitions, by content, and its end. Pure."""
    span = plan_span(rows, project.endpoints[0], project.timezone, until)
    return {
        "data": digest_value({name: content_hash(frame) for name, frame in rows.items()}),
        "definitions": definition_digest(project),
        "end": span.end,
    }


def is_unanswered(view: View, logs: Sequence[LogReader], inputs: Mapping[str, Json]) -> bool:
    """Say whether a home holds a replay of other inputs that has answered no day, and nothing else: it may be begun anew."""
    saved, progress = view.checkpoints.get(CHECKPOINT), view.checkpoints.get(PROGRESS)
    if saved is None or saved.value == inputs or any(log.end() for log in logs):
        return False
    began = None if progress is None or not isinstance(progress.value, dict) else progress.value.get("first")
    if progress is not None and (not isinstance(progress.value, dict) or progress.value["through"] != began):
        return False
    reasons = [run.tags.get("reason", "") for run in view.runs.search_runs(limit=1_000).items]
    return all(reason.startswith((FIRST, CALENDAR)) for reason in reasons)


def prepare_store(world: World, rows: Mapping[str, pl.DataFrame], until: Instant | None) -> Store:
    """Store the data, or find that it is stored already.

    A replay may be given another end, later or earlier, where that leaves it what a replay to that end in one would have been:
    its days are whole ones, and nothing else has happened in the home.

    Args:
        world: the home's stores and the project.
        rows: what `read_folder` returned; read before the home is opened, so that bad data leaves no trace.
        until: where the replay stops.

    Raises:
        Conflict: the home holds a replay of other data or definitions, or one that cannot be given this end, or it was used
            after its replay had ended.
        InvalidInput: the data are not what the project's schemas say; every fault is listed and nothing was stored.
    """
    inputs = replay_inputs(world.project, rows, until)
    end = int(str(inputs["end"]))
    check = BatchCheck(world, end)  # history is whole at its end: nothing in it is too old or of the future
    faults = check(rows)
    if faults:
        raise InvalidInput(
            f"the data are not what their schemas say: {len(faults)} fault{'s' if len(faults) > 1 else ''}",
            faults=faults,
            fix="mend the data, or write into the schema what each fault says accepts it; nothing was stored",
        )
    with world.metadata.begin() as unit:
        saved = unit.checkpoints.get(CHECKPOINT)
        if saved is not None:
            _check_same(world, unit, _with_end(world.project, rows, saved.value), inputs)
        if saved is None or saved.value != inputs:
            unit.checkpoints.put(CHECKPOINT, inputs, world.clock.now())
    record_definitions(world, world.clock.now())
    manifests = store_rows(world.project.sources, rows, world.tables, world.metadata, world.clock.now())
    note_first_load(world.project.sources, rows, world.metadata, world.clock.now())
    check.settle(manifests)
    return Store.of(rows, manifests)


def _with_end(project: Project, rows: Mapping[str, pl.DataFrame], saved: Json) -> Mapping[str, Json]:
    """Return saved inputs in today's form: earlier ones keep what `--until` was given, not where the replay ends."""
    found = dict(saved) if isinstance(saved, dict) else {}
    if "end" not in found:
        until = found.pop("until", None)
        given = until if isinstance(until, int) else None
        found["end"] = plan_span(rows, project.endpoints[0], project.timezone, given).end
    return found


def _check_same(world: World, view: View, saved: Mapping[str, Json], inputs: Mapping[str, Json]) -> None:
    changed = [name for name, value in inputs.items() if saved.get(name) != value]
    if set(changed) - {"end"}:
        raise _of_another(f"the home holds a replay of {' and '.join(_WORDS[name] for name in changed)}")
    progress = view.checkpoints.get(PROGRESS)
    if progress is None:
        return
    assert isinstance(progress.value, dict)
    through, log = int(str(progress.value["through"])), int(str(progress.value["log"]))
    old, new = int(str(saved["end"])), int(str(inputs["end"]))
    ended = through == old - 1
    if ended:
        _check_untouched(world, view, through, log)
    if not changed:
        return
    zone = world.project.timezone
    if new - 1 < through:
        raise _of_another(
            f"the home's replay has gone on to {iso(through)}, beyond the end asked for, {iso(new)}"
        )
    if ended and next_midnight(through, zone) != old:
        raise _of_another(
            f"the home's replay ended at {iso(old)}, within a day of {zone}: going on from there would not be the replay that "
            "goes there in one",
            f"; one that ends at a midnight there, such as {iso(next_midnight(through, zone))}, can be gone on with",
        )


def _check_untouched(world: World, view: View, through: Instant, log: int) -> None:
    """Refuse to touch a replay that had ended and whose home has been used since.

    Raises:
        Conflict: it was served, trained in, or its champion was moved by hand.
    """
    endpoint = world.project.endpoints[0]
    moves = view.models.alias_history(endpoint.model_name, endpoint.alias)
    runs = view.runs.search_runs(limit=1).items
    since = [
        *(["it was served"] if world.predictions.end() > log else []),
        *(["a pipeline was run"] if runs and runs[0].started > through else []),
        *(["its champion was moved"] if moves and moves[0].at > through else []),
    ]
    if since:
        raise _of_another(f"the home has been used since its replay ended: {', '.join(since)}")


def _of_another(what: str, further: str = "") -> Conflict:
    return Conflict(
        what,
        fix=f"replay into a new home, so that what this one shows stays explained{further}; nothing was changed",
        command="treadle replay … --home NEW_DIR",
    )
