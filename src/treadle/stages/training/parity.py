"""The parity check: a packaged model is believed only when it answers like the trained one.

Converters go wrong silently where training rows are thin: at thresholds, on unknown categories, on missing
values. So the comparison adds probe rows made from the model itself, the same ones every time.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from treadle.records.errors import InvalidInput, NotReady
from treadle.records.packages import Parity, ParityGap
from treadle.stages.training.export import Native, read_layout
from treadle.stages.training.runtime import open_session

try:
    from threadpoolctl import threadpool_limits
except ImportError as absent:
    raise NotReady(
        f"checking a packaged model needs {absent.name}, which is not installed",
        command="pip install 'treadle[sklearn]'",
    ) from absent

Matrix: TypeAlias = npt.NDArray[np.float64]

TOLERANCE = 1e-9
PROBES = 4_096
"""At most this many probe rows of each of the two kinds."""

_POOL = 1_024
_WORST = 5
# Codes that no vocabulary gives, but that a narrow integer inside a runtime could fold onto a known one.
_FOREIGN_CODES = (-1.0, 255.0, 256.0, 257.0, 65_536.0, 2.0**32, 1e300)


class ParityFailed(InvalidInput):
    """The packaged model does not answer like the trained one; nothing was packaged.

    Attributes:
        parity: the comparison that failed.
    """

    code = "parity_failed"
    parity: Parity


def native_score(native: Native, X: Matrix) -> Matrix:
    """Return the trained model's own answers, float64 (rows,); (rows, n_classes) from more than two classes.

    Runs on one thread: scikit-learn's threads spin against each other when the cores are busy.
    """
    with threadpool_limits(1, user_api="openmp"):
        if not hasattr(native, "predict_proba"):
            return np.asarray(native.predict(X), dtype=np.float64)
        probabilities = np.asarray(native.predict_proba(X), dtype=np.float64)
    return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def check_parity(native: Native, model: bytes, X: Matrix, tolerance: float = TOLERANCE) -> Parity:
    """Compare a trained model with its ONNX form on rows like the training rows and on probe rows.

    Args:
        native: the fitted estimator.
        model: a serialized ONNX model of any exporter; its one input takes rows, its last output answers.
        X: encoded rows, float64 (rows, features); at least one.
        tolerance: the largest absolute difference that is no difference.

    Returns:
        The comparison; `passed` says the verdict and `refuse` turns a failed one into an error.

    Raises:
        InvalidInput: there are no rows, or the packaged model answers in another shape or with no number.
        Corrupt: the bytes cannot be loaded.
    """
    probes = probe_rows(native, X)
    rows = np.vstack([X, probes])
    expected = native_score(native, rows)
    found = _run(model, rows)
    if found.shape == (*expected.shape, 2):  # both classes of a binary classifier
        found = found[:, 1]
    if found.shape != expected.shape:
        raise InvalidInput(
            f"the packaged model answers in shape {found.shape}, the trained one in {expected.shape}",
            fix="export the estimator that was trained",
        )
    if not np.isfinite(found).all():
        bad = int(np.flatnonzero(~np.isfinite(found.reshape(len(rows), -1)).all(axis=1))[0])
        raise InvalidInput(f"the packaged model answers row {bad} with no number", fix="use another exporter")
    return _compare(expected.reshape(len(rows), -1), found.reshape(len(rows), -1), len(X), tolerance)


def refuse(parity: Parity) -> None:
    """Raise the refusal of a failed comparison; a passed one is let through.

    Raises:
        ParityFailed: names the worst rows, both values and what to do.
    """
    if parity.passed:
        return
    error = ParityFailed(
        f"the packaged model is off by {parity.max_abs_difference:.3g}, allowed is {parity.tolerance:.3g}",
        where=f"{parity.rows} given rows and {parity.probes} probe rows",
        fix="package with treadle's own exporter; if that is the one that failed, report it with the "
        "estimator's parameters, and until it is repaired train on numeric features only",
        faults=[
            f"{_row_name(gap.row, parity)}: trained {gap.native!r}, packaged {gap.packaged!r}"
            for gap in parity.worst
        ],
    )
    error.parity = parity
    raise error


def probe_rows(native: Native, X: Matrix, *, limit: int = PROBES, seed: int = 0) -> Matrix:
    """Return rows that reach a model's corners, float64 (probes, features); the same for the same arguments.

    Each feature has a pool of values: every threshold with both neighbouring doubles, every known category
    and several unknown ones, missing, the observed extremes, and infinities where the model takes them. The
    first rows take all features from their pools; the others are given rows with one feature exchanged, so
    that they follow the paths of real rows.

    Args:
        native: the fitted estimator.
        X: encoded rows, float64 (rows, features); at least one.
        limit: most rows of each kind.
        seed: of the order in which pool values meet.
    """
    if not len(X):
        raise InvalidInput("there are no rows to compare on", fix="give some of the training rows")
    pools = _pools(native, X)
    rng = np.random.default_rng(seed)
    n = min(limit, max(256, 2 * max(map(len, pools))))
    mixed = np.column_stack([rng.permutation(np.resize(pool, n)) for pool in pools])
    n = min(limit, sum(map(len, pools)))
    near = X[np.linspace(0, len(X) - 1, n).astype(np.int64)].copy()
    for i in range(n):
        column, turn = i % len(pools), i // len(pools)
        near[i, column] = pools[column][turn % len(pools[column])]
    return np.vstack([mixed, near])


def _pools(native: Native, X: Matrix) -> list[Matrix]:
    """Return for each of the caller's columns the values worth trying."""
    layout = read_layout(native)
    nodes = np.concatenate([tree.nodes for trees in native._predictors for tree in trees])
    nodes = nodes[(nodes["is_leaf"] == 0) & (nodes["is_categorical"] == 0)]
    pools: list[Matrix] = [np.empty(0)] * len(layout.columns)
    for inner, column in enumerate(layout.columns):
        if inner in layout.categories:
            codes = layout.categories[inner]
            foreign = np.array([*_FOREIGN_CODES, codes.max(initial=0.0) + 1.0])
            pool = np.concatenate([codes, foreign[~np.isin(foreign, codes)], [np.nan]])
        else:
            at = np.unique(nodes["num_threshold"][nodes["feature_idx"] == inner])
            at = at[np.isfinite(at)]
            at = at[np.linspace(0, len(at) - 1, min(len(at), _POOL)).astype(np.int64)]
            seen = X[:, column][np.isfinite(X[:, column])]
            edges = [seen.min(), seen.max()] if len(seen) else []
            beside = [np.nextafter(at, -np.inf), np.nextafter(at, np.inf)]
            pool = np.concatenate([at, *beside, edges, [0.0, -0.0, np.inf, -np.inf, np.nan]])
        pools[column] = pool
    return pools


def _run(model: bytes, rows: Matrix) -> Matrix:
    session = open_session(model)
    source = session.get_inputs()[0]
    with np.errstate(
        over="ignore"
    ):  # a float32 graph cannot hold every probe: that is a finding, not a crash
        values = rows.astype(np.float32 if source.type == "tensor(float)" else np.float64)
    return np.asarray(session.run(None, {source.name: values})[-1], dtype=np.float64)


def _compare(expected: Matrix, found: Matrix, given: int, tolerance: float) -> Parity:
    difference = np.abs(expected - found)
    by_row = difference.max(axis=1)
    worst = np.argsort(-by_row, kind="stable")[:_WORST]
    return Parity(
        rows=given,
        probes=len(by_row) - given,
        max_abs_difference=float(by_row.max()),
        tolerance=tolerance,
        worst=tuple(
            ParityGap(
                row=int(row),
                native=float(expected[row, difference[row].argmax()]),
                packaged=float(found[row, difference[row].argmax()]),
            )
            for row in worst
            if by_row[row] > 0
        ),
    )


def _row_name(row: int, parity: Parity) -> str:
    return f"given row {row}" if row < parity.rows else f"probe row {row - parity.rows}"
