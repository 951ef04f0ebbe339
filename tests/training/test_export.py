"""The exported graph answers as the estimator does, to the last bits, on rows where converters differ."""

import hypothesis.strategies as st
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier

from tests.training.models import fit, make_labels, make_rows, run, thresholds, trained_answers
from treadle.records.errors import InvalidInput
from treadle.stages.training.export import export

EXACT = 1e-14
UNKNOWN = (-1.0, 97.0, 255.0, 256.0, 300.0, 1e6, 2.0**31, 2.0**32, 1e300)


def assert_equal(native, X):
    answers = run(export(native), X)
    expected = trained_answers(native, X)
    assert answers.shape == expected.shape
    assert answers.dtype == np.float64
    np.testing.assert_allclose(answers, expected, rtol=EXACT, atol=EXACT)


def test_numeric_splits_are_equal_at_the_threshold_and_on_both_sides_of_it():
    X = make_rows()
    native = fit(X, make_labels(X))
    splits = thresholds(native)
    at = np.repeat(X[: len(splits)], 3, axis=0)
    values = splits["num_threshold"]
    beside = np.column_stack([np.nextafter(values, -np.inf), values, np.nextafter(values, np.inf)])
    at[np.arange(len(at)), np.repeat(splits["feature_idx"], 3)] = beside.reshape(-1)
    assert_equal(native, np.vstack([X, at]))


def test_missing_values_take_the_learned_branch():
    X = make_rows(missing=0.2)
    assert_equal(fit(X, make_labels(X)), X)


def test_missing_values_that_fit_never_saw_take_the_fallback_branch():
    X = make_rows(categories=(6,))
    native = fit(X, make_labels(X), categorical=[3])
    assert_equal(native, np.where(np.random.default_rng(5).random(X.shape) < 0.4, np.nan, X))


def test_infinite_values_and_infinite_thresholds_are_equal():
    X = np.column_stack(
        [np.where(np.arange(200) % 2, np.nan, 1.0), np.resize([0.0, np.inf, -np.inf, 5.0], 200)]
    )
    y = (np.isnan(X[:, 0]) | (X[:, 1] == 5.0)).astype(float)
    native = fit(X, y)
    assert np.isinf(thresholds(native)["num_threshold"]).any()
    assert_equal(native, np.vstack([X, X[:, ::-1]]))


@pytest.mark.parametrize("count", [2, 12, 40, 200])
def test_category_sets_of_any_size_are_equal(count):
    X = make_rows(1500, categories=(count, 5), missing=0.05)
    assert_equal(fit(X, make_labels(X), categorical=[3, 4], max_iter=30), X)


def test_categories_unknown_to_fit_are_treated_as_missing():
    X = make_rows(1500, categories=(40,), missing=0.05)
    native = fit(X, make_labels(X), categorical=[3])
    odd = X[: 50 * len(UNKNOWN)].copy()
    odd[:, 3] = np.resize(UNKNOWN, len(odd))
    assert_equal(native, odd)
    missing = np.column_stack([odd[:, :3], np.full(len(odd), np.nan)])
    np.testing.assert_array_equal(run(export(native), odd), run(export(native), missing))


def test_categorical_columns_between_numeric_ones_keep_their_places():
    X = make_rows(1000, categories=(7, 9))[:, [0, 3, 1, 4, 2]]
    assert_equal(fit(X, make_labels(X), categorical=[1, 3]), X)


def test_all_columns_may_be_categorical():
    X = make_rows(800, numeric=0, categories=(5, 35))
    assert_equal(fit(X, make_labels(X), categorical=[0, 1]), X)


def test_codes_may_have_gaps():
    X = make_rows(1000, categories=(8,))
    X[:, 3] = np.array([3.0, 7, 8, 31, 32, 64, 250, 9000])[X[:, 3].astype(int)]
    native = fit(X, make_labels(X), categorical=[3])
    between = X.copy()
    between[:, 3] = np.resize(np.arange(300.0), len(X))
    assert_equal(native, np.vstack([X, between]))


def test_a_set_that_is_empty_holds_nothing():
    X = make_rows(600, categories=(6,))
    native = fit(X, make_labels(X), categorical=[3])
    for trees in native._predictors:
        trees[0].raw_left_cat_bitsets[:] = 0
        trees[0].nodes["missing_go_to_left"] = 0
    assert_equal(native, X)


def test_constant_features_and_trees_of_two_leaves_are_equal():
    X = np.column_stack([make_rows(), np.full(600, 4.0)])
    assert_equal(fit(X, make_labels(make_rows()), max_leaf_nodes=2, max_iter=3), X)


def test_trees_of_one_leaf_are_equal_wherever_they_stand():
    X = make_rows()
    y = make_labels(X)
    native = fit(X, y, max_iter=4)
    for position, value in ((5, 0.25), (2, 0.5), (2, -0.125), (0, 0.0625)):
        only_leaves = fit(X, y, min_samples_leaf=len(X), max_iter=1)._predictors[0]
        only_leaves[0].nodes["value"] = value
        assert len(only_leaves[0].nodes) == 1
        native._predictors.insert(position, only_leaves)
        assert_equal(native, X)


def test_rare_positives_with_weights_are_equal():
    X = make_rows(3000, categories=(20,), missing=0.1)
    y = make_labels(X, rate=0.01)
    assert_equal(fit(X, y, categorical=[3], weights=np.where(y > 0, 50.0, 1.0)), X)


def test_more_than_two_classes_answer_with_a_probability_each():
    X = make_rows(900, categories=(10,), missing=0.05)
    y = make_labels(X) + make_labels(X, rate=0.2)
    native = fit(X, y, categorical=[3])
    assert native.n_trees_per_iteration_ == 3
    assert_equal(native, X)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma"])
def test_regressors_are_equal_through_their_link(loss):
    X = make_rows(700, categories=(10,), missing=0.05)
    y = np.exp(np.nan_to_num(X[:, 0])) + 0.1
    assert_equal(fit(X, y, categorical=[3], kind=HistGradientBoostingRegressor, loss=loss), X)


def test_raw_scores_of_single_rows_and_small_batches_are_equal_to_the_last_bit():
    X = make_rows(700, categories=(10,), missing=0.05)
    native = fit(
        X,
        np.nan_to_num(X[:, 1]) ** 3 + 100.3,
        categorical=[3],
        kind=HistGradientBoostingRegressor,
        max_iter=60,
    )
    model, expected = export(native), native.predict(X)
    np.testing.assert_array_equal(run(model, X[:20]), expected[:20])
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    alone = [session.run(None, {"features": row[None]})[0][0] for row in X]
    np.testing.assert_array_equal(alone, expected)


def test_the_same_training_gives_the_same_bytes():
    X = make_rows(categories=(9,))
    y = make_labels(X)
    first, again = (export(fit(X, y, categorical=[3])) for _ in range(2))
    assert first == again
    assert first != export(fit(X, y, categorical=[3], learning_rate=0.2))


def test_the_graph_is_valid_and_holds_standard_operators_only():
    X = make_rows(categories=(9,))
    model = onnx.load_from_string(export(fit(X, make_labels(X), categorical=[3])))
    onnx.checker.check_model(model, full_check=True)
    assert [(node.domain, node.op_type) for node in model.graph.node] == [
        ("ai.onnx.ml", "TreeEnsemble"),
        ("", "Squeeze"),
        ("", "Sigmoid"),
    ]
    assert [value.name for value in model.graph.input] == ["features"]
    assert [value.name for value in model.graph.output] == ["probability"]


def test_what_cannot_be_exported_is_refused():
    X = make_rows()
    y = make_labels(X)
    with pytest.raises(InvalidInput, match="RandomForestClassifier cannot be exported"):
        export(RandomForestClassifier(n_estimators=1).fit(X, y))
    with pytest.raises(InvalidInput, match="not fitted"):
        export(type(fit(X, y))())


def test_text_categories_are_refused_with_the_column():
    X = make_rows().astype(object)
    X[:, 2] = np.resize(["JFK", "LGA"], len(X))
    native = fit(X, make_labels(make_rows()), categorical=[2])
    with pytest.raises(InvalidInput, match="column 2"):
        export(native)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**16),
    numeric=st.integers(0, 3),
    categories=st.lists(st.integers(1, 70), min_size=1, max_size=3),
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    leaves=st.integers(2, 12),
)
def test_any_small_model_is_equal_on_rows_with_missing_and_unknown_values(
    seed, numeric, categories, missing, leaves
):
    X = make_rows(200, numeric=numeric, categories=categories, missing=missing, seed=seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(X.shape[1])
    X = X[:, order]
    y = make_labels(X, seed=seed, rate=0.4)
    native = fit(X, y, categorical=list(np.flatnonzero(order >= numeric)), max_iter=6, max_leaf_nodes=leaves)
    odd = np.where(
        rng.random(X.shape) < 0.3,
        rng.choice([*UNKNOWN, np.nan, 0.0, 1.0, 31.0, 32.0, 63.0, 64.0], X.shape),
        X,
    )
    assert_equal(native, np.vstack([X, odd]))
