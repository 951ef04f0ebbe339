"""Labels and scores as checked arrays; bad input is refused whole, with all its faults."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treadle.records.errors import InvalidInput

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


def checked_labels(y: ArrayLike) -> Bools:
    """Return the labels as booleans, shape (n,).

    Raises:
        InvalidInput: not one-dimensional, or a value other than 0 and 1 (NaN included).
    """
    labels, faults = _labels(y)
    if faults:
        raise InvalidInput("the labels cannot be used", faults=faults, fix="give 0 or 1 for each row")
    return labels


def checked(y: ArrayLike, *, probabilities: bool = False, **scores: ArrayLike) -> tuple[Bools, list[Floats]]:
    """Return the labels and each named score as arrays of one length.

    Args:
        y: 0 or 1 for each row, shape (n,).
        probabilities: whether scores have to lie within 0 and 1.
        scores: name to scores, each of shape (n,).

    Raises:
        InvalidInput: wrong shapes, lengths that differ, values that are missing or out of range; all are
            listed.
    """
    labels, faults = _labels(y)
    arrays = []
    for name, score in scores.items():
        array, more = _scores(name, score, probabilities)
        faults += more
        if array.ndim == 1 and labels.ndim == 1 and len(array) != len(labels):
            faults.append(f"{name} has {len(array):,} rows, the labels have {len(labels):,}")
        arrays.append(array)
    if faults:
        raise InvalidInput(
            "the labels and scores cannot be evaluated",
            faults=faults,
            fix="drop rows without a label before evaluating, and give a finite score for every row left",
        )
    return labels, arrays


def dot(a: Floats, b: Floats) -> float:
    """Return the sum of products of two arrays of shape (n,).

    Not `a @ b`: the linear algebra library splits long sums over threads, so that their last digits depend on
    the machine, and on a busy one waiting for the threads takes tens of times as long as the sum.
    """
    return float(np.sum(a * b))


def group_sums(values: Floats, groups: Codes, count: int) -> Floats:
    """Return the sum of the values in each group below `count`, shape (count,)."""
    sums: Floats = np.bincount(groups, values, count).astype(np.float64)
    return sums


def factorise(values: ArrayLike, rows: int, name: str) -> tuple[list[str], Codes]:
    """Return the distinct values as sorted texts, and each row's place among them.

    Nulls become the text `missing`. Cost: one dictionary look-up for each row.

    Raises:
        InvalidInput: the column has another number of rows.
    """
    items = np.asarray(values).tolist()
    if not isinstance(items, list) or len(items) != rows:
        count = len(items) if isinstance(items, list) else 1
        raise InvalidInput(
            f"the column {name!r} has {count:,} rows, the labels have {rows:,}",
            fix="give one value for each evaluated row",
        )
    seen: dict[object, int] = {}
    raw = np.fromiter((seen.setdefault(item, len(seen)) for item in items), np.int64, rows)
    texts = ["missing" if item is None else str(item) for item in seen]
    names = sorted(set(texts))
    place = {text: i for i, text in enumerate(names)}
    lookup = np.array([place[text] for text in texts], np.int64)
    return names, lookup[raw] if rows else raw


def row_sets(codes: Codes, count: int) -> list[NDArray[np.intp]]:
    """Return, for each code below `count`, the rows that have it, in order."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(1, count))
    return np.split(order, ends)


def group_codes(groups: ArrayLike | None, rows: int) -> Codes | None:
    """Return each row's group as a number from 0 up, or None without groups."""
    return None if groups is None else factorise(groups, rows, "groups")[1]


def slice_columns(slices: Mapping[str, ArrayLike], rows: int) -> dict[str, tuple[list[str], Codes]]:
    """Return each slicing column's distinct values and codes, by column name."""
    return {column: factorise(values, rows, column) for column, values in slices.items()}


def _labels(y: ArrayLike) -> tuple[Bools, list[str]]:
    array = np.asarray(y)
    if array.ndim != 1:
        return np.zeros(0, np.bool_), [f"the labels have shape {array.shape}, not one dimension"]
    if array.dtype == np.bool_:
        return array, []
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        return np.zeros(len(array), np.bool_), [f"the labels are {array.dtype}, not numbers"]
    missing = int(np.isnan(numbers).sum())
    other = int(((numbers != 0.0) & (numbers != 1.0)).sum()) - missing
    faults = [f"{missing:,} labels are missing (NaN)"] if missing else []
    faults += [f"{other:,} labels are neither 0 nor 1"] if other else []
    return numbers == 1.0, faults


def _scores(name: str, score: ArrayLike, probabilities: bool) -> tuple[Floats, list[str]]:
    try:
        array = np.asarray(score, dtype=np.float64)
    except (TypeError, ValueError):
        return np.zeros(0), [f"{name} are not numbers"]
    if array.ndim != 1:
        return array, [f"{name} has shape {array.shape}, not one dimension"]
    bad = int((~np.isfinite(array)).sum())
    if bad:
        return array, [f"{bad:,} values of {name} are missing or infinite"]
    outside = int(((array < 0.0) | (array > 1.0)).sum()) if probabilities else 0
    return array, [f"{outside:,} values of {name} lie outside 0 to 1"] if outside else []
