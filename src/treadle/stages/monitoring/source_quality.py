"""Whether a window of a source is what its reference lets expect: freshness, volume, missing values, repeats, ranges. Pure.

What is judged grows with an effect that matters (the floors of the monitor), that chance does not explain, and that no window
of the reference has shown: the three hurdles of the drift rule (`data_drift`). Too little to judge by says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

from treadle.define.source_monitors import Floors, SourceMonitor
from treadle.records.estimates import Window
from treadle.records.instants import DAY, MINUTE, SECOND, Instant, iso, short
from treadle.records.quantiles import same_rate
from treadle.records.readings import MonitorReading, ReadingKind, ReadingState
from treadle.records.source_windows import SourceWindow

WEEK = 7 * DAY
FEWEST_LIKE = 3
"""With fewer earlier windows of the same weekday nothing is said about the volume."""
LIKE_REACH = 8 * WEEK
FEWEST_ROWS = 20
"""With fewer rows in the window, or in the reference, nothing is said about shares."""
SIGNIFICANCE = 0.01
"""The chance of a false alarm a window and kind, over all columns, were rows independent."""
SPREADS = 3.0
"""Standard deviations of a Poisson count that a number of rows must differ by."""


def judge_freshness(monitor: SourceMonitor, newest: Instant | None, at: Instant) -> MonitorReading | None:
    """Return the reading of how old the newest row is; None when that is not watched."""
    if monitor.freshness is None:
        return None
    window = Window(at - monitor.freshness, at)
    if newest is None:
        said = f"{monitor.source} has no rows yet"
        return _reading(monitor, "freshness", window, at, "insufficient_data", 0, None, said)
    age = max(0, at - newest)
    state: ReadingState = "alert" if age > monitor.freshness else "ok"
    said = f"the newest row of {monitor.source} is of {iso(newest // SECOND * SECOND)}, {_rough(age)} ago"
    if state == "alert":
        said += f"; it may be {short(monitor.freshness)} old"
    limit = monitor.freshness / SECOND
    return _reading(monitor, "freshness", window, at, state, 1, age / SECOND, said, threshold=limit)


def judge_window(
    monitor: SourceMonitor,
    current: SourceWindow,
    earlier: Sequence[SourceWindow],
    reference: Sequence[SourceWindow],
    at: Instant,
) -> list[MonitorReading]:
    """Return a reading for each thing that is watched of a window.

    Args:
        monitor: what is watched, and the floors.
        current: the window.
        earlier: the windows before it, for the volume.
        reference: what shares are compared with.
        at: when the readings are made.
    """
    found = [] if monitor.volume is None else [_volume(monitor, monitor.volume, current, earlier, at)]
    kinds: list[tuple[ReadingKind, Floors | None, str]] = [
        ("nulls", monitor.nulls, "without a value"),
        ("duplicates", monitor.duplicates, "repeat another row"),
        ("ranges", monitor.ranges, "outside the schema's range"),
    ]
    for kind, floors, words in kinds:
        if floors is not None and _shares(kind, current):
            found.append(_grown(monitor, kind, floors, words, current, reference, at))
    return found


def like_windows(current: SourceWindow, earlier: Sequence[SourceWindow]) -> list[SourceWindow]:
    """Return the windows of the same hour and weekday in the eight weeks before; any, where windows don't divide a week."""
    start, length = current.window.start, current.window.end - current.window.start
    step = WEEK if WEEK % length == 0 else length
    return [
        one
        for one in earlier
        if 0 < start - one.window.start <= LIKE_REACH and (start - one.window.start) % step == 0
    ]


def _volume(
    monitor: SourceMonitor,
    floors: Floors,
    current: SourceWindow,
    earlier: Sequence[SourceWindow],
    at: Instant,
) -> MonitorReading:
    like = like_windows(current, earlier)
    window, rows = current.window, current.rows
    if len(like) < FEWEST_LIKE:
        said = (
            f"{monitor.source} has {rows:,} rows in {window}; there are {len(like)} like windows to compare"
        )
        return _reading(monitor, "volume", window, at, "insufficient_data", rows, None, said)
    usual = float(median(one.rows for one in like))
    ratio = rows / usual if usual else (math.inf if rows else 1.0)
    by_chance = abs(rows - usual) <= SPREADS * math.sqrt(max(usual, 1.0))
    outside = not floors[0] <= ratio <= floors[1]
    said = f"{monitor.source} has {rows:,} rows in {window}, usually {usual:,.0f}"
    return _reading(
        monitor,
        "volume",
        window,
        at,
        "alert" if outside and not by_chance else "ok",
        rows,
        ratio if math.isfinite(ratio) else None,
        said,
        baseline=usual,
        threshold=floors[0] if ratio < 1.0 else floors[1],
    )


def _shares(kind: ReadingKind, window: SourceWindow) -> dict[str, int]:
    """Return the counts that a kind of reading looks at, by column."""
    if kind == "duplicates":
        return {"rows": window.duplicates}
    if kind == "nulls":
        return {one.column: one.nulls for one in window.columns}
    return {one.column: one.outside for one in window.columns if one.outside is not None}


def _grown(
    monitor: SourceMonitor,
    kind: ReadingKind,
    floors: Floors,
    words: str,
    current: SourceWindow,
    reference: Sequence[SourceWindow],
    at: Instant,
) -> MonitorReading:
    """Judge whether a share has grown: in the column where it has grown most."""
    counts, n = _shares(kind, current), current.rows
    parts = [(_shares(kind, one), one.rows) for one in reference if one.rows]
    m = sum(rows for _, rows in parts)
    if min(n, m) < FEWEST_ROWS:
        said = f"{kind} of {monitor.source} in {current.window} cannot be judged: {n:,} rows, {m:,} before"
        return _reading(monitor, kind, current.window, at, "insufficient_data", n, None, said)
    judged = []
    for column, count in counts.items():
        before = sum(part.get(column, 0) for part, _ in parts)
        usual = max((part.get(column, 0) / rows for part, rows in parts if rows >= FEWEST_ROWS), default=0.0)
        change = count / n - before / m
        chance = same_rate(count, n, before, m)
        sure = chance <= SIGNIFICANCE / len(counts) and count / n > usual
        state: ReadingState = "ok"
        if sure and change >= floors[0]:
            state = "alert" if change >= floors[1] else "warn"
        judged.append((_LOUD[state], change, column, count / n, before / m, state))
    _, _, column, share, before_share, state = max(judged)
    loud = [one for one in judged if one[5] != "ok"]
    said = "; ".join(f"{one[2]}: {one[3]:.1%} {words}, {one[4]:.1%} before" for one in _loudest(loud)) or (
        f"no more {kind} than before"
    )
    return _reading(
        monitor,
        kind,
        current.window,
        at,
        state,
        n,
        share,
        f"{monitor.source} in {current.window}: {said}",
        baseline=before_share,
        threshold=floors[1],
        details={"columns": float(len(loud))},
    )


_LOUD: dict[ReadingState, int] = {"ok": 0, "warn": 1, "alert": 2}
_Judged = tuple[int, float, str, float, float, ReadingState]


def _loudest(judged: Sequence[_Judged], most: int = 3) -> Iterator[_Judged]:

    yield from sorted(judged, key=lambda one: (-one[0], -one[1]))[:most]


def _reading(
    monitor: SourceMonitor,
    kind: ReadingKind,
    window: Window,
    at: Instant,
    state: ReadingState,
    n: int,
    value: float | None,
    sentence: str,
    *,
    baseline: float | None = None,
    threshold: float | None = None,
    details: dict[str, float] | None = None,
) -> MonitorReading:
    return MonitorReading(
        name=monitor.name,
        kind=kind,
        window=window,
        at=at,
        state=state,
        n=n,
        value=value,
        baseline=baseline,
        threshold=threshold,
        sentence=sentence,
        details=details or {},
    )


def _rough(age: int) -> str:
    return short(age // MINUTE * MINUTE) if age >= MINUTE else short(age // SECOND * SECOND)
