"""Months in a project's own zone: where they begin, and which one an instant is in."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from treadle.records.instants import Instant, instant, to_datetime


def month_of(at: Instant, zone: str) -> str:
    """Return the month an instant is in, as `2013-04`, by the zone's calendar."""
    return to_datetime(at).astimezone(ZoneInfo(zone)).strftime("%Y-%m")


def month_start(month: str, zone: str) -> Instant:
    """Return the instant a month begins in a zone."""
    year, number = map(int, month.split("-"))
    return instant(datetime(year, number, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC))


def add_months(month: str, count: int) -> str:
    """Return the month that comes `count` months after (before, when negative)."""
    year, number = map(int, month.split("-"))
    total = year * 12 + number - 1 + count
    return f"{total // 12:04d}-{total % 12 + 1:02d}"


def next_midnight(at: Instant, zone: str) -> Instant:
    """Return the first local midnight after an instant; days with a clock change are an hour shorter or longer."""
    local = to_datetime(at).astimezone(ZoneInfo(zone))
    day = local.date().toordinal() + 1
    there = datetime.fromordinal(day).replace(tzinfo=ZoneInfo(zone))
    return instant(there.astimezone(UTC))
