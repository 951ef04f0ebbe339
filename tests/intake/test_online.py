"""From the log to the online store: what it holds at T is what the stored rows say for T, whatever came when."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.intake.places import NOW, Taking, opened, order, reading
from tests.loop.units.streams import FEATURES, T0, facts, names, offline, online, stored
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.online_memory import MemoryOnline
from treadle.loop.feed import stands_at
from treadle.loop.intake import Intake
from treadle.loop.live_feed import NEVER, LiveFeed
from treadle.loop.pushed_online import PushedOnline
from treadle.loop.training import Store
from treadle.records.failpoints import FailpointError, arm
from treadle.records.instants import DAY, HOUR, iso
from treadle.records.intake import decode_record
from treadle.stages.data.intake import Bounds
from treadle.stages.data.pushed import event_frame, without_ids
from treadle.stages.features.plan import ServingPlan

PLAN = ServingPlan(FEATURES)
SOURCES = {source.name: source for source in (facts, names)}


class ListLog:
    """A log in memory; positions are counts of records."""

    def __init__(self):
        self.records: list[bytes] = []

    def append_many(self, records):
        self.records += records
        return len(self.records)

    def read(self, since=0, limit=None):
        yield from ((n + 1, record) for n, record in enumerate(self.records) if n >= since)

    def start(self):
        return 0

    def end(self):
        return len(self.records)


def stored_rows(log) -> dict[str, pl.DataFrame]:
    """What the tables would have of the log, beside two loaded names."""
    rows = stored([])
    events = [(position, decode_record(data)) for position, data in log.read()]
    for name, source in SOURCES.items():
        own = [(position, event) for position, event in events if event.source == name]
        if own:
            rows[name] = pl.concat([rows[name], without_ids(event_frame(source, own))])
    return rows


offers = st.lists(
    st.tuples(
        st.sampled_from([("1", "23"), ("12", "3"), ("1", "2")]),
        st.none() | st.sampled_from([0.5, -3.0, 7.0]),
        st.integers(0, 40),  # event time
        st.integers(0, 60),  # known at
        st.booleans(),  # gone
    ),
    max_size=4,
)
steps = st.lists(st.tuples(offers, st.integers(0, 9), st.booleans()), min_size=1, max_size=8)


@given(steps, st.booleans())
@settings(max_examples=60, deadline=None)
def test_after_every_push_online_equals_offline(plan_of_steps, restart):
    log, clock, store = ListLog(), SimulatedClock(T0), MemoryOnline()

    def opened_feed():
        pushed = PushedOnline(FEATURES.views, list(SOURCES.values()), log, remember=None)
        feed = LiveFeed(FEATURES.views, store, pushed)
        manifests = {name: SimpleNamespace(tags={}, content_hash="0" * 64) for name in SOURCES}
        loaded = stored([])
        feed.use(Store.of(loaded, manifests), clock.now())
        intake = Intake(
            list(SOURCES.values()), log=log, online=store, clock=clock, frontier=feed.frontier,
            applied=feed.log_position, announce=feed.announce, bounds=Bounds(ahead=None),
        )  # fmt: skip
        return feed, intake

    feed, intake = opened_feed()
    number = 0
    for rows, later, apply in plan_of_steps:
        if restart:
            feed, intake = opened_feed()
        made = [
            {"a": key[0], "b": key[1], "v": value, "flag": None, "t": iso(T0 + t), "seen": iso(T0 + seen),
             "made": iso(T0 + t), "gone": gone}
            for key, value, t, seen, gone in rows
        ]  # fmt: skip
        if made:
            intake.offer("facts", made, ids=[str(number + n) for n in range(len(made))])
            number += len(made)
        clock.advance_to(clock.now() + later)
        if apply:
            feed.advance(clock.now())
            at = feed.position
            with store.read() as snapshot:
                assert online(PLAN, snapshot, at) == offline(stored_rows(log), at)
    feed.advance(T0 + 200)
    with store.read() as snapshot:
        assert online(PLAN, snapshot, T0 + 200) == offline(stored_rows(log), T0 + 200)
    assert feed.next_known == NEVER


def test_a_push_is_online_once_it_is_applied_also_with_a_clock_that_stands_still(taking):
    for number in (1, 2, 3):
        taking.intake.offer("readings", [reading(number)])
        taking.apply()
        assert taking.vector()["newest_value"] == float(number)
        assert taking.vector()["lately_value_sum_1d"] == sum(range(number + 1))


def test_a_late_event_does_not_hide_a_newer_one_but_counts_in_its_windows(taking):
    taking.intake.offer("readings", [reading(1, ago=HOUR)], ids=["new"])
    taking.intake.offer("readings", [reading(5, ago=2 * HOUR)], ids=["late"])
    taking.apply()
    vector = taking.vector()
    assert (vector["newest_value"], vector["lately_value_sum_1d"]) == (1.0, 6.0)


def test_a_corrected_event_replaces_the_one_it_corrects(taking):
    taking.intake.offer("readings", [reading(1, ago=HOUR)], ids=["first"])
    taking.apply()
    taking.intake.offer("readings", [reading(1, value=10.0, ago=HOUR)], ids=["corrected"])
    taking.apply()
    assert taking.vector()["newest_value"] == 10.0


def test_history_from_files_and_pushes_are_one_window(taking):
    assert taking.vector()["spent_count_365d"] == 3.0
    taking.intake.offer("orders", [order(4, amount=5.0)])
    taking.apply()
    vector = taking.vector()
    assert (vector["spent_count_365d"], vector["spent_amount_sum_365d"]) == (4.0, 8.0)


def test_what_is_known_later_waits_and_survives_a_restart(home):
    online = MemoryOnline()
    ahead = {"sensor": "s", "at": iso(NOW + HOUR), "value": 7.0}
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [ahead])
        taking.apply()
        assert taking.feed.next_known == NOW + HOUR
        assert taking.vector()["newest_value"] is None
    with opened(home / "home", online=online, clock=SimulatedClock(NOW + 1)) as world:
        taking = Taking.of(world)
        assert taking.feed.next_known == NOW + HOUR
        taking.feed.advance(NOW + HOUR - 1)
        assert taking.vector()["newest_value"] is None
        taking.feed.advance(NOW + HOUR)
        assert taking.vector()["newest_value"] == 7.0
        assert taking.vector()["lately_count_1d"] == 0.0  # its own instant is not before itself
        taking.feed.advance(NOW + HOUR + 1)
        assert taking.vector()["lately_count_1d"] == 1.0


@pytest.mark.parametrize("point", ["intake.before_online", "intake.after_online"])
def test_a_failure_around_the_commit_applies_nothing_twice(home, point):
    online = MemoryOnline()
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(1), reading(2)])
        arm(f"{point}:raise")
        try:
            with pytest.raises(FailpointError):
                taking.apply()
        finally:
            arm("")
    with opened(home / "home", online=online) as world:
        assert Taking.of(world).vector()["lately_value_sum_1d"] == 3.0


def test_applied_in_portions_every_commit_is_the_exact_state_of_its_instant(world, taking, monkeypatch):
    for number in range(1, 30):
        taking.intake.offer("readings", [reading(number, ago=HOUR - number)], ids=[f"r{number}"])
        world.clock.advance_to(world.clock.now() + 5)
    pushed = taking.feed._pushed
    read = pushed.read
    monkeypatch.setattr(pushed, "read", lambda end: read(end, limit=4))
    states: list[tuple[int, float]] = []
    accept = pushed.accept

    def noting(portion, at):
        accept(portion, at)
        states.append((stands_at(world.online), taking.vector()["lately_count_1d"]))

    monkeypatch.setattr(pushed, "accept", noting)
    taking.apply()
    received = [decode_record(data).received_at for _, data in world.events.read()]
    assert len(states) > 5
    assert states == [(at, float(sum(one <= at for one in received))) for at, _ in states]


def test_a_store_that_is_ahead_of_the_log_is_filled_anew(home):
    online = MemoryOnline()
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(1)], ids=["kept"])
        taking.apply()
        end = world.events.end()
        taking.intake.offer("readings", [reading(2)], ids=["lost"])
        taking.apply()
        world.events.truncate(end)  # as a power cut leaves it
    with opened(home / "home", online=online) as world:
        taking = Taking.of(world)
        assert taking.vector()["lately_value_sum_1d"] == 1.0
        assert taking.intake.offer("readings", [reading(2)], ids=["lost"]).taken == 1


def test_filled_anew_from_the_tables_it_holds_the_same(home):
    with opened(home / "home") as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(n, ago=n * HOUR) for n in range(40)])
        taking.intake.offer("readings", [{"sensor": "s", "at": iso(NOW + HOUR), "value": 9.0}])
        taking.intake.offer("orders", [order(n) for n in range(3, 9)])
        taking.apply()
        before = taking.vector()
    with opened(home / "home") as world:
        taking = Taking.of(world)
        assert taking.vector() == before
        assert taking.feed.next_known == NOW + HOUR
        world.clock.advance_to(NOW + 2 * DAY)
        taking.apply()
        assert taking.vector()["newest_value"] == 9.0
