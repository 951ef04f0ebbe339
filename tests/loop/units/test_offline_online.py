"""Law 2: replay the log of rows through the online writer, look at any moment, and find what offline finds."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.loop.units.streams import ASKED, FEATURES, T0, fact_rows, known_pair, offline, online, stored
from tests.loop.units.streams import facts as facts_source
from treadle.adapters.online import LmdbOnline
from treadle.adapters.online_memory import MemoryOnline
from treadle.loop.feed import Feed
from treadle.records.errors import NotFound
from treadle.stages.features.plan import ServingPlan

PLAN = ServingPlan(FEATURES)
moments = st.lists(st.integers(T0 - 2, T0 + 80), min_size=1, max_size=5).map(sorted)


def check(store, rows, asked_at):
    feed = Feed(FEATURES.views, rows)
    for at in asked_at:
        feed.advance(store, at)
        with store.read() as snapshot:
            assert online(PLAN, snapshot, at) == offline(rows, at)


@given(fact_rows(), moments)
@settings(max_examples=60)
def test_at_any_moment_the_snapshot_in_memory_gives_the_offline_vectors(rows, asked_at):
    check(MemoryOnline(), rows, asked_at)


@given(fact_rows(), moments)
@settings(max_examples=25)
def test_at_any_moment_the_snapshot_on_disk_gives_the_offline_vectors(rows, asked_at):
    with tempfile.TemporaryDirectory() as folder:
        store = LmdbOnline(Path(folder), durable=False, map_size=1 << 24)
        check(store, rows, asked_at)
        store.close()


@given(fact_rows(longest=12), st.integers(T0, T0 + 30), st.integers(1, 40))
@settings(max_examples=40)
def test_values_expire_by_themselves_in_a_store_that_nothing_reaches_any_more(rows, at, later):
    """No row becomes known after the last one; time goes on."""
    store, feed = MemoryOnline(), Feed(FEATURES.views, rows)
    end = max([at, *rows["facts"]["__known_at"].to_list()])
    feed.advance(store, end)
    with store.read() as snapshot:
        assert online(PLAN, snapshot, end + later) == offline(rows, end + later)


def row(key=("1", "23"), v=1.0, t=0, seen=None, made=None, gone=False, flag=None):
    times = {"t": t, "seen": t if seen is None else seen, "made": t if made is None else made}
    return {"key": key, "v": v, "flag": flag, "gone": gone, **times}


def both(rows, at):
    """The vector of ("1", "23") at T0 + at by name, the same online and offline."""
    found, store = stored(rows), MemoryOnline()
    Feed(FEATURES.views, found).advance(store, T0 + at)
    with store.read() as snapshot:
        vectors = online(PLAN, snapshot, T0 + at)
    assert vectors == offline(found, T0 + at)
    return dict(zip(PLAN.names, vectors[0], strict=True))


def test_a_late_row_is_absent_until_it_is_known_and_then_counts_at_its_own_time():
    late = [row(v=2.0, t=10, seen=20), row(v=9.0, t=12)]
    assert both(late, 15)["windows_v_mean_13us"] == 9.0
    found = both(late, 20)
    assert found["windows_v_mean_13us"] == 5.5
    assert found["latest_v"] is None  # 8 after the newer row's time: older than its ttl of 7
    assert found["lasting_v"] == 9.0  # the late row is not the newest


def test_a_deleted_value_is_gone_until_a_newer_one_comes_and_its_events_stay_counted():
    rows = [row(v=4.0, t=1), row(v=None, t=3, gone=True), row(v=6.0, t=9)]
    assert both(rows, 3)["lasting_v"] == 4.0  # a row is known one microsecond after its time
    gone = both(rows, 5)
    assert (gone["lasting_v"], gone["windows_v_mean_5us"]) == (None, 4.0)
    assert both(rows, 11)["lasting_v"] == 6.0


def test_a_correction_made_later_wins_over_what_it_corrects():
    rows = [row(v=1.0, t=5, made=5), row(v=2.0, t=5, made=8)]
    assert both(rows, 7)["lasting_v"] == 1.0
    assert both(rows, 8)["lasting_v"] == 2.0


def test_keys_that_read_alike_when_joined_are_different_entities():
    rows = stored([row(key=("1", "23"), v=1.0), row(key=("12", "3"), v=2.0)])
    store = MemoryOnline()
    Feed(FEATURES.views, rows).advance(store, T0 + 5)
    with store.read() as snapshot:
        found = [vector[PLAN.names.index("lasting_v")] for vector in online(PLAN, snapshot, T0 + 5)]
    assert dict(zip(ASKED, found, strict=True)) == {
        **dict.fromkeys(ASKED),
        ("1", "23"): 1.0,
        ("12", "3"): 2.0,
    }


@pytest.fixture
def strict():
    """A feature set about an entity that must exist, through two views."""
    seen = tr.FeatureView("seen", entity=known_pair, source=facts_source, features=["v"], ttl=2)
    counted = tr.WindowView("counted", entity=known_pair, source=facts_source, features=[tr.count(over=5)])
    return tr.FeatureSet("strict", request={"a": "string", "b": "string"}, features=[seen, counted])


def ask(features, rows, fields, at):
    store = MemoryOnline()
    Feed(features.views, rows).advance(store, at)
    with store.read() as snapshot:
        return ServingPlan(features).vector(snapshot, fields, at)


@pytest.mark.parametrize("fields", [("never", "seen"), ("1", None), ("12", "3")])
def test_an_entity_that_must_exist_and_was_never_seen_is_refused_by_name(strict, fields):
    with pytest.raises(NotFound) as caught:
        ask(strict, stored([row()]), fields, T0 + 9)
    assert "known_pair" in caught.value.what
    assert repr(fields[0]) in caught.value.what
    assert caught.value.command == "treadle features keys known_pair"


def test_an_entity_that_must_exist_is_answered_though_its_values_have_expired_or_are_deleted(strict):
    assert ask(strict, stored([row(t=0)]), ("1", "23"), T0 + 50) == [None, 0.0]
    assert ask(strict, stored([row(t=0), row(t=1, gone=True)]), ("1", "23"), T0 + 3) == [None, 1.0]


def test_an_entity_that_only_one_of_its_views_has_seen_exists(strict):
    """A row whose only trace is a deletion is in the latest-value view, not in the window view."""
    assert ask(strict, stored([row(t=0, gone=True)]), ("1", "23"), T0 + 3) == [None, 0.0]
