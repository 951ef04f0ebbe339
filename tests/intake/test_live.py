"""A running server takes in events: online in a moment, in the tables a little later, and in what the controller sees."""

from __future__ import annotations

import time

import pytest

from tests.intake.places import NOW, opened, reading, table_ids
from treadle.adapters.clock import ShiftedClock
from treadle.adapters.online import LmdbOnline
from treadle.loop.intake import seen_view
from treadle.loop.live import Keeping, Live, Pace
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import HOUR
from treadle.stages.data.intake import Bounds

DEADLINE = 30.0


def eventually(true) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def live(home):
    online = LmdbOnline(home / "online", durable=False, map_size=1 << 24)
    with opened(home / "home", online=online, clock=ShiftedClock(NOW)) as world:
        live = Live(world, pace=Pace(tables=0.05, sync=0.01), keeping=Keeping(bounds=Bounds(ahead=HOUR)))
        yield live
        live.stop()
    online.close()


def test_before_the_start_and_after_the_stop_nothing_is_taken_in(live):
    with pytest.raises(NotReady):
        live.push("readings", [reading(1)])
    live.start()
    live.push("readings", [reading(1)])
    live.stop()
    with pytest.raises(NotReady):
        live.push("readings", [reading(2)])


def test_a_push_reaches_every_store_by_itself(live):
    live.start()
    live.push("readings", [reading(1)], ids=["a"])
    eventually(lambda: live.world.online.get(seen_view("readings"), b"a") is not None)
    eventually(lambda: table_ids(live.world, "readings") == ["a"])
    eventually(lambda: live.events_synced == live.world.events.end())
    assert live.feed.behind() == 0
    assert all(thread.fault is None for thread in live.threads.values())


def test_stopping_brings_the_newest_events_into_their_tables(live):
    live.start()
    live.threads["tables"].ask_to_stop()
    assert live.threads["tables"].wait(DEADLINE)
    live.push("readings", [reading(1)], ids=["a"])
    live.stop()
    assert table_ids(live.world, "readings") == ["a"]


def test_a_tick_sees_what_was_pushed_since(live):
    live.start()
    store = live._refreshed(live.wheel._store)
    live.push("readings", [reading(1)], ids=["a"])
    grown = live._refreshed(store)
    assert grown.rows["readings"].height == store.rows["readings"].height + 1
    assert live._refreshed(grown) is grown


def test_the_declared_bounds_hold(live):
    live.start()
    live.push("readings", [reading(1, ago=-HOUR // 2)])
    with pytest.raises(InvalidInput, match="1 row cannot be taken in"):
        live.push("readings", [reading(1, ago=-2 * HOUR)])
