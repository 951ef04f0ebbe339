"""`treadle data infer`, `validate` and `accept`: a schema is proposed, edited, held against data, and mended."""

from contextlib import chdir

import polars as pl
import pytest

from tests.entry.cli.conftest import treadle

TRIPS = pl.DataFrame(
    {
        "id": range(100),
        "km": [1.5 + i / 10 for i in range(100)],
        "city": ["Bern", "Oslo"] * 50,
        "started": pl.datetime_range(
            pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 1, 1, 39), "1m", time_zone="UTC", eager=True
        ),
    }
)
RULE = '\n[[rules]]  # ours\nname = "short"\nrule = "km < 100 or city == \'Oslo\'"  # by decree\n'


@pytest.fixture
def folder(tmp_path):
    """A folder with trips, their schema and a batch that breaks it."""
    TRIPS.write_parquet(tmp_path / "trips.parquet")
    off = TRIPS.with_columns(pl.col("km") * 1_000, city=pl.lit("Bonn")).rename({"id": "identity"})
    off.write_parquet(tmp_path / "off.parquet")
    with chdir(tmp_path):
        said = treadle(
            "data", "infer", "trips.parquet", "--out", "schemas/trips.toml", "--event-time", "started"
        )
        assert said.code == 0, said.err
        yield tmp_path


def validate(*words):
    return treadle("data", "validate", *words, "--at", "2026-01-01T02:00:00Z")


def test_data_keep_the_schema_proposed_from_them(folder):
    said = validate("trips.parquet")
    assert (said.code, said.out) == (0, "")
    assert said.err == "schema 'trips' kept by 100 rows: 0 stop, 0 warn, 0 info\n"
    assert validate("trips.parquet", "--json").json["broken"] is False


def test_without_a_file_to_write_the_schema_is_printed(folder):
    said = treadle("data", "infer", "trips.parquet", "--event-time", "started")
    assert said.out.strip() == (folder / "schemas" / "trips.toml").read_text().strip()


def test_broken_data_exit_with_one_and_name_rows_and_lines(folder):
    said = validate("off.parquet", "--schema", "schemas/trips.toml")
    assert said.code == 1
    line = (folder / "schemas" / "trips.toml").read_text().splitlines().index("max = 22.0") + 1
    assert said.out.splitlines()[:6] == [
        "stop  column_missing  id: the column is missing",
        f'      accept  schemas/trips.toml:{line - 10}  [columns.id] lifecycle = "deprecated"',
        "stop  above_max  km: 100 of 100 values (100 %) are above the maximum 22.0",
        "      values  11400, 11300, 11200, 11100, 11000",
        "      rows    99, 98, 97, 96, 95",
        f"      accept  schemas/trips.toml:{line}  [columns.km] max = 11400.0",
    ]
    machine = treadle("data", "validate", "off.parquet", "--schema", "schemas/trips.toml", "--json")
    assert machine.code == 1
    assert '"kind": "value_unexpected"' in machine.out


def test_a_schema_that_a_person_has_edited_is_never_overwritten_unasked(folder):
    path = folder / "schemas" / "trips.toml"
    path.write_text(path.read_text() + RULE)
    edited = path.read_text()
    said = treadle("data", "infer", "trips.parquet", "--out", path, "--event-time", "started")
    assert said.code == 1
    assert '-name = "short"' in said.out
    assert "left alone" in said.err
    assert path.read_text() == edited
    assert (
        treadle("data", "infer", "trips.parquet", "--out", path, "--event-time", "started", "--force").code
        == 0
    )
    assert RULE not in path.read_text()


def test_accepting_an_anomaly_changes_its_line_and_nothing_else(folder):
    path = folder / "schemas" / "trips.toml"
    path.write_text(path.read_text() + RULE)
    before = path.read_text().splitlines()
    said = treadle("data", "accept", "off.parquet", "value_unexpected", "city", "--schema", path)
    assert said.code == 0, said.err
    after = path.read_text().splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        ('values = ["Bern", "Oslo"]', 'values = ["Bern", "Oslo", "Bonn"]')
    ]
    kinds = [one["kind"] for one in _anomalies("off.parquet", path)]
    assert kinds == ["column_missing", "above_max", "rule_broken", "column_new"]
    for kind in kinds:
        assert treadle("data", "accept", "off.parquet", kind, "--schema", path).code == 0
    assert all(one["severity"] == "info" for one in _anomalies("off.parquet", path))
    assert "# by decree" in path.read_text()


def _anomalies(data, path):
    import json

    return json.loads(validate(data, "--schema", path, "--json").out)["anomalies"]


def test_what_is_not_there_is_said_with_the_next_command(folder):
    said = validate("off.parquet", "--json")
    assert said.error["code"] == "not_found"
    assert said.error["command"] == "treadle data infer FILE --out schemas/off.toml"
    said = treadle(
        "data", "accept", "off.parquet", "value_unexpectd", "city", "--schema", "schemas/trips.toml"
    )
    assert "value_unexpected city" in said.err
    assert treadle("data", "infer", "trips.parquet", "--key", "idd", "--event-time", "km").code == 2


def test_a_schema_that_cannot_be_read_is_refused_with_its_lines(folder):
    path = folder / "schemas" / "trips.toml"
    path.write_text(path.read_text().replace("max = 22.0", "max = -1.0\nmaxx = 3"))
    said = validate("trips.parquet", "--json")
    assert said.code == 2
    assert [fault.split(": ", 1)[1] for fault in said.error["faults"]] == [
        "columns.km.maxx: there is no key 'maxx'; did you mean 'max'?",
        "columns.km.min: min is above max: no value keeps both",
    ]


def test_references_and_previous_data_are_looked_at(folder):
    path = folder / "schemas" / "trips.toml"
    path.write_text(
        path.read_text().replace("[rows]", "[rows]\nmin_ratio = 0.5")
        + '\n[[references]]\ncolumns = ["city"]\ndataset = "cities"\nto = ["name"]\n'
    )
    pl.DataFrame({"name": ["Bern"]}).write_csv("cities.csv")
    TRIPS.head(10).write_parquet("few.parquet")
    said = validate(
        "few.parquet", "--schema", path, "--reference", "cities=cities.csv", "--previous", "trips.parquet"
    )
    assert [line.split()[1] for line in said.out.splitlines() if line[0] != " "] == [
        "reference_missing",
        "rows_fell",
    ]
    assert validate("few.parquet", "--schema", path, "--reference", "cities").code == 2
