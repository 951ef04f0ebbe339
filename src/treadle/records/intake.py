"""What goes into the event log: events that were taken in, and dead letters that could not be.

A record is a MessagePack array whose first item names its kind and the version of its form (`event-1`,
`dead-letter-1`). A form that is not known is refused rather than guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from treadle.records.errors import NotReady
from treadle.records.instants import Instant

Value: TypeAlias = bool | int | float | str | None
"""A field of an event: numbers, text, instants as integers, None for "no value"."""

Offset: TypeAlias = int | str
"""A place in a stream, as the stream names it."""

Position: TypeAlias = tuple[str, Offset]
"""Where a message stood: its partition, and the offset there."""

LONGEST_ID = 200
"""Characters of the longest event id."""


class Event(msgspec.Struct, frozen=True, array_like=True, tag="event-1"):
    """One row of a source, as it was taken in."""

    source: str
    event_id: str
    """What makes it this event and no other: of several with the same id the first in the log counts."""
    received_at: Instant
    """When it was appended; never less than that of an earlier record of the log."""
    event_time: Instant
    known_at: Instant
    created_time: Instant
    tombstone: bool
    fields: dict[str, Value]
    """The source's columns by name, in their declared types."""
    partition: str | None = None
    offset: Offset | None = None


class DeadLetter(msgspec.Struct, frozen=True, array_like=True, tag="dead-letter-1"):
    """What a stream delivered and no row could be made of; kept with the reasons."""

    source: str
    event_id: str | None
    received_at: Instant
    raw: bytes
    """The message as it came; for rows that came as values, their JSON."""
    reasons: list[str]
    partition: str | None = None
    offset: Offset | None = None


Record: TypeAlias = Event | DeadLetter

encode_record = msgspec.msgpack.Encoder().encode
"""A record as the bytes that go to the event log."""

_decode = msgspec.msgpack.Decoder(Record).decode


def decode_record(data: bytes) -> Record:
    """Return the record that log bytes hold.

    Raises:
        NotReady: the bytes are of no form that this treadle knows.
    """
    try:
        found: Record = _decode(data)
    except msgspec.ValidationError as error:
        raise NotReady(
            f"the event log holds a record of another form: {error}",
            fix="open the home with the newest treadle that has written to it",
        ) from error
    return found


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not taken in."""

    row: int
    """Its place among the rows offered, from 0."""
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of rows that were offered. When it is returned, everything in it is in the log."""

    position: int
    """The end of the log afterwards: whoever has got beyond it has seen these events."""
    ids: tuple[str | None, ...]
    """The event id of each row offered, in order; None for those refused."""
    duplicates: int
    """Rows whose event had been taken in before, or came earlier among these."""
    refused: tuple[Refused, ...] = ()
    """Rows that became dead letters."""

    @property
    def taken(self) -> int:
        """How many events are new."""
        return len(self.ids) - self.duplicates - len(self.refused)
