"""Instants and durations: integers of UTC microseconds inside, aware datetimes and short text outside.

An `Instant` is microseconds since 1970-01-01T00:00:00Z; a `Duration` is microseconds. Integers compare, add and pack
without surprises; no zone can be lost on the way because there is none.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from treadle.records.errors import InvalidInput

Instant: TypeAlias = int
Duration: TypeAlias = int

SECOND: Duration = 1_000_000
MINUTE: Duration = 60 * SECOND
HOUR: Duration = 60 * MINUTE
DAY: Duration = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_UNITS = {"us": 1, "ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_PART = re.compile(r"([0-9]+)(us|ms|s|m|h|d|w)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LONGEST = 2**63 - 1


def instant(value: datetime | date | str | int) -> Instant:
    """Return the instant a datetime or ISO 8601 text names.

    Args:
        value: an aware datetime, ISO text with an offset (`2013-04-01T00:00:00Z`), a plain date (midnight UTC), or an
            instant already.

    Raises:
        InvalidInput: the value is naive (no zone), is not a time, or lies outside the years 1 to 9999.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    moment = _moment(value)
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InvalidInput(
            f"the time {moment.isoformat()} has no zone",
            fix="add an offset, e.g. a trailing Z for UTC, or declare the source's zone",
        )
    delta = moment - _EPOCH
    at = (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds
    if not _FIRST <= at <= _LAST:  # the offset has led out of the calendar
        raise _outside(at)
    return at


def _moment(value: object) -> datetime:
    """Return what a datetime, date or text says, with a zone only if it says one."""
    moment = value
    if isinstance(value, str):
        text = value.strip()
        try:
            moment = datetime.fromisoformat(f"{text}T00:00:00+00:00" if _DATE.fullmatch(text) else text)
        except ValueError:
            moment = None
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(moment, datetime):
        raise InvalidInput(f"{value!r} is not a time", fix="give ISO 8601 text such as 2013-04-01T00:00:00Z")
    return moment


def to_datetime(at: Instant) -> datetime:
    """Return the instant as an aware UTC datetime.

    Raises:
        InvalidInput: it lies outside the years 1 to 9999.
    """
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        raise _outside(at) from None


def _outside(at: int) -> InvalidInput:
    return InvalidInput(
        f"the instant {at} lies outside the years 1 to 9999", fix="instants are microseconds since 1970"
    )


def iso(at: Instant) -> str:
    """Return the instant as ISO 8601 text ending in Z, with microseconds only when there are some."""
    text = to_datetime(at).isoformat()
    return text.replace("+00:00", "Z")


def duration(value: str | int | timedelta) -> Duration:
    """Return a duration from text such as `90s`, `10m`, `6h`, `28d`, `1d12h`, a timedelta, or microseconds.

    Raises:
        InvalidInput: the value is not a duration, is negative, or is longer than 64 bits of microseconds can say.
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
    if micros > _LONGEST:
        raise InvalidInput(f"the duration {value!r} is too long", fix="the longest is about 290,000 years")
    return micros


def short(span: Duration) -> str:
    """Return a duration as exact text in units from large to small: `6h`, `1d12h`, `1s500ms`; `duration` reads it."""
    if span == 0:
        return "0s"
    if span < 0:
        return f"-{short(-span)}"
    out, rest = "", span
    for unit in ("d", "h", "m", "s", "ms", "us"):
        n, rest = divmod(rest, _UNITS[unit])
        if n:
            out += f"{n}{unit}"
    return out
