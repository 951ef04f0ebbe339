"""The report: losses, calibration, slices and its JSON form."""

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from tests.evaluation.oracles import binormal
from treadle.records.digests import canonical
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.estimates import Window
from treadle.records.evaluation import Comparison, EvaluationReport
from treadle.stages.evaluation.comparison import compare
from treadle.stages.evaluation.probabilities import calibration, calibration_error
from treadle.stages.evaluation.report import evaluate


def example(n=3_000, seed=1):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n)
    return rng, (rng.random(n) < p).astype(int), p


def test_losses_agree_with_scikit_learn_and_definitions():
    _, y, p = example()
    report = evaluate(y, p, threshold=0.4)
    assert report.log_loss == pytest.approx(log_loss(y, p))
    assert report.brier == pytest.approx(brier_score_loss(y, p))
    assert report.accuracy == pytest.approx(np.mean((p >= 0.4) == (y == 1)))
    assert report.base_rate == pytest.approx(y.mean())
    assert report.calibration is not None
    assert report.calibration.ratio == pytest.approx(p.mean() / y.mean())


def test_reliability_bins_hold_equal_mass_and_add_up():
    _, y, p = example()
    report = evaluate(y, p)
    bins = report.reliability
    assert [part.n for part in bins] == [300] * 10
    assert sum(part.n * part.base_rate for part in bins) == pytest.approx(y.sum())
    assert sum(part.n * part.mean_score for part in bins) == pytest.approx(p.sum())
    assert all(one.high <= two.low for one, two in pairwise(bins))
    order = np.argsort(p)
    chunks = zip(np.split(p[order], 10), np.split(y[order], 10), strict=True)
    expected = np.mean([abs(c.mean() - t.mean()) for c, t in chunks])
    assert report.calibration_error == pytest.approx(expected)
    assert calibration_error(()) is None


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])), max_size=40))
def test_tied_scores_share_a_bin_and_no_row_is_lost(rows):
    report = evaluate([r[0] for r in rows], [r[1] for r in rows])
    assert sum(part.n for part in report.reliability) == len(rows)
    assert all(one.high < two.low for one, two in pairwise(report.reliability))


def test_the_calibration_interval_covers_1_for_true_probabilities():
    covered = 0
    for seed in range(300):
        _, y, p = example(600, seed)
        found = calibration(y, p)
        assert found is not None
        covered += found.interval().low <= 1.0 <= found.interval().high
    assert 0.92 <= covered / 300 <= 0.98


def test_slices_are_measured_alone_and_small_ones_say_so():
    rng, y, p = example()
    origin = rng.choice(["EWR", "JFK"], len(y)).astype(object)
    origin[:20] = "LGA"
    origin[20:25] = None
    report = evaluate(y, p, {"origin": origin, "constant": np.zeros(len(y), int)}, groups=np.arange(len(y)))
    by_value = {row.value: row for row in report.slices if row.column == "origin"}
    assert sorted(by_value) == ["EWR", "JFK", "LGA", "missing"]
    assert (by_value["LGA"].state, by_value["LGA"].n, by_value["LGA"].auc) == ("insufficient", 20, None)
    rows = origin == "JFK"
    alone = evaluate(y[rows], p[rows])
    jfk = by_value["JFK"]
    assert jfk.state == "measured"
    assert jfk.auc is not None
    assert alone.auc is not None
    assert jfk.auc.value == alone.auc.value
    assert jfk.positives == y[rows].sum()
    assert [row.value for row in report.slices if row.column == "constant"] == ["0"]


def test_no_rows_and_one_class_give_no_numbers_instead_of_wrong_ones():
    empty = evaluate([], [], {"origin": []})
    assert (empty.n, empty.auc, empty.log_loss, empty.calibration, empty.base_rate) == (
        0,
        None,
        None,
        None,
        None,
    )
    assert empty.metrics() == {"rows": 0.0}
    assert empty.slices == ()
    negatives = evaluate([0, 0, 0], [0.1, 0.2, 0.3])
    assert negatives.auc is None
    assert negatives.calibration is None
    assert negatives.average_precision is None
    assert negatives.brier == pytest.approx((0.01 + 0.04 + 0.09) / 3)
    assert "auc" not in negatives.metrics()
    assert compare([], [], []).differences == {}


def test_a_wrong_score_of_0_or_1_keeps_the_log_loss_finite():
    report = evaluate([0, 1], [1.0, 0.0])
    assert report.log_loss == pytest.approx(-np.log(1e-15))


def test_reports_and_comparisons_come_back_from_json_equal():
    rng, y, p = example(800)
    window = Window(0, 86_400_000_000)
    report = evaluate(y, p, {"k": rng.integers(0, 3, 800)}, groups=rng.integers(0, 7, 800), window=window)
    assert EvaluationReport.from_json(report.as_json()) == report
    assert canonical(report.as_json()) == canonical(EvaluationReport.from_json(report.as_json()).as_json())
    comparison = compare(y, p, p**2, {"k": rng.integers(0, 3, 800)}, window=window)
    assert Comparison.from_json(comparison.as_json()) == comparison
    assert EvaluationReport.from_json({"n": 0, "positives": 0, "from_the_future": 1}).n == 0
    with pytest.raises(Corrupt, match="positives"):
        EvaluationReport.from_json({"n": 3, "positives": "many"})


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(InvalidInput) as caught:
        evaluate([0, 1, 1], [-0.1, 1.2, 0.5])
    assert caught.value.faults == ("2 values of scores lie outside 0 to 1",)
    with pytest.raises(InvalidInput, match="'origin' has 2 rows"):
        evaluate([0, 1, 1], [0.1, 0.2, 0.5], {"origin": ["a", "b"]})


def test_the_better_model_has_positive_differences_in_every_metric():
    rng, y, p = example(20_000)
    worse = np.clip(p + rng.normal(0, 0.2, len(p)), 0.01, 0.99)
    comparison = compare(y, worse, p)
    assert set(comparison.differences) == {"auc", "log_loss", "brier", "accuracy"}
    for metric, difference in comparison.differences.items():
        sign = -1 if metric in ("log_loss", "brier") else 1
        assert difference.value > 0
        change = comparison.challenger[metric] - comparison.champion[metric]
        assert difference.value == pytest.approx(sign * change)
    rows = (worse - y) ** 2 - (p - y) ** 2
    brier = comparison.differences["brier"]
    assert brier.standard_error == pytest.approx(rows.std(ddof=1) / np.sqrt(len(rows)))
    first = compare(y, None, p)
    assert first.differences == {}
    assert first.challenger_auc is not None


def test_a_full_report_of_30_000_rows_takes_less_than_0_3_s_of_processor_time():
    rng = np.random.default_rng(4)
    y, p, _ = binormal(rng, 30_000)
    slices = {"origin": rng.choice(["EWR", "JFK", "LGA"], 30_000), "carrier": rng.integers(0, 16, 30_000)}
    best = 9.0
    for _ in range(3):
        start = time.thread_time()
        evaluate(y, p, slices, groups=rng.integers(0, 28, 30_000))
        best = min(best, time.thread_time() - start)
    assert best < 0.3
