"""Instants and durations: integers inside, and text that comes back as it went."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND, duration, instant, iso, short, to_datetime

FIRST, LAST = -62135596800000000, 253402300799999999
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z, as other libraries count them."""


@given(st.integers(FIRST, LAST))
def test_an_instant_comes_back_from_its_text_and_from_its_datetime(at):
    assert instant(iso(at)) == at
    assert instant(to_datetime(at)) == at
    assert iso(at).endswith("Z")


@given(st.integers(FIRST, LAST), st.integers(FIRST, LAST))
def test_texts_of_whole_seconds_sort_like_instants(a, b):
    a, b = a // SECOND * SECOND, b // SECOND * SECOND
    assert (iso(a) < iso(b)) == (a < b)


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001 - the zone is drawn apart
    st.integers(-1439, 1439),
)
def test_the_offset_is_what_it_says(local, minutes):
    aware = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    seconds, rest = divmod(instant(aware), SECOND)
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=rest) == aware
    assert instant(aware.isoformat()) == instant(aware)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01", 0),
        (" 1970-01-02 ", DAY),
        (date(1970, 1, 2), DAY),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01 00:00:00.000001+00:00", 1),
        ("1969-12-31T23:59:59.999999Z", -1),
        (-7, -7),
        ("0001-01-01T00:00:00Z", FIRST),
        ("9999-12-31T23:59:59.999999Z", LAST),
    ],
)
def test_known_instants(value, at):
    assert instant(value) == at


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2013-04-01T00:00:00", "the time 2013-04-01T00:00:00 has no zone"),
        (datetime(2013, 4, 1), "the time 2013-04-01T00:00:00 has no zone"),  # noqa: DTZ001 - what is refused
        ("tomorrow", "'tomorrow' is not a time"),
        ("", "'' is not a time"),
        ("2013-02-30", "'2013-02-30' is not a time"),
        (True, "True is not a time"),
        (1.5, "1.5 is not a time"),
        (None, "None is not a time"),
        ("0001-01-01T00:00:00+01:00", "the instant -62135600400000000 lies outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "the instant 253402304399000000 lies outside the years 1 to 9999"),
    ],
)
def test_what_is_no_instant_is_quoted_and_mended(value, said):
    with pytest.raises(InvalidInput) as caught:
        instant(value)
    assert caught.value.what == said
    assert caught.value.fix


@given(st.text())
def test_any_text_is_an_instant_or_refused_on_purpose(text):
    try:
        found = instant(text)
    except InvalidInput:
        return
    assert instant(iso(found)) == found


@pytest.mark.parametrize("at", [FIRST - 1, LAST + 1, 2**63 - 1])
def test_what_no_calendar_knows_has_no_text(at):
    with pytest.raises(InvalidInput, match="lies outside the years 1 to 9999"):
        iso(at)


@given(st.integers(0, 2**63 - 1))
def test_a_duration_comes_back_from_its_text(span):
    assert duration(short(span)) == span


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"),
        (6 * HOUR, "6h"),
        (36 * HOUR, "1d12h"),
        (SECOND + SECOND // 2, "1s500ms"),
        (28 * DAY, "28d"),
        (MINUTE + 1, "1m1us"),
        (-5 * HOUR, "-5h"),
    ],
)
def test_known_texts_of_durations(span, text):
    assert short(span) == text


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("90s", 90 * SECOND),
        ("1w", 7 * DAY),
        ("1d12h", 36 * HOUR),
        (" 10m ", 10 * MINUTE),
        ("1500ms", 3 * SECOND // 2),
        (timedelta(days=1, microseconds=1), DAY + 1),
        (17, 17),
        (0, 0),
        ("0s", 0),
    ],
)
def test_known_durations(value, span):
    assert duration(value) == span


@pytest.mark.parametrize(
    "value",
    [
        "",
        "h",
        "6",
        "6 hours",
        "6h ago",
        "1.5h",
        "-6h",
        "\uff16h",
        "1h2",
        1.5,
        True,
        None,
        "9" * 20 + "w",
        2**63,
    ],
)
def test_what_is_no_duration_is_quoted(value):
    with pytest.raises(InvalidInput) as caught:
        duration(value)
    assert repr(value) in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("value", [-1, timedelta(seconds=-1)])
def test_durations_count_forward(value):
    with pytest.raises(InvalidInput, match="is negative"):
        duration(value)
