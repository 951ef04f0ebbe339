"""Requests of people: who asked for a run of a pipeline, and whether it has been started since."""

from __future__ import annotations

from treadle.define.triggers import AllOf, AnyOf, Condition, Manual
from treadle.ports.metadata import Unit, View
from treadle.records.instants import Instant

REQUESTED = "run.requested"


def listens(condition: Condition) -> bool:
    """Say whether a condition has `manual()` among its parts. Pure."""
    if isinstance(condition, AnyOf | AllOf):
        return any(listens(part) for part in condition.parts)
    return isinstance(condition, Manual)


def record_request(unit: Unit, pipeline: str, *, by: str, reason: str, at: Instant, key: str) -> None:
    """Write that a person asks for a run of a pipeline."""
    unit.journal.append(REQUESTED, pipeline, at, {"by": by, "reason": reason}, key=key)


def pending_request(view: View, pipeline: str) -> str | None:
    """Return who asked for a run of a pipeline since the newest one started, and why; None when nobody did."""
    asked = view.journal.latest(REQUESTED, subject=pipeline)
    started = view.journal.latest("turn.started", subject=pipeline)
    if asked is None or (started is not None and started.cursor > asked.cursor):
        return None
    data = asked.data if isinstance(asked.data, dict) else {}
    return f"{data.get('by', 'somebody')} ({data.get('reason', 'no reason given')})"
