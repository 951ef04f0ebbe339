"""Checking rows: what comes in by a push is what a file would have brought in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR, instant, iso
from treadle.records.intake import Event
from treadle.stages.data import intake
from treadle.stages.data.conform import conform
from treadle.stages.data.intake import Bounds, check_rows, make_event, refuse_faulty
from treadle.stages.data.plain_values import OddError, plain_reader

NOW = instant("2026-03-01T12:00:00Z")
COLUMNS = {"key": "string", "n": "int", "x": "float", "ok": "bool", "t": "time"}
plain = tr.Source.push("plain", columns=COLUMNS, event_time="t")
GOOD = {"key": "a", "n": 1, "x": 0.5, "ok": True, "t": "2026-03-01T11:00:00Z"}


def checked(*rows, source=plain, **options):
    return check_rows(source, rows, NOW, **options)


values = {
    "key": st.none() | st.text(max_size=3),
    "n": st.none() | st.integers(-(2**63), 2**63 - 1),
    "x": st.none() | st.floats(allow_infinity=False) | st.integers(-(2**53), 2**53),
    "ok": st.none() | st.booleans(),
    "t": st.integers(instant("1990-01-01"), NOW).map(iso),
}


@given(st.lists(st.fixed_dictionaries(values), min_size=1, max_size=5))
@settings(max_examples=60)
def test_a_pushed_row_is_what_a_file_would_have_made_of_it(rows):
    found = checked(*rows)
    assert found.faults == {}
    columns = {
        name: pl.Series(
            [None if r[name] is None else (float(r[name]) if name == "x" else r[name]) for r in rows],
            dtype={"key": pl.String, "n": pl.Int64, "x": pl.Float64, "ok": pl.Boolean, "t": pl.String}[name],
        )
        for name in COLUMNS
    }
    read, faults = conform(pl.DataFrame(columns), COLUMNS, None)
    assert faults == []
    wanted = read.with_columns(pl.col("t").to_physical()).rows(named=True)
    assert [found.rows[place] for place in range(len(rows))] == wanted


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**64), 2**64), st.floats(), st.text(max_size=3),
    st.sampled_from(["2026-03-01T11:00:00Z", "2026-03-01T11:00:00.123456+05:30", "2026-03-01", "2026-02-30T11:00:00Z",
                     "0001-01-01T00:00:00+14:00", "2026-03-01T24:00:00Z", "2026-03-01t11:00:00.1234567z", "\ud800",
                     datetime(2026, 3, 1, 11, tzinfo=UTC), datetime(2026, 3, 1, 11, tzinfo=timezone(timedelta(hours=-7)))]),
)  # fmt: skip


@given(st.fixed_dictionaries(dict.fromkeys(COLUMNS, ANYTHING)))
@settings(max_examples=300, deadline=None)
def test_the_quick_way_and_the_thorough_one_say_the_same(row):
    thorough, faults = intake._conform(plain, [row])
    try:
        quick = plain_reader(COLUMNS, intake._needed(plain))(row)
    except OddError:
        return
    assert faults == []
    assert [quick] == thorough
    assert [type(value) for value in quick.values()] == [type(value) for value in thorough[0].values()]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": 1.5}, "no whole 64-bit numbers"),
        ({"n": "1"}, "not int"),
        ({"n": True}, "not int"),
        ({"n": 2**70}, "too large for 64 bits"),
        ({"x": float("inf")}, "infinite"),
        ({"x": 10**400}, "not float|too large for 64 bits"),
        ({"key": 3}, "not string"),
        ({"key": ["a"]}, "holds list"),
        ({"key": "\ud800"}, "cannot be written as UTF-8"),
        ({"ok": 1}, "not bool"),
        ({"t": None}, "is null; it is the row's event time"),
        ({"t": "yesterday"}, "no ISO 8601 time"),
        ({"t": "2026-03-01T11:00:00"}, "without a zone"),
        ({"t": NOW}, "not time"),
        ({"t": "2026-03-03T12:00:00Z"}, "ahead of the clock"),
    ],
)
def test_a_faulty_field_is_named_and_the_row_beside_it_is_not(change, said):
    found = checked({**GOOD, **change}, GOOD)
    assert set(found.rows) == {1}
    assert len(found.faults[0]) == 1
    assert any(one in found.faults[0][0] for one in said.split("|"))
    alone = checked({**GOOD, **change})
    assert alone.faults == {0: found.faults[0]}


def test_one_faulty_row_names_all_its_faults_at_once():
    found = checked({"key": 3, "n": 1.5, "x": "y", "t": None, "kk": 1})
    assert len(found.faults[0]) == 5
    assert any("column 'ok' is missing" in fault for fault in found.faults[0])


def test_a_missing_column_names_the_one_that_looks_renamed():
    found = checked({**{k: v for k, v in GOOD.items() if k != "key"}, "keys": "a"})
    assert found.faults[0] == ["column 'key' is missing; was it renamed to 'keys'?"]


def test_columns_that_are_not_declared_are_passed_over():
    assert checked({**GOOD, "more": object()}).rows == checked(GOOD).rows


def test_whole_rows_are_refused_with_what_is_wrong_with_each():
    with pytest.raises(InvalidInput) as caught:
        refuse_faulty(plain, checked({**GOOD, "n": 1.5}, GOOD, {**GOOD, "n": 1.5}, {**GOOD, "key": 1}))
    assert "3 rows cannot be taken in" in caught.value.what
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["2 rows, e.g. row 0", "row 3"]


def test_datetimes_of_any_zone_are_the_instants_they_name():
    t = datetime(2026, 3, 1, 11, tzinfo=UTC)
    east = t.astimezone(timezone(timedelta(hours=5, minutes=30)))
    found = checked({**GOOD, "t": t}, {**GOOD, "t": east}, {**GOOD, "t": t.isoformat()})
    assert {row["t"] for row in found.rows.values()} == {instant(t)}
    zoned = tr.Source.push("z", columns=COLUMNS, event_time="t", zone="Europe/Berlin")
    local = checked({**GOOD, "t": datetime(2026, 3, 1, 12)}, source=zoned)  # noqa: DTZ001 - that is the test
    assert local.rows[0]["t"] == instant(t)


def test_how_far_ahead_and_how_late_events_may_be_is_a_setting():
    tight = Bounds(ahead=HOUR, late=DAY)
    late, ahead = {**GOOD, "t": "2026-02-28T11:59:59Z"}, {**GOOD, "t": "2026-03-01T13:00:00.000001Z"}
    assert set(checked(GOOD, late, ahead, bounds=tight).faults) == {1, 2}
    assert checked(late, {**GOOD, "t": "2036-03-01T13:00:00Z"}, bounds=Bounds(ahead=None)).faults == {}


class TestIds:
    declared = tr.Source.push("declared", columns=COLUMNS, event_time="t", event_id="n")

    def test_the_declared_column_comes_before_the_given_id(self):
        assert checked(GOOD, source=self.declared, ids=["x"]).ids == {0: "1"}

    def test_a_declared_column_without_a_value_is_a_fault(self):
        assert "event id" in checked({**GOOD, "n": None}, source=self.declared).faults[0][0]

    def test_a_given_id_comes_before_the_content(self):
        assert checked(GOOD, ids=["x"]).ids == {0: "x"}

    @pytest.mark.parametrize("bad", ["", "x" * 201, 7, "a\ud800", "a\n"])
    def test_a_given_id_must_be_text_of_some_length(self, bad):
        assert "event id" in checked(GOOD, ids=[bad]).faults[0][0]

    def test_without_either_equal_rows_are_one_event_however_they_are_written(self):
        other = {"t": "2026-03-01T12:00:00+01:00", "n": 1.0, "x": 0.5, "ok": True, "key": "a"}
        found = checked(GOOD, other, {**GOOD, "x": 0.25})
        assert found.ids[0] == found.ids[1] != found.ids[2]

    def test_as_many_ids_as_rows_are_needed(self):
        with pytest.raises(InvalidInput, match="1 rows came with 2 ids"):
            checked(GOOD, ids=["a", "b"])


class TestTimes:
    timed = tr.Source.push(
        "timed",
        columns={"t": "time", "seen": "time", "made": "time", "gone": "bool"},
        event_time="t", known_after="1h", known_at="seen", created_time="made", tombstone="gone",
    )  # fmt: skip

    def event(self, received, **change) -> Event:
        row = {"t": 10 * HOUR, "seen": 5 * HOUR, "made": 6 * HOUR, "gone": None, **change}
        return make_event(self.timed, row, "id", received, ("p", 3))

    def test_nothing_is_known_before_it_was_received(self):
        assert self.event(30 * HOUR).known_at == 30 * HOUR

    def test_what_is_declared_to_be_known_later_is(self):
        assert self.event(0).known_at == 11 * HOUR
        assert self.event(0, seen=12 * HOUR).known_at == 12 * HOUR
        assert self.event(0, made=13 * HOUR).known_at == 13 * HOUR

    def test_a_declared_created_time_is_kept_and_otherwise_it_is_when_it_was_received(self):
        assert self.event(99).created_time == 6 * HOUR
        assert make_event(plain, {"t": 5}, "id", 99, None).created_time == 99

    def test_a_row_without_a_time_is_known_when_it_was_received(self):
        timeless = tr.Source.push("timeless", columns={"n": "int"})
        event = make_event(timeless, {"n": 1}, "id", 99, None)
        assert (event.event_time, event.known_at, event.created_time) == (0, 99, 99)
