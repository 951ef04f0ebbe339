"""What the tests of the lowerings share: frames of random rows, and values as bits."""

import math
import struct

import duckdb
import polars as pl

from tests.features.rows.trees import INPUTS
from treadle.define.expressions import Call, Expression, fields, walk
from treadle.define.row_features import RowFeature
from treadle.stages.features.rows.program import RowProgram, compile_rows

PHYSICAL = {
    "float": pl.Float64(), "int": pl.Int64(), "string": pl.String(), "bool": pl.Boolean(),
    "time": pl.Int64(), "duration": pl.Int64(),
}  # fmt: skip
KINDS = list(PHYSICAL)


def integers_of(values: list[dict[str, object]]) -> pl.DataFrame:
    """The rows as a frame whose instants and durations are integers of microseconds."""
    return pl.DataFrame(
        {
            name: pl.Series(name, [row[name] for row in values], dtype=PHYSICAL[k])
            for name, k in INPUTS.items()
        }
    )


_SQL = {
    pl.Float64(): "DOUBLE", pl.Int64(): "BIGINT", pl.String(): "VARCHAR", pl.Boolean(): "BOOLEAN",
    pl.Datetime("us", "UTC"): "TIMESTAMPTZ",
}  # fmt: skip


def relation_of(connection: duckdb.DuckDBPyConnection, frame: pl.DataFrame) -> duckdb.DuckDBPyRelation:
    """A few rows as a relation, value by value: DuckDB reads whole frames only where PyArrow is."""
    columns = ", ".join(f'"{name}" {_SQL[dtype]}' for name, dtype in frame.schema.items())
    connection.execute(f"CREATE OR REPLACE TEMP TABLE held ({columns})")
    marks = ", ".join("?" * frame.width)
    rows = frame.rows()
    if rows:
        connection.execute(
            f"INSERT INTO held VALUES {', '.join([f'({marks})'] * len(rows))}",
            [value for row in rows for value in row],
        )
    return connection.table("held")


def program_of(trees: list[Expression]) -> RowProgram:
    """The trees as one program, its features called f0, f1, …"""
    return compile_rows([RowFeature(f"found_{i}", fields(t), t) for i, t in enumerate(trees)], INPUTS)


def by_rows(program: RowProgram, values: list[dict[str, object]]) -> list[list[object]]:
    """What generated Python makes of the rows."""
    return [list(program.row(*(row[name] for name in program.inputs))) for row in values]


def operators_of(tree: Expression) -> set[str]:
    """The operators in a tree."""
    return {node.operator for node in walk(tree) if isinstance(node, Call)}


def bits(value: object) -> object:
    """Floats by their bits, all NaN alike; everything else with its type."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else struct.pack("<d", value)
    return type(value), value


def steps_apart(a: float, b: float) -> float:
    """How many floats lie between two, counted over zero; 0 for two NaN."""
    if math.isnan(a) or math.isnan(b):
        return 0 if math.isnan(a) and math.isnan(b) else math.inf

    def place(x: float) -> int:
        (whole,) = struct.unpack("<q", struct.pack("<d", x))
        return int(whole) if whole >= 0 else -(whole + 2**63)

    return abs(place(a) - place(b))
