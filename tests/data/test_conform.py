"""Columns in every accepted form become the declared types; everything else is a fault that says what to do."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.stages.data.conform import DTYPES, conform, missing_columns

AT = datetime(2013, 4, 1, 10, tzinfo=UTC)
NEW_YORK = "America/New_York"


def naive(*parts):
    return datetime(*parts)  # noqa: DTZ001 - times without a zone are what is tested


def one(series, kind, zone=None):
    """Conform one column; return its values and its faults."""
    rows, faults = conform(pl.DataFrame({"x": series}), {"x": kind}, zone)
    return (None if faults else rows["x"]), faults


def fits(series, kind, zone=None):
    values, faults = one(series, kind, zone)
    assert faults == []
    assert values.dtype == DTYPES[kind]
    return values.to_list()


def fault(series, kind, zone=None):
    values, faults = one(series, kind, zone)
    assert values is None
    (only,) = faults
    assert only.startswith("column 'x' ")
    return only.removeprefix("column 'x' ")


ACCEPTED = {
    "integers for floats": (pl.Series([1, None, 3], dtype=pl.Int16), "float", [1.0, None, 3.0]),
    "unsigned for floats": (pl.Series([2**64 - 1], dtype=pl.UInt64), "float", [float(2**64)]),
    "decimals for floats": (pl.Series([Decimal("1.50"), None]), "float", [1.5, None]),
    "float32 for floats": (pl.Series([0.5, None], dtype=pl.Float32), "float", [0.5, None]),
    "NaN for no value": (pl.Series([1.5, math.nan, None]), "float", [1.5, None, None]),
    "whole floats for integers": (pl.Series([1.0, math.nan, None, -7.0]), "int", [1, None, None, -7]),
    "largest whole floats": (pl.Series([-(2.0**63), 2.0**63 - 1024]), "int", [-(2**63), 2**63 - 1024]),
    "small integers": (pl.Series([200], dtype=pl.UInt8), "int", [200]),
    "large unsigned that fit": (pl.Series([2**63 - 1], dtype=pl.UInt64), "int", [2**63 - 1]),
    "categories for text": (pl.Series(["b", None, "a"], dtype=pl.Categorical), "string", ["b", None, "a"]),
    "enums for text": (pl.Series(["b", None], dtype=pl.Enum(["a", "b"])), "string", ["b", None]),
    "booleans": (pl.Series([True, None]), "bool", [True, None]),
    "timestamps in ms": (pl.Series([AT], dtype=pl.Datetime("ms", "UTC")), "time", [AT]),
    "timestamps in us": (pl.Series([AT], dtype=pl.Datetime("us", "UTC")), "time", [AT]),
    "timestamps in ns": (pl.Series([AT], dtype=pl.Datetime("ns", "UTC")), "time", [AT]),
    "another zone": (pl.Series([AT, None]).dt.convert_time_zone("Asia/Kolkata"), "time", [AT, None]),
    "ISO text": (pl.Series(["2013-04-01T10:00:00Z", None]), "time", [AT, None]),
    "ISO text in categories": (pl.Series(["2013-04-01T10:00:00Z"], dtype=pl.Categorical), "time", [AT]),
}


@pytest.mark.parametrize("form", ACCEPTED)
def test_accepted_forms_become_the_declared_type(form):
    series, kind, expected = ACCEPTED[form]
    assert fits(series, kind) == expected


@pytest.mark.parametrize("kind", DTYPES)
def test_a_column_of_nothing_is_of_every_type(kind):
    assert fits(pl.Series([None, None]), kind) == [None, None]
    assert fits(pl.Series([], dtype=pl.Null), kind) == []


@pytest.mark.parametrize(
    "text",
    [
        "2013-04-01T10:00:00Z", "2013-04-01 10:00:00Z", "2013-04-01T10:00:00+00:00", "2013-04-01T15:30:00+05:30",
        "2013-04-01T15:30:00+0530", "2013-04-01T06:00:00-04", "2013-04-01T10:00Z", "2013-04-01 06:00-04:00",
        "2013-04-01T10:00:00.000000Z", "2013-04-01 10:00:00 +00:00",
    ],
)  # fmt: skip
def test_iso_text_with_an_offset_is_an_instant(text):
    assert fits(pl.Series([text]), "time") == [AT]
    assert fits(pl.Series([text, "2013-04-01T10:00:00Z"]), "time", zone="Asia/Tokyo") == [AT, AT]


@settings(max_examples=150)
@given(
    at=st.datetimes(naive(1, 1, 3), naive(9999, 12, 29)),
    offset=st.integers(-23 * 60 - 59, 23 * 60 + 59),
    separator=st.sampled_from("T "),
)
def test_any_text_that_python_writes_is_read_as_python_reads_it(at, offset, separator):
    aware = at.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert fits(pl.Series([aware.isoformat(separator)]), "time") == [aware]


@settings(max_examples=60)
@given(
    st.lists(st.integers(-(10**18), 10**18), min_size=1, max_size=5),
    st.sampled_from(["UTC", NEW_YORK, "Asia/Kolkata"]),
)
def test_nanoseconds_are_cut_off_towards_the_past(nanoseconds, zone):
    series = pl.Series(nanoseconds).cast(pl.Datetime("ns", zone))
    values, faults = one(series, "time")
    assert faults == []
    assert values.to_physical().to_list() == [n // 1_000 for n in nanoseconds]


@settings(max_examples=60)
@given(st.lists(st.datetimes(naive(1950, 1, 1), naive(2100, 1, 1)), min_size=1, max_size=4))
def test_one_instant_is_one_value_however_it_was_written(times):
    """Unit, zone and text are only clothes."""
    whole = [t.replace(microsecond=0, tzinfo=UTC) for t in times]
    forms = [pl.Series(whole).cast(pl.Datetime(unit, "UTC")) for unit in ("ms", "us", "ns")]
    forms += [pl.Series(whole).dt.convert_time_zone(zone) for zone in (NEW_YORK, "Australia/Lord_Howe")]
    forms += [pl.Series([t.isoformat() for t in whole])]
    forms += [pl.Series([t.astimezone(ZoneInfo("Asia/Kolkata")).isoformat() for t in whole])]
    assert [fits(form, "time") for form in forms] == [whole] * len(forms)


def test_negative_zero_becomes_zero():
    (value,) = fits(pl.Series([-0.0]), "float")
    assert math.copysign(1.0, value) == 1.0


REFUSED = {
    "fractions in an integer column": (
        pl.Series([1.0, 2.5, math.nan, 3.25]), "int",
        "must be int but holds 2 values that are no whole 64-bit numbers, e.g. 2.5; "
        "round them where the data is made, or declare the column 'float'",
    ),
    "floats beyond 64 bits": (pl.Series([2.0**63]), "int", "holds 1 value that are no whole"),
    "infinity in an integer column": (pl.Series([math.inf]), "int", "e.g. inf"),
    "integers beyond 64 bits": (
        pl.Series([2**64 - 1], dtype=pl.UInt64), "int", "holds 1 number too large for 64 bits, e.g. 18446744073709551615"
    ),
    "infinite floats": (
        pl.Series([1.0, math.inf, -math.inf]), "float", "holds 2 infinite values; write null where there is no value"
    ),
    "text for floats": (
        pl.Series([None, "12.5"]), "float",
        "holds String, e.g. '12.5', not float; convert it where the data is made, or declare it 'string'",
    ),
    "integers for text": (
        pl.Series([7]), "string", "holds Int64, e.g. '7', not string; convert it where the data is made, or declare it 'int'"
    ),
    "booleans for integers": (pl.Series([True]), "int", "or declare it 'bool'"),
    "integers for booleans": (pl.Series([0, 1]), "bool", "holds Int64, e.g. '0', not bool"),
    "integers for times": (
        pl.Series([1364810400]), "time", "holds Int64, e.g. '1364810400', not time; store timestamps with a zone"
    ),
    "days for times": (pl.Series([date(2013, 4, 1)]), "time", "holds Date, e.g. '2013-04-01', not time; store timestamps"),
    "lists": (pl.Series([[1.0]]), "float", "holds List(Float64), not float"),
    "times without a zone": (
        pl.Series([naive(2013, 4, 1, 10)]), "time",
        "holds times without a zone, e.g. 2013-04-01 10:00:00.000000; declare the source's zone, e.g. zone='UTC', "
        "or store the times with an offset",
    ),
    "text without a zone": (
        pl.Series(["2013-04-01T10:00:00Z", "2013-04-01 10:00:00"]), "time",
        "holds times without a zone, e.g. 2013-04-01 10:00:00;"
    ),
    "text without a zone or seconds": (
        pl.Series(["2013-04-01T10:00"]), "time", "holds times without a zone, e.g. 2013-04-01T10:00;"
    ),
    "naive and empty": (pl.Series([], dtype=pl.Datetime("us")), "time", "holds times without a zone; declare"),
    "text that is no time": (
        pl.Series(["2013-04-01T10:00:00Z", "tomorrow", "2013-13-01T10:00:00Z"]), "time",
        "holds 2 texts that are no ISO 8601 times, e.g. 'tomorrow'; write 2013-04-01T00:00:00Z",
    ),
    "a day as text": (pl.Series(["2013-04-01"]), "time", "holds 1 text that is no ISO 8601 time, e.g. '2013-04-01'"),
    "empty text": (pl.Series([""]), "time", "holds 1 text that is no ISO 8601 time, e.g. ''"),
    "an hour that is none": (pl.Series(["2013-04-01T25:00:00Z"]), "time", "no ISO 8601 time"),
    "a unit taken for another": (
        pl.Series([1364810400 * 10**6]).cast(pl.Datetime("ms", "UTC")), "time",
        "holds 1 time outside the years 1 to 9999, e.g. 1364810400000000 ms after 1970; check the unit",
    ),
    "text of the year 0": (pl.Series(["0000-01-01T00:00:00Z"]), "time", "outside the years 1 to 9999"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_conform_is_said_with_an_example_and_a_fix(what):
    series, kind, said = REFUSED[what]
    assert said in fault(series, kind)


def test_all_columns_faults_are_listed_at_once():
    rows = pl.DataFrame({"a": ["x"], "b": [0.5], "c": [1.0], "d": [True]})
    _, faults = conform(rows, {"a": "float", "b": "int", "c": "float", "d": "string"}, None)
    assert [f.split("'")[1] for f in faults] == ["a", "b", "d"]


def test_only_declared_columns_are_kept_in_declared_order():
    rows = pl.DataFrame({"z": [1], "b": [2], "a": [3]})
    assert conform(rows, {"a": "int", "b": "float"}, None)[0].schema == {"a": pl.Int64, "b": pl.Float64}


ZONE_FORMS = {
    "timestamps": lambda text: pl.Series([datetime.fromisoformat(text)]),
    "nanoseconds": lambda text: pl.Series([datetime.fromisoformat(text)], dtype=pl.Datetime("ns")),
    "text": lambda text: pl.Series([text]),
    "text with a space": lambda text: pl.Series([text.replace("T", " ")]),
}


@pytest.mark.parametrize("form", ZONE_FORMS)
def test_a_declared_zone_reads_local_times_in_summer_and_winter(form):
    make = ZONE_FORMS[form]
    assert fits(make("2013-07-01T10:00:00"), "time", NEW_YORK) == [datetime(2013, 7, 1, 14, tzinfo=UTC)]
    assert fits(make("2013-01-01T10:00:00"), "time", NEW_YORK) == [datetime(2013, 1, 1, 15, tzinfo=UTC)]


@pytest.mark.parametrize("form", ZONE_FORMS)
def test_a_repeated_local_hour_is_read_as_the_later_so_that_nothing_is_known_too_early(form):
    assert fits(ZONE_FORMS[form]("2013-11-03T01:30:00"), "time", NEW_YORK) == [
        datetime(2013, 11, 3, 6, 30, tzinfo=UTC)
    ]


@pytest.mark.parametrize("form", ZONE_FORMS)
def test_a_skipped_local_time_shows_that_the_zone_is_wrong(form):
    said = fault(ZONE_FORMS[form]("2013-03-10T02:30:00"), "time", NEW_YORK)
    assert said == (
        "holds 1 local time that clocks in America/New_York skipped, e.g. 2013-03-10 02:30:00; "
        "declare the zone the times are in, or store them with an offset"
    )


def test_times_with_an_offset_need_no_declared_zone_beside_those_without():
    texts = pl.Series(["2013-07-01T10:00:00Z", "2013-07-01 10:00:00", None, "2013-03-10T02:30:00Z"])
    assert fits(texts, "time", NEW_YORK) == [
        datetime(2013, 7, 1, 10, tzinfo=UTC), datetime(2013, 7, 1, 14, tzinfo=UTC), None,
        datetime(2013, 3, 10, 2, 30, tzinfo=UTC),
    ]  # fmt: skip


@settings(max_examples=80)
@given(
    local=st.datetimes(naive(1975, 1, 1), naive(2037, 1, 1)),
    zone=st.sampled_from([NEW_YORK, "Europe/Dublin", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_local_times_agree_with_the_zone_database_of_python(local, zone):
    """An oracle with code of its own: a local time is skipped when no instant shows it, else the last that does counts."""
    info = ZoneInfo(zone)
    candidates = {local.replace(tzinfo=info, fold=fold).astimezone(UTC) for fold in (0, 1)}
    shown = [at for at in candidates if at.astimezone(info).replace(tzinfo=None) == local]
    values, faults = one(pl.Series([local]), "time", zone)
    if shown:
        assert values.to_list() == [max(shown)]
    else:
        assert "skipped" in faults[0]


def _column(values, dtype, kind, stored_as=None):
    return values.map(lambda v: (pl.Series(v, dtype=dtype).cast(stored_as or dtype), kind))


_CELLS = st.one_of(
    _column(st.lists(st.none() | st.floats(allow_infinity=False)), pl.Float64, "float"),
    _column(st.lists(st.none() | st.integers(-(2**40), 2**40)), pl.Int64, "int", pl.Float64),
    _column(st.lists(st.none() | st.text(max_size=5)), pl.String, "string", pl.Categorical),
    _column(
        st.lists(st.none() | st.datetimes(naive(1980, 1, 1), naive(2030, 1, 1), timezones=st.just(UTC))),
        pl.Datetime("ns", "UTC"),
        "time",
        pl.Datetime("ms", NEW_YORK),
    ),
)


@settings(max_examples=100)
@given(_CELLS)
def test_conforming_twice_is_conforming_once(cells):
    series, kind = cells
    once, faults = conform(pl.DataFrame({"x": series}), {"x": kind}, None)
    twice, again = conform(once, {"x": kind}, None)
    assert faults == again == []
    assert twice.equals(once)


def test_a_renamed_column_is_found_again():
    found = ["carrier", "DepDelay", "arr_delay"]
    assert missing_columns(["carrier", "dep_delay", "arr_delay"], found) == [
        "column 'dep_delay' is missing; was it renamed to 'DepDelay'?"
    ]


def test_a_column_that_is_wanted_itself_is_not_offered():
    assert missing_columns(["dep_delay", "arr_delay"], ["arr_delay"]) == [
        "column 'dep_delay' is missing; there are arr_delay"
    ]


def test_a_column_without_a_like_shows_what_there_is():
    assert missing_columns(["x"], []) == ["column 'x' is missing; there are no columns"]
    many = [f"column{i}" for i in range(30)]
    assert missing_columns(["x"], many)[0].endswith("column19 … (30 columns)")
