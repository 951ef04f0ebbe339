"""What a window of a source is judged to be: numbers in, readings out, each limit from both sides."""

from __future__ import annotations

import polars as pl
import pytest

import treadle as tr
from treadle.records.estimates import Window
from treadle.records.instants import DAY, HOUR, instant
from treadle.records.source_windows import ColumnCounts, SourceWindow
from treadle.stages.monitoring.source_quality import judge_freshness, judge_window, like_windows
from treadle.stages.monitoring.source_windows import closed_starts, measure_windows

NOW = instant("2025-06-02")  # a Monday
MONITOR = tr.SourceMonitor("sales", source="sales", freshness="2h")


def day(back, rows=1_000, **more):
    start = NOW - back * DAY
    return SourceWindow(
        monitor="sales", source="sales", window=Window(start, start + DAY), at=NOW + DAY, rows=rows, **more
    )


def judged(current, earlier=(), reference=None):
    found = judge_window(MONITOR, current, earlier, earlier if reference is None else reference, NOW + DAY)
    return {one.kind: one for one in found}


def with_nulls(back, nulls, rows=1_000):
    return day(back, rows, columns=(ColumnCounts(column="price", nulls=nulls),))


class TestFreshness:
    @pytest.mark.parametrize(("age", "state"), [(2 * HOUR, "ok"), (2 * HOUR + 1, "alert"), (-HOUR, "ok")])
    def test_a_row_may_be_exactly_so_old(self, age, state):
        assert judge_freshness(MONITOR, NOW - age, NOW).state == state

    def test_without_rows_nothing_is_said(self):
        assert judge_freshness(MONITOR, None, NOW).state == "insufficient_data"

    def test_what_is_not_watched_has_no_reading(self):
        assert judge_freshness(tr.SourceMonitor("sales", source="sales"), NOW, NOW) is None


class TestVolume:
    def test_windows_are_held_against_the_same_weekday_of_eight_weeks(self):
        like = like_windows(day(0), [day(back) for back in range(1, 80)])
        assert [(NOW - one.window.start) // DAY for one in like] == [7, 14, 21, 28, 35, 42, 49, 56]

    @pytest.mark.parametrize(
        ("rows", "state"), [(500, "ok"), (499, "alert"), (2_000, "ok"), (2_001, "alert")]
    )
    def test_half_and_twice_the_usual_are_still_usual(self, rows, state):
        assert judged(day(0, rows), [day(7), day(14), day(21)])["volume"].state == state

    def test_a_weekend_is_no_alarm(self):
        quiet = [day(back, 1_000 if back % 7 else 100) for back in range(1, 29)]
        assert judged(day(0, 100), quiet)["volume"].state == "ok"

    def test_two_like_windows_are_too_few(self):
        assert judged(day(0, 0), [day(7), day(14), day(13)])["volume"].state == "insufficient_data"

    def test_few_rows_differ_by_chance(self):
        assert judged(day(0, 1), [day(7 * k, 4) for k in (1, 2, 3)])["volume"].state == "ok"

    def test_one_strange_week_does_not_move_the_usual(self):
        assert judged(day(0), [day(7, 0), day(14), day(21)])["volume"].state == "ok"


class TestShares:
    @pytest.mark.parametrize(("nulls", "state"), [(10, "ok"), (35, "warn"), (80, "alert")])
    def test_a_share_that_grew_is_judged_by_how_much(self, nulls, state):
        earlier = [with_nulls(back, 10) for back in range(1, 29)]
        reading = judged(with_nulls(0, nulls), earlier)["nulls"]
        assert (reading.state, reading.value) == (state, nulls / 1_000)

    def test_what_one_ordinary_window_had_is_ordinary(self):
        earlier = [with_nulls(back, 100 if back == 9 else 10) for back in range(1, 29)]
        assert judged(with_nulls(0, 100), earlier)["nulls"].state == "ok"

    def test_a_growth_that_chance_explains_is_none(self):
        earlier = [with_nulls(back, 0, rows=25) for back in range(1, 4)]
        assert judged(with_nulls(0, 2, rows=25), earlier)["nulls"].state == "ok"

    def test_too_few_rows_say_nothing(self):
        reading = judged(with_nulls(0, 19, rows=19), [with_nulls(1, 0)])["nulls"]
        assert reading.state == "insufficient_data"

    def test_a_column_without_a_range_has_no_reading_of_ranges(self):
        assert "ranges" not in judged(with_nulls(0, 0), [with_nulls(1, 0)])

    def test_the_columns_that_stand_out_are_named(self):
        earlier = [with_nulls(back, 0) for back in range(1, 29)]
        assert (
            "price: 30.0% without a value, 0.0% before"
            in judged(with_nulls(0, 300), earlier)["nulls"].sentence
        )


class TestWindows:
    def test_windows_are_cut_by_event_time_and_those_between_are_there(self):
        monitor = tr.SourceMonitor("sales", source="sales", lateness="1h")
        counts = {NOW: 3, NOW + 2 * DAY: 1}
        assert list(closed_starts(counts, monitor, NOW + 3 * DAY + HOUR)) == [NOW, NOW + DAY, NOW + 2 * DAY]
        assert list(closed_starts(counts, monitor, NOW + 3 * DAY + HOUR - 1)) == [NOW, NOW + DAY]

    def test_the_numbers_of_a_window_are_counted(self):
        rows = pl.DataFrame(
            {
                "__event_time": [NOW, NOW + HOUR, NOW + DAY - 1, NOW + DAY],
                "__known_at": [NOW + 10, NOW + HOUR + 20, NOW + DAY + HOUR, NOW + DAY],
                "price": [1.0, float("nan"), None, 5.0],
                "id": [1, 1, 2, 3],
            }
        )
        [one, empty] = measure_windows(
            rows, [NOW, NOW - DAY], MONITOR, NOW + 2 * DAY, columns=["price", "id"], unique=["id"], bounds={"price": (2, None)}
        )  # fmt: skip
        assert (one.rows, one.late, one.newest, one.delay, one.duplicates) == (3, 0, NOW + DAY - 1, 20, 1)
        assert one.columns[0] == ColumnCounts(column="price", nulls=2, distinct=1, outside=1)
        assert (empty.rows, empty.newest, empty.columns[0].nulls) == (0, None, 0)
