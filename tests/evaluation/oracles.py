"""Slow answers by definition, which share no code with what they check."""

import itertools
import math

import numpy as np


def auc_by_pairs(y, score, weights=None):
    """Compare every positive with every negative: O(n²)."""
    weights = np.ones(len(y)) if weights is None else weights
    won = total = 0.0
    for i, j in itertools.product(range(len(y)), repeat=2):
        if y[i] == 1 and y[j] == 0:
            mass = weights[i] * weights[j]
            total += mass
            won += mass * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
    return won / total if total else None


def components(y, score):
    """DeLong's V10 and V01 by comparing all pairs."""
    positive, negative = np.asarray(score)[np.asarray(y) == 1], np.asarray(score)[np.asarray(y) == 0]
    psi = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    return psi.mean(axis=1), psi.mean(axis=0)


def delong(y, *scores):
    """AUCs and their covariance matrix, as in the paper's equations."""
    parts = [components(y, score) for score in scores]
    v10, v01 = np.array([p[0] for p in parts]), np.array([p[1] for p in parts])
    covariance = np.cov(v10).reshape(len(scores), -1) / v10.shape[1]
    covariance = covariance + np.cov(v01).reshape(len(scores), -1) / v01.shape[1]
    return v10.mean(axis=1), covariance


def obuchowski(y, score, groups):
    """Variance of a clustered AUC, as in the paper's equations, by loops."""
    v10, v01 = components(y, score)
    area, m, n = v10.mean(), len(v10), len(v01)
    x_groups, y_groups = groups[y == 1], groups[y == 0]
    names = sorted(set(groups.tolist()))
    s10 = s01 = s11 = 0.0
    for name in names:
        u = sum(v - area for v, g in zip(v10, x_groups, strict=True) if g == name)
        v_ = sum(v - area for v, g in zip(v01, y_groups, strict=True) if g == name)
        s10 += u * u
        s01 += v_ * v_
        s11 += u * v_
    i10, i01, i = len(set(x_groups.tolist())), len(set(y_groups.tolist())), len(names)
    s10, s01, s11 = s10 * i10 / ((i10 - 1) * m), s01 * i01 / ((i01 - 1) * n), s11 * i / (i - 1)
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def binormal(rng, n, rate=0.25, shift=1.0, correlation=0.7):
    """Labels and two equally good, correlated scores in 0 to 1."""
    y = (rng.random(n) < rate).astype(int)
    noise = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], n)
    return y, *(1 / (1 + np.exp(-(noise[:, k] + shift * y - 1.5))) for k in (0, 1))


def one_sided_p(z):
    return 0.5 * math.erfc(z / math.sqrt(2))
