"""The parts of a running server, each by itself, on a simulated clock: feed, data folder, wheel, repetition."""

import shutil
import threading
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import treadle as tr
from tests.entry.api.conftest import SHOP, trained_in
from tests.entry.api.shop_data import shop_tables, write_shop
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.online_memory import MemoryOnline
from treadle.bootstrap import Home, load_project
from treadle.loop import live_feed
from treadle.loop.data_watch import DataWatch, look
from treadle.loop.feed import stands_at
from treadle.loop.live import Live, Pace
from treadle.loop.live_feed import NEVER, LiveFeed
from treadle.loop.periodic import Periodic
from treadle.loop.stored import ingest, load_store
from treadle.loop.wheel import Wheel, tick_period
from treadle.records.errors import NotReady
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND, instant
from treadle.stages.features.plan import ServingPlan

START = instant("2024-03-15T12:00:00Z")


@pytest.fixture
def shop(tmp_path):
    """A folder with the project's data."""
    write_shop(tmp_path / "data")
    return tmp_path


@pytest.fixture
def world(shop):
    home = Home.at(shop / "home", create=True)
    with trained_in(home, load_project(SHOP), START) as world:
        yield world


def vectors_agree(world, store, online, at) -> None:
    """The online vector of many requests equals the offline one at the same moment."""
    (endpoint,) = world.project.endpoints
    plan = ServingPlan(endpoint.features)
    spine = store.rows["parcels"].head(60)
    offline = store.offline.vectors(endpoint.features, spine, np.full(spine.height, at))
    asked = spine.select(
        pl.col(name).to_physical() if kind == "time" else pl.col(name)
        for name, kind in endpoint.features.request.items()
    )
    with online.read() as snapshot:
        for fields, wanted in zip(asked.iter_rows(), offline.iter_rows(), strict=True):
            assert plan.vector(snapshot, fields, at) == list(wanted)


def test_fed_in_any_steps_the_online_store_equals_the_offline_lookup(world, shop):
    store = ingest(world, shop / "data", START)
    online = MemoryOnline()
    feed = LiveFeed(world.project.views, online)
    assert feed.use(store, START - 3 * DAY)
    for at in (START - 3 * DAY, START - DAY, START - DAY + 1, START - HOUR, START, START + 9 * DAY):
        feed.advance(at)
        assert feed.position == at == stands_at(online)
        vectors_agree(world, store, online, at)


def test_a_row_is_in_the_store_from_the_moment_it_is_known(world, shop):
    store = ingest(world, shop / "data", START)
    feed = LiveFeed(world.project.views, MemoryOnline())
    feed.use(store, START)
    known = sorted(at for rows in store.rows.values() for at in rows["__known_at"] if at > START)
    used = sorted(
        at for name in ("weather", "arrivals") for at in store.rows[name]["__known_at"] if at > START
    )
    assert set(used) <= set(known)
    for wanted in used[:20]:
        if wanted <= feed.position:
            continue
        assert feed.next_known == wanted
        applied = feed.applied
        assert feed.catch_up(wanted - 1)
        assert feed.applied == applied
        assert feed.catch_up(wanted)
        assert feed.applied > applied
    feed.advance(used[-1])
    assert feed.next_known == NEVER


def test_rows_of_the_past_that_come_later_count_at_once(world, shop):
    old = ingest(world, shop / "data", START)
    online = MemoryOnline()
    feed = LiveFeed(world.project.views, online)
    feed.use(old, START)
    tables = shop_tables()
    late = tables["arrivals"].with_columns(late=~pl.col("late"))  # every label corrected, and some rows gone
    late.filter(pl.col("parcel") % 7 != 0).write_parquet(shop / "data" / "arrivals.parquet")
    new = ingest(world, shop / "data", START)
    assert feed.use(new, START)
    vectors_agree(world, new, online, START)


def test_the_same_rows_after_a_restart_are_not_filled_in_again(world, shop):
    store = ingest(world, shop / "data", START)
    online = MemoryOnline()
    LiveFeed(world.project.views, online).use(store, START)
    again = LiveFeed(world.project.views, online)
    assert not again.use(load_store(world), START + HOUR)
    assert again.position == START + HOUR
    vectors_agree(world, store, online, START + HOUR)
    fewer = LiveFeed(world.project.views[:2], online)
    assert fewer.use(store, START + HOUR)


def test_a_store_of_another_format_is_filled_anew(world, shop, monkeypatch):
    store = ingest(world, shop / "data", START)
    online = MemoryOnline()
    with monkeypatch.context() as before:
        before.setattr(live_feed, "FORMAT", 1)
        LiveFeed(world.project.views, online).use(store, START)
    assert LiveFeed(world.project.views, online).use(store, START)
    vectors_agree(world, store, online, START)


def test_feeding_under_way_is_not_waited_for(world, shop):
    feed = LiveFeed(world.project.views, MemoryOnline())
    feed.use(ingest(world, shop / "data", START), START)
    with feed._mutex:
        assert not feed.catch_up(START + HOUR)
    assert feed.catch_up(START + HOUR)


def test_the_clock_set_back_takes_nothing_out_of_the_store(world, shop):
    online = MemoryOnline()
    feed = LiveFeed(world.project.views, online)
    feed.use(ingest(world, shop / "data", START), START)
    feed.advance(START - HOUR)
    assert feed.position == START == stands_at(online)


def test_stored_rows_are_read_back_as_they_were_registered(world, shop):
    stored = ingest(world, shop / "data", START)
    read = load_store(world)
    assert read.manifests == stored.manifests
    for name, rows in stored.rows.items():
        assert read.rows[name].equals(rows)


def test_a_table_version_that_was_never_registered_is_not_read(world, shop):
    stored = ingest(world, shop / "data", START)
    world.tables.overwrite(
        "weather", stored.rows["weather"].head(3)
    )  # as a kill before registering leaves it
    assert load_store(world).rows["weather"].height == stored.rows["weather"].height


def test_a_home_without_rows_names_all_that_is_missing(world):
    with pytest.raises(NotReady) as caught:
        load_store(world)
    assert len(caught.value.faults) == 3


def test_a_folder_looks_changed_when_a_file_is_added_changed_or_removed(tmp_path):
    (tmp_path / "deep").mkdir()
    seen = [look(tmp_path)]
    (tmp_path / "deep" / "a").write_text("1")
    seen.append(look(tmp_path))
    (tmp_path / "deep" / "a").write_text("22")
    seen.append(look(tmp_path))
    (tmp_path / "deep" / "a").rename(tmp_path / "deep" / "b")
    seen.append(look(tmp_path))
    assert len(set(seen)) == 4
    (tmp_path / ".part").write_text("x")
    assert look(tmp_path) == seen[-1]
    (tmp_path / "deep" / "b").unlink()
    assert look(tmp_path) == seen[0] == look(tmp_path / "absent")


def test_a_change_counts_once_it_has_come_to_rest(world, shop):
    said: list[str] = []
    watch = DataWatch(world, shop / "data", said.append)
    assert watch.look() is None
    assert watch.look() is not None
    assert (watch.look(), watch.look()) == (None, None)
    write_shop(shop / "data", seed=4)
    assert watch.look() is None
    write_shop(shop / "data", seed=5)
    assert watch.look() is None
    store = watch.look()
    assert store is not None
    assert store.rows["parcels"].equals(ingest(world, shop / "data", START).rows["parcels"])
    assert watch.taken_at == START


def test_bad_data_is_refused_once_and_the_next_good_data_is_taken(world, shop):
    said: list[str] = []
    watch = DataWatch(world, shop / "data", said.append)
    watch.take()
    good = (shop / "data" / "weather.parquet").read_bytes()
    (shop / "data" / "weather.parquet").write_bytes(good[: len(good) // 2])
    assert [watch.look() for _ in range(4)] == [None] * 4
    assert len(said) == 1
    assert "cannot be read as Parquet" in " ".join(watch.faults)
    assert watch.refused_at == START
    (shop / "data" / "weather.parquet").write_bytes(good)
    assert [watch.look() is not None for _ in range(3)] == [False, True, False]
    assert not watch.faults
    assert watch.refused_at is None


def test_the_files_taken_last_are_remembered_over_a_restart(world, shop):
    DataWatch(world, shop / "data", print).take()
    again = DataWatch(world, shop / "data", print)
    assert [again.look() for _ in range(3)] == [None] * 3
    elsewhere = DataWatch(world, shutil.copytree(shop / "data", shop / "other"), print)
    assert [elsewhere.look() is not None for _ in range(2)] == [False, True]


def with_trigger(world, condition):
    (pipeline,) = world.project.pipelines
    trigger = tr.on(condition, run=pipeline, name="again")
    return replace(world, project=replace(world.project, triggers=[trigger]))


def test_a_live_tick_retrains_judges_promotes_and_the_server_follows(world, shop):
    world = with_trigger(world, tr.every("1d"))
    clock: SimulatedClock = world.clock
    store = ingest(world, shop / "data", START)
    live = Live(world, say=print)
    live.feed.use(store, START)
    said: list[str] = []
    wheel = Wheel(world, store, 10 * MINUTE, said.append)
    wheel.turn()
    assert (said, wheel.last_tick) == ([], None)
    clock.advance_to(wheel.next_tick)
    wheel.turn()
    assert len(said) == 1
    assert "promoted" in said[0]
    champions, answerer = live.champions["late"], live.answerers["late"]
    assert version_of(answerer) is None
    assert (champions.follow(), version_of(answerer)) == (1, 1)
    clock.advance_to(START + DAY + HOUR)
    wheel.turn()
    assert (champions.follow(), version_of(answerer)) == (2, 2)
    assert champions.follow() is None


def version_of(answerer) -> int | None:
    return None if answerer.predictor is None else answerer.predictor.version


def test_between_ticks_predictions_reach_their_table(world, shop):
    from tests.entry.api.conftest import parcel

    world = with_trigger(world, tr.every("1d"))
    store = ingest(world, shop / "data", START)
    live = Live(world, say=print)
    live.feed.use(store, START)
    wheel = Wheel(world, store, 10 * MINUTE, print)
    world.clock.advance_to(wheel.next_tick)
    wheel.turn()
    live.champions["late"].follow()
    answer = live.answerers["late"].answer(parcel(3, rows=2))
    wheel.turn()
    assert not world.tables.exists("predictions/late")
    world.clock.advance_to(world.clock.now() + 10 * MINUTE)
    wheel.turn()
    rows = world.tables.read("predictions/late").collect()
    assert rows.height == answer.rows == 2
    assert rows["version"].to_list() == [1, 1]


def test_an_answer_sees_the_rows_that_became_known_by_its_moment(world, shop):
    from tests.entry.api.conftest import parcel

    store = ingest(world, shop / "data", START)
    online = world.online
    live = Live(with_trigger(world, tr.every("1d")), say=print)
    live.feed.use(store, START)
    wheel = Wheel(live.world, store, 10 * MINUTE, print)
    world.clock.advance_to(wheel.next_tick)
    wheel.turn()
    live.champions["late"].follow()
    for hours in (2, 5, 30):  # nobody feeds meanwhile: the answering itself has to
        at = START + hours * HOUR
        world.clock.advance_to(at)
        live.answerers["late"].answer(parcel(hours))
        assert live.feed.position == at
        vectors_agree(world, store, online, at)


@pytest.mark.parametrize(
    ("every", "period"), [([], HOUR), ([DAY], HOUR), ([10 * MINUTE, DAY], 10 * MINUTE), ([SECOND], MINUTE)]
)
def test_ticks_come_as_often_as_the_most_frequent_monitor_within_bounds(every, period):
    assert tick_period(every) == period


class Repeated:
    """Work that fails as told, and lets the test wait for its repetitions."""

    def __init__(self, *outcomes) -> None:
        self.said: list[str] = []
        self._outcomes = list(outcomes)
        self._done = threading.Semaphore(0)
        self.periodic = Periodic(
            "feed", self.work, every=0.001, clock=SimulatedClock(START), say=self.said.append
        )

    def work(self) -> None:
        outcome = self._outcomes.pop(0) if self._outcomes else None
        self._done.release()
        if outcome is not None:
            raise outcome

    def wait(self, times: int) -> None:
        for _ in range(times):
            assert self._done.acquire(timeout=30)


def test_work_that_fails_is_told_once_tried_again_and_told_when_it_works():
    repeated = Repeated(None, NotReady("no disk"), NotReady("no disk"), ValueError("odd"), None)
    repeated.periodic.start()
    repeated.wait(7)
    repeated.periodic.ask_to_stop()
    assert repeated.periodic.wait(30)
    assert repeated.said == [
        "feed failed and will be tried again: no disk",
        "feed failed and will be tried again: ValueError: odd",
        "feed: works again",
    ]
    assert repeated.periodic.fault is None


def test_the_last_fault_says_when_what_and_how_often():
    repeated = Repeated(*[NotReady("no disk")] * 1_000)
    repeated.periodic.start()
    repeated.wait(3)
    repeated.periodic.ask_to_stop()
    assert repeated.periodic.wait(30)
    fault = repeated.periodic.fault
    assert fault is not None
    assert (fault.at, fault.text) == (START, "no disk")
    assert fault.times >= 3


def test_stopping_does_not_wait_for_the_next_time():
    periodic = Periodic("slow", lambda: None, every=3_600, clock=SimulatedClock(START), say=print)
    periodic.start()
    periodic.ask_to_stop()
    assert periodic.wait(30)


def test_the_whole_thing_starts_answers_and_stops_with_everything_flushed(world, shop):
    from tests.entry.api.conftest import parcel

    world = with_trigger(world, tr.every("1d"))
    store = ingest(world, shop / "data", START)
    wheel = Wheel(world, store, 10 * MINUTE, print)
    world.clock.advance_to(wheel.next_tick)
    wheel.turn()
    live = Live(world, pace=Pace(feed=0.01, sync=0.01, data=0.01, loop=0.01), say=print)
    assert live.not_ready() == ["the server is starting"]
    live.start()
    assert live.not_ready() == []
    for number in range(20):
        live.answerers["late"].answer(parcel(number))
    live.stop()
    assert live.not_ready() == ["the server is stopping"]
    assert live.synced == world.predictions.end()
    assert world.tables.rows("predictions/late") == 20
    assert {name: thread.fault for name, thread in live.threads.items()} == {
        "feed": None,
        "lineage": None,
        "log": None,
        "loop": None,
    }
