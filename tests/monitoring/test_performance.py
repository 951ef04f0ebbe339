"""Readings on matured labels: states, sentences and error rates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluation.oracles import binormal
from treadle.define.monitors import Monitor
from treadle.define.monitors import auc as auc_rule
from treadle.define.monitors import calibration as calibration_rule
from treadle.records.errors import InvalidInput
from treadle.records.estimates import Auc, Calibration, Window
from treadle.records.instants import DAY, HOUR
from treadle.records.readings import MonitorReading
from treadle.stages.evaluation.ranking import auc_estimate
from treadle.stages.monitoring.performance import auc_drop, auc_reading, calibration_reading
from treadle.stages.monitoring.windows import is_due, label_window, score_window

WEEK = Window(0, 7 * DAY)


def area(value, error, n=5_000, clusters=None):
    return Auc(value=value, standard_error=error, n=n, positives=n // 4, clusters=clusters)


def read_auc(current, baseline, rule=None, labelled=5_000, predicted=None):
    return auc_reading(
        rule or auc_rule(drop=0.02),
        current,
        baseline,
        monitor="delay",
        window=WEEK,
        at=9 * DAY,
        labelled=labelled,
        predicted=predicted,
        model_version=4,
    )


@pytest.mark.parametrize(
    ("value", "error", "state"),
    [
        (0.720, 0.006, "alert"),  # a drop of 0.03, 0.017 to 0.043
        (0.720, 0.016, "inconclusive"),  # as large a drop, but perhaps none
        (0.735, 0.006, "warn"),  # a drop of 0.015 for sure, perhaps of 0.02
        (0.745, 0.006, "ok"),
        (0.745, 0.016, "inconclusive"),  # perhaps 0.02: not ok
        (0.780, 0.016, "ok"),  # better
    ],
)
def test_an_alert_needs_a_drop_that_matters_and_that_is_no_chance(value, error, state):
    reading = read_auc(area(value, error), area(0.75, 0.003))
    assert reading.state == state
    assert reading.value == value
    assert reading.baseline == 0.75
    assert reading.details["drop"] == pytest.approx(0.75 - value)


@given(st.floats(0.5, 0.9), st.floats(0.5, 0.9), st.floats(0.0005, 0.05))
def test_a_larger_drop_never_looks_better(one, two, error):
    order = ["ok", "warn", "alert"]
    high, low = (read_auc(area(v, error), area(0.75, 0.003)).state for v in sorted((one, two), reverse=True))
    if high in order and low in order:
        assert order.index(high) <= order.index(low)
    assert not (high == "alert" and low != "alert")


def test_the_sentence_has_both_numbers_the_drop_and_what_is_missing():
    reading = read_auc(area(0.72, 0.006), area(0.75, 0.003), predicted=6_000)
    assert reading.sentence == (
        "the AUC fell by more than the 0.02 put up with: 0.7200 on 5,000 labels (83% of 6,000 predictions)"
        " of 1970-01-01…1970-01-08, 0.7500 at promotion, a drop of +0.0300 (95 % +0.0169 to +0.0431)"
    )
    assert reading.model_version == 4
    assert MonitorReading.from_json(reading.as_json()) == reading


def test_no_or_few_labels_and_no_baseline_are_insufficient_data():
    few = read_auc(area(0.7, 0.01), area(0.75, 0.003), labelled=199)
    none = read_auc(None, area(0.75, 0.003), labelled=0, predicted=0)
    unknown = read_auc(area(0.7, 0.01), None)
    for reading in (few, none, unknown):
        assert reading.state == "insufficient_data"
        assert "cannot be judged" in reading.sentence
    assert "AUC at promotion is not known" in unknown.sentence
    assert unknown.value == 0.7


def test_few_days_widen_the_interval_of_the_drop():
    plain = auc_drop(area(0.7, 0.01), area(0.75, 0.003)).interval()
    days = auc_drop(area(0.7, 0.01, clusters=7), area(0.75, 0.003, clusters=60)).interval()
    assert days.high - days.low == pytest.approx((plain.high - plain.low) * 2.446912 / 1.959964, rel=1e-5)


def test_an_unchanged_model_hardly_alerts_and_a_broken_one_does():
    rng = np.random.default_rng(1)

    def week(shift):
        y, score, _ = binormal(rng, 1_500, shift=shift)
        return auc_estimate(y, score)

    baseline = [week(1.0) for _ in range(150)]
    same = [read_auc(week(1.0), b, labelled=1_500).state for b in baseline]
    broken = [read_auc(week(0.5), b, labelled=1_500).state for b in baseline]
    assert same.count("alert") / len(same) <= 0.05
    assert broken.count("alert") / len(broken) >= 0.95
    assert "ok" not in broken


def ratio(value, error, n=5_000):
    return Calibration(ratio=value, log_standard_error=error, mean_score=0.25 * value, base_rate=0.25, n=n)


def read_calibration(current, labelled=5_000):
    return calibration_reading(
        calibration_rule(tolerance=0.1), current, monitor="delay", window=WEEK, at=9 * DAY, labelled=labelled
    )


@pytest.mark.parametrize(
    ("value", "error", "state"),
    [
        (1.20, 0.05, "alert"),
        (1 / 1.20, 0.05, "alert"),
        (1.20, 0.12, "inconclusive"),
        (1.08, 0.03, "warn"),
        (1.03, 0.01, "ok"),  # off for sure, but by less than matters
        (1.00, 0.02, "ok"),
        (1.00, 0.08, "inconclusive"),
    ],
)
def test_calibration_is_judged_alike_on_both_sides(value, error, state):
    assert read_calibration(ratio(value, error)).state == state
    assert read_calibration(ratio(1 / value, error)).state == state


def test_the_calibration_sentence_and_its_lack_of_data():
    reading = read_calibration(ratio(1.2, 0.05))
    low, high = 1.2 * math.exp(-1.959964 * 0.05), 1.2 * math.exp(1.959964 * 0.05)
    assert reading.sentence == (
        "the scores are too high by more than the 10% put up with: mean score 0.3000, share of positives"
        f" 0.2500 on 5,000 labels of 1970-01-01…1970-01-08, ratio 1.200 (95 % {low:.3f} to {high:.3f})"
    )
    assert "too low" in read_calibration(ratio(0.8, 0.05)).sentence
    assert MonitorReading.from_json(reading.as_json()) == reading
    assert read_calibration(None).state == "insufficient_data"
    assert read_calibration(ratio(1.2, 0.05), labelled=10).state == "insufficient_data"


def test_labels_are_read_from_an_older_window_than_scores():
    monitor = Monitor("delay", window="7d", every="1d", performance=auc_rule(maturity="2d"))
    assert score_window(monitor, 10 * DAY) == Window(3 * DAY, 10 * DAY)
    assert label_window(monitor, 2 * DAY, 10 * DAY) == Window(1 * DAY, 8 * DAY)


def test_a_reading_is_due_once_in_every_step():
    monitor = Monitor("delay", window="7d", every="1d", performance=auc_rule())
    assert is_due(monitor, None, 5)
    assert not is_due(monitor, 3 * DAY + HOUR, 3 * DAY + 23 * HOUR)
    assert is_due(monitor, 3 * DAY + 23 * HOUR, 4 * DAY)


def test_a_window_runs_forward():
    with pytest.raises(InvalidInput, match="before its start"):
        Window(5, 4)
    assert str(Window(0, 90_000_000)) == "1970-01-01T00:00…1970-01-01T00:01"
