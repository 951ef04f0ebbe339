"""How the reading of a source's stream goes: what is kept of it, and shown to people."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from treadle.records.digests import Json
from treadle.records.instants import Instant


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """What came of the messages of a stream, since the source was first read."""

    messages: int = 0
    taken: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    late: int = 0
    """Events that were older than the watermark when they came; they were taken in like all others."""
    lost: int = 0
    """Messages that the broker dropped before they could be read, as far as it tells."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far the stream of a source has been read."""

    at: Instant
    """When this was noted."""
    stream: str
    """Where the messages come from, for people."""
    counts: StreamCounts = StreamCounts()
    newest: Instant | None = None
    """The latest event time that was taken in."""
    watermark: Instant | None = None
    """Events up to here have come, as far as they keep to the source's `known_after`."""
    last_message: Instant | None = None
    """When the last message was taken."""
    waiting: int | None = None
    """Messages at the broker that were not read yet; None when it does not say."""
    fault: str | None = None
    """Why it cannot be read now."""

    def as_json(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return asdict(self)


def stream_state(value: Json) -> StreamState:
    """Return the state that JSON holds; fields that are not known are left out, absent ones are as in a new one."""
    found = dict(value) if isinstance(value, dict) else {}
    counts = found.pop("counts", None)
    known = {field.name for field in fields(StreamState)}
    kept = {name: item for name, item in found.items() if name in known}
    counted = {field.name for field in fields(StreamCounts)}
    given = counts if isinstance(counts, dict) else {}
    numbers = {name: item for name, item in given.items() if name in counted and isinstance(item, int)}
    return StreamState(**{"at": 0, "stream": ""} | kept, counts=StreamCounts(**numbers))  # type: ignore[arg-type]  # as written
