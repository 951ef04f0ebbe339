"""Reading messages of streams: bytes become rows, and what cannot is told why. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from treadle.define.sources import Source
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant, instant
from treadle.records.messages import CELLS, CONTENT_TYPE_HEADER, JSON, MSGPACK, UNREADABLE_HEADER, Message
from treadle.stages.data.intake import Row

LONGEST_MESSAGE = 16 << 20
"""Bytes; a larger message is no row."""
KEPT_OF_LONG = 64 << 10
"""Bytes of a message that is too large which are kept with its dead letter."""
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_decode_json = msgspec.json.Decoder().decode
_decode_msgpack = msgspec.msgpack.Decoder().decode


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Why no row could be made of a message."""

    reasons: tuple[str, ...]


def decode(message: Message, columns: Mapping[str, str]) -> Row | Undecodable:
    """Return the row that a message holds; whether it fits its source is not looked at. Pure.

    Its content type says whether it is JSON or MessagePack; without one a message that begins with `{` is JSON. One row is
    one object.

    Args:
        message: the message.
        columns: the source's columns and their types, for rows whose cells are text.

    Cost: 1 to 2 µs.
    """
    value, headers = message.value, message.headers
    if UNREADABLE_HEADER in headers:
        return Undecodable((headers[UNREADABLE_HEADER],))
    if len(value) > LONGEST_MESSAGE:
        return Undecodable((f"has {len(value):,} bytes; at most {LONGEST_MESSAGE:,} are taken for a row",))
    kind = headers.get(CONTENT_TYPE_HEADER, "").partition(";")[0].strip().lower()
    if kind not in (JSON, MSGPACK, CELLS):
        kind = JSON if value.lstrip()[:1] in (b"{", b"[", b'"') else MSGPACK
    if not value.strip():
        return Undecodable(("is empty",))
    try:
        row = _decode_msgpack(value) if kind == MSGPACK else _decode_json(value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        named = "MessagePack, and does not begin like JSON" if kind == MSGPACK else "JSON"
        return Undecodable((f"is no {named}: {error}",))
    if not isinstance(row, dict) or not all(isinstance(name, str) for name in row):
        said = "an array" if isinstance(row, list) else "a single value"
        said = "an object with names that are no text" if isinstance(row, dict) else said
        return Undecodable((f"holds {said}, not the object of one row",))
    return _typed(row, columns) if kind == CELLS else row


def event_times(source: Source, rows: Sequence[Row]) -> list[Instant | None]:
    """Return the event time of each row, None where it cannot be told at a glance. Pure."""
    column = source.timing.event_time
    if column is None:
        return [None] * len(rows)
    zone = ZoneInfo(source.zone) if source.zone else None
    return [_instant(row.get(column), zone) for row in rows]


def _instant(value: object, zone: ZoneInfo | None) -> Instant | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(moment, datetime):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return None if moment.tzinfo is None else instant(moment.astimezone(UTC))
    except (ValueError, OverflowError, InvalidInput):
        return None


def _typed(row: Mapping[str, object], columns: Mapping[str, str]) -> Row | Undecodable:
    """Return a row of text with the types of its columns, by the rules of CSV files."""
    done: dict[str, object] = {}
    wrong = []
    for name, text in row.items():
        kind = columns.get(name, "string")
        done[name] = text
        if kind == "string" or not isinstance(text, str):
            continue
        stripped = text.strip()
        value = None if not stripped else _cell(stripped, kind)
        if stripped and value is None:
            wrong.append(f"column {name!r}: {stripped[:40]!r} is no {kind}")
        done[name] = value
    return Undecodable(tuple(wrong)) if wrong else done


def _cell(text: str, kind: str) -> object:
    """Return what a cell says; None when it is not of that type."""
    if kind == "time":
        return text
    if kind == "bool":
        return _BOOLEANS.get(text.lower())
    if kind == "int" and _WHOLE.fullmatch(text):
        return int(text) if len(text) < 40 else None
    if _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if kind == "float" or number.is_integer() else None
