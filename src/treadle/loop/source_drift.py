"""The drift verdict on a window of a source: its profile against the reference's, and what is ordinary in the reference.

The reference is the windows of the span before, or a version of the dataset. Windows in alert are left out of it, else a
change that lasts would become its own reference before anybody acted; but not those from before the present model was
promoted: it knows them. If fewer than six were left, the change has lasted as long as the reference, and is the usual.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate

import polars as pl
from msgspec.structs import replace

from treadle.define.source_monitors import ColumnDriftRule, SourceMonitor
from treadle.define.sources import Rows
from treadle.records.drifts import DataDrift, OrdinaryDistances
from treadle.records.estimates import Window
from treadle.records.instants import Instant
from treadle.records.profile_distances import compare
from treadle.records.profiles import Profile
from treadle.records.source_windows import SourceWindow
from treadle.stages.monitoring.data_drift import (
    FEWEST_ORDINARY,
    DriftRule,
    judge_drift,
    ordinary_distances,
)
from treadle.stages.validation.profile.builder import profile_frame


def watched_columns(monitor: SourceMonitor, source: Rows) -> list[str]:
    """Return the columns whose distribution is watched: those named, or all but unique ones and times. Pure."""
    assert monitor.drift is not None
    if monitor.drift.columns is not None:
        return list(monitor.drift.columns)
    return [name for name, kind in source.columns.items() if kind != "time" and name not in source.unique]


def profile_rows(rows: pl.DataFrame, monitor: SourceMonitor, source: Rows, window: Window) -> Profile:
    """Return the profile of the watched columns of some of a window's rows; they are taken in order of their numbers."""
    chosen = rows.select(name for name in watched_columns(monitor, source) if name in rows.columns)
    return profile_frame(chosen, monitor.source, start=window.start, end=window.end)


def reference_windows(
    monitor: SourceMonitor,
    current: Window,
    windows: Sequence[SourceWindow],
    alerted: Collection[Instant],
    trained: Instant | None,
) -> list[SourceWindow]:
    """Return the windows that a window is compared with, oldest first. Pure.

    Args:
        monitor: whose reference is a span.
        current: the window to be judged.
        windows: what there is, oldest first.
        alerted: the begins of windows that were in alert.
        trained: when the model now serving was promoted; None: there is none.
    """
    span = monitor.reference
    assert not isinstance(span, str)
    before = [
        one
        for one in windows
        if one.rows and current.start - span <= one.window.start and one.window.end <= current.start
    ]
    usual = [
        one
        for one in before
        if one.window.start not in alerted or (trained is not None and one.window.end <= trained)
    ]
    return usual if len(usual) >= FEWEST_ORDINARY else before


def leave_one_out(profiles: Sequence[Profile]) -> OrdinaryDistances:
    """Return what ordinary windows show, each against all others. Pure.

    Cost: three merges and a comparison a window: the others are what lies before it and what lies after.
    """
    if len(profiles) < FEWEST_ORDINARY:
        return {}
    before = list(accumulate(profiles, Profile.merge))
    after = list(accumulate(reversed(profiles), Profile.merge))[::-1]
    last = len(profiles) - 1

    def others(place: int) -> Profile:
        if place == 0:
            return after[1]
        return before[last - 1] if place == last else before[place - 1].merge(after[place + 1])

    return ordinary_distances(compare(others(place), profile) for place, profile in enumerate(profiles))


def judge_source_drift(
    monitor: SourceMonitor,
    rule: ColumnDriftRule,
    current: Profile,
    window: Window,
    reference: Sequence[Profile],
    at: Instant,
    ordinary: Callable[[Sequence[Profile]], OrdinaryDistances] = leave_one_out,
) -> DataDrift:
    """Return the verdict on a window. Pure.

    Args:
        monitor: whose window.
        rule: floors and significance.
        current: the window's profile.
        window: its span.
        reference: the profiles of the reference's windows, oldest first.
        at: when the verdict is made.
        ordinary: what ordinary windows show; asked only about a window that stands out otherwise.
    """
    whole = list(accumulate(reference, Profile.merge))[-1:] or [Profile(name=monitor.source)]
    comparison = compare(whole[0], current)
    limits = DriftRule(significance=rule.significance, min_rows=rule.min_rows, ks=rule.ks, psi=rule.psi)

    def judged(usual: OrdinaryDistances) -> DataDrift:
        return judge_drift(monitor.source, comparison, window=window, at=at, rule=limits, ordinary=usual)

    first = judged({})
    if first.state in ("warn", "alert"):
        return judged(ordinary(reference))
    # What is ordinary can only quieten a verdict, and costs more than all the rest.
    if first.state == "insufficient_data":
        return first
    said = f"{monitor.source} of {window} is distributed as before"
    return replace(first, ordinary_windows=len(reference), sentence=said)
