"""Bringing data in again takes what is new, once; what comes late was known no earlier than it came."""

import os

import polars as pl
import pytest

from tests.data.sources.source_homes import FIRST
from treadle.define.sources import Source, table
from treadle.records.errors import InvalidInput
from treadle.records.instants import HOUR, MINUTE, instant
from treadle.stages.data.content import content_hash
from treadle.stages.data.reading import read_folder

COLUMNS = {"at": "time", "item": "string", "price": "float"}


def make(path="sales", **options):
    return Source.csv("sales", path=path, columns=COLUMNS, event_time="at", known_after="10m", **options)


def day(number, hour=0):
    return f"2025-05-{number:02}T{hour:02}:00:00Z"


def test_the_first_load_is_history_known_as_declared(stores):
    stores.write("sales/a.csv", (day(2), "b", 2), (day(1), "a", 1))
    brought = stores.bring(make())
    rows = stores.stored("sales")
    assert rows.equals(read_folder([make()], stores.data)["sales"])
    assert rows["__row"].to_list() == [0, 1]
    assert rows["__known_at"].to_list() == [instant(day(d)) + 10 * MINUTE for d in (1, 2)]
    assert brought.arrived == {"sales": 2}
    assert stores.said == []
    assert brought.rows["sales"].equals(rows)


def test_bringing_the_same_in_again_writes_nothing(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    first = stores.bring(make())
    again = stores.bring(make())
    assert again.manifests == first.manifests
    assert again.arrived == {}
    assert stores.tables.version("sales") == 0
    assert stores.versions("sales") == 1


def test_rows_of_a_new_file_are_added_and_known_from_when_they_came(stores):
    stores.write("sales/a.csv", (day(2), "a", 1))
    first = stores.bring(make()).manifests["sales"]
    stores.write("sales/b.csv", (day(1), "late", 2), (day(1, 5), "later", 3))
    arrived = stores.at
    second = stores.bring(make()).manifests["sales"]
    rows = stores.stored("sales")
    assert rows["item"].to_list() == ["a", "late", "later"]
    assert rows["__row"].to_list() == [0, 1, 2]
    assert rows["__event_time"].to_list() == [instant(t) for t in (day(2), day(1), day(1, 5))]
    assert rows["__known_at"].to_list() == [instant(day(2)) + 10 * MINUTE, arrived, arrived]
    assert rows["__created_time"].to_list() == [instant(day(2)), arrived, arrived]
    assert (second.version, second.parents, second.rows) == (2, (first.ref,), 3)
    assert second.content_hash == content_hash(rows)
    assert any("2 rows are new, known from now on" in said for said in stores.said)
    assert [commit.rows_added for commit in stores.tables.history("sales")] == [
        1,
        2,
    ]  # added to, not written anew


def test_a_row_whose_delay_ends_after_it_came_is_known_when_the_delay_ends(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.bring(make())
    stores.write("sales/b.csv", ("2025-06-01T00:59:00Z", "soon", 2))
    stores.bring(make())  # at 01:00
    assert stores.stored("sales")["__known_at"][1] == instant("2025-06-01T01:09:00Z")


def test_backdated_rows_are_known_as_declared_whenever_they_come(stores):
    stores.write("sales/a.csv", (day(2), "a", 1))
    stores.bring(make(backdated=True))
    stores.write("sales/b.csv", (day(1), "old", 2))
    stores.bring(make(backdated=True))
    assert stores.stored("sales")["__known_at"][1] == instant(day(1)) + 10 * MINUTE
    assert stores.said == []


@pytest.mark.parametrize("role", ["known_at", "created_time"])
def test_a_column_that_says_when_a_row_was_known_or_stored_is_believed(stores, role):
    source = Source.csv(
        "sales", path="sales", columns={"at": "time", "then": "time"}, event_time="at", **{role: "then"}
    )
    stores.write("sales/a.csv", (day(1), day(1, 1)), columns=("at", "then"))
    stores.bring(source)
    stores.write("sales/b.csv", (day(1), day(3)), columns=("at", "then"))
    stores.bring(source)
    assert stores.stored("sales")["__known_at"].to_list() == [instant(day(1, 1)), instant(day(3))]


def test_a_changed_file_is_read_whole_and_rows_that_stayed_keep_their_numbers_and_times(stores):
    stores.write("sales/a.csv", (day(1), "a", 1), (day(3), "c", 3))
    stores.write("sales/b.csv", (day(5), "e", 5))
    stores.bring(make())
    before = stores.stored("sales")
    stores.write("sales/a.csv", (day(1), "a", 1), (day(2), "new", 2), (day(3), "c", 3))
    arrived = stores.at
    stores.bring(make())
    rows = stores.stored("sales")
    assert rows[:3].equals(before)
    assert rows[3].select("item", "__row", "__known_at").row(0) == ("new", 3, arrived)
    assert "source 'sales': a.csv changed; all its files were read again" in stores.said


def test_rows_that_are_gone_leave_the_new_version_and_stay_in_the_old_one(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.write("sales/b.csv", (day(2), "b", 2))
    stores.bring(make())
    (stores.data / "sales/a.csv").unlink()
    manifest = stores.bring(make()).manifests["sales"]
    assert stores.stored("sales")["item"].to_list() == ["b"]
    assert manifest.version == 2
    assert manifest.parents == ()
    assert stores.tables.read("sales", version=0).collect().height == 2
    assert any("1 row is no longer there" in said for said in stores.said)
    stores.write("sales/c.csv", (day(3), "c", 3))
    stores.bring(make())
    assert stores.stored("sales")["__row"].to_list() == [1, 2]  # a number is never given twice


def test_a_file_that_was_only_touched_is_not_new(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.bring(make())
    os.utime(stores.data / "sales/a.csv", ns=(1, 1))
    stores.bring(make())
    assert stores.versions("sales") == 1
    assert stores.said == []


def test_equal_rows_of_two_files_are_two_rows_unless_rows_are_identified(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.bring(make())
    stores.write("sales/b.csv", (day(1), "a", 1), (day(1), "b", 1))
    stores.bring(make())
    assert stores.stored("sales")["item"].to_list() == ["a", "a", "b"]


def test_an_identified_row_that_comes_again_is_one_row_and_another_of_its_key_is_refused(stores):
    source = make(unique=["at", "item"])
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.bring(source)
    stores.write("sales/b.csv", (day(1), "a", 1), (day(1), "b", 1))
    stores.bring(source)
    assert stores.stored("sales")["item"].to_list() == ["a", "b"]
    stores.write("sales/c.csv", (day(1), "a", 9))
    with pytest.raises(InvalidInput, match="together with what is stored, 1 key stands in several rows"):
        stores.bring(source)
    assert stores.stored("sales")["item"].to_list() == ["a", "b"]


def test_an_event_counts_once_however_often_it_is_delivered(stores):
    source = make(event_id="item")
    stores.write("sales/a.csv", (day(1), "e1", 1), (day(1), "e1", 1), (day(1), "e2", 2))
    stores.bring(source)
    stores.write("sales/b.csv", (day(1), "e2", 2), (day(2), "e3", 3), (day(2), "e3", 4))
    stores.bring(source)
    assert stores.stored("sales").select("item", "price").rows() == [("e1", 1), ("e2", 2), ("e3", 3)]


def test_timeless_rows_are_always_known_whenever_they_come(stores):
    source = Source.csv("items", path="items", columns={"item": "string"})
    stores.write("items/a.csv", ("a",), columns=("item",))
    stores.bring(source)
    stores.write("items/b.csv", ("b",), columns=("item",))
    stores.bring(source)
    assert stores.stored("items")["__known_at"].to_list() == [0, 0]


@table(columns={"at": "time", "total": "float"}, event_time="at", known_after="1h")
def totals(sales):
    return sales.group_by("at").agg(total=pl.col("price").sum())


def test_a_table_follows_what_it_reads_and_its_new_rows_are_known_from_when_they_came(stores):
    stores.write("sales/a.csv", (day(1), "a", 1), (day(2), "b", 2))
    stores.bring(totals, make())
    stores.write("sales/b.csv", (day(2), "late", 10), (day(3), "c", 3))
    arrived = stores.at
    brought = stores.bring(totals, make())
    rows = stores.stored("totals")
    assert rows.select("total", "__known_at").rows() == [
        (1.0, instant(day(1)) + HOUR), (12.0, arrived), (3.0, arrived),
    ]  # fmt: skip
    assert brought.manifests["totals"].parents == (brought.manifests["sales"].ref,)
    assert stores.bring(totals, make()).manifests == brought.manifests


def test_a_table_of_backdated_sources_is_backdated(stores):
    stores.write("sales/a.csv", (day(2), "b", 2))
    stores.bring(totals, make(backdated=True))
    stores.write("sales/b.csv", (day(1), "a", 1))
    stores.bring(totals, make(backdated=True))
    assert sorted(stores.stored("totals")["__known_at"]) == [instant(day(d)) + HOUR for d in (1, 2)]


def test_other_code_makes_a_table_anew_and_what_came_late_stays_late(stores):
    stores.write("sales/a.csv", (day(1), "a", 1), (day(2), "b", 2))
    stores.bring(totals, make())
    stores.write("sales/b.csv", (day(3), "c", 3))
    arrived = stores.at
    stores.bring(totals, make())

    @table(columns={"at": "time", "total": "float"}, event_time="at", known_after="2h")
    def doubled(sales):
        return sales.group_by("at").agg(total=2 * pl.col("price").sum())

    object.__setattr__(doubled, "name", "totals")
    stores.bring(doubled, make())
    rows = stores.stored("totals").sort("total")
    assert rows.select("total", "__known_at").rows() == [
        (2.0, instant(day(1)) + 2 * HOUR), (4.0, instant(day(2)) + 2 * HOUR), (6.0, arrived),
    ]  # fmt: skip


def test_another_definition_is_read_from_the_beginning_and_what_came_late_stays_late(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.bring(make())
    stores.write("sales/b.csv", (day(2), "b", 2))
    arrived = stores.at
    stores.bring(make())
    wider = Source.csv(
        "sales", path="sales", columns={**COLUMNS, "price": "int"}, event_time="at", known_after="1h"
    )
    stores.bring(wider)
    rows = stores.stored("sales")
    assert rows.schema["price"] == pl.Int64
    assert rows.select("price", "__row", "__known_at").rows() == [
        (1, 0, instant(day(1)) + HOUR), (2, 1, arrived),
    ]  # fmt: skip


def test_faults_of_new_files_and_tables_are_listed_whole_and_nothing_is_stored(stores):
    other = Source.csv("other", path="other.csv", columns={"n": "int"})
    stores.write("sales/a.csv", (day(1), "a", 1))
    stores.write("other.csv", (1,), columns=("n",))
    stores.bring(make(), other)
    stores.write("sales/b.csv", (day(2), "b", "cheap"))
    stores.write("sales/c.csv", ("today", "c", 1))
    stores.write("other.csv", ("x",), columns=("n",))
    with pytest.raises(InvalidInput) as caught:
        stores.bring(make(), other)
    said = caught.value.faults
    assert len(said) == 3
    assert said[0].startswith("source 'sales' (sales/b.csv): line 2, column 'price': 'cheap'")
    assert said[1].startswith("source 'sales' (sales/c.csv): column 'at'")
    assert said[1].endswith("(line 2)")
    assert said[2].startswith("source 'other' (other.csv): line 2, column 'n'")
    assert stores.versions("sales") == 1
    assert stores.versions("other") == 1


def test_the_first_instant_is_that_of_the_first_load(stores):
    stores.write("sales/a.csv", (day(1), "a", 1))
    assert stores.bring(make()).manifests["sales"].created == FIRST
