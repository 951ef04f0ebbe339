"""Canonical columns: when a row was true and known, and one order whatever way it came."""

import random
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.sources import Source, Timing
from treadle.records.instants import MINUTE, instant
from treadle.stages.data.canonical import add_canonical, row_faults
from treadle.stages.data.conform import DTYPES
from treadle.stages.data.content import ordered_digest

DAY1 = datetime(2013, 4, 1, tzinfo=UTC)
COLUMNS = {"key": "string", "at": "time", "made": "time", "known": "time", "v": "float", "gone": "bool"}
SCHEMA = {name: DTYPES[kind] for name, kind in COLUMNS.items()}


def rows(*values):
    return pl.DataFrame(values, schema=SCHEMA, orient="row")


def minutes(count):
    return DAY1 + timedelta(minutes=count)


def test_known_at_is_the_greatest_of_event_with_delay_created_and_known():
    timing = Timing("at", 10 * MINUTE, "known", "made")
    done = add_canonical(
        rows(
            ("by delay", DAY1, minutes(1), minutes(2), 1.0, False),
            ("by created", DAY1, minutes(30), minutes(20), 1.0, False),
            ("by known", DAY1, minutes(11), minutes(12), 1.0, False),
        ),
        timing,
        (),
    )
    start = instant(DAY1)
    known = dict(zip(done["key"], done["__known_at"] - start, strict=True))
    assert known == {"by delay": 10 * MINUTE, "by created": 30 * MINUTE, "by known": 12 * MINUTE}
    assert done["__event_time"].to_list() == [start] * 3
    assert dict(zip(done["key"], done["__created_time"] - start, strict=True)) == {
        "by delay": MINUTE, "by created": 30 * MINUTE, "by known": 11 * MINUTE,
    }  # fmt: skip


def test_without_a_created_time_the_event_time_stands_for_it():
    done = add_canonical(rows(("a", minutes(5), None, None, 1.0, False)), Timing("at"), ())
    assert done["__created_time"].to_list() == done["__event_time"].to_list() == [instant(minutes(5))]


def test_timeless_rows_were_always_true_and_known():
    done = add_canonical(
        rows(("b", None, None, None, 1.0, False), ("a", None, None, None, 2.0, True)), Timing(), ()
    )
    zeros = done.select("__event_time", "__known_at", "__created_time").unique()
    assert zeros.row(0) == (0, 0, 0)
    assert zeros.height == 1
    assert done["key"].to_list() == ["a", "b"]
    assert done["__tombstone"].to_list() == [False, False]


def test_a_tombstone_is_a_row_that_says_so():
    done = add_canonical(
        rows(*((str(i), minutes(i), None, None, None, gone) for i, gone in enumerate([True, None, False]))),
        Timing("at", tombstone="gone"),
        (),
    )
    assert done["__tombstone"].to_list() == [True, False, False]


def test_an_empty_table_keeps_every_canonical_column():
    done = add_canonical(rows(), Timing("at"), ("key",))
    assert done.height == 0
    assert done.columns[-5:] == ["__event_time", "__known_at", "__created_time", "__row", "__tombstone"]


_ROW = st.tuples(
    st.sampled_from(["a", "b", None]),
    st.integers(0, 3).map(minutes),
    st.integers(0, 2).map(minutes),
    st.none(),
    st.none() | st.sampled_from([0.0, 1.0]),
    st.booleans(),
)


@settings(max_examples=60)
@given(
    values=st.lists(_ROW, max_size=12),
    seed=st.integers(0, 9),
    timing=st.sampled_from([Timing("at"), Timing("at", created_time="made"), Timing()]),
)
def test_row_numbers_do_not_depend_on_the_order_rows_came_in(values, seed, timing):
    shuffled = random.Random(seed).sample(values, len(values))
    first, second = (add_canonical(rows(*order), timing, ()) for order in (values, shuffled))
    assert ordered_digest(first) == ordered_digest(second)
    assert first["__row"].to_list() == list(range(len(values)))


@settings(max_examples=60)
@given(st.lists(_ROW, max_size=12, unique_by=lambda row: (row[0], row[1])), st.integers(0, 9))
def test_with_identifying_columns_neither(values, seed):
    shuffled = random.Random(seed).sample(values, len(values))
    timing = Timing("at", created_time="made")
    first, second = (add_canonical(rows(*order), timing, ("key", "at")) for order in (values, shuffled))
    assert first.equals(second)
    order = list(zip(first["__event_time"], first["__created_time"], strict=True))
    assert order == sorted(order)


def source(**timing):
    unique = timing.pop("unique", ())
    return Source.parquet("s", path="s.parquet", columns=COLUMNS, unique=unique, **timing)


def test_rows_without_one_of_their_times_are_a_fault():
    definition = source(event_time="at", known_at="known", created_time="made")
    found = row_faults(
        rows(("a", None, None, None, 1.0, None), ("b", DAY1, DAY1, None, 1.0, None)), definition
    )
    assert found == [
        "1 of 2 rows have no 'at', their event_time; leave them out where the data is made: "
        "nobody can say when they may be used",
        "2 of 2 rows have no 'known', their known_at; leave them out where the data is made: "
        "nobody can say when they may be used",
        "1 of 2 rows have no 'made', their created_time; leave them out where the data is made: "
        "nobody can say when they may be used",
    ]
    assert row_faults(rows(("a", None, None, None, 1.0, None)), source()) == []


def test_repeated_keys_are_counted_and_one_is_shown():
    definition = source(unique=["key", "v"])
    repeated = rows(*(("ab"[i % 2], None, None, None, 1.0, None) for i in range(5)))
    assert row_faults(repeated, definition) == [
        "2 keys stand in several rows, e.g. 3 rows with key=a, v=1.0; (key, v) must identify a row: "
        "remove the repeated rows where the data is made, or name more columns in `unique`"
    ]
    assert row_faults(repeated.unique(), definition) == []


def test_null_is_a_key_like_any_other():
    twice = rows((None, None, None, None, 1.0, None), (None, None, None, None, 2.0, None))
    assert (
        "1 key stands in several rows, e.g. 2 rows with key=None"
        in row_faults(twice, source(unique="key"))[0]
    )
