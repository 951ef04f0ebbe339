"""The paired bootstrap: how sure is the difference of any metric between two models on the same rows.

For metrics without a formula of their own, and as a check on those that have one. Rows that depend on one
another are drawn together, as groups (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993,
chapters 8 and 13).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from treadle.records.errors import InvalidInput, NotFound
from treadle.records.estimates import BootstrapDifference, Interval
from treadle.stages.evaluation import ranking
from treadle.stages.evaluation.inputs import Bools, Floats, checked, dot, group_codes
from treadle.stages.evaluation.probabilities import hits, log_losses, squared_errors

MIN_RESAMPLES = 2_000

Prepared: TypeAlias = Callable[[Floats], float]
"""Row weights, shape (n,), to the metric; NaN when these rows can't give it. Higher is better."""

Prepare: TypeAlias = Callable[[Bools, Floats], Prepared]
"""Labels and scores to a function of row weights: what doesn't depend on the weights is done once."""


def paired_bootstrap(
    y: ArrayLike,
    score_a: ArrayLike,
    score_b: ArrayLike,
    metric: str | Prepare,
    rng: np.random.Generator,
    *,
    resamples: int = MIN_RESAMPLES,
    groups: ArrayLike | None = None,
    confidence: float = 0.95,
) -> BootstrapDifference | None:
    """Return metric(b) - metric(a), positive when b is better, with its percentile interval and one-sided p.

    Args:
        y: 0 or 1 for each row, shape (n,).
        score_a: scores of the champion, shape (n,).
        score_b: scores of the challenger, shape (n,).
        metric: a name from `METRICS`, or a function as `Prepare` describes.
        rng: where the randomness comes from; the same seed gives the same answer.
        resamples: at least 2,000; more make the interval's ends steadier.
        groups: a value for each row, equal for rows that must be drawn together.
        confidence: of the two-sided interval.

    Returns:
        None when the metric can't be had from the rows, or from more than a tenth of the resamples.

    Raises:
        InvalidInput: unusable labels, scores, or fewer than 2,000 resamples.
        NotFound: no metric has that name.

    Cost: about 0.4 ms a resample for the AUC of 30,000 rows.
    """
    if resamples < MIN_RESAMPLES:
        raise InvalidInput(f"{resamples} resamples are too few", fix=f"use at least {MIN_RESAMPLES:,}")
    if isinstance(metric, str) and metric not in METRICS:
        raise NotFound.among("metric", metric, METRICS)
    prepare = METRICS[metric] if isinstance(metric, str) else metric
    labels, (a, b) = checked(y, score_a=score_a, score_b=score_b)
    if not len(labels):
        return None
    of_a, of_b = prepare(labels, a), prepare(labels, b)
    ones = np.ones(len(labels))
    observed = of_b(ones) - of_a(ones)
    codes = group_codes(groups, len(labels))
    units = len(labels) if codes is None else int(codes.max()) + 1
    drawn = np.empty(resamples)
    for i in range(resamples):
        counts = np.bincount(rng.integers(0, units, units), minlength=units).astype(np.float64)
        weights = counts if codes is None else counts[codes]
        drawn[i] = of_b(weights) - of_a(weights)
    usable = drawn[~np.isnan(drawn)]
    if math.isnan(observed) or len(usable) < 0.9 * resamples:
        return None
    low, high = np.quantile(usable, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return BootstrapDifference(
        value=observed,
        interval=Interval(low=float(low), high=float(high), confidence=confidence),
        # One is added to both, so that p is never zero and the test never claims more than the resamples
        # show.
        p=(1 + int((usable <= 0.0).sum())) / (1 + len(usable)),
        resamples=len(usable),
        n=len(labels),
        clusters=None if codes is None else units,
    )


def _auc(labels: Bools, scores: Floats) -> Prepared:
    order = np.argsort(scores, kind="stable")
    starts, truth = ranking.first_of_ties(scores[order]), labels[order].astype(np.float64)
    return lambda weights: ranking.weighted_area(starts, truth, weights[order])


def _average_precision(labels: Bools, scores: Floats) -> Prepared:
    order = np.argsort(-scores, kind="stable")
    starts, truth = ranking.first_of_ties(scores[order]), labels[order]

    def measure(weights: Floats) -> float:
        mass = weights[order]
        steps = np.add.reduceat(mass * truth, starts)
        true, seen = np.cumsum(steps), np.cumsum(np.add.reduceat(mass, starts))
        precision = np.divide(true, seen, out=np.zeros_like(true), where=seen > 0)
        return dot(steps, precision) / float(true[-1]) if true[-1] > 0 else math.nan

    return measure


def _mean_of(rows: Floats) -> Prepared:
    return lambda weights: dot(weights, rows) / float(weights.sum())


METRICS: dict[str, Prepare] = {
    "auc": _auc,
    "average_precision": _average_precision,
    "log_loss": lambda labels, scores: _mean_of(-log_losses(labels, scores)),
    "brier": lambda labels, scores: _mean_of(-squared_errors(labels, scores)),
    "accuracy": lambda labels, scores: _mean_of(hits(labels, scores, 0.5)),
}
"""Metrics by name; losses are negated, so that higher is better everywhere."""
