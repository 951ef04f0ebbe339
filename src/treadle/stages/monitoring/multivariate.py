"""Whether columns hang together as in the reference, though each alone may look as before: reconstruction error. Pure.

The reference's standardised numbers are pressed through their strongest principal components and back. What is lost on the
way is small where columns still hang together as they did, and grows where they don't, in either direction: a sum that no
longer adds up, two sensors that were swapped, a sign that was turned.

The idea and the share of variance that is kept are those of NannyML's multivariate detector (its documentation, 2023); here the
error's change is measured in standard deviations of a row's error, and must be significant and more than is ordinary.

| letter | shape | meaning |
|---|---|---|
| `X` | (rows, columns) | numbers, NaN where there is none |
| `V` | (columns, kept) | principal components of the reference |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from treadle.records.drifts import DriftState
from treadle.records.errors import InvalidInput
from treadle.records.quantiles import normal_above
from treadle.stages.monitoring.data_drift import ordinary_limit

KEPT_VARIANCE = 0.65
WARN, ALERT = 0.10, 0.25
"""Change of the mean error, in standard deviations of a row's error."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reconstruction:
    """The reference's principal components, and what a row of it loses on the way."""

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    components: Floats
    rows: int
    error_mean: float
    error_std: float

    @classmethod
    def of(cls, X: Floats, names: Sequence[str]) -> Reconstruction:
        """Learn from the rows of a reference; columns without spread count for nothing.

        Raises:
            InvalidInput: fewer than two rows, or another number of columns than names.
        """
        if X.ndim != 2 or X.shape[1] != len(names) or len(X) < 2:
            raise InvalidInput(
                f"a reference of shape {X.shape} for {len(names)} columns cannot be learned from"
            )
        mean = np.nan_to_num(_column_means(X))
        centred = np.where(np.isnan(X), 0.0, X - mean)
        spread = centred.std(axis=0)
        scale = np.where(spread > 0, spread, np.inf)
        Z = centred / scale
        variances, vectors = np.linalg.eigh(Z.T @ Z / len(Z))
        order = np.argsort(variances)[::-1]
        shares = np.cumsum(variances[order]) / max(float(variances.sum()), 1e-300)
        kept = min(int(np.searchsorted(shares, KEPT_VARIANCE) + 1), max(1, len(names) - 1))
        found = cls(tuple(names), mean, scale, vectors[:, order[:kept]], len(X), 0.0, 1.0)
        errors = found.errors(X)
        return cls(
            found.names,
            mean,
            scale,
            found.components,
            len(X),
            float(errors.mean()),
            float(errors.std(ddof=1)),
        )

    def errors(self, X: Floats) -> Floats:
        """Return what each row loses, shape (rows,); a missing number counts as the reference's mean."""
        Z = np.where(np.isnan(X), 0.0, X - self.mean) / self.scale
        lost = Z - (Z @ self.components) @ self.components.T
        found: Floats = np.sqrt(np.sum(lost * lost, axis=1))
        return found


@dataclass(frozen=True, slots=True)
class Togetherness:
    """One window's reconstruction error against the reference's."""

    n: int
    value: float
    """Change of the mean error, in standard deviations of a row's error; either direction is drift."""
    chance: float
    ordinary: float | None
    state: DriftState


def judge_together(
    reference: Reconstruction,
    X: Floats,
    *,
    significance: float = 0.01,
    min_rows: int = 100,
    ordinary: Sequence[float] = (),
) -> Togetherness:
    """Return whether the columns of a window hang together as in the reference.

    Args:
        reference: the reference's components.
        X: the window's numbers in the reference's order of columns.
        significance: the chance of a false alarm.
        min_rows: with fewer nothing is said.
        ordinary: absolute values of what ordinary windows gave.
    """
    n = len(X)
    if n < min_rows or reference.rows < min_rows:
        return Togetherness(n, 0.0, 1.0, None, "insufficient_data")
    errors = reference.errors(X)
    spread = reference.error_std or 1e-12
    value = (float(errors.mean()) - reference.error_mean) / spread
    deviation = math.sqrt(float(errors.var(ddof=1)) / n + spread * spread / reference.rows)
    chance = 2.0 * normal_above(abs(float(errors.mean()) - reference.error_mean) / max(deviation, 1e-300))
    limit = ordinary_limit(ordinary)
    state: DriftState = "ok"
    if chance <= significance and abs(value) >= WARN and (limit is None or abs(value) > limit):
        state = "alert" if abs(value) >= ALERT else "warn"
    return Togetherness(n, value, chance, limit, state)


def _column_means(X: Floats) -> Floats:
    there = ~np.isnan(X)
    count = there.sum(axis=0)
    found: Floats = np.where(there, X, 0.0).sum(axis=0) / np.maximum(count, 1)
    return found
