"""Quality of all predictions from some that were labelled: each counts as often as one over its chance of being chosen.

The sums are Horvitz and Thompson's ("A generalization of sampling without replacement from a finite universe", JASA 47,
1952); shares of them are Hájek's ratios, whose bias vanishes as the sample grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from treadle.records.errors import InvalidInput
from treadle.records.labelling import Stratum
from treadle.stages.evaluation.inputs import Floats, checked
from treadle.stages.evaluation.ranking import auc


def weighted_accuracy(
    y: ArrayLike, score: ArrayLike, probability: ArrayLike, *, threshold: float = 0.5
) -> float | None:
    """Return the share of all predictions that were right, from those chosen with known chances; None without any.

    Args:
        y: 0 or 1 for each labelled row, shape (n,).
        score: of each row; at or above the threshold the prediction was 1.
        probability: how likely each row was to be chosen, above 0 and at most 1.
        threshold: where the decision turns.

    Raises:
        InvalidInput: wrong shapes or values; all are listed.
    """
    labels, (scores, chances) = checked(y, score=score, probability=probability)
    weights = _weights(chances)
    if not len(labels):
        return None
    right = (scores >= threshold) == labels
    return float((weights * right).sum() / weights.sum())


def weighted_auc(y: ArrayLike, score: ArrayLike, probability: ArrayLike) -> float | None:
    """Return the AUC over all predictions, from those chosen with known chances; None with one class only.

    A pair of rows counts as one over the product of their chances, which is right where they were chosen independently;
    drawn without replacement the error is of the order of one over the stratum's sample.

    Raises:
        InvalidInput: as for `weighted_accuracy`.
    """
    labels, (scores, chances) = checked(y, score=score, probability=probability)
    return auc(labels, scores, _weights(chances))


def answered_probabilities(strata: Sequence[Stratum], answered: Mapping[str, int]) -> dict[str, float] | None:
    """Return the chance of a row of each stratum to be chosen and answered; None where a stratum has no answer at all.

    It takes answers that are missing to be missing by chance within a stratum.
    """
    if any(one.rows and not answered.get(one.name) for one in strata):
        return None
    return {one.name: min(answered[one.name] / one.rows, 1.0) for one in strata if one.rows}


def _weights(chances: Floats) -> Floats:
    if ((chances <= 0.0) | (chances > 1.0)).any():
        raise InvalidInput(
            "a probability is not above 0 and at most 1", fix="give each row's chance of being chosen"
        )
    weights: Floats = np.divide(1.0, chances)
    return weights
