"""What the labels say once they are known: AUC and calibration of a window, against what was promised.

Both readings take estimates made by the evaluation, so that one definition of each number serves the report,
the gate and the monitor. An alert needs an effect that matters and an interval that leaves out no effect at
all; an `ok` needs an interval that leaves out an effect that matters. What is neither is `inconclusive`.
"""

from __future__ import annotations

import math

from treadle.define.monitors import AucDrop, CalibrationDrift
from treadle.records.estimates import Auc, Calibration, Difference, Window
from treadle.records.instants import Instant
from treadle.records.readings import MonitorReading, ReadingState


def auc_drop(current: Auc, baseline: Auc) -> Difference:
    """Return how far the AUC fell below the baseline, the two being measured on different rows."""
    clusters = [found.clusters for found in (current, baseline) if found.clusters is not None]
    return Difference(
        value=baseline.value - current.value,
        standard_error=math.hypot(current.standard_error, baseline.standard_error),
        n=current.n,
        clusters=min(clusters) if clusters else None,  # the fewer groups, the wider: on the careful side
    )


def auc_reading(
    rule: AucDrop,
    current: Auc | None,
    baseline: Auc | None,
    *,
    monitor: str,
    window: Window,
    at: Instant,
    labelled: int,
    predicted: int | None = None,
    model_version: int | None = None,
) -> MonitorReading:
    """Read the AUC of a window whose labels have matured.

    Args:
        rule: the drop that matters, the confidence and the least number of labelled rows.
        current: the window's AUC; None when it can't be measured.
        baseline: the AUC that the version showed when it was promoted; None when unknown.
        monitor: the monitor's name.
        window: the span of the predictions.
        at: when the reading is made.
        labelled: how many of the window's predictions have a label.
        predicted: how many predictions there were, to say what share has a label.
        model_version: whose predictions these are.
    """
    covered = _coverage(labelled, predicted)
    if current is None or baseline is None or labelled < rule.min_rows:
        lacking = f"{labelled:,} labels{covered}, {rule.min_rows:,} of both classes are needed"
        if baseline is None and current is not None and labelled >= rule.min_rows:
            lacking = "the AUC at promotion is not known"
        return MonitorReading(
            name=monitor,
            kind="auc",
            window=window,
            at=at,
            model_version=model_version,
            state="insufficient_data",
            n=labelled,
            value=current.value if current else None,
            threshold=rule.drop,
            sentence=f"the AUC of {window} cannot be judged: {lacking}",
        )
    drop = auc_drop(current, baseline)
    between = drop.interval(rule.confidence)
    state = _judge(drop.value, between.low, between.high, rule.drop)
    said = {
        "alert": f"fell by more than the {rule.drop:g} put up with",
        "warn": f"fell, perhaps by the {rule.drop:g} that would be too much",
        "ok": f"has not fallen by {rule.drop:g}",
        "inconclusive": f"may or may not have fallen by {rule.drop:g}",
    }[state]
    return MonitorReading(
        name=monitor,
        kind="auc",
        window=window,
        at=at,
        model_version=model_version,
        state=state,
        n=labelled,
        value=current.value,
        interval=current.interval(rule.confidence),
        baseline=baseline.value,
        threshold=rule.drop,
        sentence=(
            f"the AUC {said}: {current.value:.4f} on {labelled:,} labels{covered} of {window},"
            f" {baseline.value:.4f} at promotion, a drop of {drop.value:+.4f}"
            f" ({100 * rule.confidence:g} % {between.low:+.4f} to {between.high:+.4f})"
        ),
        details={
            "drop": drop.value,
            "drop_low": between.low,
            "drop_high": between.high,
            "standard_error": current.standard_error,
            "baseline_standard_error": baseline.standard_error,
            "confidence": rule.confidence,
            **({"clusters": float(drop.clusters)} if drop.clusters is not None else {}),
            **({"coverage": labelled / predicted} if predicted else {}),
        },
    )


def calibration_reading(
    rule: CalibrationDrift,
    current: Calibration | None,
    *,
    monitor: str,
    window: Window,
    at: Instant,
    labelled: int,
    predicted: int | None = None,
    model_version: int | None = None,
) -> MonitorReading:
    """Read mean score against base rate of a window with matured labels; arguments as in `auc_reading`."""
    covered = _coverage(labelled, predicted)
    if current is None or labelled < rule.min_rows:
        lacking = f"{labelled:,} labels{covered}, {rule.min_rows:,} with positives among them are needed"
        return MonitorReading(
            name=monitor,
            kind="calibration",
            window=window,
            at=at,
            model_version=model_version,
            state="insufficient_data",
            n=labelled,
            threshold=rule.tolerance,
            sentence=f"the calibration of {window} cannot be judged: {lacking}",
        )
    between = current.interval(rule.confidence)
    limit, log_ratio = math.log1p(rule.tolerance), math.log(current.ratio)
    sides = sorted((math.log(between.low), math.log(between.high)))
    # Seen from the side it is off to, so that too high and too low are judged alike.
    low, high = sides if log_ratio >= 0 else (-sides[1], -sides[0])
    state = _judge(abs(log_ratio), low, max(high, -low), limit)
    direction = "too high" if log_ratio >= 0 else "too low"
    said = {
        "alert": f"are {direction} by more than the {rule.tolerance:.0%} put up with",
        "warn": f"are {direction}, perhaps by the {rule.tolerance:.0%} that would be too much",
        "ok": f"are right within {rule.tolerance:.0%}",
        "inconclusive": f"may or may not be off by {rule.tolerance:.0%}",
    }[state]
    return MonitorReading(
        name=monitor,
        kind="calibration",
        window=window,
        at=at,
        model_version=model_version,
        state=state,
        n=labelled,
        value=current.ratio,
        interval=between,
        baseline=1.0,
        threshold=rule.tolerance,
        sentence=(
            f"the scores {said}: mean score {current.mean_score:.4f}, share of positives"
            f" {current.base_rate:.4f} on {labelled:,} labels{covered} of {window}, ratio {current.ratio:.3f}"
            f" ({100 * rule.confidence:g} % {between.low:.3f} to {between.high:.3f})"
        ),
        details={
            "log_standard_error": current.log_standard_error,
            **({"coverage": labelled / predicted} if predicted else {}),
        },
    )


def _judge(effect: float, low: float, high: float, limit: float) -> ReadingState:
    if effect >= limit and low > 0.0:
        return "alert"
    if high < limit:
        return "ok"
    return "warn" if low > 0.0 else "inconclusive"


def _coverage(labelled: int, predicted: int | None) -> str:
    return f" ({labelled / predicted:.0%} of {predicted:,} predictions)" if predicted else ""
