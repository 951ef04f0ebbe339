"""The reference pages of anomalies and schemas say what the catalogue and the records say."""

import re

import msgspec
import pytest

from docs.generate_anomalies import anomalies_page
from tests.docs.pages import ROOT, blocks
from treadle.define.schema_faults import schema_faults
from treadle.define.schema_reader import parse_schema
from treadle.records.anomaly_kinds import KINDS
from treadle.records.schemas import (
    AlignedSchema,
    ColumnSchema,
    DatasetSchema,
    KeySchema,
    ReferenceSchema,
    RowRule,
    RowsSchema,
    TimeSchema,
)

REFERENCE = ROOT / "docs" / "reference"
TABLES = (
    DatasetSchema,
    RowsSchema,
    TimeSchema,
    ColumnSchema,
    KeySchema,
    ReferenceSchema,
    AlignedSchema,
    RowRule,
)


def test_the_page_of_anomalies_is_fresh() -> None:
    fresh = anomalies_page() == (REFERENCE / "anomalies.md").read_text()
    assert fresh, "write it anew: .venv/bin/python docs/generate_anomalies.py > docs/reference/anomalies.md"


def test_every_kind_has_a_row_and_every_rule_is_a_key_of_a_schema() -> None:
    page = (REFERENCE / "anomalies.md").read_text()
    assert [name for name in KINDS if page.count(f"\n| `{name}` |") != 1] == []
    keys = {field.name for table in TABLES for field in msgspec.structs.fields(table)}
    named = {key for kind in KINDS.values() for key in re.findall(r"\] ([a-z_0-9]+)", kind.rule)}
    assert named - keys == set()


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_schema_is_explained(table: type[msgspec.Struct]) -> None:
    page = (REFERENCE / "schemas.md").read_text()
    missing = [field.name for field in msgspec.structs.fields(table) if f"`{field.name}`" not in page]
    assert set(missing) <= {"rows", "time", "keys", "references", "aligned", "rules", "columns"}


def test_the_schema_on_the_page_can_be_read() -> None:
    page = (REFERENCE / "schemas.md").read_text()
    (block,) = [block for block in blocks(page) if block.info[0] == "toml"]
    text = block.body
    for name, kind in (
        ("flight", "int"),
        ("sched_dep", "time"),
        ("actual_arr", "time"),
        ("actual_dep", "time"),
    ):
        text += f'\n[columns.{name}]\ntype = "{kind}"\n'  # columns that the page leaves out
    assert not schema_faults(parse_schema(text).schema)
