"""The Spark lowering gives what generated Python gives, to the bit, in ANSI mode and out of it."""

import warnings
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import treadle as tr
from tests.features.rows.agreement import KINDS, bits, by_rows, operators_of, program_of, steps_apart
from tests.features.rows.trees import EDGES, INPUTS, expressions, rows
from treadle.define.expressions import Expression, Field, call, constant
from treadle.stages.features.rows import frame
from treadle.stages.features.rows.portability import APPROXIMATE
from treadle.stages.features.rows.program import RowProgram

MATHEMATICS = APPROXIMATE["pyspark"]

pytestmark = pytest.mark.clients

TYPES = {"float": "double", "int": "bigint", "string": "string", "bool": "boolean"} | dict.fromkeys(
    ("time", "duration"), "bigint"
)
SCHEMA = ", ".join(f"{name} {TYPES[kind]}" for name, kind in INPUTS.items())
AT_ONCE = 40


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Spark warns of newer pandas, which these tests don't use
        from pyspark.sql import SparkSession

        opened = (
            SparkSession.builder.master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "1g")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse")))
            .getOrCreate()
        )
        opened.sparkContext.setLogLevel("ERROR")
        yield opened
        opened.stop()


def over_spark(session, program: RowProgram, values: list[dict[str, object]]) -> list[list[object]]:
    from treadle.stages.features.rows.spark import with_features

    held = session.createDataFrame([tuple(row[name] for name in INPUTS) for row in values], SCHEMA)
    return [list(row) for row in with_features(held, program.bound).select(*program.outputs).collect()]


@pytest.mark.parametrize("ansi", ["true", "false"])
def test_random_expressions_are_equal_to_the_bit(ansi: str, session) -> None:
    session.conf.set("spark.sql.ansi.enabled", ansi)
    tree = st.sampled_from(KINDS).flatmap(lambda kind: expressions(kind, 2))
    exact = tree.filter(lambda found: bool(used := operators_of(found)) and not used & {*MATHEMATICS})

    # Not shrunk: one example is one job of Spark, and names the expression that differs.
    @seed(1 if ansi == "true" else 2)
    @settings(
        max_examples=4,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.lists(exact, min_size=AT_ONCE, max_size=AT_ONCE), rows(30))
    def law(trees: list[Expression], values: list[dict[str, object]]) -> None:
        program = program_of(trees)
        found, expected = over_spark(session, program, values), by_rows(program, values)
        for row, got, want in zip(values, found, expected, strict=True):
            for i, made in enumerate(trees):
                assert bits(got[i]) == bits(want[i]), (made, row)

    law()


def test_mathematics_of_java_stays_within_its_stated_bound(session) -> None:
    more = {"power": (constant("float", 1.7),)}
    program = program_of([call(operator, Field("f1"), *more.get(operator, ())) for operator in MATHEMATICS])
    drawn = [i / 7 for i in range(-400, 400)] + [1e-8, -1e-8, -1.0, 700.0, 710.0, -750.0, float("nan")]
    values = [dict.fromkeys(INPUTS) | {"f1": x} for x in [None, *drawn, *EDGES, *(-edge for edge in EDGES)]]
    for row, got, want in zip(
        values, over_spark(session, program, values), by_rows(program, values), strict=True
    ):
        for operator, a, b in zip(MATHEMATICS, got, want, strict=True):
            assert (a is None) == (b is None), (operator, row["f1"])
            if a is not None:
                assert steps_apart(a, b) <= MATHEMATICS[operator], (operator, row["f1"], a, b)


def test_a_spark_frame_gives_a_spark_frame_with_instants_as_timestamps(session) -> None:
    @tr.row_feature
    def local_hour(at):
        return at.dt.convert_time_zone("America/New_York").dt.hour()

    @tr.row_feature
    def later(at):
        return at.dt.offset_by("90m")

    held = session.createDataFrame(
        [(datetime(2026, 3, 8, 7, tzinfo=UTC), 1), (None, 2)], "at timestamp, `a b` int"
    )
    found = tr.compute([local_hour, later], held)
    assert found.dtypes == [
        ("at", "timestamp"), ("a b", "int"), ("local_hour", "bigint"), ("later", "timestamp"),
    ]  # fmt: skip
    first, second = found.selectExpr("local_hour", "unix_micros(later)").collect()
    assert tuple(first) == (3, int(datetime(2026, 3, 8, 8, 30, tzinfo=UTC).timestamp()) * 10**6)
    assert tuple(second) == (None, None)


def test_every_operation_of_the_graph_has_a_lowering() -> None:
    from treadle.stages.features.rows.spark_operations import LOWERINGS

    assert {*LOWERINGS} == {*frame.LOWERINGS} - {"field", "constant", "opaque"}
