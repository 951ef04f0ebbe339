"""A view whose newest known row is older than it looks back is named, with what to do."""

from __future__ import annotations

import polars as pl
import pytest

import treadle as tr
from treadle.loop.freshness import stale_views
from treadle.records.instants import DAY, instant

NOW = instant("2025-06-01")
COLUMNS = {"key": "string", "at": "time", "x": "float"}
SOURCE = tr.Source.parquet("weather", path="w.parquet", columns=COLUMNS, event_time="at")
ALWAYS = tr.Source.parquet(
    "places", path="p.parquet", columns={"key": "string", "x": "float"}, unique=["key"]
)
KEY = tr.Entity("key", keys=["key"])


def rows(*ages, known=0):
    at = [NOW - age * DAY for age in ages]
    return pl.DataFrame(
        {"__event_time": at, "__known_at": [t + known * DAY for t in at]},
        schema_overrides={"__event_time": pl.Int64, "__known_at": pl.Int64},
    )


def view(ttl):
    return tr.FeatureView("now", entity=KEY, source=SOURCE, ttl=ttl, features=["x"])


WINDOWS = tr.WindowView(
    "sums", entity=KEY, source=SOURCE, features=[tr.count(over="1d"), tr.count(over="30d")]
)


@pytest.mark.parametrize(
    ("one", "frame", "stale"),
    [
        (view("7d"), rows(100, 8), True),
        (view("7d"), rows(100, 7), False),
        (view("7d"), rows(100, 1, known=2), True),
        (view(None), rows(1_000), False),
        (WINDOWS, rows(31), True),
        (WINDOWS, rows(29), False),
        (view("7d"), rows(), False),
    ],
)
def test_a_view_is_stale_when_nothing_known_reaches_into_its_span(one, frame, stale):
    found = stale_views([one], {"weather": frame}, NOW)
    assert len(found) == stale
    for sentence in found:
        assert repr(one.name) in sentence
        assert "--from" in sentence


def test_rows_that_are_always_true_never_expire():
    one = tr.FeatureView("facts", entity=KEY, source=ALWAYS, features=["x"])
    assert stale_views([one], {"places": rows(1_000)}, NOW) == []
