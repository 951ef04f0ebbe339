"""Messages: what streams deliver, as bytes that nobody has looked into yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from treadle.records.digests import digest_bytes
from treadle.records.instants import Instant
from treadle.records.intake import LONGEST_ID, Offset

EVENT_ID_HEADER = "event_id"
"""The header, or in Redis the field, in which a producer names an event."""
CONTENT_TYPE_HEADER = "content-type"
"""The header that says what the bytes are; without it they are JSON or MessagePack, which cannot be confused."""
JSON = "application/json"
MSGPACK = "application/msgpack"
CELLS = "text/csv"
"""The content type of a JSON object whose values are the text of a CSV file's cells."""
UNREADABLE_HEADER = "unreadable"
"""The header with the reason why an adapter could not take a message out of its container, e.g. a broken file."""


class Message(msgspec.Struct, frozen=True):
    """One message of a stream."""

    value: bytes
    event_id: str | None
    """The producer's name for the event; None when it gave none, and the message's place is what tells it from others."""
    partition: str
    offset: Offset
    """Its place in the partition; messages of a partition are delivered in the order of their offsets."""
    published_at: Instant | None = None
    """When the broker got it, by the broker's clock."""
    headers: Mapping[str, str] = {}


def event_id(message: Message, stream: str) -> str:
    """Return what makes a message this event, the same at every delivery. Pure.

    Args:
        message: the message.
        stream: tells its stream from all others that events of the same source may come from.
    """
    if message.event_id is not None:
        return message.event_id
    place = f"{stream}/{message.partition}/{message.offset}"
    return place if len(place) <= LONGEST_ID else digest_bytes(place.encode())


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one partition of a stream has been read."""

    partition: str
    position: Offset | None
    """The offset of the last message that was handed out; None at the beginning."""
    waiting: int | None
    """Messages behind it that were not handed out yet; None when the broker does not say."""
    uncommitted: int | None = None
    """Messages handed out whose safety the broker has not been told of; None when that is not counted."""
    lost: int | None = None
    """Messages that the broker dropped before they could be read, since the last seek; None when that cannot be told."""
