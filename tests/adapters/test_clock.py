"""The three clocks keep the contract, and each its own promise."""

from __future__ import annotations

import time

import pytest

from treadle.adapters.clock import ShiftedClock, SimulatedClock, SystemClock
from treadle.ports.clock import Clock
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND, instant
from treadle.testing.clock import ClockContract

APRIL = instant("2013-04-01")


class TestSystemClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()

    def test_it_tells_the_time_of_this_machine(self, clock: Clock) -> None:
        assert abs(clock.now() - time.time() * 1e6) < MINUTE  # noqa: TID251 - the oracle of the wall clock


class TestShiftedClock(ClockContract):
    @pytest.fixture
    def clock(self) -> Clock:
        return ShiftedClock(APRIL)

    def test_it_starts_at_its_instant_and_runs_on_at_real_speed(self, clock: Clock) -> None:
        first, began = clock.now(), time.perf_counter()
        while clock.now() - first < 20_000:
            assert time.perf_counter() - began < 10
        passed = time.perf_counter() - began
        assert APRIL <= first < APRIL + MINUTE
        assert 0.019 < passed < 5


class TestSimulatedClock(ClockContract):
    @pytest.fixture
    def clock(self) -> SimulatedClock:
        return SimulatedClock(APRIL)

    def test_it_stands_still_until_it_is_moved(self, clock: SimulatedClock) -> None:
        assert {clock.now() for _ in range(100)} == {APRIL}
        clock.advance_to(APRIL + HOUR)
        assert clock.now() == APRIL + HOUR

    def test_monotonic_follows_simulated_time(self, clock: SimulatedClock) -> None:
        before = clock.monotonic()
        clock.advance_to(APRIL + DAY + 500 * SECOND)
        assert clock.monotonic() - before == 86_900

    def test_it_refuses_to_go_back_and_stays_where_it_was(self, clock: SimulatedClock) -> None:
        clock.advance_to(APRIL)
        with pytest.raises(InvalidInput, match="2013-04-01T00:00:00Z to 2013-03-31T23:59:59"):
            clock.advance_to(APRIL - 1)
        assert clock.now() == APRIL
