"""What `run`, `up` and `apply` share: definitions on record, and what to say about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.entry.cli._shared import note

if TYPE_CHECKING:
    from treadle.loop.definitions import DefinitionPlan
    from treadle.loop.world import World
    from treadle.records.instants import Instant


def record(world: World, at: Instant) -> DefinitionPlan:
    """Record what a world is defined as, and warn on stderr of what is deprecated or exists twice.

    Raises:
        Conflict: something under a known name says something else now, and nobody has accepted it.
    """
    from treadle.loop.definitions import apply_definitions

    plan = apply_definitions(world.project, world.metadata, at)
    for warning in plan.warnings:
        note(f"warning: {warning}")
    return plan
