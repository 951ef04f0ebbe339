"""How true the scores are as probabilities: proper losses, calibration, reliability."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from treadle.records.estimates import Calibration, Difference
from treadle.records.evaluation import ReliabilityBin
from treadle.stages.evaluation.inputs import Bools, Codes, Floats, checked, dot, group_codes, group_sums
from treadle.stages.evaluation.ranking import count_groups

RELIABILITY_BINS = 10
_CLIP = 1e-15


def log_losses(labels: Bools, scores: Floats) -> Floats:
    """Return each row's negative log-likelihood, shape (n,); scores are clipped by 1e-15 to stay finite."""
    right = np.where(labels, scores, 1.0 - scores)
    losses: Floats = -np.log(np.clip(right, _CLIP, 1.0))
    return losses


def squared_errors(labels: Bools, scores: Floats) -> Floats:
    """Return each row's squared distance of score and label, shape (n,); their mean is the Brier score."""
    errors: Floats = np.square(scores - labels)
    return errors


def hits(labels: Bools, scores: Floats, threshold: float) -> Floats:
    """Return 1.0 where the threshold puts the score on the side of its label, else 0.0, shape (n,)."""
    right: Floats = ((scores >= threshold) == labels).astype(np.float64)
    return right


def mean_difference(rows: Floats, groups: Codes | None) -> Difference | None:
    """Return the mean of paired differences with its standard error; None with fewer than two rows or groups.

    With groups, the variance is that of group sums (cluster-robust, with the factor G / (G - 1)).
    """
    n = len(rows)
    clusters = count_groups(groups)
    if n < 2 or (clusters is not None and clusters < 2):
        return None
    mean = float(rows.mean())
    return Difference(
        value=mean, standard_error=_mean_error(rows - mean, groups, clusters), n=n, clusters=clusters
    )


def calibration(y: ArrayLike, score: ArrayLike, groups: ArrayLike | None = None) -> Calibration | None:
    """Return mean score over base rate with the standard error of its logarithm.

    None without positives, with scores that are all zero, or with fewer than two rows (or groups).

    Args:
        y: 0 or 1 for each row, shape (n,).
        score: probabilities, shape (n,).
        groups: a value for each row, equal for rows that depend on one another; None: rows are independent.
    """
    labels, (scores,) = checked(y, probabilities=True, score=score)
    return calibration_from(labels, scores, group_codes(groups, len(labels)))


def calibration_from(labels: Bools, scores: Floats, groups: Codes | None) -> Calibration | None:
    """Do the work of `calibration` on checked arrays."""
    n = len(labels)
    clusters = count_groups(groups)
    if n < 2 or not labels.any() or (clusters is not None and clusters < 2):
        return None
    mean_score, base_rate = float(scores.mean()), float(labels.mean())
    if mean_score <= 0.0:
        return None
    # Delta method: a row moves the logarithm of the ratio by its relative score minus its relative label.
    moves = scores / mean_score - labels / base_rate
    return Calibration(
        ratio=mean_score / base_rate,
        log_standard_error=_mean_error(moves, groups, clusters),
        mean_score=mean_score,
        base_rate=base_rate,
        n=n,
        clusters=clusters,
    )


def reliability(labels: Bools, scores: Floats, bins: int = RELIABILITY_BINS) -> tuple[ReliabilityBin, ...]:
    """Return bins of equal mass by growing score; tied scores share one, so there may be fewer than asked."""
    if not len(scores):
        return ()
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], labels[order]
    cuts = ordered[np.arange(1, bins) * len(ordered) // bins]
    starts = np.unique(np.append(0, np.searchsorted(ordered, cuts, "left")))
    ends = np.append(starts[1:], len(ordered))
    return tuple(
        ReliabilityBin(
            low=float(ordered[start]),
            high=float(ordered[end - 1]),
            n=int(end - start),
            mean_score=float(ordered[start:end].mean()),
            base_rate=float(truth[start:end].mean()),
        )
        for start, end in zip(starts, ends, strict=True)
    )


def calibration_error(bins: tuple[ReliabilityBin, ...]) -> float | None:
    """Return the expected calibration error: the mean gap of promise and truth, by rows; None if empty."""
    rows = sum(part.n for part in bins)
    return sum(part.n * abs(part.mean_score - part.base_rate) for part in bins) / rows if rows else None


def _mean_error(centred: Floats, groups: Codes | None, clusters: int | None) -> float:
    """Standard error of the mean of values already centred at it."""
    n = len(centred)
    if groups is None or clusters is None:
        return math.sqrt(dot(centred, centred) / (n * (n - 1)))
    sums = group_sums(centred, groups, int(groups.max()) + 1)
    return math.sqrt(clusters / (clusters - 1) * dot(sums, sums)) / n
