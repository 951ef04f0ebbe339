"""Small estimators and the plainest way to compare them with their ONNX form."""

import numpy as np
import onnxruntime as ort
from sklearn.ensemble import HistGradientBoostingClassifier


def make_rows(n=600, *, numeric=3, categories=(), missing=0.0, seed=0):
    """Rows with numeric columns first and then one column of codes for each number of categories."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n) for _ in range(numeric)]
    columns += [rng.integers(0, count, n).astype(float) for count in categories]
    X = np.column_stack(columns)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def make_labels(X, *, seed=1, rate=0.5):
    """Labels that depend on every column, on codes in no particular order."""
    rng = np.random.default_rng(seed)
    score = rng.normal(scale=0.3, size=len(X))
    for column in X.T:
        values = np.nan_to_num(column, nan=-3.0)
        score += np.sin(values * 12.9898) if (values == np.round(values)).all() else values
    return (score > np.quantile(score, 1 - rate)).astype(float)


def fit(X, y, *, categorical=None, kind=HistGradientBoostingClassifier, weights=None, **params):
    params = {"max_iter": 15, "max_leaf_nodes": 8, "min_samples_leaf": 5, "random_state": 0} | params
    return kind(categorical_features=categorical, early_stopping=False, **params).fit(
        X, y, sample_weight=weights
    )


def run(model, X):
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"features": X})[0]


def trained_answers(native, X):
    if not hasattr(native, "predict_proba"):
        return native.predict(X)
    probabilities = native.predict_proba(X)
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def thresholds(native):
    nodes = np.concatenate([tree.nodes for trees in native._predictors for tree in trees])
    return nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
