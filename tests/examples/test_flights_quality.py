"""The demo's source monitor sees that the weather ends a day before the flights do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.loop.units.shops import make_world
from treadle.loop.controller import Controller
from treadle.loop.stopwatch import Stopwatch
from treadle.loop.training import Store
from treadle.records.instants import DAY, HOUR, instant, iso


@pytest.fixture
def world(tmp_path, flights_project):
    world = make_world(tmp_path, project=replace(flights_project, monitors=[], triggers=[], schemas=[]))
    yield world
    world.predictions.close()


def test_the_end_of_the_weather_is_seen_as_stale_and_missing_rows(world, flights_rows):
    """A replay ticks at the end of each New York day."""
    store = Store.of({"weather": flights_rows["weather"]}, {})
    ticking = Controller(world, store, Stopwatch())
    for back in range(8, -1, -1):
        ticking.tick(instant("2014-01-01") + 5 * HOUR - 1 - back * DAY)
    with world.metadata.read() as view:
        raised = [event for event in view.journal.read(limit=1_000) if event.kind == "alert.raised"]
    assert [(event.data["kind"], iso(event.at)[:10]) for event in raised] == [
        ("freshness", "2014-01-01"),
        ("volume", "2014-01-01"),
    ]
    assert "2013-12-30T23:00:00Z" in raised[0].data["message"]
    assert "0 rows in 2013-12-31" in raised[1].data["message"]
