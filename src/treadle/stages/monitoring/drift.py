"""Whether scores are distributed as in a reference: distances, what chance explains, and the reading.

Three hurdles stand before an alarm, because each alone misfires: an effect floor (with many rows any
difference is significant), significance (with few rows any distance is large), and the distances that
ordinary windows of the reference show among themselves (real traffic depends on the hour and the week, so
chance alone is never the null).

| letter | meaning |
|---|---|
| `n`, `m` | rows of the current window, of the reference |
| `k` | bins |
| `p`, `q` | a bin's share of the current rows, of the reference |
| `K` | columns watched together |

- PSI is the sum of (p - q) ln(p / q). Under no drift it is about (1/n + 1/m) times a chi-squared with k - 1
  degrees of freedom: B. Yurdakul, "Statistical properties of population stability index", dissertation,
  Western Michigan University (2018). PSI' subtracts the mean of that, (k - 1)(1/n + 1/m).
- The Kolmogorov–Smirnov distance is the largest gap between the two distribution functions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treadle.define.monitors import ScoreDrift
from treadle.records.errors import InvalidInput
from treadle.records.estimates import Window
from treadle.records.instants import Instant
from treadle.records.quantiles import chi_squared_quantile, kolmogorov_quantile
from treadle.records.readings import MonitorReading, ReadingState
from treadle.records.references import Reference

BINS = 10
POINTS = 512
"""Steps of the distribution function that are kept; the distance is found to within 1 / POINTS + 1 / m."""

FEWEST_NULLS = 6
"""With fewer reference windows their distances say nothing, and the reading calls itself uncalibrated."""

MANY_NULLS = 20
"""From here on the 99 % quantile of the null distances counts, before it their largest."""

_NAMES = {"psi": "PSI", "ks": "KS distance"}


def build_reference(scores: ArrayLike) -> Reference:
    """Return the reference distribution of scores.

    Args:
        scores: finite numbers, shape (m,), at least one; best from a window as long as those compared with
            it.

    Raises:
        InvalidInput: no scores, missing or infinite ones, or not one dimension.
    """
    ordered = np.sort(_checked(scores))
    m = len(ordered)
    if not m:
        raise InvalidInput(
            "a reference needs scores, and there are none", fix="take a window with predictions"
        )
    edges = np.unique(ordered[_ranks(np.arange(1, BINS) / BINS, m)])
    edges = edges[edges < ordered[-1]]
    if not len(edges):
        # All scores are equal (or all but a few below): the value itself becomes a bin, to see both sides of
        # it.
        edges = np.array([np.nextafter(ordered[-1], -np.inf), ordered[-1]])
    points = np.unique(ordered[_ranks(np.arange(POINTS + 1) / POINTS, m)])
    return Reference(
        n=m,
        edges=tuple(edges.tolist()),
        counts=tuple(_bin_counts(edges, ordered).tolist()),
        points=tuple(points.tolist()),
        cumulative=tuple((np.searchsorted(ordered, points, "right") / m).tolist()),
        below=tuple((np.searchsorted(ordered, points, "left") / m).tolist()),
    )


def psi(reference_counts: ArrayLike, current_counts: ArrayLike) -> float:
    """Return the population stability index of two sets of bin counts; 0 when they are equal.

    An empty bin counts as half a row, so that one unseen bin is a finite surprise.
    """
    reference, current = (
        np.asarray(counts, dtype=np.float64) for counts in (reference_counts, current_counts)
    )
    q = np.maximum(reference, 0.5) / reference.sum()
    p = np.maximum(current, 0.5) / current.sum()
    return float(np.sum((p - q) * np.log(p / q)))


def corrected_psi(value: float, bins: int, n: int, m: int) -> float:
    """Return PSI' : the index less what chance adds on average; below zero when there is less than that."""
    return value - (bins - 1) * (1.0 / n + 1.0 / m)


def critical_psi(bins: int, n: int, m: int, significance: float) -> float:
    """Return the raw PSI that chance exceeds with probability `significance`."""
    return chi_squared_quantile(1.0 - significance, bins - 1) * (1.0 / n + 1.0 / m)


def ks_distance(reference: Reference, current: ArrayLike) -> float:
    """Return the Kolmogorov–Smirnov distance from the reference, too small by at most 1 / POINTS + 1 / m.

    Compared on both sides of each point, since tied scores let both functions jump there.
    """
    ordered, points = np.sort(_checked(current)), np.asarray(reference.points)
    upto = np.searchsorted(ordered, points, "right") / len(ordered) - np.asarray(reference.cumulative)
    below = np.searchsorted(ordered, points, "left") / len(ordered) - np.asarray(reference.below)
    return float(max(np.max(np.abs(upto)), np.max(np.abs(below))))


def critical_ks(n: int, m: int, significance: float) -> float:
    """Return the distance that chance exceeds with probability `significance` (asymptotic)."""
    return kolmogorov_quantile(1.0 - significance) * math.sqrt(1.0 / n + 1.0 / m)


def distance(rule: ScoreDrift, reference: Reference, current: ArrayLike) -> float:
    """Return the distance a rule speaks of: PSI' or the Kolmogorov–Smirnov distance."""
    return _measure(rule, reference, _checked(current))[rule.statistic]


def null_distances(rule: ScoreDrift, windows: Sequence[ArrayLike]) -> tuple[float, ...]:
    """Return each reference window's distance from all the others together: what is ordinary.

    Windows with fewer rows than the rule asks for are passed over. The windows should be as long as the ones
    that will be read, and of the same season.
    """
    arrays = [scores for scores in map(_checked, windows) if len(scores) >= rule.min_rows]
    if len(arrays) < 2:
        return ()
    return tuple(
        distance(rule, build_reference(np.concatenate(arrays[:i] + arrays[i + 1 :])), scores)
        for i, scores in enumerate(arrays)
    )


def empirical_limit(history: Sequence[float]) -> float | None:
    """Return the largest ordinary distance: the 99 % quantile of 20 or more, the maximum of 6 to 19."""
    if len(history) < FEWEST_NULLS:
        return None
    return float(np.quantile(history, 0.99)) if len(history) >= MANY_NULLS else max(history)


def score_drift(
    rule: ScoreDrift,
    reference: Reference | None,
    current: ArrayLike,
    history_of_null_distances: Sequence[float] = (),
    *,
    monitor: str,
    window: Window,
    at: Instant,
    model_version: int | None = None,
) -> MonitorReading:
    """Read one window of scores against the reference.

    Args:
        rule: floors, significance and the least number of rows.
        reference: what the scores should look like; None: there is none yet.
        current: the window's scores, finite, shape (n,).
        history_of_null_distances: what `null_distances` gave for the reference's windows, or distances of
            past windows that are known to be ordinary; of the rule's statistic.
        monitor: the monitor's name.
        window: the span of the scores.
        at: when the reading is made.
        model_version: whose scores these are.

    Raises:
        InvalidInput: scores are missing, infinite, or not one dimension.
    """
    scores = _checked(current)
    enough = reference is not None and min(len(scores), reference.n) >= rule.min_rows
    if reference is None or not enough:
        have = "no reference yet" if reference is None else f"{reference.n:,} reference rows"
        return MonitorReading(
            name=monitor,
            kind="score_drift",
            window=window,
            at=at,
            model_version=model_version,
            state="insufficient_data",
            n=len(scores),
            threshold=rule.alert,
            sentence=(
                f"the score distribution of {window} cannot be judged: {len(scores):,} scores and {have},"
                f" {rule.min_rows:,} of each are needed"
            ),
        )
    found = _measure(rule, reference, scores)
    empirical = empirical_limit(history_of_null_distances)
    state = _state(rule, found, empirical)
    details = {**found, "null_windows": float(len(history_of_null_distances))}
    if empirical is not None:
        details["empirical"] = empirical
    return MonitorReading(
        name=monitor,
        kind="score_drift",
        window=window,
        at=at,
        model_version=model_version,
        state=state,
        n=len(scores),
        value=found[rule.statistic],
        threshold=rule.alert,
        sentence=_sentence(rule, state, found, empirical, len(scores), window),
        details=details,
    )


def _measure(rule: ScoreDrift, reference: Reference, scores: NDArray[np.float64]) -> dict[str, float]:
    """All distances and critical values; `psi` is the corrected one."""
    n, m, bins = len(scores), reference.n, len(reference.counts)
    alpha = rule.significance / rule.columns
    raw = psi(reference.counts, _bin_counts(np.asarray(reference.edges), scores))
    return {
        "psi": corrected_psi(raw, bins, n, m),
        "psi_raw": raw,
        "psi_critical": critical_psi(bins, n, m, alpha),
        "ks": ks_distance(reference, scores),
        "ks_critical": critical_ks(n, m, alpha),
    }


def _significant(rule: ScoreDrift, found: dict[str, float]) -> bool:
    if rule.statistic == "psi":
        return found["psi_raw"] > found["psi_critical"]
    return found["ks"] > found["ks_critical"]


def _state(rule: ScoreDrift, found: dict[str, float], empirical: float | None) -> ReadingState:
    value, ordinary = found[rule.statistic], -math.inf if empirical is None else empirical
    if not _significant(rule, found) or value <= ordinary or value < rule.warn:
        return "ok"
    return "alert" if value >= rule.alert else "warn"


def _sentence(
    rule: ScoreDrift,
    state: ReadingState,
    found: dict[str, float],
    empirical: float | None,
    n: int,
    window: Window,
) -> str:
    value, name = found[rule.statistic], _NAMES[rule.statistic]
    chance = "more than chance explains" if _significant(rule, found) else "no more than chance explains"
    ordinary = "uncalibrated, for there are too few reference windows"
    if empirical is not None:
        ordinary = f"ordinary windows reach {empirical:.3f}"
    said = {"ok": "have not drifted", "warn": "are drifting", "alert": "have drifted"}.get(state, state)
    return (
        f"the scores of {window} {said}: {name} {value:.3f} on {n:,} rows"
        f" (warning from {rule.warn:g}, alert from {rule.alert:g}), {chance}; {ordinary}"
    )


def _ranks(shares: NDArray[np.float64], m: int) -> NDArray[np.int64]:
    """Places, in ascending order, of the smallest value that has at least each share at or below it."""
    # The tiny step keeps 0.3 * 10 from being rounded up to the fourth value.
    ranks: NDArray[np.int64] = np.clip(np.ceil(shares * m - 1e-9).astype(np.int64) - 1, 0, m - 1)
    return ranks


def _bin_counts(edges: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.bincount(
        np.searchsorted(edges, scores, "left"), minlength=len(edges) + 1
    ).astype(np.int64)
    return counts


def _checked(scores: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim != 1:
        raise InvalidInput(f"the scores have shape {array.shape}, not one dimension")
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise InvalidInput(
            f"{bad:,} scores are missing or infinite",
            fix="a model that answers NaN is broken: look at it first",
        )
    return array
