"""Instants and durations: integers of UTC microseconds inside, aware datetimes and short text outside.

An `Instant` is microseconds since 1970-01-01T00:00:00Z; a `Duration` is microseconds. Integers compare, add and pack
without surprises; no zone can be lost on the way because there is none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from treadle.records.errors import InvalidInput

Instant: TypeAlias = int
Duration: TypeAlias = int

SECOND: Duration = 1_000_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_PART = re.compile(r"(\d+)(us|ms|s|m|h|d|w)")


def instant(value: datetime | str | int) -> Instant:
    """Return the instant a datetime or ISO 8601 text names.

    Args:
        value: an aware datetime, ISO text with an offset (`2013-04-01T00:00:00Z`), a plain date (midnight UTC), or an
            instant already.

    Raises:
        InvalidInput: the value is naive (no zone) or is not a time.
    """
    if isinstance(value, bool):
        raise InvalidInput(f"{value!r} is not a time", fix="give ISO 8601 text such as 2013-04-01T00:00:00Z")
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        text = value.strip()
        if len(text) == 10 and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            text += "T00:00:00+00:00"
        try:
            value = datetime.fromisoformat(text)
        except ValueError:
            raise InvalidInput(
                f"{value!r} is not a time", fix="give ISO 8601 text such as 2013-04-01T00:00:00Z"
            ) from None
    if value.tzinfo is None or value.utcoffset() is None:
        raise InvalidInput(
            f"the time {value.isoformat()} has no zone",
            fix="add an offset, e.g. a trailing Z for UTC, or declare the source's zone",
        )
    delta = value - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


def to_datetime(at: Instant) -> datetime:
    """Return the instant as an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=at)


def iso(at: Instant) -> str:
    """Return the instant as ISO 8601 text ending in Z, with microseconds only when there are some."""
    text = to_datetime(at).isoformat()
    return text.replace("+00:00", "Z")


def duration(value: str | int | timedelta) -> Duration:
    """Return a duration from text such as `90s`, `10m`, `6h`, `28d`, `1d12h`, a timedelta, or microseconds.

    Raises:
        InvalidInput: the text is not a duration, or the duration is negative.
    """
    if isinstance(value, timedelta):
        micros = (value.days * 86_400 + value.seconds) * SECOND + value.microseconds
    elif isinstance(value, int) and not isinstance(value, bool):
        micros = value
    else:
        text = str(value).strip()
        parts = _PART.findall(text)
        if not parts or "".join(n + u for n, u in parts) != text:
            raise InvalidInput(f"{value!r} is not a duration", fix="write it like 10m, 6h, 28d or 1d12h")
        micros = sum(int(n) * _UNITS[u] for n, u in parts)
    if micros < 0:
        raise InvalidInput(
            f"the duration {value!r} is negative", fix="durations count forward: use a positive one"
        )
    return micros


def short(span: Duration) -> str:
    """Return a duration as the shortest exact text: `6h`, `1d12h`, `1500ms`."""
    if span == 0:
        return "0s"
    out, rest = "", span
    for unit in ("d", "h", "m", "s", "ms", "us"):
        n, rest = divmod(rest, _UNITS[unit])
        if n:
            out += f"{n}{unit}"
    return out
