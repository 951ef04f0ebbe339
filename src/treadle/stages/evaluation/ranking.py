"""How well scores order the rows: AUC with DeLong's variance, paired tests, curves.

Papers, and where the names come from:

- E. DeLong, D. DeLong, D. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
  operating characteristic curves", Biometrics 44 (1988): the structural components V10 and V01 and the paired
  test.
- X. Sun, W. Xu, "Fast implementation of DeLong's algorithm", IEEE Signal Processing Letters 21 (2014): the
  components are differences of mid-ranks, so sorting replaces the comparison of all pairs. Here each mid-rank
  within a class is found by binary search in the sorted other class: O(n log n), the same numbers.
- N. Obuchowski, "Nonparametric analysis of clustered ROC curve data", Biometrics 53 (1997): the same variance
  when rows come in dependent groups. With one row a group it is DeLong's.

| letter | shape | meaning |
|---|---|---|
| `m`, `n` | | number of positives, of negatives |
| `V10` | (m,) | for each positive, the share of negatives below it, ties counting half |
| `V01` | (n,) | for each negative, the share of positives above it, ties counting half |
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from treadle.records.errors import InvalidInput
from treadle.records.estimates import Auc, Difference
from treadle.stages.evaluation.inputs import Bools, Codes, Floats, checked, dot, group_codes, group_sums

CURVE_POINTS = 200


def auc(y: ArrayLike, score: ArrayLike, weights: ArrayLike | None = None) -> float | None:
    """Return the area under the ROC curve, tied scores counting half; None with one class only.

    Args:
        y: 0 or 1 for each row, shape (n,).
        score: any finite numbers; higher means more likely positive, shape (n,).
        weights: how much each row counts, zero or more, shape (n,).

    Raises:
        InvalidInput: see `checked`; or a negative or missing weight.
    """
    if weights is None:
        labels, (scores,) = checked(y, score=score)
        return _mean_placement(scores[labels], scores[~labels])
    labels, (scores, mass) = checked(y, score=score, weights=weights)
    if (mass < 0).any():
        raise InvalidInput("a weight is negative", fix="weights count rows: use zero or more")
    order = np.argsort(scores, kind="stable")
    value = weighted_area(first_of_ties(scores[order]), labels[order], mass[order])
    return None if math.isnan(value) else value


def auc_estimate(y: ArrayLike, score: ArrayLike, groups: ArrayLike | None = None) -> Auc | None:
    """Return the AUC with its standard error; None unless both classes have at least two rows.

    Args:
        y: 0 or 1 for each row, shape (n,).
        score: any finite numbers, shape (n,).
        groups: a value for each row, equal for rows that depend on one another (such as the day); at least
            two groups must hold positives and two negatives. None: rows are independent.
    """
    labels, (scores,) = checked(y, score=score)
    return estimate_from(labels, scores, group_codes(groups, len(labels)))


def paired_auc_test(
    y: ArrayLike, score_a: ArrayLike, score_b: ArrayLike, groups: ArrayLike | None = None
) -> Difference | None:
    """Return AUC(b) - AUC(a) on the same rows, with the standard error of the paired difference.

    The result gives interval, one-sided bounds, z and p. None unless both classes have at least two rows (or
    groups).

    Args:
        y: 0 or 1 for each row, shape (n,).
        score_a: scores of the champion, shape (n,).
        score_b: scores of the challenger, shape (n,).
        groups: as in `auc_estimate`.
    """
    labels, (a, b) = checked(y, score_a=score_a, score_b=score_b)
    return difference_from(labels, a, b, group_codes(groups, len(labels)))


def estimate_from(labels: Bools, scores: Floats, groups: Codes | None) -> Auc | None:
    """Do the work of `auc_estimate` on checked arrays."""
    if min(int(labels.sum()), int((~labels).sum())) < 2:
        return None
    v10, v01 = placements(scores[labels], scores[~labels])
    value = float(v10.mean())
    variance = _variance(v10 - value, v01 - value, labels, groups)
    if variance is None:
        return None
    return Auc(
        value=value,
        standard_error=math.sqrt(variance),
        n=len(labels),
        positives=int(labels.sum()),
        clusters=count_groups(groups),
    )


def difference_from(labels: Bools, a: Floats, b: Floats, groups: Codes | None) -> Difference | None:
    """Do the work of `paired_auc_test` on checked arrays."""
    if min(int(labels.sum()), int((~labels).sum())) < 2:
        return None
    a10, a01 = placements(a[labels], a[~labels])
    b10, b01 = placements(b[labels], b[~labels])
    value = float(b10.mean() - a10.mean())
    variance = _variance(b10 - a10 - value, b01 - a01 - value, labels, groups)
    if variance is None:
        return None
    return Difference(
        value=value, standard_error=math.sqrt(variance), n=len(labels), clusters=count_groups(groups)
    )


def placements(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Return V10, shape (m,), and V01, shape (n,), for the scores of the positives and of the negatives."""
    above = _twice_below(np.sort(negative), positive) / (2.0 * len(negative))
    below = 1.0 - _twice_below(np.sort(positive), negative) / (2.0 * len(positive))
    return above, below


def roc_curve(labels: Bools, scores: Floats) -> tuple[tuple[float, float], ...]:
    """Return at most `CURVE_POINTS` points (false, true positive rate) from (0, 0) to (1, 1).

    Empty with one class only. Points are kept at even steps of the whole curve's length, ends included.
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives:
        return ()
    true, false = _cumulated(labels, scores)
    tpr, fpr = np.append(0.0, true / positives), np.append(0.0, false / negatives)
    keep = _even_steps(tpr + fpr)
    return tuple(zip(fpr[keep].tolist(), tpr[keep].tolist(), strict=True))


def precision_recall_curve(labels: Bools, scores: Floats) -> tuple[tuple[float, float], ...]:
    """Return at most `CURVE_POINTS` points (recall, precision) by growing recall; empty without positives."""
    positives = int(labels.sum())
    if not positives:
        return ()
    true, false = _cumulated(labels, scores)
    keep = _even_steps(true / positives)
    recall, precision = (true / positives)[keep], (true / (true + false))[keep]
    return tuple(zip(recall.tolist(), precision.tolist(), strict=True))


def average_precision(y: ArrayLike, score: ArrayLike) -> float | None:
    """Return the mean precision over the steps of recall, without interpolation; None without positives."""
    labels, (scores,) = checked(y, score=score)
    return average_precision_from(labels, scores)


def average_precision_from(labels: Bools, scores: Floats) -> float | None:
    """Do the work of `average_precision` on checked arrays."""
    positives = int(labels.sum())
    if not positives:
        return None
    true, false = _cumulated(labels, scores)
    steps = np.diff(true, prepend=0.0) / positives
    return dot(steps, true / (true + false))


def count_groups(groups: Codes | None) -> int | None:
    """Return how many different groups there are, or None without groups."""
    return None if groups is None else len(np.unique(groups))


def _mean_placement(positive: Floats, negative: Floats) -> float | None:
    if not len(positive) or not len(negative):
        return None
    twice = int(_twice_below(np.sort(negative), positive).sum())
    return twice / (2 * len(positive) * len(negative))


def _twice_below(ordered: Floats, values: Floats) -> Codes:
    """For each value, twice the number of `ordered` below it, equal ones counting one."""
    # Sorted queries walk through memory in order: twice as fast as asking in the order of the rows.
    order = np.argsort(values)
    asked = values[order]
    out = np.empty(len(values), np.int64)
    out[order] = np.searchsorted(ordered, asked, "left") + np.searchsorted(ordered, asked, "right")
    return out


def _variance(d10: Floats, d01: Floats, labels: Bools, groups: Codes | None) -> float | None:
    """Variance of the mean placement from its centred components; None when it can't be known."""
    m, n = len(d10), len(d01)
    if groups is None:
        return dot(d10, d10) / (m * (m - 1)) + dot(d01, d01) / (n * (n - 1))
    size = int(groups.max()) + 1
    positive, negative = groups[labels], groups[~labels]
    u, v = group_sums(d10, positive, size), group_sums(d01, negative, size)
    i10, i01, both = len(np.unique(positive)), len(np.unique(negative)), len(np.unique(groups))
    if i10 < 2 or i01 < 2:
        return None
    s10 = i10 / (i10 - 1) * dot(u, u) / m
    s01 = i01 / (i01 - 1) * dot(v, v) / n
    s11 = both / (both - 1) * dot(u, v)
    return max(s10 / m + s01 / n + 2.0 * s11 / (m * n), 0.0)


def _cumulated(labels: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """True and false positives at or above each distinct score, from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], labels[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    true = np.cumsum(hits, dtype=np.float64)[last]
    return true, last + 1.0 - true


def _even_steps(length: Floats) -> Codes:
    """Places of at most `CURVE_POINTS` entries at even steps of a growing length, ends included."""
    if len(length) <= CURVE_POINTS:
        return np.arange(len(length))
    wanted = np.linspace(length[0], length[-1], CURVE_POINTS)
    places = np.unique(np.searchsorted(length, wanted).clip(0, len(length) - 1))
    places[-1] = len(length) - 1
    return places


def first_of_ties(ordered: Floats) -> Codes:
    """Places where a run of equal scores starts."""
    return np.append(0, np.flatnonzero(np.diff(ordered)) + 1) if len(ordered) else np.zeros(0, np.int64)


def weighted_area(starts: Codes, labels: Bools | Floats, mass: Floats) -> float:
    """Weighted AUC of rows in ascending order of score; NaN when a class has no mass."""
    if not len(starts):
        return math.nan
    positive = mass * labels
    negative = mass - positive
    if len(starts) < len(mass):
        positive, negative = np.add.reduceat(positive, starts), np.add.reduceat(negative, starts)
    total = float(positive.sum() * negative.sum())
    if total <= 0.0:
        return math.nan
    below = np.cumsum(negative) - 0.5 * negative
    return dot(positive, below) / total
