"""Events: what happened, in the one order in which it was committed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from treadle.records.digests import Json
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant

LIVE = "live"
"""The world of what really happens; a replay or a rehearsal writes its events under a name of its own."""

_KIND = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the journal."""

    cursor: int
    """Position in commit order: a reader that has seen one never finds a smaller one later."""
    at: Instant
    """When it happened, by the clock of whoever wrote it."""
    kind: str
    """`noun.verb` in the past, e.g. `run.created`, `alias.set`, `trigger.fired`."""
    subject: str
    """What it happened to, e.g. a run id, `delay@champion`, `delay/3`."""
    data: Json
    key: str | None
    """Idempotency key: unique among events of the same world and kind."""
    world: str


def check_kind(kind: str) -> str:
    """Return the kind, or refuse one that is not `noun.verb`.

    Raises:
        InvalidInput: the kind has no dot or has characters other than a-z, 0-9 and _.
    """
    if not _KIND.fullmatch(kind):
        raise InvalidInput(f"{kind!r} is not an event kind", fix="write it as noun.verb, e.g. trigger.fired")
    return kind
