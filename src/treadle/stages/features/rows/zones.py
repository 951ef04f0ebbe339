"""Time zones as two arrays: when a zone's offset from UTC changes, and what it is in between.

Polars and Python each carry their own copy of the zone rules, of different years, and differ beyond 2037. One
table, made once per zone from the interpreter's `zoneinfo`, serves both lowerings: a vectorised search in training,
one bisection a row in serving.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from treadle.records.instants import SECOND, Duration, Instant

EARLIEST: Instant = -62_135_596_800 * SECOND
"""0001-01-01T00:00:00, as a count of microseconds on local clocks."""

LATEST: Instant = 253_402_300_800 * SECOND - 1
"""9999-12-31T23:59:59.999999, likewise."""

# Before 1800 every zone keeps local mean time; rules are not predicted beyond 2100.
_FIRST = int(datetime(1800, 1, 1, tzinfo=UTC).timestamp())
_LAST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Offsets:
    """A zone's offsets: `offsets[i]` holds from `changes[i - 1]` (inclusive) to `changes[i]` (exclusive)."""

    zone: str
    changes: tuple[Instant, ...]
    offsets: tuple[Duration, ...]


@lru_cache(maxsize=128)
def offsets_of(zone: str) -> Offsets:
    """Return a zone's offsets from UTC; about 0.1 s for a zone not seen before in this process.

    Offsets are probed once a day and changes bisected to the second: no zone changes twice within a day.

    Raises:
        ZoneInfoNotFoundError: there is no such zone.
    """
    rules = ZoneInfo(zone)
    changes: list[Instant] = []
    held = _offset(rules, _FIRST)
    offsets = [held]
    for second in range(_FIRST, _LAST + 1, _DAY):
        found = _offset(rules, second)
        if found != held:
            changes.append(_first_with(rules, found, second - _DAY, second) * SECOND)
            offsets.append(found)
            held = found
    micros = tuple((offset.days * _DAY + offset.seconds) * SECOND for offset in offsets)
    return Offsets(zone, tuple(changes), micros)


def _offset(rules: ZoneInfo, second: int) -> timedelta:
    return datetime.fromtimestamp(second, rules).utcoffset() or timedelta(0)


def _first_with(rules: ZoneInfo, offset: timedelta, before: int, after: int) -> int:
    """Return the first second in (before, after] that has the offset."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(rules, middle) == offset:
            after = middle
        else:
            before = middle
    return after
