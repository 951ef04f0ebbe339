"""What a trigger's condition is worth now: true, false or unknown, with a line for each part. Pure.

Unknown is carried as in Kleene's three-valued logic: `a | unknown` is true when a is, `a & unknown` is false
when a is not, everything else with an unknown part is unknown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from treadle.define.triggers import (
    AllOf,
    AnyOf,
    CalibrationOff,
    Condition,
    Every,
    Manual,
    MetricDrops,
    NewLabels,
    ScoreDriftAlert,
    ValuesChanged,
)
from treadle.records.decisions import ConditionValue, PipelineHistory
from treadle.records.estimates import Difference
from treadle.records.instants import DAY, Instant, iso, short
from treadle.records.readings import CALLS, MonitorReading, ReadingKind


@dataclass(frozen=True, slots=True)
class Situation:
    """What conditions look at."""

    readings: Sequence[MonitorReading]
    """In the order they were made."""
    history: PipelineHistory
    now: Instant


@dataclass(frozen=True, slots=True)
class Truth:
    """A condition's worth and its truth table, the condition itself first."""

    holds: bool | None
    table: tuple[ConditionValue, ...]

    @property
    def true_leaves(self) -> tuple[ConditionValue, ...]:
        """The parts that made it true: they hold, so does all they are part of, and they have no parts."""
        found, barred = [], math.inf
        for row, below in zip(self.table, (*self.table[1:], None), strict=True):
            if row.depth > barred:
                continue
            barred = math.inf if row.holds else row.depth
            if row.holds and (below is None or below.depth <= row.depth):
                found.append(row)
        return tuple(found)


def evaluate(condition: Condition, situation: Situation, depth: int = 0) -> Truth:
    """Return what a condition is worth, and why."""
    if isinstance(condition, AnyOf | AllOf):
        parts = [evaluate(part, situation, depth + 1) for part in condition.parts]
        worths = [part.holds for part in parts]
        holds = _any(worths) if isinstance(condition, AnyOf) else _all(worths)
        said = f"{worths.count(True)} of {len(worths)} hold, {worths.count(None)} unknown"
        row = ConditionValue(condition=str(condition), depth=depth, holds=holds, seen=said)
        return Truth(holds, (row, *(line for part in parts for line in part.table)))
    holds, seen = _leaf(condition, situation)
    return Truth(holds, (ConditionValue(condition=str(condition), depth=depth, holds=holds, seen=seen),))


def asked_by_hand(condition: Condition, history: PipelineHistory) -> bool:
    """Tell whether a person's request is pending and the condition listens to it."""
    if history.requested_by is None:
        return False
    if isinstance(condition, AnyOf | AllOf):
        return any(asked_by_hand(part, history) for part in condition.parts)
    return isinstance(condition, Manual)


_Worth = tuple[bool | None, str]


def _leaf(condition: Condition, situation: Situation) -> _Worth:
    history, now = situation.history, situation.now
    match condition:
        case ScoreDriftAlert():
            return _by_monitor(situation, "score_drift", condition.monitor, lambda r: _drifted(condition, r))
        case MetricDrops():
            return _by_monitor(situation, "auc", condition.monitor, lambda r: _dropped(condition, r))
        case CalibrationOff():
            return _by_monitor(situation, "calibration", condition.monitor, _off)
        case ValuesChanged():
            return _by_monitor(situation, "data_drift", condition.monitor, _changed)
        case Every():
            if history.last_started is None:
                return True, "it never ran"
            passed = now - history.last_started
            return (
                passed >= condition.period,
                f"it last started {short(passed // DAY * DAY or passed)} ago, on {iso(history.last_started)[:10]}",
            )
        case NewLabels():
            if history.new_labels is None:
                return None, "new labels are not counted"
            return history.new_labels >= condition.count, f"{history.new_labels:,} new labels"
        case Manual():
            if history.requested_by is None:
                return False, "nobody asked"
            return True, f"{history.requested_by} asked"
        case _:
            raise AssertionError(f"not a leaf: {condition!r}")


def _by_monitor(
    situation: Situation,
    kind: ReadingKind,
    monitor: str | None,
    judge: Callable[[list[MonitorReading]], _Worth],
) -> _Worth:
    """Judge each monitor's readings of the model now serving; one that holds is enough."""
    series: dict[str, list[MonitorReading]] = {}
    since = situation.history.last_promoted
    for reading in sorted(situation.readings, key=lambda r: (r.at, r.window.end)):
        current = reading.at <= situation.now and (since is None or reading.at > since)
        if current and reading.kind == kind and monitor in (None, reading.name):
            series.setdefault(reading.name, []).append(reading)
    worths = [
        judge([reading for reading in one if reading.model_version == one[-1].model_version])
        for one in series.values()
    ]
    if not worths:
        return None, "no reading of the model now serving"
    holds = _any([worth for worth, _ in worths])
    return holds, "; ".join(seen for worth, seen in worths if worth is holds)


def _drifted(condition: ScoreDriftAlert, readings: list[MonitorReading]) -> _Worth:
    newest = readings[-condition.of :]
    states = [reading.state for reading in newest]
    alerts, unknown = states.count("alert"), states.count("insufficient_data")
    holds: bool | None = alerts >= condition.times
    if not holds and alerts + unknown >= condition.times:
        holds = None
    return holds, f"{alerts} of the last {len(newest)} readings alert; {newest[-1].sentence}"


def _dropped(condition: MetricDrops, readings: list[MonitorReading]) -> _Worth:
    newest = readings[-1]
    if newest.value is None or newest.baseline is None or "drop" not in newest.details:
        return None, newest.sentence
    if condition.over is None:
        drop, low, high = (newest.details[key] for key in ("drop", "drop_low", "drop_high"))
        seen = newest.sentence
    else:
        pooled = _apart(readings, condition.over)
        difference = _pool(pooled)
        between = difference.interval(newest.details.get("confidence", 0.95))
        drop, low, high = difference.value, between.low, between.high
        seen = (
            f"over {len(pooled)} windows and {difference.n:,} labels a drop of {drop:+.4f}"
            f" ({100 * between.confidence:g} % {low:+.4f} to {high:+.4f})"
        )
    if drop >= condition.by and low > 0.0:
        return True, seen
    return (False if high < condition.by else None), seen


def _apart(readings: list[MonitorReading], over: int) -> list[MonitorReading]:
    """The readings of a span back from the newest whose windows don't overlap: no label is counted twice."""
    newest = readings[-1]
    chosen = [newest]
    for reading in reversed(readings[:-1]):
        inside = reading.window.start >= newest.window.end - over
        apart = reading.window.end <= chosen[-1].window.start
        if inside and apart and reading.value is not None and reading.baseline == newest.baseline:
            chosen.append(reading)
    return chosen


def _pool(readings: list[MonitorReading]) -> Difference:
    """The drop of several windows taken together, each weighted by its labels."""
    newest = readings[0]
    total = sum(reading.n for reading in readings)
    mean = sum(reading.n * (reading.value or 0.0) for reading in readings) / total
    variance = sum((r.n / total * r.details["standard_error"]) ** 2 for r in readings)
    clusters = [reading.details.get("clusters") for reading in readings]
    known = [count for count in clusters if count is not None]
    return Difference(
        value=(newest.baseline or 0.0) - mean,
        standard_error=math.sqrt(variance + newest.details["baseline_standard_error"] ** 2),
        n=total,
        clusters=int(sum(known)) if len(known) == len(clusters) else None,
    )


def _changed(readings: list[MonitorReading]) -> _Worth:
    newest = readings[-1]
    if newest.state == "insufficient_data":
        return None, newest.sentence
    return bool(newest.details.get(CALLS)), newest.sentence


def _off(readings: list[MonitorReading]) -> _Worth:
    newest = readings[-1]
    if newest.state in ("insufficient_data", "inconclusive"):
        return None, newest.sentence
    return newest.state == "alert", newest.sentence


def _any(worths: Sequence[bool | None]) -> bool | None:
    return True if True in worths else None if None in worths else False


def _all(worths: Sequence[bool | None]) -> bool | None:
    return False if False in worths else None if None in worths else True
