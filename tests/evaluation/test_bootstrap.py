"""The paired bootstrap, against DeLong and against brute resampling."""

import numpy as np
import pytest

from tests.evaluation.oracles import auc_by_pairs, binormal
from treadle.records.errors import InvalidInput, NotFound
from treadle.stages.evaluation.bootstrap import METRICS, paired_bootstrap
from treadle.stages.evaluation.ranking import average_precision, paired_auc_test


def test_the_interval_agrees_with_delongs():
    y, a, b = binormal(np.random.default_rng(1), 1_500)
    drawn = paired_bootstrap(y, a, b, "auc", np.random.default_rng(2))
    formula = paired_auc_test(y, a, b)
    assert drawn is not None
    assert formula is not None
    assert drawn.value == pytest.approx(formula.value)
    assert drawn.interval.low == pytest.approx(formula.interval().low, abs=0.1 * formula.standard_error * 3)
    assert drawn.interval.high == pytest.approx(formula.interval().high, abs=0.1 * formula.standard_error * 3)
    assert drawn.p == pytest.approx(formula.p_above(), abs=0.04)


def test_groups_are_drawn_together():
    y, a, b = binormal(np.random.default_rng(3), 200)
    y5, a5, b5 = (np.repeat(x, 5) for x in (y, a, b))
    group = np.repeat([f"{i:03}" for i in range(200)], 5)
    once = paired_bootstrap(y, a, b, "brier", np.random.default_rng(4))
    held = paired_bootstrap(y5, a5, b5, "brier", np.random.default_rng(4), groups=group)
    fooled = paired_bootstrap(y5, a5, b5, "brier", np.random.default_rng(4))
    assert once is not None
    assert held is not None
    assert fooled is not None
    assert held.clusters == 200
    assert held.interval.low == pytest.approx(once.interval.low)
    assert fooled.interval.high - fooled.interval.low < 0.6 * (once.interval.high - once.interval.low)


@pytest.mark.parametrize("decimals", [1, 9])
@pytest.mark.parametrize("metric", ["auc", "average_precision", "log_loss", "brier", "accuracy"])
def test_weights_of_a_metric_are_copies_of_rows(metric, decimals):
    rng = np.random.default_rng(5)
    y, score, _ = binormal(rng, 60)
    score = score.round(decimals).clip(0.01, 0.99)
    counts = rng.integers(0, 4, 60)
    measure, copied = METRICS[metric](y == 1, score), (np.repeat(y, counts), np.repeat(score, counts))
    expected = {
        "auc": auc_by_pairs,
        "average_precision": average_precision,
        "log_loss": lambda t, s: np.mean(np.log(np.where(t, s, 1 - s))),
        "brier": lambda t, s: -np.mean((t - s) ** 2),
        "accuracy": lambda t, s: np.mean((s >= 0.5) == t),
    }[metric](*copied)
    assert measure(counts.astype(float)) == pytest.approx(expected)


def test_the_same_seed_gives_the_same_answer_and_p_is_never_zero():
    rng = np.random.default_rng(6)
    y, a, _ = binormal(rng, 300)
    one = paired_bootstrap(y, a, y * 0.9, "auc", np.random.default_rng(7))
    assert one == paired_bootstrap(y, a, y * 0.9, "auc", np.random.default_rng(7))
    assert one is not None
    assert one.p == pytest.approx(1 / 2_001)


def test_an_own_metric_is_a_function_of_labels_and_scores():
    y, a, b = binormal(np.random.default_rng(8), 200)

    def mean_score(labels, scores):
        return lambda weights: float(np.average(scores, weights=weights))

    found = paired_bootstrap(y, a, b, mean_score, np.random.default_rng(9))
    assert found is not None
    assert found.value == pytest.approx(b.mean() - a.mean())


def test_too_few_resamples_unknown_metrics_and_rows_without_an_answer():
    rng = np.random.default_rng(10)
    with pytest.raises(InvalidInput, match="too few"):
        paired_bootstrap([0, 1], [0, 1], [0, 1], "auc", rng, resamples=100)
    with pytest.raises(NotFound, match="acuracy") as caught:
        paired_bootstrap([0, 1], [0, 1], [0, 1], "acuracy", rng)
    assert "'accuracy'" in str(caught.value)
    assert paired_bootstrap([], [], [], "auc", rng) is None
    assert paired_bootstrap([0, 0], [0.1, 0.2], [0.1, 0.2], "auc", rng) is None
    assert paired_bootstrap([0, 1], [0.1, 0.2], [0.1, 0.2], "auc", rng) is None  # half the draws miss a class
