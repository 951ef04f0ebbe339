"""The Narwhals lowering gives what generated Python gives, on DuckDB and on Polars, to the bit."""

import duckdb
import narwhals.stable.v2 as nw
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.features.rows.agreement import (
    KINDS,
    bits,
    by_rows,
    integers_of,
    operators_of,
    program_of,
    relation_of,
    steps_apart,
)
from tests.features.rows.trees import EDGES, INPUTS, expressions, floats, rows
from treadle.define.expressions import Expression, Field, call, constant
from treadle.records.errors import InvalidInput
from treadle.stages.features.rows import frame, narwhals, narwhals_operations
from treadle.stages.features.rows.portability import APPROXIMATE, UNAVAILABLE
from treadle.stages.features.rows.program import RowProgram

SETTINGS = settings(max_examples=10, suppress_health_check=list(HealthCheck), deadline=None)


@pytest.fixture(scope="module")
def connection():
    with duckdb.connect() as opened:
        opened.execute("set threads = 1")
        yield opened


def over(engine: str, connection, program: RowProgram, values: list[dict[str, object]]) -> list[list[object]]:
    held = integers_of(values)
    source = relation_of(connection, held) if engine == "duckdb" else held.lazy()
    found = narwhals.with_features(nw.from_native(source), program.bound, engine).to_native()
    if engine == "duckdb":
        return [list(row) for row in found.project(", ".join(program.outputs)).fetchall()]
    return [list(row) for row in found.select(program.outputs).collect().rows()]


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_random_expression_is_equal_to_the_bit(engine: str, kind: str, connection) -> None:
    @SETTINGS
    @given(expressions(kind, 2), rows(4))
    def law(tree: Expression, values: list[dict[str, object]]) -> None:
        used = operators_of(tree)
        assume(used and not used & {*UNAVAILABLE[engine], *APPROXIMATE["duckdb"]})
        program = program_of([tree])
        expected = [[bits(value) for value in row] for row in by_rows(program, values)]
        assert [[bits(v) for v in row] for row in over(engine, connection, program, values)] == expected

    law()


@pytest.mark.parametrize("operator", APPROXIMATE["duckdb"])
def test_mathematics_of_the_engine_stays_within_its_stated_bound(operator: str, connection) -> None:
    more = (constant("float", 1.7),) if operator == "power" else ()
    program = program_of([call(operator, Field("f1"), *more)])
    bound = APPROXIMATE["duckdb"][operator]

    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.none() | floats, min_size=1, max_size=20))
    def law(drawn: list[float | None]) -> None:
        edges = [*EDGES, *(-e for e in EDGES), 1e-8, -1e-8, -1.0, -1 + 2.0**-53, 700.0, 710.0, -750.0]
        values = [dict.fromkeys(INPUTS) | {"f1": x} for x in [*drawn, *edges]]
        for (found,), (expected,) in zip(
            over("duckdb", connection, program, values), by_rows(program, values), strict=True
        ):
            assert (found is None) == (expected is None)
            if found is not None:
                assert steps_apart(found, expected) <= bound, (found, expected)

    law()


@pytest.mark.parametrize("operator", ["lower", "upper"])
def test_an_operator_that_an_engine_does_not_have_is_refused_by_name(operator: str, connection) -> None:
    program = program_of([call(operator, Field("s1"))])
    with pytest.raises(InvalidInput, match="duckdb") as caught:
        over("duckdb", connection, program, [dict.fromkeys(INPUTS)])
    assert f"uses '{operator}', which duckdb does not have" in caught.value.faults[0]


def test_what_duckdb_does_not_have_really_differs_there(connection) -> None:
    """The table of what is unavailable is not longer than it must be."""
    ((lowered, raised),) = connection.sql("select lower('İ'), upper('ß')").fetchall()
    assert lowered != "İ".lower()
    assert raised != "ß".upper()


def test_every_operation_of_the_graph_has_a_lowering() -> None:
    assert {*narwhals_operations.LOWERINGS} == {*frame.LOWERINGS} - {"field", "constant", "opaque"}


def test_a_table_too_large_for_a_query_is_refused(connection) -> None:
    members = [constant("int", i) for i in range(narwhals_operations.MOST_MEMBERS // 4)]
    assert over(
        "duckdb",
        connection,
        program_of([call("is_in", Field("i1"), *members)]),
        [dict.fromkeys(INPUTS) | {"i1": 7}],
    ) == [[True]]
