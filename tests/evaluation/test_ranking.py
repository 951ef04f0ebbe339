"""AUC, its variance and the paired test, against all pairs, scikit-learn and the papers' equations."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from tests.evaluation.oracles import auc_by_pairs, binormal, delong, obuchowski, one_sided_p
from treadle.records.errors import InvalidInput
from treadle.stages.evaluation import ranking
from treadle.stages.evaluation.inputs import checked_labels
from treadle.stages.evaluation.ranking import auc, auc_estimate, average_precision, paired_auc_test

# Few distinct scores, so that ties are common; both classes and one class both happen.
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3)), min_size=0, max_size=25)


@given(ROWS)
def test_auc_counts_every_pair_and_ties_as_half(rows):
    y, score = [r[0] for r in rows], [r[1] for r in rows]
    expected = auc_by_pairs(y, score)
    assert auc(y, score) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(-3, 3), st.integers(0, 4)), max_size=20))
def test_a_weight_is_a_number_of_copies(rows):
    y, score, copies = ([r[k] for r in rows] for k in range(3))
    copied = [(r[0], r[1]) for r in rows for _ in range(r[2])]
    expected = auc([c[0] for c in copied], [c[1] for c in copied])
    assert auc(y, score, copies) == (None if expected is None else pytest.approx(expected))


@given(ROWS, st.randoms(use_true_random=False))
def test_auc_does_not_depend_on_the_order_of_rows(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert auc([r[0] for r in rows], [r[1] for r in rows]) == auc(
        [r[0] for r in shuffled], [r[1] for r in shuffled]
    )


@given(ROWS)
def test_turned_scores_and_turned_labels_mirror_the_auc(rows):
    y, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    area = auc(y, score)
    if area is not None:
        assert auc(y, 1 - score) == pytest.approx(1 - area)
        assert auc(1 - y, score) == pytest.approx(1 - area)
        assert auc(y, np.exp(score)) == area


def test_auc_average_precision_and_curve_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    for decimals in (2, 9):
        y, score, _ = binormal(rng, 4_000)
        score = score.round(decimals)
        assert auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
        assert average_precision(y, score) == pytest.approx(average_precision_score(y, score), abs=1e-12)
        points = np.array(ranking.roc_curve(checked_labels(y), score))
        fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
        assert len(points) <= 200
        whole = set(zip(fpr.tolist(), tpr.tolist(), strict=True))
        assert set(map(tuple, points.tolist())) <= whole
        assert tuple(points[0]) == (0.0, 0.0)
        assert tuple(points[-1]) == (1.0, 1.0)
        assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(auc(y, score), abs=2e-3)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(2, 12))
def test_the_paired_test_is_delongs_by_definition(seed, m, n):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([1, 0], [m, n]))
    a, b = rng.integers(0, 6, m + n) + y, rng.normal(size=m + n)
    areas, covariance = delong(y, a, b)
    difference = paired_auc_test(y, a, b)
    single = auc_estimate(y, a)
    assert difference is not None
    assert single is not None
    assert single.value == pytest.approx(areas[0])
    assert single.standard_error == pytest.approx(math.sqrt(covariance[0, 0]), abs=1e-12)
    expected = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert difference.value == pytest.approx(areas[1] - areas[0])
    assert difference.standard_error == pytest.approx(math.sqrt(max(expected, 0.0)), abs=1e-7)
    if expected > 1e-9:
        z = (areas[1] - areas[0]) / math.sqrt(expected)
        assert difference.z() == pytest.approx(z)
        assert difference.p_above() == pytest.approx(one_sided_p(z))
        assert difference.p_below() == pytest.approx(1 - one_sided_p(z))
        low, high = difference.interval().low, difference.interval().high
        assert (low, high) == pytest.approx(
            (difference.value - 1.959964 * expected**0.5, difference.value + 1.959964 * expected**0.5)
        )


def test_the_clustered_variance_is_obuchowskis_and_reduces_to_delongs():
    rng = np.random.default_rng(5)
    y, score, other = binormal(rng, 300)
    score = score.round(1)
    day = rng.integers(0, 9, 300)
    clustered = auc_estimate(y, score, groups=day)
    assert clustered is not None
    assert clustered.clusters == 9
    assert clustered.standard_error**2 == pytest.approx(obuchowski(y, score, day))
    alone, single = auc_estimate(y, score, groups=np.arange(300)), auc_estimate(y, score)
    assert alone is not None
    assert single is not None
    assert alone.standard_error == pytest.approx(single.standard_error)
    text = paired_auc_test(y, score, other, groups=[f"day {d}" for d in day])
    number = paired_auc_test(y, score, other, groups=day)
    assert text is not None
    assert number is not None
    assert text.standard_error == pytest.approx(number.standard_error)


def test_copied_rows_fool_the_plain_variance_but_not_the_clustered_one():
    rng = np.random.default_rng(6)
    y, a, b = binormal(rng, 400)
    once = paired_auc_test(y, a, b)
    y10, a10, b10 = (np.repeat(x, 10) for x in (y, a, b))
    fooled = paired_auc_test(y10, a10, b10)
    held = paired_auc_test(y10, a10, b10, groups=np.repeat(np.arange(400), 10))
    assert once is not None
    assert fooled is not None
    assert held is not None
    assert fooled.standard_error < 0.35 * once.standard_error
    assert held.standard_error == pytest.approx(once.standard_error, rel=0.01)


def test_one_class_no_rows_and_single_rows_have_no_auc_or_no_error():
    assert auc([], []) is None
    assert auc([1, 1], [0.1, 0.2]) is None
    assert auc([0, 1], [0.1, 0.2], [1.0, 0.0]) is None
    assert auc_estimate([1, 0, 0], [0.3, 0.1, 0.2]) is None
    assert auc_estimate([1, 1, 0, 0], [1, 2, 1, 0], groups=[1, 1, 1, 1]) is None
    assert paired_auc_test([0, 0], [0.1, 0.2], [0.1, 0.2]) is None
    assert average_precision([0, 0], [0.1, 0.2]) is None
    assert ranking.roc_curve(checked_labels([0, 0]), np.array([0.1, 0.2])) == ()
    assert ranking.precision_recall_curve(checked_labels([0, 0]), np.array([0.1, 0.2])) == ()


def test_bad_input_is_refused_whole_with_every_fault():
    with pytest.raises(InvalidInput) as caught:
        auc([0, 1, 2, float("nan")], [0.1, float("nan"), float("inf")])
    text = str(caught.value)
    assert "1 labels are missing" in text
    assert "1 labels are neither 0 nor 1" in text
    assert "2 values of score are missing or infinite" in text
    with pytest.raises(InvalidInput, match="cannot be evaluated") as caught:
        auc([0, 1], [0.1, 0.2, 0.3])
    assert caught.value.faults == ("score has 3 rows, the labels have 2",)
    with pytest.raises(InvalidInput):
        auc([[0, 1]], [0.1, 0.2])
    with pytest.raises(InvalidInput):
        auc(["a", "b"], ["c", "d"])
    with pytest.raises(InvalidInput):
        auc([0, 1], [0.1, 0.2], [1.0, -1.0])
    with pytest.raises(InvalidInput):
        auc_estimate([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4], groups=["a"])


def test_a_perfect_auc_is_not_claimed_to_be_certain():
    perfect = auc_estimate([1] * 10 + [0] * 50, [1.0] * 10 + [0.0] * 50)
    assert perfect is not None
    interval = perfect.interval()
    assert perfect.value == 1.0
    assert interval.high == 1.0
    assert interval.low == pytest.approx(0.025 ** (1 / 10))
    hopeless = auc_estimate([0] * 10 + [1] * 50, [1.0] * 10 + [0.0] * 50)
    assert hopeless is not None
    assert hopeless.interval().high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_the_logit_interval_covers_the_true_auc_and_stays_within_0_and_1():
    rng = np.random.default_rng(9)
    true, covered = 0.760250, 0  # P(Z < 1 / sqrt(2))
    for _ in range(400):
        y, score, _ = binormal(rng, 400)
        estimate = auc_estimate(y, score)
        assert estimate is not None
        interval = estimate.interval()
        assert 0.0 < interval.low < interval.high < 1.0
        covered += interval.low <= true <= interval.high
    assert 0.92 <= covered / 400 <= 0.98
