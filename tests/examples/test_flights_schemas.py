"""The demo's schema: the year keeps it; weather in other units or from other places is refused before anything is stored."""

import polars as pl
import pytest

from examples.flights import project
from treadle.loop.validation import hold
from treadle.records.anomalies import Severity
from treadle.records.instants import instant
from treadle.stages.validation.profile.builder import profile_frame

(SCHEMA,) = project.schemas


def held(rows: pl.DataFrame, previous: pl.DataFrame | None = None):
    before = None if previous is None else profile_frame(previous, "weather")
    found = hold(
        rows, SCHEMA, now=instant("2014-01-02"), profile=profile_frame(rows, "weather"), previous=before
    )
    return {(one.kind, one.where) for one in found.anomalies if one.severity is Severity.STOP}


@pytest.fixture(scope="module")
def weather(flights_rows) -> pl.DataFrame:
    return flights_rows["weather"].select(pl.exclude("^__.*$"))


def test_the_year_keeps_it(weather):
    assert held(weather) == set()


def test_celsius_is_seen_against_the_days_before(weather):
    celsius = weather.with_columns((pl.col("temp") - 32) / 1.8)
    assert ("unit_changed", "temp") in held(celsius, previous=weather)
    assert held(weather, previous=weather) == set()


def test_another_airport_and_a_lost_column_are_refused(weather):
    boston = weather.with_columns(pl.lit("BOS").alias("origin"))
    assert {where for _, where in held(boston)} == {"origin"}
    assert {where for _, where in held(weather.drop("visib"))} == {"visib"}
