from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.pictures.markup import clip, escape, text_width, wrap
from treadle.pictures.scales import axis_step, outward, scale, tick_label, ticks, time_ticks
from treadle.records.instants import DAY, HOUR, SECOND, instant


@settings(max_examples=150, deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(2, 12))
def test_ticks_are_inside_even_and_not_too_many(low, width, most):
    high = low + width
    step = axis_step(low, high, most)
    found = ticks(low, high, step)
    assert len(found) <= most + 1
    assert all(low - step * 1e-6 <= t.at <= high + step * 1e-6 for t in found)
    start, stop = outward(low, high, step)
    assert start <= low + step * 1e-6
    assert stop >= high - step * 1e-6


def test_tick_labels_have_the_digits_their_step_needs():
    assert [t.label for t in ticks(0, 1, 0.25)] == ["0.00", "0.25", "0.50", "0.75", "1.00"]
    assert [t.label for t in ticks(-1, 1, 1)] == ["−1", "0", "1"]
    assert [t.label for t in ticks(0, 0.1, 0.05, "share")] == ["0 %", "5 %", "10 %"]
    assert tick_label(2_500_000, 500_000, "number") == "2.5 M"
    assert tick_label(90 * SECOND, 30 * SECOND, "duration") == "1 min 30 s"


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        ("2013-04-01", "2013-12-31", ["Apr", "Jul", "Oct"]),
        ("2011-05-01", "2014-02-01", ["2012", "2013", "2014"]),
        ("2013-04-01", "2013-04-09", ["1 Apr", "3 Apr", "5 Apr", "7 Apr", "9 Apr"]),
    ],
)
def test_time_ticks_stand_on_calendar_places(low, high, labels):
    assert [t.label for t in time_ticks(instant(low), instant(high), 4)] == labels


def test_the_zone_and_each_new_year_are_named_once():
    found = time_ticks(instant("2013-10-01"), instant("2014-03-01"), 6)
    assert [t.context for t in found if t.context] == ["2013 UTC", "2014"]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40 * 365), st.integers(2, 10 * 365 * 24), st.integers(1, 12))
def test_time_ticks_are_few_and_inside(day, hours, most):
    low = day * DAY
    high = low + hours * HOUR
    found = time_ticks(low, high, most)
    assert len(found) <= 2 * most + 2
    assert all(low <= t.at <= high for t in found)
    for tick in found:
        assert datetime.fromtimestamp(tick.at / 1e6, UTC).second == 0


def test_a_scale_maps_its_ends():
    to_px = scale((10, 20), (300, 100))
    assert (to_px(10), to_px(20), to_px(15)) == (300, 100, 200)


def test_text_is_clipped_in_the_middle_to_its_room():
    long = "arrival delay of the tail number over one day"
    short = clip(long, 120)
    assert text_width(short) <= 120
    assert short.startswith("arr")
    assert short.endswith("day")
    assert clip("short", 500) == "short"
    assert clip("short", 1) == ""


def test_text_is_wrapped_and_the_rest_is_marked():
    lines = wrap("word " * 100, 100, lines=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(text_width(line) <= 100 for line in lines)


def test_escape_covers_quotes_markup_and_what_xml_forbids():
    assert escape("<a href='x'>&\"") == "&lt;a href=&#x27;x&#x27;&gt;&amp;&quot;"
    assert escape("a\x00b\u202ec") == "a\ufffdb\ufffdc"
