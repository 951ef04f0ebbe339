"""Columns that no longer hang together are found though each alone looks as before."""

import numpy as np
import polars as pl
import pytest

from treadle.records.errors import InvalidInput
from treadle.records.estimates import Window
from treadle.records.instants import DAY
from treadle.records.profile_distances import compare
from treadle.stages.monitoring.data_drift import judge_drift
from treadle.stages.monitoring.multivariate import Reconstruction, judge_together
from treadle.stages.validation.profile.builder import profile_frame

NAMES = ("a", "b", "c")


def correlated(rng, n, sign=1.0):
    a = rng.normal(size=n)
    return np.column_stack([a, sign * 0.9 * a + np.sqrt(1 - 0.81) * rng.normal(size=n), rng.normal(size=n)])


def test_a_turned_pair_is_silent_column_by_column_and_loud_together():
    rng = np.random.default_rng(1)
    before, after = correlated(rng, 10_000), correlated(rng, 1_000, sign=-1.0)
    profiles = [profile_frame(pl.DataFrame(X, schema=list(NAMES)), name="x") for X in (before, after)]
    assert judge_drift("x", compare(*profiles), window=Window(0, DAY), at=DAY).state == "ok"
    found = judge_together(Reconstruction.of(before, NAMES), after)
    assert (found.state, found.value > 0.25) == ("alert", True)


def test_without_drift_it_is_quiet():
    rng = np.random.default_rng(2)
    reference = Reconstruction.of(correlated(rng, 10_000), NAMES)
    states = [
        judge_together(reference, correlated(rng, n)).state for n in (100, 500, 5_000) for _ in range(200)
    ]
    assert sum(state != "ok" for state in states) / len(states) <= 0.015


def test_columns_that_hang_together_more_than_before_have_drifted_too():
    rng = np.random.default_rng(3)
    reference = Reconstruction.of(rng.normal(size=(10_000, 3)), NAMES)
    one = rng.normal(size=(2_000, 1))
    assert judge_together(reference, np.hstack([one, one, one])).state == "alert"


def test_what_ordinary_windows_reach_is_none_and_too_few_rows_say_nothing():
    rng = np.random.default_rng(4)
    reference = Reconstruction.of(correlated(rng, 10_000), NAMES)
    turned = correlated(rng, 1_000, sign=-1.0)
    assert judge_together(reference, turned, ordinary=[9.0] * 6).state == "ok"
    assert judge_together(reference, turned[:99]).state == "insufficient_data"


def test_missing_numbers_and_columns_without_spread_do_no_harm():
    rng = np.random.default_rng(5)
    X = np.column_stack([correlated(rng, 5_000), np.full(5_000, 7.0), np.full(5_000, np.nan)])
    X[rng.random(X.shape) < 0.1] = np.nan
    reference = Reconstruction.of(X, (*NAMES, "d", "e"))
    found = judge_together(reference, X[:1_000])
    assert np.isfinite(found.value)
    assert found.state == "ok"


def test_the_error_is_that_of_the_textbook():
    rng = np.random.default_rng(6)
    X = correlated(rng, 400)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    u, s, vt = np.linalg.svd(Z, full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(s**2) / np.sum(s**2), 0.65) + 1)
    lost = Z - (u[:, :kept] * s[:kept]) @ vt[:kept]
    assert Reconstruction.of(X, NAMES).errors(X) == pytest.approx(np.linalg.norm(lost, axis=1), rel=1e-9)


@pytest.mark.parametrize("X", [np.zeros((1, 3)), np.zeros((5, 2)), np.zeros(3)])
def test_what_is_no_reference_is_refused(X):
    with pytest.raises(InvalidInput):
        Reconstruction.of(X, NAMES)
