"""The frontier: on one side what has been asked, on the other what is being received.

An answer at T uses what was known by T; so an event may not become known at or before a T that has been answered, and not
at or before an instant up to which the online store is said to be complete. Receiving and completing meet here, under one
lock; those who answer only read, and write one number.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from treadle.records.instants import Instant

BEFORE_ALL: Instant = -(1 << 62)


@dataclass(slots=True)
class Frontier:
    """What is agreed between those who take in events, who apply them, and who answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while events get their instant and go to the log, and while the online store's goal is set."""
    epoch: int = 0
    """Grows before a batch of events gets its instant. Whoever reads it, then the clock, then the same epoch again, knows
    that every event received by that reading had begun to be received before the first reading."""
    asked: Instant = BEFORE_ALL
    """The greatest T that was answered, set before `epoch` is read again."""
    complete: Instant = BEFORE_ALL
    """Everything received up to here is in the log."""
    received: Instant = BEFORE_ALL
    """When the newest event was received."""

    def receive(self, now: Instant) -> Instant:
        """Return the instant of a batch of events; the lock must be held until they are in the log.

        It is later than any T that has been answered, also when the clock was set back.
        """
        self.epoch += 1
        self.received = max(now, self.received, self.asked + 1, self.complete + 1)
        return self.received

    def close_at(self, at: Instant) -> Instant:
        """Return the instant that the online store can be brought to, `at` or the newest event's; the lock must be held.

        From then on no event is received at or before it.
        """
        self.complete = max(self.complete, at, self.received)
        return self.complete
