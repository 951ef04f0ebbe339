"""What the online store holds for one entity of a latest-value view, as bytes, and the rules that change and read it.

A MessagePack array (event_time, created_time, row, known_at, tombstone, values). Kept by compare and set: a row replaces the
stored one when it is greater by (event_time, created_time, row). Window views: see `window_state`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from treadle.records.instants import Instant

Value: TypeAlias = bool | int | float | str | None


class Latest(msgspec.Struct, frozen=True, array_like=True):
    """The best row known so far of one entity of a latest-value view."""

    event_time: Instant
    created_time: Instant
    row: int
    known_at: Instant
    tombstone: bool
    values: list[Value]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Latest).decode


def newer(stored: bytes | None, candidate: Latest) -> bytes | None:
    """Return the bytes to store when the candidate is better than what is stored, else None."""
    if stored is not None:
        held = _decode(stored)
        if (held.event_time, held.created_time, held.row) >= (
            candidate.event_time,
            candidate.created_time,
            candidate.row,
        ):
            return None
    return _encode(candidate)


def latest_values(stored: bytes | None, at: Instant, ttl: int | None) -> list[Value] | None:
    """Return the values usable at `at`, or None when there are none: absent, deleted, not yet known, or expired."""
    if stored is None:
        return None
    held = _decode(stored)
    if held.tombstone or held.known_at > at or (ttl is not None and at - held.event_time > ttl):
        return None
    return held.values
