"""Work that is repeated in a thread of its own for as long as the server lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from treadle.ports.clock import Clock
from treadle.records.errors import TreadleError
from treadle.records.instants import Instant

LONGEST_PAUSE = 60.0
"""Seconds; what keeps failing is tried again at least this often."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong last."""

    at: Instant
    text: str
    times: int
    """How often in a row."""


class Periodic:
    """Repeats a piece of work in a thread; a failure is noted and tried again after a growing pause.

    Args:
        name: what it does, for the thread's name and for messages.
        work: one piece; must be safe to repeat after a failure.
        every: seconds between the end of one piece and the next.
        clock: when things happened.
        say: called with a sentence when the work fails, and when it works again.
    """

    def __init__(
        self, name: str, work: Callable[[], None], *, every: float, clock: Clock, say: Callable[[str], None]
    ) -> None:
        self.name = name
        self.fault: Fault | None = None
        self._work = work
        self._every = every
        self._clock = clock
        self._say = say
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first piece is done at once."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the piece under way end and begin no other."""
        self._stop.set()
        self._wake.set()

    def wake(self) -> None:
        """Begin the next piece at once; after a failure the pause is kept."""
        self._wake.set()

    def wait(self, seconds: float) -> bool:
        """Wait for the thread to end, so long at most; returns whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()  # before the work: what comes meanwhile is not for this piece
            pause = self._once()
            (self._wake if self.fault is None else self._stop).wait(pause)

    def _once(self) -> float:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - one failed piece must not end the thread that everything needs
            return self._failed(error)
        if self.fault is not None:
            self._say(f"{self.name}: works again")
            self.fault = None
        return self._every

    def _failed(self, error: Exception) -> float:
        text = str(error) if isinstance(error, TreadleError) else f"{type(error).__name__}: {error}"
        before = self.fault
        self.fault = Fault(self._clock.now(), text, 1 if before is None else before.times + 1)
        if before is None or before.text != text:
            self._say(f"{self.name} failed and will be tried again: {text}")
        return min(self._every * 2.0**self.fault.times, LONGEST_PAUSE)
