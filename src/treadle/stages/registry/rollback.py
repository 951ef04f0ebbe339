"""The rollback: which version an alias goes back to, read from the history of its moves. Pure.

Moves are read like the pages of a browser: a promotion goes forward, a rollback goes back to a page seen
before. So rolling back twice goes back two versions, not to and fro.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import Instant
from treadle.records.models import AliasChange

ROLLBACK = "rollback"
"""How the reason of a rollback begins in an alias's history."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackPlan:
    """A move of an alias back to a version, to be explained or performed."""

    model: str
    alias: str
    version: int
    """Where the alias points now."""
    to: int
    """Where it is to point."""
    since: Instant
    """When the present version began to serve."""
    last_served: Instant | None
    """When the other one stopped; None: it never served under this alias."""
    moved_because: str
    """The reason of the move that is undone."""


def previous_version(history: Sequence[AliasChange]) -> int | None:
    """Return the version an alias goes back to; None when there is none before the present one.

    Args:
        history: every move of the alias, the newest first.
    """
    trail = _trail(history)
    return trail[-2] if len(trail) > 1 else None


def plan_rollback(
    model: str, alias: str, history: Sequence[AliasChange], to: int | None = None
) -> RollbackPlan:
    """Return the plan of moving an alias back.

    Args:
        model: the model's name.
        alias: which of its aliases.
        history: every move of the alias, the newest first.
        to: the version to go to; None: the one before the present one.

    Raises:
        NotFound: the alias names no version, or there is none before it.
        InvalidInput: the alias names that version already.
    """
    newest = history[0] if history else None
    if newest is None or newest.version is None:
        raise NotFound(
            f"{model}@{alias} names no version, so there is nothing to go back from",
            fix="point it at a version",
            command=f"treadle models promote {model}/VERSION --reason TEXT",
        )
    target = previous_version(history) if to is None else to
    if target is None:
        raise NotFound(
            f"{model}@{alias} has named no version before {newest.version}",
            fix="name any version with --to",
            command=f"treadle models show {model}",
        )
    if target == newest.version:
        raise InvalidInput(
            f"{model}@{alias} names version {target} already", command=f"treadle models show {model}"
        )
    left = [move.at for move in history if move.previous == target]
    return RollbackPlan(
        model=model,
        alias=alias,
        version=newest.version,
        to=target,
        since=newest.at,
        last_served=left[0] if left else None,
        moved_because=newest.reason,
    )


def rollback_reason(plan: RollbackPlan, reason: str) -> str:
    """Return the reason as the history keeps it."""
    return f"{ROLLBACK} from version {plan.version}" + (f": {reason.strip()}" if reason.strip() else "")


def _trail(history: Sequence[AliasChange]) -> list[int]:
    """Return the versions one can go back through, the present one last."""
    trail: list[int] = []
    for move in reversed(history):
        if move.version is None:
            continue
        if move.reason.startswith(ROLLBACK) and move.version in trail:
            while trail[-1] != move.version:
                trail.pop()
        else:
            trail.append(move.version)
    return trail
