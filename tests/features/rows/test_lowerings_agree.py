"""The law of row features: over frames and over rows, the same values to the bit."""

import struct

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.features.rows.trees import INPUTS, expressions, rows
from treadle.define.expressions import Expression, digest, fields, from_json
from treadle.define.expressions import as_json as expression_json
from treadle.define.row_features import RowFeature
from treadle.stages.features.rows.frame import DTYPES
from treadle.stages.features.rows.program import RowProgram, compile_rows

KINDS = ["float", "int", "string", "bool", "time", "duration"]

SETTINGS = settings(max_examples=70, suppress_health_check=list(HealthCheck))


def frame_of(values: list[dict[str, object]]) -> pl.DataFrame:
    columns = {}
    for name, kind in INPUTS.items():
        physical = pl.Int64() if kind in ("time", "duration") else DTYPES[kind]
        columns[name] = pl.Series(name, [row[name] for row in values], dtype=physical).cast(DTYPES[kind])
    return pl.DataFrame(columns)


def over_the_frame(program: RowProgram, frame: pl.DataFrame) -> list[tuple[object, ...]]:
    # with_columns, not select: Polars may fold an expression to a constant, which select would return once.
    found = frame.with_columns(program.expressions()).select(program.outputs)
    for name, kind in program.types.items():
        assert found.schema[name] == DTYPES[kind]
    return found.with_columns(
        pl.col(name).cast(pl.Int64) for name, kind in program.types.items() if kind in ("time", "duration")
    ).rows()


def bits(value: object) -> object:
    """Floats by their bits, all NaN alike; everything else with its type."""
    if isinstance(value, float):
        return "NaN" if value != value else struct.pack("<d", value)
    return type(value), value


def assert_equal(program: RowProgram, values: list[dict[str, object]]) -> None:
    frame = frame_of(values)
    expected = [tuple(map(bits, row)) for row in over_the_frame(program, frame)]
    found = [tuple(map(bits, program.row(*(row[name] for name in program.inputs)))) for row in values]
    assert found == expected, program.source
    # A frame of one row takes other paths in Polars: constants are broadcast on both sides.
    assert [tuple(map(bits, row)) for row in over_the_frame(program, frame.head(1))] == found[:1], (
        program.source
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_random_expression_is_equal_over_frames_and_rows(kind: str) -> None:
    @SETTINGS
    @given(expressions(kind), rows())
    def law(expression: Expression, values: list[dict[str, object]]) -> None:
        feature = RowFeature("found", fields(expression), expression)
        assert_equal(compile_rows([feature], INPUTS), values)

    law()


@SETTINGS
@given(
    st.lists(st.sampled_from(KINDS).flatmap(lambda kind: expressions(kind, 2)), min_size=2, max_size=6),
    rows(3),
)
def test_a_set_that_shares_its_parts_is_equal_over_frames_and_rows(
    trees: list[Expression], values: list[dict[str, object]]
) -> None:
    features = [RowFeature(f"found_{i}", fields(tree), tree) for i, tree in enumerate([*trees, trees[0]])]
    assert_equal(compile_rows(features, INPUTS), values)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(KINDS).flatmap(expressions))
def test_a_tree_survives_json_and_keeps_its_digest(tree: Expression) -> None:
    import json

    back = from_json(json.loads(json.dumps(expression_json(tree))))
    assert repr(back) == repr(tree)  # repr, because NaN does not equal itself
    assert digest(back) == digest(tree)
