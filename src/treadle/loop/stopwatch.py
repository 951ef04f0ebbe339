"""Durations: where the time went, by part of the work, and how long a run took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from treadle.records.instants import SECOND, Instant


class Stopwatch:
    """Adds up seconds by name; parts measured inside one another count in the inner one only."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner: list[float] = []

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Count the time of a block under a name."""
        started = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            spent = time.perf_counter() - started
            own = spent - self._inner.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + own
            if self._inner:
                self._inner[-1] += spent

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


class RunClock:
    """The clock of one run: it starts at the run's instant and goes on at real speed, also inside a replay.

    So a run's start is that of the world it belongs to, and its durations are real.
    """

    def __init__(self, started: Instant) -> None:
        self._started = started
        self._origin = time.perf_counter()

    def now(self) -> Instant:
        """Return the run's instant plus the time that has really passed."""
        return self._started + int(self.monotonic() * SECOND)

    def monotonic(self) -> float:
        """Return the seconds that have really passed."""
        return time.perf_counter() - self._origin
