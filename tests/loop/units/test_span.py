"""What a replay covers, and what it refuses to cover."""

from __future__ import annotations

import polars as pl
import pytest

from tests.loop.units.shop import project
from treadle.loop.span import plan_span
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, instant

[ENDPOINT] = project.endpoints
YEAR = [instant("2013-01-05T12:00:00Z") + day * DAY for day in range(340)]


def span(asked, *, until=None, zone="UTC"):
    rows = {"orders": pl.DataFrame({"__event_time": pl.Series(asked, dtype=pl.Int64)})}
    return plan_span(rows, ENDPOINT, zone, until)


def test_the_first_three_months_are_for_learning_and_all_others_are_served():
    found = span(YEAR)
    assert found.months == tuple(f"2013-{month:02d}" for month in range(4, 13))
    assert found.start == instant("2013-04-01T12:00:00Z")
    assert found.end == YEAR[-1] + 1


def test_the_order_of_the_rows_does_not_matter():
    assert span(YEAR[::-1]) == span(YEAR)


def test_until_ends_it_within_a_month_and_the_month_is_still_there():
    found = span(YEAR, until=instant("2013-06-20"))
    assert found.months == ("2013-04", "2013-05", "2013-06")
    assert found.end == instant("2013-06-20")
    assert span(YEAR, until=instant("2013-06-01")).months == ("2013-04", "2013-05")
    assert span(YEAR, until=instant("2030-01-01")) == span(YEAR)


def test_months_are_those_of_the_zone():
    asked = [
        instant("2013-01-01T03:00:00Z"),
        instant("2013-04-01T03:00:00Z"),
        instant("2013-04-01T05:00:00Z"),
    ]
    assert span(asked, zone="America/New_York").months == (
        "2013-03",
        "2013-04",
    )  # the first was asked in 2012
    assert span(asked).months == ("2013-04",)


def test_a_month_without_requests_is_a_month():
    asked = [at for at in YEAR if not instant("2013-06-01") <= at < instant("2013-07-01")]
    assert "2013-06" in span(asked).months


@pytest.mark.parametrize(
    ("asked", "until"),
    [
        (YEAR[:80], None),
        (YEAR, instant("2013-03-31")),
        (YEAR, instant("2013-04-01")),
        (YEAR, instant("2013-04-01T12:00:00Z")),  # the first request to be served is asked just then
    ],
    ids=["data too short", "until in the warm-up", "until at its end", "until before the first request"],
)
def test_without_anything_to_serve_it_says_what_is_missing(asked, until):
    with pytest.raises(InvalidInput, match="there is nothing to replay") as caught:
        span(asked, until=until)
    assert "2013-04-01T00:00:00Z" in str(caught.value.fix)


def test_one_microsecond_later_there_is_one_request_to_serve():
    found = span(YEAR, until=instant("2013-04-01T12:00:00Z") + 1)
    assert (found.start, found.end) == (found.start, found.start + 1)


def test_no_requests_at_all_are_refused_by_name():
    with pytest.raises(InvalidInput, match="'returns' has no requests"):
        span([])
