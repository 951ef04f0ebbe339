"""Drift: distances against definitions and SciPy, then false alarms and power by simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from treadle.define.monitors import ScoreDrift
from treadle.define.monitors import score_drift as drift_rule
from treadle.records.errors import InvalidInput
from treadle.records.estimates import Window
from treadle.records.readings import MonitorReading
from treadle.records.references import Reference
from treadle.stages.monitoring.drift import (
    build_reference,
    corrected_psi,
    critical_ks,
    critical_psi,
    distance,
    empirical_limit,
    ks_distance,
    null_distances,
    psi,
    score_drift,
)

WEEK = Window(0, 7 * 86_400_000_000)
COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(lambda counts: sum(counts) > 0)


def read(rule, reference, current, nulls=()):
    return score_drift(rule, reference, current, nulls, monitor="delay", window=WEEK, at=WEEK.end)


@given(COUNTS, st.data())
def test_psi_is_never_negative_and_zero_for_equal_counts(counts, data):
    other = data.draw(st.lists(st.integers(0, 50), min_size=len(counts), max_size=len(counts)))
    assert psi(counts, counts) == 0.0
    if sum(other):
        assert psi(counts, other) >= 0.0
        assert psi(counts, other) == pytest.approx(psi(other, counts))


def test_psi_by_hand():
    expected = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert psi([50, 50], [20, 80]) == pytest.approx(expected)
    assert psi([50, 50], [0, 100]) == pytest.approx((0.005 - 0.5) * np.log(0.01) + 0.5 * np.log(2))
    assert corrected_psi(0.148, 30, 200, 1_000) == pytest.approx(0.148 - 29 * 0.006)


def test_bins_of_a_reference_have_equal_mass_and_hold_every_row():
    scores = np.random.default_rng(1).beta(1, 4, 1_000)
    reference = build_reference(scores)
    assert reference.counts == (100,) * 10
    assert len(reference.points) == 513
    assert Reference.from_json(reference.as_json()) == reference
    assert distance(drift_rule("ks"), reference, scores) == 0.0
    assert read(drift_rule(), reference, scores).state == "ok"


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]), min_size=1, max_size=60))
def test_ties_lose_no_row_and_leave_no_drift_from_oneself(scores):
    reference = build_reference(scores)
    assert sum(reference.counts) == len(scores)
    assert list(reference.edges) == sorted(set(reference.edges))
    assert len(reference.counts) == len(reference.edges) + 1
    assert distance(drift_rule("ks"), reference, scores) == 0.0
    assert distance(drift_rule("psi"), reference, scores) <= 0.0


def test_a_constant_reference_sees_scores_on_both_sides():
    reference = build_reference([0.5] * 300)
    for other in (0.4, 0.6):
        for statistic in ("psi", "ks"):
            assert read(drift_rule(statistic), reference, [other] * 300).state == "alert"
    assert read(drift_rule(), reference, [0.5] * 300).state == "ok"


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 400), st.integers(1, 3_000))
def test_the_ks_distance_is_the_largest_gap_to_within_a_step(seed, n, m):
    rng = np.random.default_rng(seed)
    old, new = rng.normal(size=m).round(1), rng.normal(0.3, 1, n).round(rng.integers(1, 5))
    exact = max(abs((old <= t).mean() - (new <= t).mean()) for t in np.concatenate([old, new]))
    assert exact - 1 / 512 - 1 / m - 1e-12 <= ks_distance(build_reference(old), new) <= exact + 1e-12


def test_critical_values_are_those_of_the_tables():
    assert critical_psi(10, 500, 10_000, 0.01) == pytest.approx(
        stats.chi2.ppf(0.99, 9) * (1 / 500 + 1 / 10_000)
    )
    assert critical_ks(1_000, 10_000, 0.01 / 50) == pytest.approx(0.0711, abs=1e-3)  # 2.146 * sqrt(0.0011)


def test_the_empirical_limit_is_a_quantile_a_maximum_or_unknown():
    assert empirical_limit([0.3] * 5) is None
    assert empirical_limit([0.1] * 5 + [0.3]) == 0.3
    many = list(np.linspace(0, 1, 101))
    assert empirical_limit(many) == pytest.approx(0.99)


def test_each_window_is_measured_against_all_the_others():
    rng = np.random.default_rng(2)
    windows = [rng.normal(0, 1, 300), rng.normal(0, 1, 300), rng.normal(2, 1, 300), rng.normal(0, 1, 50)]
    found = null_distances(drift_rule("ks"), windows)
    assert len(found) == 3  # the window of 50 rows is too small
    assert found[2] == max(found) > 0.6
    expected = stats.ks_2samp(np.concatenate(windows[1:3]), windows[0]).statistic
    assert found[0] == pytest.approx(expected, abs=1 / 512 + 1 / 600)
    assert null_distances(drift_rule("ks"), windows[:1]) == ()


def test_too_few_rows_or_no_reference_are_insufficient_data_never_ok():
    scores = np.linspace(0, 1, 1_000)
    for reference, current in (
        (build_reference(scores), scores[:99]),
        (build_reference(scores[:99]), scores),
        (build_reference(scores), []),
        (None, scores),
    ):
        reading = read(drift_rule(), reference, current)
        assert reading.state == "insufficient_data"
        assert reading.value is None
        assert "cannot be judged" in reading.sentence


def test_scores_that_are_nan_are_refused():
    with pytest.raises(InvalidInput, match="2 scores are missing or infinite"):
        read(drift_rule(), build_reference([0.1, 0.2]), [0.1, float("nan"), float("inf")])
    with pytest.raises(InvalidInput, match="there are none"):
        build_reference([])
    with pytest.raises(InvalidInput, match="one dimension"):
        build_reference([[0.1]])


def test_the_reading_says_what_how_much_and_against_what():
    rng = np.random.default_rng(3)
    reference, current = build_reference(rng.beta(2, 6, 8_000)), rng.beta(3, 5, 4_000)
    reading = read(drift_rule(), reference, current, [0.01, 0.02, 0.03, 0.02, 0.01, 0.04])
    assert reading.state == "alert"
    assert reading.value == reading.details["psi"]
    assert reading.details["empirical"] == 0.04
    assert reading.sentence == (
        f"the scores of 1970-01-01…1970-01-08 have drifted: PSI {reading.value:.3f} on 4,000 rows (warning"
        " from 0.1, alert from 0.2), more than chance explains; ordinary windows reach 0.040"
    )
    assert MonitorReading.from_json(reading.as_json()) == reading
    assert "uncalibrated" in read(drift_rule(), reference, current).sentence


def test_what_ordinary_windows_reach_is_no_alarm():
    rng = np.random.default_rng(4)
    reference, current = build_reference(rng.normal(0, 1, 8_000)), rng.normal(0.6, 1, 4_000)
    assert read(drift_rule(), reference, current).state == "alert"
    assert read(drift_rule(), reference, current, [0.1] * 20 + [0.9]).state == "ok"


def test_a_tiny_shift_is_no_alarm_however_many_rows_show_it():
    rng = np.random.default_rng(5)
    reference, current = build_reference(rng.normal(0, 1, 200_000)), rng.normal(0.05, 1, 200_000)
    for statistic in ("psi", "ks"):
        reading = read(drift_rule(statistic), reference, current)
        assert reading.details["psi_raw"] > reading.details["psi_critical"]
        assert reading.details["ks"] > reading.details["ks_critical"]
        assert reading.state == "ok"


def rates(rule, draw, n, runs, seed, nulls=()):
    rng = np.random.default_rng(seed)
    reference = build_reference(draw(rng, 10_000, 0.0))
    states = [read(rule, reference, draw(rng, n, 0.0), nulls).state for _ in range(runs)]
    return np.array([states.count("warn") + states.count("alert"), states.count("alert")]) / runs


SHAPES = {
    "normal": lambda rng, n, shift: rng.normal(shift, 1, n),
    "lognormal": lambda rng, n, shift: rng.lognormal(shift, 1, n),
    "zero-inflated": lambda rng, n, shift: np.where(rng.random(n) < 0.4, 0.0, rng.normal(2 + shift, 1, n)),
}


@pytest.mark.parametrize("statistic", ["psi", "ks"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [200, 1_000])
def test_without_drift_hardly_a_window_warns(statistic, shape, n):
    warned, alerted = rates(drift_rule(statistic), SHAPES[shape], n, 300, seed=6)
    assert warned <= 0.015
    assert alerted <= 0.01


@pytest.mark.parametrize("statistic", ["psi", "ks"])
def test_a_real_shift_is_seen(statistic):
    rng = np.random.default_rng(7)
    rule, reference = drift_rule(statistic), build_reference(rng.normal(0, 1, 10_000))

    def seen(draw, states):
        return np.mean([read(rule, reference, draw()).state in states for _ in range(60)])

    assert seen(lambda: rng.normal(0.5, 1, 1_000), ("warn", "alert")) >= 0.99
    assert seen(lambda: rng.normal(0, 2, 1_000), ("warn", "alert")) >= 0.99
    mixed = lambda: np.where(rng.random(1_000) < 0.2, rng.normal(3, 1, 1_000), rng.normal(0, 1, 1_000))  # noqa: E731
    assert seen(mixed, ("warn", "alert")) >= 0.99
    if statistic == "ks":
        assert seen(lambda: rng.normal(0.25, 1, 1_000), ("warn", "alert")) >= 0.95


def test_rows_that_depend_on_one_another_need_the_empirical_null():
    """AR(1) with rho 0.95: a window of 500 rows carries the information of some 13."""

    def stream(rng, n):
        out, noise = np.empty(n), rng.normal(0, np.sqrt(1 - 0.95**2), n)
        value = rng.normal()
        for i in range(n):
            value = 0.95 * value + noise[i]
            out[i] = value
        return out

    rule, naive, held, runs = drift_rule("ks"), 0, 0, 60
    rng = np.random.default_rng(8)
    for _ in range(runs):
        windows = np.split(stream(rng, 29 * 500), 29)
        reference = build_reference(np.concatenate(windows[:28]))
        nulls = null_distances(rule, windows[:28])
        naive += read(rule, reference, windows[28]).state == "alert"
        held += read(rule, reference, windows[28], nulls).state == "alert"
    assert naive / runs > 0.5
    assert held / runs <= 0.10  # the largest of 29 alike is any given one in 1 of 29 cases


def test_the_reference_of_many_columns_divides_the_significance():
    rng = np.random.default_rng(9)
    reference, current = build_reference(rng.normal(0, 1, 10_000)), rng.normal(0.2, 1, 600)
    one = read(ScoreDrift(statistic="ks", warn=0.001, alert=0.5), reference, current)
    fifty = read(ScoreDrift(statistic="ks", warn=0.001, alert=0.5, columns=50), reference, current)
    assert one.details["ks_critical"] < fifty.details["ks_critical"]
