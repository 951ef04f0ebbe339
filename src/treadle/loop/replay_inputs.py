"""What a replay runs on: the data, stored; a home holds one replay of one input."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from treadle.define.describe import definition_digest
from treadle.define.project import Project
from treadle.loop.definitions import record_definitions
from treadle.loop.span import plan_span
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.digests import Json, digest_value
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.instants import Instant
from treadle.stages.data.content import content_hash
from treadle.stages.data.ingest import store_rows

CHECKPOINT = "replay-inputs"
_WORDS = {"data": "other data", "definitions": "other definitions", "until": "another end (--until)"}


def check_replayable(project: Project, rows: Mapping[str, pl.DataFrame], until: Instant | None) -> None:
    """Refuse what no replay can be made of, before anything is stored. Pure.

    Raises:
        InvalidInput: the project has no endpoint, or its requests end before the warm-up does.
    """
    if not project.endpoints:
        raise InvalidInput(
            f"the project {project.name!r} has no endpoint: there are no requests to replay",
            fix="list one: tr.Project(..., endpoints=[tr.Endpoint(...)])",
        )
    plan_span(rows, project.endpoints[0], project.timezone, until)


def prepare_store(world: World, rows: Mapping[str, pl.DataFrame], until: Instant | None) -> Store:
    """Store the data, or find that it is stored already.

    Args:
        world: the home's stores and the project.
        rows: what `read_folder` returned; read before the home is opened, so that bad data leaves no trace.
        until: where the replay stops.

    Raises:
        Conflict: the home holds a replay of other data, definitions or end.
    """
    definitions = world.project.sources
    inputs: dict[str, Json] = {
        "data": digest_value({name: content_hash(frame) for name, frame in rows.items()}),
        "definitions": definition_digest(world.project),
        "until": until,
    }
    with world.metadata.begin() as unit:
        saved = unit.checkpoints.get(CHECKPOINT)
        if saved is not None and saved.value != inputs:
            changed = [
                name
                for name, value in inputs.items()
                if not isinstance(saved.value, dict) or saved.value.get(name) != value
            ]
            raise Conflict(
                f"the home holds a replay of {' and '.join(_WORDS[name] for name in changed)}",
                fix="replay into a new home, so that what this one shows stays explained",
                command="treadle replay … --home NEW_DIR",
            )
        unit.checkpoints.put(CHECKPOINT, inputs, world.clock.now())
    record_definitions(world, world.clock.now())
    manifests = store_rows(definitions, rows, world.tables, world.metadata, world.clock.now())
    return Store.of(rows, manifests)
