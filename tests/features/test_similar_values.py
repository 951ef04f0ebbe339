"""Columns that tell the same are found by their values, in whatever unit."""

import numpy as np
import polars as pl

from treadle.stages.features.similar_values import similar_columns

RNG = np.random.default_rng(3)
CELSIUS = RNG.normal(12, 8, size=1_000)


def pairs(**columns):
    frame = pl.DataFrame(columns)
    return [(one.one, one.other, one.equal) for one in similar_columns(frame, frame.columns)]


def test_the_same_values_and_another_unit_of_them_are_told_apart():
    assert pairs(c=CELSIUS, same=CELSIUS, f=CELSIUS * 1.8 + 32) == [
        ("c", "same", True), ("c", "f", False), ("same", "f", False),
    ]  # fmt: skip


def test_what_is_only_much_alike_is_another_column():
    assert pairs(c=CELSIUS, rough=CELSIUS + RNG.normal(0, 0.01, size=1_000)) == []


def test_other_nulls_constants_text_and_few_rows_are_nothing_alike():
    gaps = pl.Series([None, *CELSIUS[1:].tolist()])
    assert pairs(c=pl.Series(CELSIUS), gaps=gaps) == []
    assert pairs(one=np.ones(500), other=np.ones(500)) == []
    assert pairs(a=np.array(["x"] * 500), b=np.arange(500)) == []
    assert pairs(a=np.arange(50), b=np.arange(50)) == []
