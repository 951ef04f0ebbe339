"""What a loop is defined as, on record: every definition by content, a new version when it changed."""

from __future__ import annotations

from treadle.define.describe import describe
from treadle.loop.world import World
from treadle.records.digests import Digest, digest_value
from treadle.records.instants import Instant


def record_definitions(world: World, at: Instant) -> Digest:
    """Record the project's definitions and return the digest of them all.

    A definition that is as it was adds nothing; one that changed becomes the next version under its name.
    """
    project = world.project
    bodies = {
        **{("source", source.name): describe(source) for source in project.sources},
        **{("view", view.name): describe(view) for view in project.views},
        **{("endpoint", endpoint.name): describe(endpoint) for endpoint in project.endpoints},
        **{("pipeline", pipeline.name): describe(pipeline) for pipeline in project.pipelines},
        **{("monitor", monitor.name): describe(monitor) for monitor in project.monitors},
        **{("trigger", trigger.name): describe(trigger) for trigger in project.triggers},
        **{("gate", alias): describe(list(gates)) for alias, gates in project.gates.items()},
    }
    with world.metadata.begin() as unit:
        digests = {
            f"{kind}/{name}": unit.definitions.record(kind, name, body, at, allow_change=True).digest
            for (kind, name), body in bodies.items()
        }
    return digest_value(digests)
