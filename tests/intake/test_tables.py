"""From the log to the tables: once each, beside the loaded rows, and from there into the stored rows in memory."""

from __future__ import annotations

import polars as pl
import pytest

import treadle as tr
from tests.intake.places import NOW, Taking, opened, order, reading, table_ids, write_orders
from treadle.loop.intake import Letter
from treadle.loop.pushed_store import make_flusher, refreshed
from treadle.loop.pushed_tables import DEAD_LETTERS, EventFlusher
from treadle.loop.stored import ingest, load_store
from treadle.records.errors import Corrupt
from treadle.records.failpoints import FailpointError, arm
from treadle.records.instants import DAY, HOUR
from treadle.records.intake import decode_record
from treadle.records.rows import PUSHED


@pytest.fixture
def flusher(world):
    return make_flusher(world)


def test_pushed_rows_stand_beside_loaded_ones_above_their_numbers(world, taking, flusher):
    taking.intake.offer("orders", [order(4, amount=2.5), order(5)])
    assert flusher.flush() == 2
    rows = world.tables.read("orders").sort("__row").collect()
    assert rows["order"].to_list() == [1, 2, 3, 4, 5]
    assert rows["__event_id"].to_list() == [None, None, None, "4", "5"]
    positions = [position for position, _ in world.events.read()]
    assert rows["__row"].to_list() == [0, 1, 2, *(PUSHED + position for position in positions)]
    assert rows["__known_at"].to_list()[3:] == [decode_record(r).received_at for _, r in world.events.read()]


def test_a_pushed_row_has_the_types_of_a_loaded_one(world, taking, flusher):
    taking.intake.offer("orders", [order(4)])
    flusher.flush()
    rows = world.tables.read("orders").sort("__row").collect()
    loaded, pushed = rows.row(0, named=True), rows.row(3, named=True)
    same = [
        c for c in rows.columns if c not in ("order", "__row", "__known_at", "__created_time", "__event_id")
    ]
    assert {c: loaded[c] for c in same} == {c: pushed[c] for c in same}


@pytest.mark.parametrize("point", ["intake.before_tables", "intake.after_tables"])
def test_repeated_after_a_failure_rows_land_once(home, point):
    with opened(home / "home") as world:
        taking = Taking.of(world)
        taking.intake.offer("readings", [reading(n) for n in range(5)], ids=list("abcde"))
        arm(f"{point}:raise")
        try:
            with pytest.raises(FailpointError):
                make_flusher(world).flush()
        finally:
            arm("")
        taking.intake.offer("readings", [reading(9)], ids=["f"])
    with opened(home / "home") as world:
        make_flusher(world).flush()
        assert table_ids(world, "readings") == list("abcdef")


def test_many_records_go_in_rounds_of_bounded_size(world, taking, flusher, monkeypatch):
    monkeypatch.setattr("treadle.loop.pushed_tables.PORTION", 3)
    names = [f"r{n}" for n in range(10)]
    taking.intake.offer("readings", [reading(n) for n in range(10)], ids=names)
    assert flusher.flush() == 10
    assert table_ids(world, "readings") == names
    assert not flusher.pending()


def test_dead_letters_are_kept_with_their_reasons_once(home):
    with opened(home / "home") as world:
        taking = Taking.of(world)
        bad = {**reading(1), "value": "much"}
        taking.intake.offer("readings", [bad], ids=["x"], positions=[("p", 7)], whole=False)
        taking.intake.bury("orders", [Letter(b"\xff\x00", ("no JSON", "no UTF-8"))])
        arm("intake.after_dead_letters:raise")
        try:
            with pytest.raises(FailpointError):
                make_flusher(world).flush()
        finally:
            arm("")
    with opened(home / "home") as world:
        make_flusher(world).flush()
        letters = world.tables.read(DEAD_LETTERS).sort("position").collect()
    assert letters["source"].to_list() == ["readings", "orders"]
    assert letters["event_id"].to_list() == ["x", None]
    assert letters["raw"].to_list()[1] == b"\xff\x00"
    assert letters["reasons"].to_list()[1] == ["no JSON", "no UTF-8"]
    assert letters["offset"].to_list() == ["7", None]


def test_the_log_is_freed_of_what_every_store_has_got_and_is_old_enough(home):
    with opened(home / "home", segment_bytes=200) as world:
        taking = Taking.of(world)
        flusher = EventFlusher(world.project.sources, world.events, world.tables, keep=HOUR)
        for number in range(20):
            taking.intake.offer("readings", [reading(number)], ids=[f"r{number}"])
        flusher.flush()
        flusher.drop(taking.feed.log_position(), NOW)  # the online store has nothing yet
        flusher.drop(taking.feed.log_position(), NOW + DAY)
        assert world.events.start() == 0
        taking.apply()
        flusher.drop(
            taking.feed.log_position(), NOW + DAY
        )  # both have it: from now on it is kept for an hour
        assert world.events.start() == 0
        flusher.drop(taking.feed.log_position(), NOW + DAY + HOUR)
        assert 0 < world.events.start() <= world.events.end()
        before = taking.vector()
    with opened(home / "home") as world:
        assert Taking.of(world).vector() == before
        assert len(table_ids(world, "readings")) == 20


def test_a_log_that_lost_what_the_tables_have_is_refused(home):
    with opened(home / "home") as world:
        Taking.of(world).intake.offer("readings", [reading(1)])
        make_flusher(world).flush()
        world.events.truncate(0)
        with pytest.raises(Corrupt, match="shorter than what has been taken from it") as caught:
            make_flusher(world)
        assert "readings" in caught.value.faults[0]


class TestWithFiles:
    def test_new_files_replace_loaded_rows_and_leave_pushed_ones(self, home, world, taking, flusher):
        taking.intake.offer("orders", [order(10), order(11)])
        flusher.flush()
        write_orders(home / "data", [order(n) for n in (1, 2, 3, 4)])
        store = ingest(world, home / "data", NOW)
        assert sorted(store.rows["orders"]["order"]) == [1, 2, 3, 4, 10, 11]
        assert "__event_id" not in store.rows["orders"].columns
        assert sorted(load_store(world).rows["orders"]["order"]) == [1, 2, 3, 4, 10, 11]
        assert table_ids(world, "orders") == ["10", "11"]

    def test_an_event_that_is_in_a_file_too_counts_once(self, home, world, taking, flusher):
        taking.intake.offer("orders", [order(10, amount=7.0)])
        flusher.flush()
        write_orders(home / "data", [order(n) for n in (1, 2, 3, 10)])
        store = ingest(world, home / "data", NOW)
        rows = store.rows["orders"].filter(pl.col("order") == 10)
        assert rows["amount"].to_list() == [7.0]

    def test_the_same_files_again_change_nothing_however_much_was_pushed(self, home, world, taking, flusher):
        taking.intake.offer("orders", [order(10)])
        flusher.flush()
        first = load_store(world).manifests["orders"]
        assert ingest(world, home / "data", NOW).manifests["orders"] == first


class TestStoredRows:
    def test_they_grow_by_what_was_pushed_and_so_does_the_dataset(self, world, taking, flusher):
        store = taking.store
        taking.intake.offer("readings", [reading(1)], ids=["a"])
        flusher.flush()
        grown = refreshed(world, store)
        assert grown.rows["readings"]["value"].to_list() == [1.0]
        assert grown.rows["orders"] is store.rows["orders"]
        first, second = store.manifests["readings"], grown.manifests["readings"]
        assert (second.version, second.rows) == (first.version + 1, 1)
        assert second.content_hash != first.content_hash
        assert refreshed(world, grown) is grown
        again = load_store(world)
        assert again.manifests == dict(grown.manifests)
        assert again.rows["readings"].equals(grown.rows["readings"])

    def test_opening_a_home_brings_in_what_a_killed_server_left_in_the_log(self, home):
        with opened(home / "home") as world:
            Taking.of(world).intake.offer("readings", [reading(1)], ids=["a"])
        with opened(home / "home") as world:
            assert load_store(world).rows["readings"]["value"].to_list() == [1.0]

    def test_a_source_of_events_alone_has_an_empty_table_before_the_first(self, tmp_path):
        write_orders(tmp_path / "data", [order(1)])
        with opened(tmp_path / "home") as world:
            ingest(world, tmp_path / "data", NOW)
            store = load_store(world)
            assert store.rows["readings"].height == 0
            assert store.rows["readings"].schema["at"] == pl.Datetime("us", "UTC")


def test_a_column_that_is_declared_later_is_null_in_earlier_events(home):
    with opened(home / "home") as world:
        Taking.of(world).intake.offer("readings", [reading(1)], ids=["a"])
        make_flusher(world).flush()
        Taking.of(world).intake.offer("readings", [reading(2)], ids=["b"])
        wider = tr.Source.push(
            "readings",
            columns={"sensor": "string", "at": "time", "value": "float", "unit": "string"},
            event_time="at",
        )
        narrower = tr.Source.push("readings", columns={"sensor": "string", "at": "time"}, event_time="at")
        EventFlusher([wider], world.events, world.tables).flush()
        Taking.of(world).intake.offer("readings", [reading(3)], ids=["c"])
        EventFlusher([narrower], world.events, world.tables).flush()
        rows = world.tables.read("readings").sort("__row").collect()
    assert rows["__event_id"].to_list() == ["a", "b", "c"]
    assert rows["unit"].to_list() == [None, None, None]
    assert rows["value"].to_list() == [1.0, 2.0, None]
