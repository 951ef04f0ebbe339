"""Tails and quantiles against SciPy."""

import pytest
from scipy import stats

from treadle.records.quantiles import (
    chi_squared_above,
    chi_squared_quantile,
    kolmogorov_above,
    kolmogorov_quantile,
    normal_above,
    normal_quantile,
    student_above,
    student_quantile,
)

P = [0.0005, 0.01, 0.05, 0.3, 0.5, 0.9, 0.95, 0.99, 0.9998]


@pytest.mark.parametrize("p", P)
@pytest.mark.parametrize("df", [1, 2, 3, 9, 14, 30, 199])
def test_quantiles_with_degrees_of_freedom_agree(p, df):
    assert chi_squared_quantile(p, df) == pytest.approx(stats.chi2.ppf(p, df), rel=1e-9)
    assert student_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-12)
    x, t = stats.chi2.ppf(p, df), stats.t.ppf(p, df)
    assert chi_squared_above(x, df) == pytest.approx(1 - p, rel=1e-9)
    assert student_above(t, df) == pytest.approx(1 - p, rel=1e-9)


@pytest.mark.parametrize("p", P)
def test_normal_and_kolmogorov_quantiles_agree(p):
    assert normal_quantile(p) == pytest.approx(stats.norm.ppf(p), abs=1e-12)
    assert kolmogorov_quantile(p) == pytest.approx(stats.kstwobign.ppf(p), rel=1e-9)
    assert kolmogorov_above(stats.kstwobign.ppf(p)) == pytest.approx(1 - p, rel=1e-6)


def test_far_tails_keep_their_digits():
    assert normal_above(8.0) == pytest.approx(stats.norm.sf(8.0), rel=1e-10)
    assert student_above(12.0, 27) == pytest.approx(stats.t.sf(12.0, 27), rel=1e-8)
    assert chi_squared_above(120.0, 9) == pytest.approx(stats.chi2.sf(120.0, 9), rel=1e-8)
    assert chi_squared_above(0.0, 9) == 1.0
    assert kolmogorov_above(0.1) == 1.0
