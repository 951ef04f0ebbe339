"""The contract every clock keeps.

An adapter's author writes:

    class TestMyClock(ClockContract):
        @pytest.fixture
        def clock(self) -> Clock:
            return MyClock()
"""

from __future__ import annotations

import pytest

from treadle.ports.clock import Clock
from treadle.records.instants import instant


class ClockContract:
    """Subclass with a fixture `clock`."""

    # Seconds or milliseconds taken for microseconds would lie in January 1970, nanoseconds far past 2200.
    earliest = instant("1980-01-01")
    latest = instant("2200-01-01")

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the clock under test."""
        raise NotImplementedError("give the clock to be tested as a fixture")

    def test_now_is_a_whole_number_of_microseconds_since_1970(self, clock: Clock) -> None:
        """An instant is an int in this one unit."""
        now = clock.now()
        assert type(now) is int
        assert self.earliest <= now < self.latest

    def test_monotonic_is_seconds_that_never_decrease(self, clock: Clock) -> None:
        """Leases are counted with it."""
        readings = [clock.monotonic() for _ in range(1_000)]
        assert all(type(reading) is float for reading in readings)
        assert readings == sorted(readings)

    def test_both_readings_count_the_same_span(self, clock: Clock) -> None:
        """Each in its own unit: microseconds and seconds."""
        start_s, start_us = clock.monotonic(), clock.now()
        for _ in range(1_000):
            clock.now()
        end_s, end_us = clock.monotonic(), clock.now()
        assert abs((end_us - start_us) / 1e6 - (end_s - start_s)) < 5
