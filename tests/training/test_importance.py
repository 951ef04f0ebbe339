"""Permutation importance ranks what the answers rest on, repeatably and within its bound."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from treadle.records.errors import InvalidInput
from treadle.records.importances import FeatureImportance
from treadle.stages.training.importance import permutation_importance

NAMES = ("strong", "weak", "unused")


def rows(n=1500):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 3))
    y = (3 * X[:, 0] + X[:, 1] + rng.normal(size=n) > 0).astype(float)
    return X, y


def score(X):
    return 3 * X[:, 0] + X[:, 1]


def test_features_are_ranked_by_what_the_answers_rest_on():
    X, y = rows()
    found = permutation_importance(score, X, y, NAMES, seed=0)
    assert [importance.feature for importance in found] == ["strong", "weak", "unused"]
    assert found[0].drop > 0.3
    assert found[0].spread > 0
    assert found[2] == FeatureImportance(feature="unused", drop=0.0, spread=0.0)


def test_the_drop_is_that_of_the_auc_with_ties_counted_half():
    X, y = rows()
    tied = np.round(score(X))
    answers = iter([tied, np.zeros(len(X))])
    found = permutation_importance(lambda _: next(answers), X[:, :1], y, ["all"], seed=0, repeats=1)
    assert found[0].drop == pytest.approx(roc_auc_score(y, tied) - 0.5, abs=1e-12)


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others():
    X, y = rows()
    first, again, other = (permutation_importance(score, X, y, NAMES, seed=s, rows=300) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_one_more_feature_changes_no_other_feature():
    X, y = rows()
    three = permutation_importance(score, X, y, NAMES, seed=1)
    four = permutation_importance(score, np.column_stack([X, X[:, 0]]), y, (*NAMES, "new"), seed=1)
    assert set(three) < set(four)


def test_the_cost_is_bounded_whatever_the_number_of_rows():
    X, y = rows(5000)
    scored = []

    def counted(matrix):
        scored.append(len(matrix))
        return score(matrix)

    permutation_importance(counted, X, y, NAMES, seed=0, rows=400, repeats=2)
    assert scored == [400] * 7


def test_one_class_gives_no_importance():
    X, _ = rows(50)
    assert permutation_importance(score, X, np.zeros(50), NAMES, seed=0) == ()
    assert permutation_importance(score, X[:0], np.zeros(0), NAMES, seed=0) == ()


def test_shapes_that_do_not_fit_are_refused():
    X, y = rows(50)
    with pytest.raises(InvalidInput):
        permutation_importance(score, X, y[:-1], NAMES, seed=0)
    with pytest.raises(InvalidInput):
        permutation_importance(score, X, y, NAMES[:2], seed=0)
    with pytest.raises(InvalidInput):
        permutation_importance(score, X, y, NAMES, seed=0, repeats=0)
