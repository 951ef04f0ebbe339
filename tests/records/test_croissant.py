"""The Croissant description: one field a column, keys, and no type it has no word for."""

import pytest

from treadle.records.croissant import CONFORMS, TYPES, CroissantDataset, CroissantFile, describe
from treadle.records.errors import InvalidInput

FILE = CroissantFile(name="trips-3.parquet", sha256="ab" * 32, size=10)


def dataset(**changes):
    given = {
        "name": "trips",
        "version": 3,
        "created": 0,
        "columns": dict(zip("abcde", TYPES, strict=True)),
        "file": FILE,
    }
    return CroissantDataset(**{**given, **changes})


def test_every_column_is_a_field_that_leads_to_the_file():
    found = describe(dataset(about={"a": "the first"}))
    assert (found["conformsTo"], found["version"]) == (CONFORMS, "3.0.0")
    file, rows = found["distribution"][0], found["recordSet"][0]
    assert len(found["distribution"]) == len(found["recordSet"]) == 1
    assert (file["@id"], file["contentUrl"], file["sha256"]) == (
        "trips-3.parquet",
        "trips-3.parquet",
        "ab" * 32,
    )
    assert [(one["name"], one["dataType"]) for one in rows["field"]] == list(
        zip("abcde", TYPES.values(), strict=True)
    )
    assert {one["source"]["fileObject"]["@id"] for one in rows["field"]} == {"trips-3.parquet"}
    assert [one["description"] for one in rows["field"]][:2] == ["the first", "b"]


@pytest.mark.parametrize(
    ("key", "said"),
    [((), None), (("a",), {"@id": "rows/a"}), (("a", "b"), [{"@id": "rows/a"}, {"@id": "rows/b"}])],
)
def test_what_identifies_a_row_is_its_key(key, said):
    assert describe(dataset(key=key))["recordSet"][0].get("key") == said


def test_types_without_a_word_are_refused_all_at_once():
    with pytest.raises(InvalidInput) as caught:
        describe(dataset(columns={"a": "list", "b": "float", "c": "money"}))
    assert len(caught.value.faults) == 2
