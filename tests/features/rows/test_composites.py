"""Helpers made of the closed set: what they mean, the same in every lowering."""

import math

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.features.rows.agreement import bits, relation_of
from tests.features.rows.trees import floats
from treadle.stages.features.rows.program import compile_rows

EDGES = [-1.0, 0.0, 2.5, 1e300]


@tr.row_feature
def bucket(x):
    return tr.bucketise(x, EDGES)


@tr.row_feature
def inside(x, y):
    return x.between(y, 3)


@tr.row_feature
def clipped(x):
    return x.clip(-2, 2).fill_null(7)


@tr.row_feature
def sine(x):
    return tr.cyclic(x.clip(0, 24), 24)[0]


def bucket_by_hand(x: float | None) -> int | None:
    return None if x is None or math.isnan(x) else sum(edge <= x for edge in EDGES)


def inside_by_hand(x: float | None, y: float | None) -> bool | None:
    return None if x is None or y is None else y <= x <= 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.none() | floats | st.sampled_from(EDGES), st.none() | floats), min_size=1, max_size=6
    )
)
def test_helpers_mean_the_same_by_hand_by_row_over_frames_and_in_duckdb(rows) -> None:
    features = [bucket, inside, clipped]
    program = compile_rows(features, {"x": "float", "y": "float"})
    found = [program.row(*row) for row in rows]
    assert [row[:2] for row in found] == [(bucket_by_hand(x), inside_by_hand(x, y)) for x, y in rows]
    frame = pl.DataFrame(rows, schema={"x": pl.Float64, "y": pl.Float64}, orient="row")
    with duckdb.connect() as connection:
        engines = tr.compute(features, relation_of(connection, frame)).fetchall()
    for other in (tr.compute(features, frame).rows(), engines):
        assert [[*map(bits, row[2:])] for row in other] == [[*map(bits, row)] for row in found]


def test_a_cycle_starts_where_it_ends() -> None:
    found = tr.compute(sine, pl.DataFrame({"x": [0.0, 6.0, 24.0]}))["sine"].to_list()
    assert found == pytest.approx([0.0, 1.0, 0.0], abs=1e-15)


@pytest.mark.parametrize("edges", [[], [2, 1], [1, 1], [1.0, math.nan]])
def test_edges_that_do_not_rise_are_refused(edges: list[float]) -> None:
    with pytest.raises(tr.InvalidInput, match="do not rise"):

        @tr.row_feature
        def found(x):
            return tr.bucketise(x, edges)
