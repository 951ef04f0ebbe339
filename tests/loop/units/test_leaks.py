"""What is said of rows that cannot be learned from as they are."""

import polars as pl

from treadle.loop.leaks import empty_features
from treadle.records.frames import Frame


def test_features_without_a_value_are_named_and_others_are_not():
    rows = pl.DataFrame({"a": [None, None], "b": [1.0, None]}, schema={"a": pl.Float64, "b": pl.Float64})
    (said,) = empty_features([3, Frame(rows, ("a", "b")), Frame(rows.clear(), ("a", "b"))])
    assert said.startswith("feature 'a' has no value in any of 2 rows")
