"""The feed: rows reach the online store in the order in which they became known, once, together with the cursor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.loop.units.streams import FEATURES, T0, fact_rows, offline, online, stored
from tests.loop.units.test_offline_online import row
from treadle.adapters.online_memory import MemoryOnline
from treadle.loop.feed import Feed, read_cursor, stands_at, write_cursor
from treadle.stages.features.plan import ServingPlan

PLAN = ServingPlan(FEATURES)


@given(fact_rows(), st.integers(T0, T0 + 70), st.integers(0, 40))
@settings(max_examples=50)
def test_filled_at_once_or_pushed_row_by_row_the_store_answers_the_same(rows, filled_at, more):
    end = filled_at + more
    filled, pushed = MemoryOnline(), MemoryOnline()
    Feed(FEATURES.views, rows).advance(filled, filled_at)
    Feed(FEATURES.views, rows).advance(filled, end)
    feed = Feed(FEATURES.views, rows)
    with pushed.begin() as batch:
        for change in feed.changes(-(1 << 60), end):
            feed.apply(batch, change)
    with filled.read() as one, pushed.read() as other:
        assert online(PLAN, one, end) == online(PLAN, other, end)
        assert offline(rows, end) == online(PLAN, one, end)


@given(fact_rows(), st.integers(T0, T0 + 30), st.integers(0, 50))
@settings(max_examples=40)
def test_changes_come_once_each_in_the_order_in_which_they_became_known(rows, after, size):
    feed = Feed(FEATURES.views, rows)
    changes = list(feed.changes(after, after + size))
    places = [change[:3] for change in changes]
    assert places == sorted(set(places))
    known = pl.concat([frame["__known_at"] for frame in rows.values()])
    assert len(changes) == int(((known > after) & (known <= after + size)).sum())
    assert feed.next_known(after) == known.filter(known > after).min()


def test_advancing_again_or_not_at_all_applies_nothing():
    feed, store = Feed(FEATURES.views, stored([row(t=1), row(t=5)])), MemoryOnline()
    assert feed.advance(store, T0 + 3) > 0
    assert feed.advance(store, T0 + 3) == 0
    assert feed.advance(store, T0 + 6) == 1
    assert stands_at(store) == T0 + 6


def test_what_is_known_is_filled_in_even_from_before_1970():
    rows = stored([row(v=3.0, t=-5_000)])
    store = MemoryOnline()
    Feed(FEATURES.views, rows).advance(store, T0)
    with store.read() as snapshot:
        vector = dict(zip(PLAN.names, online(PLAN, snapshot, T0)[0], strict=True))
    assert vector["lasting_v"] == 3.0
    assert vector["windows_count_5us"] == 0.0


def test_a_window_filled_anew_holds_exactly_what_it_can_still_see():
    """The longest window is 13: an event 13 before counts, one 14 before does not."""
    rows = stored([row(v=1.0, t=6), row(v=5.0, t=7), row(v=9.0, t=19)])
    store = MemoryOnline()
    Feed(FEATURES.views, rows).advance(store, T0 + 20)
    with store.read() as snapshot:
        vector = dict(zip(PLAN.names, online(PLAN, snapshot, T0 + 20)[0], strict=True))
    assert vector["windows_v_mean_13us"] == 7.0


def test_the_cursor_survives_as_any_instant_and_is_none_in_an_empty_store():
    store = MemoryOnline()
    assert stands_at(store) is None
    for at in (0, -1, -(1 << 62), (1 << 62) + 5):
        with store.begin() as batch:
            write_cursor(batch, at)
            assert read_cursor(batch) == at
        assert stands_at(store) == at


def test_a_failure_while_rows_are_applied_leaves_neither_values_nor_cursor(monkeypatch):
    rows = stored([row(t=1), row(key=("12", "3"), t=2)])
    feed, store = Feed(FEATURES.views, rows), MemoryOnline()
    feed.advance(store, T0)
    seen = store.count("lasting")
    monkeypatch.setattr(Feed, "apply", failing_at_the_second(feed.apply))
    with pytest.raises(RuntimeError, match="second"):
        feed.advance(store, T0 + 9)
    assert (stands_at(store), store.count("lasting")) == (T0, seen)
    monkeypatch.undo()
    feed.advance(store, T0 + 9)
    assert store.count("lasting") == 2


def failing_at_the_second(apply):
    done: list[object] = []

    def fail(_feed, batch, change):
        if done:
            raise RuntimeError("the second row")
        done.append(change)
        apply(batch, change)

    return fail


SCRIPT = """
import sys
from tests.loop.units.streams import FEATURES, T0, stored
from tests.loop.units.test_offline_online import row
from treadle.adapters.online import LmdbOnline
from treadle.loop.feed import Feed

rows = stored([row(v=float(n), t=n) for n in range(20)])
store = LmdbOnline(sys.argv[1], durable=False, map_size=1 << 24)
feed = Feed(FEATURES.views, rows)
for at in (5, 10, 20):
    feed.advance(store, T0 + at)
store.close()
"""


@pytest.mark.parametrize(
    ("point", "stands"), [("online.before_commit:kill@2", 5), ("online.after_commit:kill@2", 10)]
)
def test_killed_around_a_commit_values_and_cursor_are_of_one_moment(tmp_path, point, stands):
    from treadle.adapters.online import LmdbOnline

    def go(failpoints):
        environment = {**os.environ, "TREADLE_FAILPOINTS": failpoints}
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / "online")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def held():
        store = LmdbOnline(tmp_path / "online", durable=False, map_size=1 << 24)
        at = stands_at(store)
        assert at is not None
        with store.read() as snapshot:
            vector = dict(zip(PLAN.names, online(PLAN, snapshot, at)[0], strict=True))
        store.close()
        return at - T0, vector["lasting_v"], vector["windows_v_count_5us"]

    code, errors = go(point)
    assert code == -signal.SIGKILL, errors
    # A row is known one microsecond after its time, so the newest value is one less than the moment.
    assert held() == (stands, stands - 1.0, 5.0)
    assert go("") == (0, "")
    assert held() == (20, 19.0, 5.0)
