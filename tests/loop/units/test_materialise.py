"""Materialising: to an instant, from where the store stands; rebuilt in portions, killed anywhere, switched at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.intake import places
from tests.intake.places import NOW, Taking, opened, order, reading, write_orders
from tests.loop.units.streams import FEATURES, T0, fact_rows, offline, online
from tests.redis_server import redis_server
from treadle.adapters.online import LmdbOnline
from treadle.adapters.online_memory import MemoryOnline
from treadle.adapters.online_redis import RedisOnline
from treadle.loop.feed import Feed, stands_at
from treadle.loop.materialise import materialise
from treadle.loop.stored import ingest
from treadle.records.digests import digest_value
from treadle.records.errors import Conflict, NotFound
from treadle.records.failpoints import FailpointError, arm
from treadle.records.instants import DAY, HOUR
from treadle.stages.features.plan import ServingPlan
from treadle.stages.features.rebuilding import pending, rebuild, stored_names

PLAN = ServingPlan(FEATURES)
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    arm("")


def rebuild_all(store, rows, at, *, portion=3, since=None):
    return {
        view.name: rebuild(
            store, view, rows[view.source.name], content=digest_value("rows"), position=at, portion=portion, since=since
        )
        for view in FEATURES.views
    }  # fmt: skip


def contents(store, views=FEATURES.views):
    return {name: dict(store.scan(name)) for view in views for name in stored_names(view)}


class TestRebuilding:
    @settings(max_examples=40)
    @given(rows=fact_rows(), at=st.integers(T0, T0 + 60), later=st.integers(0, 20))
    def test_a_rebuilt_store_answers_as_the_tables_do_from_then_on(self, rows, at, later):
        store = MemoryOnline()
        feed = Feed(FEATURES.views, rows)
        feed.advance(store, at)
        for view in FEATURES.views:
            for name in stored_names(view):
                store.drop(name)
        rebuild_all(store, rows, at)
        with store.read() as snapshot:
            assert online(PLAN, snapshot, at) == offline(rows, at)
        feed.advance(store, at + later)
        with store.read() as snapshot:
            assert online(PLAN, snapshot, at + later) == offline(rows, at + later)

    @settings(max_examples=30)
    @given(rows=fact_rows(), at=st.integers(T0, T0 + 60))
    def test_a_healthy_store_is_not_changed_and_a_stranger_goes(self, rows, at):
        store = MemoryOnline()
        feed = Feed(FEATURES.views, rows)
        feed.advance(store, T0 - 1)  # row by row, so that nothing is filled
        feed.advance(store, at)
        before = contents(store)
        with store.begin() as batch:
            batch.put("lasting", b"stranger", before["lasting"].get(b"x", b""))
        done = rebuild_all(store, rows, at)
        assert {name: one.changed for name, one in done.items()} == dict.fromkeys(done, 0)
        assert {name: one.removed for name, one in done.items()} == dict.fromkeys(done, 0) | {"lasting": 1}
        assert contents(store) == before
        assert set(store.views()) <= set(before)

    def test_portions_do_not_matter(self):
        rows = long_rows()
        found = []
        for portion in (1, 7, 1_000):
            store = MemoryOnline()
            Feed(FEATURES.views, rows).advance(store, T0)
            rebuild_all(store, rows, T0 + 300, portion=portion)
            found.append(contents(store))
        assert found[0] == found[1] == found[2]
        assert len(found[0]["lasting"]) > 1

    def test_readers_see_the_old_state_until_the_new_is_whole(self):
        rows, store = long_rows(), MemoryOnline()
        [view] = [view for view in FEATURES.views if view.name == "lasting"]
        with store.begin() as batch:
            batch.put("lasting", b"old", b"state")
        seen = []
        rebuild(
            store, view, rows["facts"], content="c", position=T0 + 300, portion=5,
            told=lambda done, portions: seen.append((done, portions, dict(store.scan("lasting")))),
        )  # fmt: skip
        assert [done for done, _, _ in seen] == list(range(seen[0][1] + 1))
        assert seen[0][1] > 10
        assert all(held == {b"old": b"state"} for _, _, held in seen)
        assert b"old" not in dict(store.scan("lasting"))

    @pytest.mark.parametrize("point", ["before_portion", "after_portion", "before_switch", "after_switch"])
    @pytest.mark.parametrize("hit", [1, 4])
    def test_what_was_cut_off_goes_on_and_ends_as_if_it_never_was(self, point, hit):
        if "switch" in point and hit > 1:
            return
        rows, whole, cut = long_rows(), MemoryOnline(), MemoryOnline()
        [view] = [view for view in FEATURES.views if view.name == "windows"]
        again = []

        def once(store, told=lambda done, portions: None):
            return rebuild(store, view, rows["facts"], content="c", position=T0 + 300, portion=10, told=told)

        expected = once(whole)
        arm(f"materialise.{point}:raise@{hit}")
        with pytest.raises(FailpointError):
            once(cut)
        arm("")
        switched = point == "after_switch"
        assert pending(cut, [view]) == (
            [] if switched or (point, hit) == ("before_portion", 1) else ["windows"]
        )
        found = once(cut, lambda done, portions: again.append(done))
        portions = again[-1]
        done_before = {"before_portion": hit - 1, "after_portion": hit, "before_switch": portions}.get(
            point, 0
        )
        assert again[0] == done_before
        assert found.resumed == (done_before > 0)
        assert contents(cut, [view]) == contents(whole, [view])
        assert (found.rows, found.keys) == (expected.rows, expected.keys)
        assert cut.views() == whole.views()

    def test_other_rows_or_another_instant_begin_anew(self):
        rows, store = long_rows(), MemoryOnline()
        [view] = [view for view in FEATURES.views if view.name == "lasting"]
        arm("materialise.after_portion:raise@4")
        with pytest.raises(FailpointError):
            rebuild(store, view, rows["facts"], content="c", position=T0 + 100, portion=10)
        arm("")
        found = rebuild(store, view, rows["facts"], content="c", position=T0 + 300, portion=10)
        assert not found.resumed
        with store.read() as snapshot:
            got = dict(zip(PLAN.names, online(PLAN, snapshot, T0 + 300)[0], strict=True))
        assert got["lasting_v"] == dict(zip(PLAN.names, offline(rows, T0 + 300)[0], strict=True))["lasting_v"]

    def test_since_an_instant_only_the_keys_touched_since_are_made_anew(self):
        rows, store = long_rows(), MemoryOnline()
        Feed(FEATURES.views, rows).advance(store, T0 + 300)
        before = contents(store)
        [view] = [view for view in FEATURES.views if view.name == "lasting"]
        with store.begin() as batch:
            for key in before["lasting"]:
                batch.put("lasting", key, b"broken")
        touched = (
            rows["facts"]
            .filter(pl.col("__known_at").is_between(T0 + 280, T0 + 300))
            .select("a", "b")
            .drop_nulls()
            .unique()
            .height
        )
        found = rebuild(store, view, rows["facts"], content="c", position=T0 + 300, since=T0 + 280, portion=5)
        assert 0 < touched < len(before["lasting"])
        assert (found.keys, found.changed, found.removed) == (touched, touched, 0)
        after = contents(store)["lasting"]
        assert sum(after[key] == state for key, state in before["lasting"].items()) == touched


def long_rows():
    """Three hundred rows of a hundred keys."""
    from tests.loop.units.streams import stored

    made = [
        {"key": (str(n * 7 % 10), str(n * 3 % 13)), "v": None if n % 11 == 0 else n * 0.1, "flag": n % 3 == 0, "t": n,
         "seen": n + (n % 4), "made": n, "gone": n % 17 == 0}
        for n in range(300)
    ]  # fmt: skip
    return stored(made)


class TestMaterialising:
    @pytest.fixture
    def home(self, tmp_path):
        write_orders(tmp_path / "data", [order(n, shop="ab"[n % 2]) for n in range(1, 40)])
        with opened(tmp_path / "home") as world:
            ingest(world, tmp_path / "data", NOW)
        return tmp_path

    @pytest.fixture
    def world(self, home):
        with opened(home / "home") as world:
            yield with_views(world)

    def test_an_empty_store_is_filled_then_brought_on_then_there_is_nothing_to_do(self, world):
        first = materialise(world, [], until=NOW)
        assert (first.began, first.position, first.filled) == (None, NOW, True)
        assert {done.state.view: (done.state.keys, done.rows) for done in first.views}["spent"] == (2, 39)
        second = materialise(world, ["spent"], until=NOW + HOUR)
        assert (second.began, second.position, second.filled) == (NOW, NOW + HOUR, False)
        assert [(done.state.view, done.rows) for done in second.views] == [("spent", 0)]

    def test_pushed_events_come_with_it_from_the_log_and_from_the_tables(self, world):
        taking = Taking.of(world)
        world.clock.advance_to(NOW + HOUR)
        taking.intake.offer("readings", [reading(1, value=4.5)], ids=["one"])
        materialise(world, [], until=NOW + 2 * HOUR)
        assert Taking.of(world).vector()["newest_value"] == 4.5
        fresh = replace(world, online=MemoryOnline())
        done = materialise(fresh, ["newest", "lately"], until=NOW + 2 * HOUR)
        assert [one.state.keys for one in done.views] == [1, 1]

    def test_time_does_not_go_back(self, world):
        materialise(world, [], until=NOW)
        with pytest.raises(Conflict, match="stands at"):
            materialise(world, [], until=NOW - 1)
        with pytest.raises(NotFound, match="spend"):
            materialise(world, ["spend"], until=NOW)

    def test_a_store_that_a_hand_has_spoilt_is_right_after_a_rebuild(self, world):
        materialise(world, [], until=NOW)
        before = contents(world.online, world.project.views)
        with world.online.begin() as batch:
            for key in before["spent"]:
                batch.put("spent", key, b"spoilt")
        done = materialise(world, ["spent"], until=NOW + HOUR, anew=True)
        assert [(one.rebuilt.keys, one.rebuilt.changed, one.rows) for one in done.views] == [(2, 2, 39)]
        taking = Taking.of(world)
        assert taking.vector()["spent_amount_sum_365d"] == sum(1.0 for n in range(1, 40) if n % 2 == 0)

    def test_expired_keys_are_counted(self, world):
        materialise(world, [], until=NOW)
        [done] = materialise(world, ["spent"], until=NOW + 500 * DAY).views
        assert (done.state.keys, done.state.expired, done.state.expired_share) == (2, 2, 1.0)
        assert done.state.newest == NOW - DAY

    def test_redis_is_brought_to_the_present_and_rebuilt(self, world, tmp_path):
        with redis_server(tmp_path) as url:
            online = RedisOnline(url, namespace="here")
            there = replace(world, online=online)
            materialise(there, [], until=NOW)
            materialise(world, [], until=NOW)
            assert contents(online, world.project.views) == contents(world.online, world.project.views)
            online.drop("spent")
            [done] = materialise(there, ["spent"], until=NOW, anew=True).views
            assert done.rebuilt.changed == 2
            assert contents(online, world.project.views) == contents(world.online, world.project.views)
            online.close()


def with_views(world):
    """The world with endpoints that use the views: views are known by who uses them."""
    import treadle as tr

    asks = tr.Source.push(
        "asks", columns={"sensor": "string", "shop": "string", "good": "bool", "at": "time"}, event_time="at"
    )
    endpoint = tr.Endpoint(
        "all", model="all@champion", features=places.FEATURES, requests=tr.Requests(asks),
        labels=tr.Labels("good", source=asks, key=["sensor"], value="good"),
    )  # fmt: skip
    project = replace(world.project, sources=(*world.project.sources, asks), endpoints=(endpoint,))
    return replace(world, project=project)


KILLED = """
import sys
from pathlib import Path
from tests.loop.units.test_materialise import FEATURES, T0, long_rows, rebuild
from treadle.adapters.online import LmdbOnline
store = LmdbOnline(Path(sys.argv[1]), durable=False, map_size=1 << 24)
[view] = [view for view in FEATURES.views if view.name == "windows"]
rebuild(store, view, long_rows()["facts"], content="c", position=T0 + 300, portion=10)
store.close()
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    "point", ["before_portion:kill@4", "after_portion:kill@7", "before_switch:kill", "after_switch:kill"]
)
def test_a_killed_process_is_taken_up_by_the_next(point, tmp_path):
    def run(folder, failpoints):
        environment = os.environ | {"TREADLE_FAILPOINTS": failpoints}
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(folder)], cwd=ROOT, env=environment, timeout=60, check=False
        ).returncode

    found = {}
    for name, failpoints in (("whole", []), ("killed", [f"materialise.{point}"])):
        for one in failpoints:
            assert run(tmp_path / name, one) == -signal.SIGKILL
        assert run(tmp_path / name, "") == 0
        store = LmdbOnline(tmp_path / name, durable=False, map_size=1 << 24)
        found[name] = (dict(store.scan("windows")), store.views(), stands_at(store))
        store.close()
    assert found["whole"] == found["killed"]
    assert len(found["whole"][0]) > 50
