"""The clocks: the machine's, one set to another day, and one that stands still until it is moved."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from treadle.records.errors import InvalidInput
from treadle.records.instants import SECOND, Instant, iso

if TYPE_CHECKING:
    from treadle.ports.clock import Clock


class SystemClock:
    """The wall clock of this machine."""

    def now(self) -> Instant:
        """Return the present instant as the machine knows it."""
        return time.time_ns() // 1_000

    def monotonic(self) -> float:
        """Return seconds that do not notice when the wall clock is set."""
        return time.monotonic()


class ShiftedClock:
    """A clock set to a given instant when made, running on from there at real speed.

    It counts on the monotonic clock, so it does not notice when the wall clock is set either.
    """

    def __init__(self, start: Instant) -> None:
        self._start = start
        self._began_ns = time.monotonic_ns()

    def now(self) -> Instant:
        """Return the given start plus the time that passed since this clock was made."""
        return self._start + (time.monotonic_ns() - self._began_ns) // 1_000

    def monotonic(self) -> float:
        """Return real seconds."""
        return time.monotonic()


class SimulatedClock:
    """A clock that stands still until `advance_to`; one thread may move it while others read."""

    def __init__(self, at: Instant) -> None:
        self._at = at

    def now(self) -> Instant:
        """Return the instant the clock was last moved to."""
        return self._at

    def monotonic(self) -> float:
        """Return simulated seconds since 1970, so that leases expire in simulated time."""
        return self._at / SECOND

    def advance_to(self, at: Instant) -> None:
        """Move the clock to the instant; moving to the present one changes nothing.

        Raises:
            InvalidInput: the instant lies before the present one; the clock is not moved.
        """
        if at < self._at:
            raise InvalidInput(
                f"the clock cannot go back from {iso(self._at)} to {iso(at)}",
                fix="perform what is due in the order of time, or start a new clock",
            )
        self._at = at


if TYPE_CHECKING:
    _clocks: list[Clock] = [SystemClock(), ShiftedClock(0), SimulatedClock(0)]
