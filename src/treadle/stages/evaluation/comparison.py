"""Champion and challenger on the same labelled rows, which neither was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from treadle.records.estimates import Difference, Window
from treadle.records.evaluation import Comparison, SliceComparison
from treadle.stages.evaluation.inputs import (
    Bools,
    Codes,
    Floats,
    checked,
    group_codes,
    row_sets,
    slice_columns,
)
from treadle.stages.evaluation.probabilities import hits, log_losses, mean_difference, squared_errors
from treadle.stages.evaluation.ranking import auc, count_groups, difference_from, estimate_from

METRICS = ("auc", "log_loss", "brier", "accuracy")
"""What two models are compared by; for the two losses a fall counts as better."""


def compare(
    y: ArrayLike,
    champion: ArrayLike | None,
    challenger: ArrayLike,
    slices: Mapping[str, ArrayLike] | None = None,
    *,
    groups: ArrayLike | None = None,
    window: Window | None = None,
    threshold: float = 0.5,
) -> Comparison:
    """Measure the challenger against the champion, row by row paired.

    AUC by DeLong's paired test; losses and accuracy by the mean of the rows' differences. The result holds
    standard errors, so that a gate can judge at any confidence and a stored comparison can be judged again.

    Args:
        y: 0 or 1 for each row, shape (n,).
        champion: its probabilities, shape (n,); None while there is no champion.
        challenger: its probabilities, shape (n,).
        slices: column name to a value for each row, for the gates that look at slices.
        groups: a value for each row, equal for rows that depend on one another (such as the day).
        window: the span of time the rows come from.
        threshold: the score from which a row counts as predicted positive, for the accuracy.

    Raises:
        InvalidInput: lengths that differ, labels other than 0 and 1, scores missing or outside 0 to 1.
    """
    given = (
        {"challenger": challenger} if champion is None else {"challenger": challenger, "champion": champion}
    )
    labels, arrays = checked(y, probabilities=True, **given)
    new, old = arrays[0], arrays[1] if len(arrays) > 1 else None
    codes = group_codes(groups, len(labels))
    return Comparison(
        n=len(labels),
        positives=int(labels.sum()),
        window=window,
        clusters=count_groups(codes),
        champion={} if old is None else _values(labels, old, threshold),
        challenger=_values(labels, new, threshold),
        challenger_auc=estimate_from(labels, new, codes),
        differences={} if old is None else _differences(labels, old, new, codes, threshold),
        slices=tuple(_slices(labels, old, new, slices or {}, codes)),
    )


def _values(labels: Bools, scores: Floats, threshold: float) -> dict[str, float]:
    if not len(labels):
        return {}
    area = auc(labels, scores)
    return {
        **({} if area is None else {"auc": area}),
        "log_loss": float(np.mean(log_losses(labels, scores))),
        "brier": float(np.mean(squared_errors(labels, scores))),
        "accuracy": float(np.mean(hits(labels, scores, threshold))),
    }


def _differences(
    labels: Bools, old: Floats, new: Floats, groups: Codes | None, threshold: float
) -> dict[str, Difference]:
    found = {
        "auc": difference_from(labels, old, new, groups),
        "log_loss": mean_difference(log_losses(labels, old) - log_losses(labels, new), groups),
        "brier": mean_difference(squared_errors(labels, old) - squared_errors(labels, new), groups),
        "accuracy": mean_difference(hits(labels, new, threshold) - hits(labels, old, threshold), groups),
    }
    return {metric: difference for metric, difference in found.items() if difference is not None}


def _slices(
    labels: Bools,
    old: Floats | None,
    new: Floats,
    slices: Mapping[str, ArrayLike],
    groups: Codes | None,
) -> Iterator[SliceComparison]:
    for column, (values, codes) in slice_columns(slices, len(labels)).items():
        for value, rows in zip(values, row_sets(codes, len(values)), strict=False):
            truth, inner = labels[rows], None if groups is None else groups[rows]
            yield SliceComparison(
                column=column,
                value=value,
                n=len(rows),
                positives=int(truth.sum()),
                champion=None if old is None else estimate_from(truth, old[rows], inner),
                challenger=estimate_from(truth, new[rows], inner),
                difference=None if old is None else difference_from(truth, old[rows], new[rows], inner),
            )
