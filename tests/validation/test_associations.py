"""What columns have to do with each other, against SciPy and scikit-learn, and against data whose answer is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from treadle.records.errors import InvalidInput, NotFound
from treadle.stages.validation.profile.associations import associate, cramers_v, ranks, roc_area
from treadle.stages.validation.profile.sample import ROW, RowSample


def table(n: int = 3_000) -> pl.DataFrame:
    r = np.random.default_rng(7)
    x = r.normal(size=n)
    y = (r.random(n) < 1 / (1 + np.exp(-2 * x))).astype(int)
    gaps = r.random(n) < 0.2
    return pl.DataFrame(
        {
            "x": pl.Series(x).set(pl.Series(r.random(n) < 0.1), None),
            "copy": x**3,
            "ties": r.integers(0, 4, n),
            "noise": r.normal(size=n),
            "leak": y * 2.0 + r.random(n),
            "gap": pl.Series(r.normal(size=n)).set(pl.Series(gaps), None),
            "gap too": pl.Series([None if g else "here" for g in gaps]),
            "city": r.choice(["a", "b", "c"], n),
            "code": [f"key {i}" for i in range(n)],
            "region": pl.Series(r.choice(["a", "b", "c"], n)),
            "constant": [1] * n,
            "y": y,
        }
    ).with_columns(country=pl.col("city").replace({"a": "A", "b": "A", "c": "C"}))


def test_correlations_are_those_of_scipy_over_rows_that_both_have() -> None:
    rows = table()
    pairs = {(pair.one, pair.other): pair for pair in associate(rows).pairs}
    for one, other in (("x", "copy"), ("x", "ties"), ("noise", "gap"), ("copy", "leak")):
        both = rows.select(one, other).drop_nulls()
        a, b = both[one].to_numpy(), both[other].to_numpy()
        found = pairs[one, other]
        assert found.n == len(a)
        assert found.pearson == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-12)
        assert found.spearman == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_ranks_of_ties_are_their_mean_rank() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0, 3.0, 1.0])
    assert ranks(values).tolist() == stats.rankdata(values).tolist()


def test_levels_that_say_each_other_have_v_near_one_and_independent_ones_near_zero() -> None:
    pairs = {(pair.one, pair.other): pair for pair in associate(table()).pairs}
    assert pairs["city", "country"].cramers_v == pytest.approx(1.0, abs=0.01)
    assert pairs["city", "region"].cramers_v == pytest.approx(0.0, abs=0.05)


def test_cramers_v_is_the_corrected_one() -> None:
    counts = np.array([[30, 10, 5], [8, 40, 12]])
    n, r, c = 105, 2, 3
    phi = stats.chi2_contingency(counts, correction=False).statistic / n - (r - 1) * (c - 1) / (n - 1)
    exact = np.sqrt(phi / (min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1))
    assert cramers_v(counts) == pytest.approx(exact)
    assert cramers_v(np.array([[5], [7]])) is None


def test_the_area_of_a_column_alone_is_that_of_scikit_learn() -> None:
    r = np.random.default_rng(1)
    scores, y = r.integers(0, 9, 500).astype(float), r.random(500) < 0.4
    area = roc_auc_score(y, scores)
    assert roc_area(scores, y) == pytest.approx(max(area, 1 - area))
    assert roc_area(scores, np.ones(500, bool)) is None


def test_a_leak_is_the_most_telling_column_and_a_key_tells_nothing() -> None:
    hints = associate(table(), "y").hints
    by_column = {hint.column: hint for hint in hints if hint.by == "values"}
    assert (hints[0].column, hints[0].auc) == ("leak", 1.0)
    assert "code" not in by_column
    assert by_column["noise"].auc == pytest.approx(0.5, abs=0.05)
    assert by_column["copy"].auc == pytest.approx(
        roc_auc_score(table()["y"].to_numpy(), table()["copy"].to_numpy())
    )


def test_a_value_that_is_missing_for_one_class_is_told_by_its_presence() -> None:
    r = np.random.default_rng(0)
    y = r.random(2_000) < 0.3
    rows = pl.DataFrame({"ended": pl.Series(r.normal(size=2_000)).set(pl.Series(~y), None), "churned": y})
    hint = associate(rows, "churned").hints[0]
    assert (hint.column, hint.by, hint.auc) == ("ended", "presence", 1.0)


def test_a_label_of_numbers_is_told_by_rank() -> None:
    rows = table()
    hint = next(h for h in associate(rows, "copy").hints if h.column == "x")
    assert hint.spearman == pytest.approx(1.0)


def test_a_label_that_is_not_there_or_cannot_be_ordered_is_refused() -> None:
    with pytest.raises(NotFound, match="'z'"):
        associate(table(), "z")
    with pytest.raises(InvalidInput, match="3 different values"):
        associate(table(), "city")


def test_columns_missing_in_the_same_rows_are_found() -> None:
    found = associate(table())
    assert {found.missing_together[0].one, found.missing_together[0].other} == {"gap", "gap too"}
    assert found.missing_together[0].pearson == pytest.approx(1.0)
    assert set(found.missing.shares) == {"x", "gap", "gap too"}


def test_the_grid_of_missing_values_shows_when_they_are_missing() -> None:
    rows = pl.DataFrame({"a": [None] * 500 + [1.0] * 500, "b": [1.0] * 1000})
    grid = associate(rows).missing
    shares = grid.shares["a"]
    half = len(shares) // 2
    assert shares[:half] == (1.0,) * half
    assert shares[half:] == (0.0,) * half
    assert associate(rows.select("b")).missing is None


def test_the_sample_is_the_same_however_rows_are_cut_and_spread_over_all_of_them() -> None:
    rows = pl.DataFrame({"i": np.arange(50_000)})
    whole, cut = RowSample(2_000), RowSample(2_000)
    whole.add(rows)
    for start in range(0, 50_000, 7_777):
        cut.add(rows.slice(start, 7_777))
    assert cut.rows().equals(whole.rows())
    found = whole.rows()
    assert found.height == 2_000
    assert (found["i"] == found[ROW]).all()
    assert stats.kstest(found["i"].to_numpy() / 50_000, "uniform").pvalue > 0.01


def test_a_small_table_is_sampled_whole() -> None:
    sample = RowSample()
    sample.add(table(50))
    assert sample.rows().drop(ROW).equals(table(50))


@pytest.mark.parametrize("rows", [pl.DataFrame({"a": []}), pl.DataFrame({"a": [None], "b": ["x"]})])
def test_next_to_nothing_says_nothing(rows: pl.DataFrame) -> None:
    assert associate(rows).pairs == ()
