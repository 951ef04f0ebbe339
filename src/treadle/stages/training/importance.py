"""Permutation importance: what a model loses when one feature's values are shuffled among the rows.

Breiman, "Random Forests", Machine Learning 45 (2001), section 10, with the AUC as the measure. Like every
method that shuffles, it shares the credit of features that say the same among them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from treadle.records.errors import InvalidInput
from treadle.records.importances import FeatureImportance

Matrix: TypeAlias = npt.NDArray[np.float64]

ROWS = 2_000
REPEATS = 3


def permutation_importance(
    score: Callable[[Matrix], Matrix],
    X: Matrix,
    y: Matrix,
    features: Sequence[str],
    *,
    seed: int,
    rows: int = ROWS,
    repeats: int = REPEATS,
) -> tuple[FeatureImportance, ...]:
    """Return every feature's loss of AUC when shuffled, the largest first; the same for the same arguments.

    Scores `rows × (1 + features × repeats)` rows, whatever the size of X.

    Args:
        score: encoded rows (rows, features) → answers (rows,), such as `Runtime.score`.
        X: encoded rows, float64 (rows, features).
        y: labels, 0 or 1, (rows,).
        features: the columns' names in order.
        seed: of the sample and the shuffles.
        rows: size of the sample; more rows make the loss steadier.
        repeats: shuffles of each feature.

    Returns:
        One record a feature; () when the sample has one class only, since there is no AUC then.

    Raises:
        InvalidInput: the shapes do not fit together, or `rows` or `repeats` is below 1.
    """
    if X.ndim != 2 or X.shape != (len(y), len(features)) or rows < 1 or repeats < 1:
        raise InvalidInput(
            f"importance of {len(features)} features on rows {X.shape}, {len(y)} labels, {rows} × {repeats}",
            fix="give a matrix with a column a feature, a label a row, and at least one row and one repeat",
        )
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(len(X), min(rows, len(X)), replace=False))
    X, y = X[chosen], y[chosen]
    if not 0 < np.count_nonzero(y) < len(y):
        return ()
    whole = _auc(y, score(X))
    found = []
    for column, name in enumerate(features):
        # Each feature has its own generator, so that one more feature does not change the others' shuffles.
        shuffle = np.random.default_rng((seed, column))
        drops = np.empty(repeats)
        for i in range(repeats):
            shuffled = X.copy()
            shuffled[:, column] = shuffle.permutation(X[:, column])
            drops[i] = whole - _auc(y, score(shuffled))
        found.append(FeatureImportance(feature=name, drop=float(drops.mean()), spread=float(drops.std())))
    return tuple(sorted(found, key=lambda importance: (-importance.drop, importance.feature)))


def _auc(y: Matrix, scores: Matrix) -> float:
    """Return the probability that a positive scores above a negative, ties counting one half."""
    _, group, count = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count - 1) / 2  # mean rank of each group of equal scores, from 1
    positive = y > 0
    n = np.count_nonzero(positive)
    return float((middle[group][positive].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))
