"""Where the time went: every second is counted once."""

from __future__ import annotations

import pytest

from treadle.loop.stopwatch import RunClock, Stopwatch
from treadle.records.instants import SECOND


@pytest.fixture
def passing(monkeypatch):
    """Make so many seconds pass when called."""
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def pass_by(seconds):
        now[0] += seconds

    return pass_by


def test_an_inner_part_counts_for_itself_alone(passing):
    watch = Stopwatch()
    with watch.measure("outer"):
        passing(1.0)
        with watch.measure("inner"):
            passing(5.0)
            with watch.measure("innermost"):
                passing(2.0)
        passing(0.5)
    with watch.measure("inner"):
        passing(1.0)
    assert watch.seconds == {"outer": 1.5, "inner": 6.0, "innermost": 2.0}


def test_a_part_that_fails_is_counted_too(passing):
    watch = Stopwatch()

    def failing():
        with watch.measure("outer"), watch.measure("inner"):
            passing(3.0)
            raise ValueError("in it")

    with pytest.raises(ValueError, match="in it"):
        failing()
    with watch.measure("next"):
        passing(1.0)
    assert watch.seconds == {"inner": 3.0, "outer": 0.0, "next": 1.0}


def test_seconds_measured_elsewhere_are_added():
    watch = Stopwatch()
    watch.add("fit", 2.0)
    watch.add("fit", 0.5)
    assert watch.seconds == {"fit": 2.5}


def test_a_runs_clock_begins_at_its_instant_and_goes_at_real_speed(passing):
    clock = RunClock(1_000)
    assert clock.now() == 1_000
    passing(2.5)
    assert clock.now() == 1_000 + int(2.5 * SECOND)
    assert clock.monotonic() == 2.5
