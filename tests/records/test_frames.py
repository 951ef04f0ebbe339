"""Frames: rows become the matrix a model learns from, categories by vocabularies learned once."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.frames import AT, KNOWN_AT, LABEL, Frame, matrix


def frame(rows, features, categories=(), **more):
    height = len(next(iter(rows.values())))
    times = {AT: range(height), KNOWN_AT: range(1, height + 1), LABEL: [float(i % 2) for i in range(height)]}
    return Frame(pl.DataFrame({**rows, **times}), tuple(features), tuple(categories), **more)


ROWS = {
    "carrier": ["UA", None, "AA", "UA"],
    "flight": [7, 3, None, 3],
    "weekend": [True, False, None, True],
    "temp": [1.5, None, -2.0, 0.0],
    "stops": [0, 1, None, 2],
    "city": ["x", "y", "z", "x"],
}


def test_categories_become_positions_in_their_sorted_values_and_no_value_becomes_nan():
    made = frame(ROWS, ["temp", "carrier", "flight", "weekend", "stops"], ["carrier", "flight", "weekend"])
    assert made.learned.vocabularies == {"carrier": ("AA", "UA"), "flight": (3, 7), "weekend": (False, True)}
    nan = math.nan
    np.testing.assert_array_equal(
        made.X, [[1.5, 1, 1, 1, 0], [nan, nan, 0, 0, 1], [-2.0, 0, nan, nan, nan], [0.0, 1, 0, 1, 2]]
    )
    assert made.X.dtype == np.float64
    assert made.X.flags.c_contiguous
    assert made.y.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert made.categorical == [False, True, True, True, False]
    assert len(made) == 4


def test_features_alone_and_in_their_order_are_learned_from():
    assert frame(ROWS, ["stops", "temp"]).X[0].tolist() == [0.0, 1.5]


def test_a_vocabulary_that_was_given_is_kept_and_unknown_values_are_no_values():
    made = frame(ROWS, ["carrier"], ["carrier"], vocabularies={"carrier": ("DL", "UA")})
    assert made.learned is made
    np.testing.assert_array_equal(made.X[:, 0], [1, math.nan, math.nan, 1])


def test_a_part_of_learned_rows_keeps_what_was_learned():
    whole = frame(ROWS, ["carrier"], ["carrier"]).learned
    part = whole.where(pl.col("carrier") == "UA")
    assert len(part) == 2
    assert part.X[:, 0].tolist() == [1.0, 1.0]
    assert frame(ROWS, ["carrier"], ["carrier"]).where(pl.col("carrier") == "UA").X[:, 0].tolist() == [
        0.0,
        0.0,
    ]


def test_without_categories_there_is_nothing_to_learn():
    made = frame(ROWS, ["temp"])
    assert made.learned is made


def test_a_category_without_any_value_has_an_empty_vocabulary():
    made = frame({"c": pl.Series([None, None], dtype=pl.String)}, ["c"], ["c"])
    assert made.learned.vocabularies == {"c": ()}
    assert np.isnan(made.X).all()


def test_no_rows_are_a_matrix_of_the_right_width():
    made = frame(ROWS, ["carrier", "temp"], ["carrier"]).where(pl.lit(value=False))
    assert (made.X.shape, made.y.shape, len(made)) == ((0, 2), (0,), 0)


def test_text_that_is_no_category_is_no_number():
    with pytest.raises(pl.exceptions.PolarsError):
        frame(ROWS, ["city"]).X  # noqa: B018 - reading it is what fails


@settings(max_examples=60)
@given(
    st.lists(st.none() | st.sampled_from("abcd"), min_size=1, max_size=8),
    st.lists(st.sampled_from("abcdef"), unique=True, max_size=5),
)
def test_codes_are_those_of_a_plain_lookup(values, vocabulary):
    found = matrix(pl.DataFrame({"c": pl.Series(values, dtype=pl.String)}), ("c",), {"c": tuple(vocabulary)})
    expected = [float(vocabulary.index(v)) if v in vocabulary else math.nan for v in values]
    np.testing.assert_array_equal(found[:, 0], expected)


@settings(max_examples=40)
@given(
    st.lists(st.none() | st.sampled_from("dbca"), min_size=1, max_size=8), st.randoms(use_true_random=False)
)
def test_vocabularies_do_not_depend_on_the_order_of_rows(values, random):
    shuffled = random.sample(values, len(values))
    first, second = (
        frame({"c": pl.Series(v, dtype=pl.String)}, ["c"], ["c"]).learned.vocabularies
        for v in (values, shuffled)
    )
    assert first == second == {"c": tuple(sorted({v for v in values if v is not None}))}
