"""Months and days in a zone of their own, over changes of the clock and at the edges of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.loop.calendar import add_months, month_of, month_start, next_midnight
from treadle.records.instants import DAY, HOUR, instant

NEW_YORK = "America/New_York"
ZONES = [
    "UTC",
    NEW_YORK,
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/Havana",
    "Pacific/Apia",
]
instants = st.datetimes(datetime(2005, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC)).map(instant)  # noqa: DTZ001  # bounds of UTC times


def test_a_month_begins_and_ends_at_local_midnight():
    assert month_start("2013-04", NEW_YORK) == instant("2013-04-01T04:00:00Z")
    assert month_start("2013-12", NEW_YORK) == instant("2013-12-01T05:00:00Z")
    assert month_of(instant("2013-04-01T03:59:59.999999Z"), NEW_YORK) == "2013-03"
    assert month_of(instant("2013-04-01T04:00:00Z"), NEW_YORK) == "2013-04"


@pytest.mark.parametrize(
    ("month", "count", "expected"),
    [("2013-12", 1, "2014-01"), ("2014-01", -1, "2013-12"), ("2013-04", -3, "2013-01"), ("2013-01", -3, "2012-10"),
     ("2013-05", 0, "2013-05"), ("2013-02", 23, "2015-01")],
)  # fmt: skip
def test_months_are_counted_over_the_end_of_the_year(month, count, expected):
    assert add_months(month, count) == expected


@pytest.mark.parametrize(
    ("day", "hours"), [("2013-03-09", 24), ("2013-03-10", 23), ("2013-11-02", 24), ("2013-11-03", 25)]
)
def test_days_of_a_clock_change_are_an_hour_shorter_or_longer(day, hours):
    begins = next_midnight(instant(f"{day}T04:59:59Z") - DAY // 24, NEW_YORK)
    assert next_midnight(begins, NEW_YORK) - begins == hours * HOUR


@pytest.mark.parametrize(
    ("zone", "before", "hours"),
    [
        ("America/Sao_Paulo", "2013-10-19T12:00:00Z", 24),  # the clock went from midnight to one: no midnight
        ("America/Havana", "2013-11-02T12:00:00Z", 24),  # the hour after midnight came twice
        ("Pacific/Apia", "2011-12-29T12:00:00Z", 24),  # the 30th was left out
    ],
)
def test_a_day_without_a_midnight_or_with_two_begins_once(zone, before, hours):
    first = next_midnight(instant(before), zone)
    second = next_midnight(first, zone)
    assert instant(before) < first < second
    local = [datetime.fromtimestamp(at / 1e6, UTC).astimezone(ZoneInfo(zone)) for at in (first - 1, first)]
    assert local[0].date() < local[1].date()


@given(instants, st.sampled_from(ZONES))
@settings(max_examples=200)
def test_the_next_midnight_is_the_first_instant_of_a_later_day(at, zone):
    following = next_midnight(at, zone)

    def day(moment):
        return datetime.fromtimestamp(moment // 1_000_000, UTC).astimezone(ZoneInfo(zone)).date()

    assert at < following <= at + 26 * HOUR + DAY * (zone == "Pacific/Apia")
    assert day(at) < day(following)
    assert day(following - 1_000_000) <= day(at) + timedelta(days=zone == "Pacific/Apia")


@given(instants, st.sampled_from(ZONES))
@settings(max_examples=100)
def test_every_instant_lies_in_the_month_it_is_said_to_be_in(at, zone):
    month = month_of(at, zone)
    assert month_start(month, zone) <= at < month_start(add_months(month, 1), zone)
