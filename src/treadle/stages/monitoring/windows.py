"""Which predictions a reading looks at, and when the next one is due."""

from __future__ import annotations

from treadle.define.monitors import Monitor
from treadle.define.source_monitors import SourceMonitor
from treadle.records.estimates import Window
from treadle.records.instants import Duration, Instant


def score_window(monitor: Monitor, now: Instant) -> Window:
    """Return the newest full window of predictions: scores are known at once."""
    return Window(now - monitor.window, now)


def label_window(monitor: Monitor, maturity: Duration, now: Instant) -> Window:
    """Return the newest window of predictions old enough for their labels to be known.

    Reading younger ones would favour what becomes known early: flights that arrive are known before those
    that hang.
    """
    return Window(now - maturity - monitor.window, now - maturity)


def is_due(monitor: Monitor | SourceMonitor, last: Instant | None, now: Instant) -> bool:
    """Tell whether a reading is due: none was made, or a step of `every` (from 1970 on) began since."""
    return last is None or last // monitor.every < now // monitor.every
