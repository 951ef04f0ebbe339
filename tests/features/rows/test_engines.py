"""`tr.compute`: the frame a person has goes in, the same kind with the features comes out."""

from datetime import UTC, datetime

import duckdb
import polars as pl
import pytest

import treadle as tr
from tests.features.rows.agreement import relation_of


@tr.row_feature
def local_hour(at):
    return at.dt.convert_time_zone("America/New_York").dt.hour()


@tr.row_feature
def later(at):
    return at.dt.offset_by("90m")


@tr.row_feature
def ratio(a, b):
    return a / b


@tr.row_feature
def twice(ratio):
    return ratio * 2


FEATURES = [local_hour, later, twice, ratio]
MARCH = datetime(2026, 3, 8, 7, tzinfo=UTC)
FRAME = pl.DataFrame(
    {"at": [MARCH, None, MARCH], "a": [1.5, None, -3.0], "b": [0, 2, 4], "kept": ["x", "y", None]},
    schema_overrides={"at": pl.Datetime("us", "UTC")},
)
EXPECTED = {
    "local_hour": [3, None, 3],
    "later": [datetime(2026, 3, 8, 8, 30, tzinfo=UTC), None, datetime(2026, 3, 8, 8, 30, tzinfo=UTC)],
    "twice": [float("inf"), None, -1.5],
    "ratio": [float("inf"), None, -0.75],
}

# DuckDB hands instants to Python only where another library is; their microseconds it gives itself.
TEXTS = ["local_hour", "epoch_us(later)", "twice", "ratio"]


def test_a_polars_frame_gives_a_polars_frame_and_a_lazy_one_stays_lazy() -> None:
    found = tr.compute(FEATURES, FRAME)
    assert found.columns == [*FRAME.columns, *EXPECTED]
    assert found.select(list(EXPECTED)).to_dict(as_series=False) == EXPECTED
    lazy = tr.compute(FEATURES, FRAME.lazy())
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(found)


def test_a_duckdb_relation_gives_a_relation_whose_other_columns_are_as_they_were() -> None:
    with duckdb.connect() as connection:
        relation = relation_of(connection, FRAME)
        found = tr.compute(FEATURES, relation)
        assert isinstance(found, duckdb.DuckDBPyRelation)
        assert found.columns == [*FRAME.columns, *EXPECTED]
        assert [str(kind) for kind in found.types][:4] == [str(kind) for kind in relation.types]
        hours, laters, *ratios = zip(*found.project(", ".join(TEXTS)).fetchall(), strict=True)
        assert [*hours] == EXPECTED["local_hour"]
        assert [*laters] == [None if at is None else int(at.timestamp() * 1e6) for at in EXPECTED["later"]]
        assert [[*column] for column in ratios] == [EXPECTED["twice"], EXPECTED["ratio"]]


def test_one_feature_needs_no_list_and_integers_may_be_said_to_be_instants() -> None:
    micros = pl.DataFrame({"at": [1_772_953_200_000_000]})
    assert tr.compute(local_hour, micros, types={"at": "time"})["local_hour"].to_list() == [3]
    with duckdb.connect() as connection:
        relation = relation_of(connection, micros)
        assert tr.compute(local_hour, relation, types={"at": "time"}).fetchall() == [
            (1_772_953_200_000_000, 3)
        ]


def test_every_fault_of_the_frame_is_listed() -> None:
    @tr.row_feature
    def several(a, b, c):
        return a + b + c

    held = pl.DataFrame({"a": [[1]], "b": [1], "several": [0]})
    with pytest.raises(tr.InvalidInput) as caught:
        tr.compute(several, held, types={"b": "decimal", "z": "int"})
    faults = "\n".join(caught.value.faults)
    for said in (
        "types names 'z'", "calls 'b' a 'decimal'", "already has a column 'several'", "no column 'c'",
        "column 'a' is of a type that no row feature reads",
    ):  # fmt: skip
        assert said in faults


def test_a_thing_that_is_no_frame_is_refused_naming_the_kinds() -> None:
    with pytest.raises(tr.InvalidInput, match=r"list is no frame") as caught:
        tr.compute(ratio, [1, 2])
    assert "DuckDB" in (caught.value.fix or "")
