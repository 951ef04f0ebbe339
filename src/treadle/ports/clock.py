"""What the core needs from time: an instant to record, and seconds that never go back."""

from __future__ import annotations

from typing import Protocol

from treadle.records.instants import Instant


class Clock(Protocol):
    """The only source of time: everything else gets a clock, or an instant, as an argument.

    Two readings, never mixed: `now` is what is written into records, `monotonic` is what leases and
    timeouts are counted with. In a replay both follow the simulated time. Safe to read from several
    threads.
    """

    def now(self) -> Instant:
        """Return the present instant (UTC microseconds); a wall clock may be set back, so it may decrease."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never less than an earlier answer of the same clock."""
        ...


class SimulatedTime(Clock, Protocol):
    """A clock that a replay moves."""

    def advance_to(self, at: Instant) -> None:
        """Move to an instant; going back is refused, standing still is not."""
        ...
