"""The contract every store of tables keeps.

An adapter's author writes:

    class TestMyTables(TablesContract):
        @pytest.fixture
        def tables(self) -> Tables:
            return MyTables(...)         # empty

        @pytest.fixture
        def other(self, tables) -> Tables:
            return MyTables(...)         # a second handle on the same store, as another process has
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from treadle.ports.tables import Tables
from treadle.records.errors import Conflict, InvalidInput, NotFound

NOON = datetime(2013, 4, 1, 12, 0, 0, 123_456, tzinfo=UTC)

STORED_AS_THEY_ARE = pl.DataFrame(
    {
        "truth": [True, None, False],
        "i8": pl.Series([-128, None, 127], dtype=pl.Int8),
        "i16": pl.Series([-32_768, None, 32_767], dtype=pl.Int16),
        "i32": pl.Series([-(2**31), None, 2**31 - 1], dtype=pl.Int32),
        "i64": pl.Series([-(2**63), None, 2**63 - 1], dtype=pl.Int64),
        "f32": pl.Series([1.5, None, float("nan")], dtype=pl.Float32),
        "f64": [float("-inf"), None, float("nan")],
        "text": ["naïve ✓", None, ""],
        "bytes": [b"\x00\xff", None, b""],
        "day": [date(1969, 12, 31), None, date(2013, 4, 1)],
        "at": pl.Series([NOON, None, datetime(1960, 1, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC")),
        "price": pl.Series([Decimal("1.50"), None, Decimal("-0.01")], dtype=pl.Decimal(10, 2)),
        "many": [[1, None, 2], None, []],
        "pair": [{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": 2, "b": ""}],
    }
)

CONVERTED = {
    "u8": (pl.Series([255, None], dtype=pl.UInt8), pl.Series([255, None], dtype=pl.Int16)),
    "u16": (pl.Series([65_535, None], dtype=pl.UInt16), pl.Series([65_535, None], dtype=pl.Int32)),
    "u32": (pl.Series([2**32 - 1, None], dtype=pl.UInt32), pl.Series([2**32 - 1, None], dtype=pl.Int64)),
    "categorical": (pl.Series(["b", None], dtype=pl.Categorical), pl.Series(["b", None])),
    "enum": (pl.Series(["b", None], dtype=pl.Enum(["a", "b"])), pl.Series(["b", None])),
    "other zone": (
        pl.Series([NOON, None]).dt.convert_time_zone("America/New_York"),
        pl.Series([NOON, None], dtype=pl.Datetime("us", "UTC")),
    ),
    "milliseconds": (
        pl.Series(
            [datetime(2013, 4, 1, 2, tzinfo=timezone(timedelta(hours=2)))], dtype=pl.Datetime("ms", "UTC")
        ),
        pl.Series([datetime(2013, 4, 1, tzinfo=UTC)], dtype=pl.Datetime("us", "UTC")),
    ),
    "whole nanoseconds": (
        pl.Series([NOON, None], dtype=pl.Datetime("ns", "UTC")),
        pl.Series([NOON, None], dtype=pl.Datetime("us", "UTC")),
    ),
}

REFUSED = {
    "naive": pl.Series([datetime(2013, 4, 1)], dtype=pl.Datetime("us")),
    "nanosecond": pl.Series([1], dtype=pl.Int64).cast(pl.Datetime("ns", "UTC")),
    "u64": pl.Series([1], dtype=pl.UInt64),
    "null": pl.Series([None], dtype=pl.Null),
    "duration": pl.Series([timedelta(1)]),
    "time": pl.Series([0]).cast(pl.Time),
    "array": pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)),
    "durations": pl.Series([[timedelta(1)]]),
    "unsigned inside": pl.Series([[1]], dtype=pl.List(pl.UInt8)),
    "naive inside": pl.Series([{"t": datetime(2013, 4, 1)}]),
}

NOT_NAMES = {
    "nothing": "",
    "parent": "..",
    "inner parent": "a/../b",
    "hidden": ".a",
    "inner hidden": "a/.b",
    "reserved": "_delta_log",
    "inner reserved": "a/_delta_log",
    "absolute": "/a",
    "trailing slash": "a/",
    "double slash": "a//b",
    "upper case": "A",
    "space": "a b",
    "backslash": "a\\b",
    "zero byte": "a\x00",
    "newline": "a\n",
    "long": "a" * 201,
}


def numbers(*values: int) -> pl.DataFrame:
    """Return a frame with one column `n`."""
    return pl.DataFrame({"n": pl.Series(values, dtype=pl.Int64)})


def held(tables: Tables, name: str, version: int | None = None) -> list[int]:
    """Return the sorted `n` of a table."""
    return sorted(tables.read(name, version=version).collect()["n"].to_list())


class TablesContract:
    """Subclass with the fixtures `tables` (empty) and `other` (a second handle on the same store)."""

    @pytest.fixture
    def tables(self) -> Tables:
        """Return the store under test, empty."""
        raise NotImplementedError("give the store to be tested as a fixture")

    @pytest.fixture
    def other(self, tables: Tables) -> Tables:
        """Return a second handle on the store under test."""
        raise NotImplementedError("give a second handle on the store as a fixture")

    def test_first_append_makes_version_0_and_the_next_ones_count_up(self, tables: Tables) -> None:
        """Versions are consecutive."""
        assert [tables.append("a", numbers(n)) for n in range(3)] == [0, 1, 2]
        assert tables.version("a") == 2

    def test_every_version_stays_readable(self, tables: Tables) -> None:
        """An append, an overwrite and a compaction hide nothing of the past."""
        tables.append("a", numbers(1))
        tables.append("a", numbers(2))
        tables.overwrite("a", numbers(3))
        tables.append("a", numbers(4))
        tables.compact("a")
        assert [held(tables, "a", version) for version in range(4)] == [[1], [1, 2], [3], [3, 4]]
        assert [tables.rows("a", version) for version in range(4)] == [1, 2, 1, 2]

    def test_types_come_back_as_they_were(self, tables: Tables) -> None:
        """The stored types, with nulls, extremes and NaN, in column order."""
        tables.append("a", STORED_AS_THEY_ARE)
        assert_frame_equal(tables.read("a").collect(), STORED_AS_THEY_ARE)
        assert tables.schema("a") == STORED_AS_THEY_ARE.schema
        assert tables.schema("a").names() == STORED_AS_THEY_ARE.columns

    @pytest.mark.parametrize("kind", CONVERTED)
    def test_lossless_conversions_are_made(self, tables: Tables, kind: str) -> None:
        """The stated type with the same values comes back, and a second append of the original fits."""
        given, stored = CONVERTED[kind]
        tables.append("a", pl.DataFrame({"x": given}))
        tables.append("a", pl.DataFrame({"x": given}))
        assert_frame_equal(tables.read("a").collect(), pl.DataFrame({"x": pl.concat([stored, stored])}))

    def test_types_that_cannot_be_stored_are_refused_with_every_fault(self, tables: Tables) -> None:
        """One fault a column, none of them stops the search, and no table appears."""
        with pytest.raises(InvalidInput) as caught:
            tables.append("a", pl.DataFrame({**REFUSED, "fine": [1]}))
        assert [fault.split(":")[0] for fault in caught.value.faults] == list(REFUSED)
        assert not tables.exists("a")

    def test_frame_without_columns_is_refused(self, tables: Tables) -> None:
        """There would be nothing to read back."""
        with pytest.raises(InvalidInput):
            tables.append("a", pl.DataFrame())

    def test_columns_are_matched_by_name(self, tables: Tables) -> None:
        """Another order of columns is no change of schema; the table's order stays."""
        tables.append("a", pl.DataFrame({"x": [1], "y": ["one"]}))
        tables.append("a", pl.DataFrame({"y": ["two"], "x": [2]}))
        expected = pl.DataFrame({"x": [1, 2], "y": ["one", "two"]})
        assert_frame_equal(tables.read("a").collect().sort("x"), expected)

    def test_changed_schema_is_refused_with_every_fault(self, tables: Tables) -> None:
        """Missing, new and other type are told in one error, and nothing is written."""
        tables.append("a", pl.DataFrame({"gone": [1], "kept": [1], "typed": [1]}))
        with pytest.raises(InvalidInput) as caught:
            tables.append("a", pl.DataFrame({"kept": [2], "typed": ["2"], "new": [2]}))
        words = "\n".join(caught.value.faults)
        assert len(caught.value.faults) == 3
        assert all(word in words for word in ("gone is missing", "typed is String", "new is new"))
        assert (tables.version("a"), tables.rows("a")) == (0, 1)

    def test_evolve_adds_columns_and_nothing_else(self, tables: Tables) -> None:
        """Earlier rows read as null there; missing and differently typed columns are still refused."""
        tables.append("a", pl.DataFrame({"x": [1]}))
        tables.append("a", pl.DataFrame({"y": ["two"], "x": [2]}), evolve=True)
        expected = pl.DataFrame({"x": [1, 2], "y": [None, "two"]})
        assert_frame_equal(tables.read("a").collect().sort("x"), expected)
        assert tables.schema("a", version=0).names() == ["x"]
        for unfit in ({"x": [3]}, {"x": ["3"], "y": ["three"]}):
            with pytest.raises(InvalidInput):
                tables.append("a", pl.DataFrame(unfit), evolve=True)

    def test_overwrite_replaces_rows_and_schema(self, tables: Tables) -> None:
        """The old schema stays with the old version."""
        tables.append("a", pl.DataFrame({"x": [1], "y": [1.5]}))
        assert tables.overwrite("a", pl.DataFrame({"z": ["new"]})) == 1
        assert_frame_equal(tables.read("a").collect(), pl.DataFrame({"z": ["new"]}))
        assert tables.read("a", version=0).collect().columns == ["x", "y"]

    def test_overwrite_makes_the_table_when_there_is_none(self, tables: Tables) -> None:
        """A first write may be either."""
        assert tables.overwrite("a", numbers(1)) == 0
        assert held(tables, "a") == [1]

    def test_frame_without_rows_is_a_commit(self, tables: Tables) -> None:
        """It makes the table with its schema, and moves the writer's number."""
        tables.append("a", numbers(), writer=("w", 1))
        assert (tables.rows("a"), tables.schema("a")) == (0, pl.Schema({"n": pl.Int64}))
        assert_frame_equal(tables.read("a").collect(), numbers())
        assert tables.append("a", numbers(), writer=("w", 2)) == 1
        assert tables.writer_number("a", "w") == 2

    def test_writers_transaction_lands_once(self, tables: Tables, other: Tables) -> None:
        """An equal or smaller number of that writer writes nothing, through any handle."""
        assert tables.append("a", numbers(1), writer=("w", 7)) == 0
        assert tables.append("a", numbers(1), writer=("w", 7)) == 0
        assert other.append("a", numbers(1), writer=("w", 7)) == 0
        assert other.append("a", numbers(1), writer=("w", 6)) == 0
        assert other.append("a", numbers(2), writer=("w", 8)) == 1
        assert tables.append("a", numbers(2), writer=("w", 8)) == 1
        assert tables.overwrite("a", numbers(9), writer=("w", 8)) == 1
        assert held(tables, "a") == [1, 2]

    def test_writers_do_not_know_one_another(self, tables: Tables) -> None:
        """Each id has its own numbers; appends without one neither have nor change any."""
        tables.append("a", numbers(1), writer=("w", 7))
        tables.append("a", numbers(2), writer=("v", 1))
        tables.append("a", numbers(3))
        assert [tables.writer_number("a", who) for who in ("w", "v", "u")] == [7, 1, None]
        assert tables.writer_number("absent", "w") is None
        assert held(tables, "a") == [1, 2, 3]

    def test_writers_number_outlives_overwrite_and_compaction(self, tables: Tables, other: Tables) -> None:
        """What has landed stays landed."""
        tables.append("a", numbers(1), writer=("w", 7))
        tables.append("a", numbers(2))
        tables.compact("a")
        tables.overwrite("a", numbers(3))
        assert other.writer_number("a", "w") == 7
        assert other.append("a", numbers(1), writer=("w", 7)) == tables.version("a")
        assert held(tables, "a") == [3]

    def test_frame_once_read_does_not_move(self, tables: Tables) -> None:
        """A lazy frame stays at its version, also when it is collected after later writes."""
        tables.append("a", numbers(1))
        frame = tables.read("a")
        tables.append("a", numbers(2))
        tables.overwrite("a", numbers(3))
        tables.compact("a")
        assert frame.collect()["n"].to_list() == [1]

    def test_another_handle_sees_every_commit_at_once(self, tables: Tables, other: Tables) -> None:
        """No cache of versions, schemas or counts outlives a commit made elsewhere."""
        for n in range(3):
            tables.append("a", numbers(n))
            assert (other.version("a"), other.rows("a")) == (n, n + 1)
        tables.overwrite("a", pl.DataFrame({"z": [1]}))
        assert other.schema("a").names() == ["z"]
        assert other.append("a", pl.DataFrame({"z": [2]})) == 4

    def test_concurrent_appends_all_land(self, tables: Tables, other: Tables) -> None:
        """From several threads and handles, the creation included; each is told the version of its rows."""
        with ThreadPoolExecutor(4) as pool:
            versions = list(pool.map(lambda n: (tables, other)[n % 2].append("a", numbers(n)), range(12)))
        assert sorted(versions) == list(range(12))
        assert held(tables, "a") == list(range(12))
        assert all(n in held(tables, "a", version) for n, version in enumerate(versions))

    def test_concurrent_offers_of_one_transaction_land_once(self, tables: Tables, other: Tables) -> None:
        """The race that a recorded but unenforced transaction loses."""
        tables.append("a", numbers(0))
        with ThreadPoolExecutor(4) as pool:
            offers = [
                pool.submit((tables, other)[n % 2].append, "a", numbers(1), writer=("w", 1)) for n in range(8)
            ]
        assert {offer.result() for offer in offers} == {1}
        assert held(tables, "a") == [0, 1]

    def test_compaction_keeps_the_rows(self, tables: Tables) -> None:
        """And a second one finds nothing to do."""
        for n in range(6):
            tables.append("a", numbers(n, n + 100))
        before = held(tables, "a")
        version = tables.compact("a")
        assert held(tables, "a") == before
        assert tables.compact("a") == version == tables.version("a")

    def test_history_tells_the_commits_oldest_first(self, tables: Tables) -> None:
        """Versions, rows and an instant each; the instants do not run backwards."""
        tables.append("a", numbers(1, 2))
        tables.append("a", numbers(3))
        tables.overwrite("a", numbers(4, 5, 6))
        history = tables.history("a")
        assert [commit.version for commit in history] == [0, 1, 2]
        assert [commit.rows_added for commit in history] == [2, 1, 3]
        assert sorted(commit.at for commit in history) == [commit.at for commit in history]

    def test_names_are_listed_sorted(self, tables: Tables) -> None:
        """Tables in folders too, and nothing that is not a table."""
        assert tables.names() == []
        for name in ("b", "log/2013.04", "a", "log/x"):
            tables.append(name, numbers(1))
        assert tables.names() == ["a", "b", "log/2013.04", "log/x"]
        assert [tables.exists(name) for name in ("a", "log", "log/x", "c")] == [True, False, True, False]

    def test_table_inside_or_around_another_is_refused(self, tables: Tables) -> None:
        """One of the two would see the other's files as its own."""
        tables.append("a/b", numbers(1))
        for name in ("a", "a/b/c"):
            with pytest.raises(Conflict):
                tables.append(name, numbers(1))
        assert tables.names() == ["a/b"]

    @pytest.mark.parametrize("kind", NOT_NAMES)
    def test_what_is_not_a_name_is_refused_everywhere(self, tables: Tables, kind: str) -> None:
        """Before any path or query is made of it."""
        name = NOT_NAMES[kind]
        calls: list[Callable[[], object]] = [
            lambda: tables.append(name, numbers(1)),
            lambda: tables.overwrite(name, numbers(1)),
            lambda: tables.read(name),
            lambda: tables.version(name),
            lambda: tables.exists(name),
            lambda: tables.writer_number(name, "w"),
            lambda: tables.schema(name),
            lambda: tables.rows(name),
            lambda: tables.history(name),
            lambda: tables.compact(name),
            lambda: tables.drop_versions(name, [0]),
        ]
        for call in calls:
            with pytest.raises(InvalidInput):
                call()

    def test_absent_table_is_not_found_and_its_neighbour_named(self, tables: Tables) -> None:
        """A typo is seen at once; asking makes nothing."""
        tables.append("flights", numbers(1))
        calls: list[Callable[[str], object]] = [
            tables.read,
            tables.version,
            tables.schema,
            tables.rows,
            tables.history,
            tables.compact,
            lambda name: tables.drop_versions(name, [0]),
        ]
        for call in calls:
            with pytest.raises(NotFound) as caught:
                call("flight")
            assert "'flights'" in str(caught.value)
        assert tables.names() == ["flights"]

    @pytest.mark.parametrize("version", [-1, 1, 2**40])
    def test_absent_version_is_not_found(self, tables: Tables, version: int) -> None:
        """Before the frame is collected, not during."""
        tables.append("a", numbers(1))
        with pytest.raises(NotFound):
            tables.read("a", version=version)
        with pytest.raises(NotFound):
            tables.rows("a", version)
        with pytest.raises(NotFound):
            tables.schema("a", version=version)

    def test_dropped_versions_are_gone_and_every_other_one_is_as_it_was(
        self, tables: Tables, other: Tables
    ) -> None:
        """Files are freed when the last version that has them goes, and not before."""
        for n in range(3):
            tables.append("a", numbers(n, n + 100))
        tables.overwrite("a", numbers(7))
        tables.append("a", numbers(8))
        tables.compact("a")
        tables.append("a", numbers(9), writer=("w", 1))
        newest = tables.version("a")
        before = {version: held(tables, "a", version) for version in range(newest + 1)}
        assert tables.drop_versions("a", [1]).files == 0  # version 2 has all that it had
        freed = tables.drop_versions("a", [0, 2])
        assert freed.files == 3
        assert freed.bytes > 0
        assert tables.drop_versions("a", [0, 2]).files == 0
        for version in (0, 1, 2):
            for handle in (tables, other):
                with pytest.raises(NotFound):
                    handle.read("a", version=version)
        for version in range(3, newest + 1):
            assert held(other, "a", version) == before[version]
        assert held(other, "a") == before[newest]
        assert other.append("a", numbers(10)) == newest + 1
        assert other.writer_number("a", "w") == 1

    def test_newest_and_absent_versions_are_not_dropped(self, tables: Tables) -> None:
        """Nothing is dropped then, also of what was named beside them."""
        for n in range(3):
            tables.overwrite("a", numbers(n))
        for versions, refused in (([0, 2], InvalidInput), ([0, 3], NotFound), ([-1], NotFound)):
            with pytest.raises(refused):
                tables.drop_versions("a", versions)
        assert [held(tables, "a", version) for version in range(3)] == [[0], [1], [2]]
