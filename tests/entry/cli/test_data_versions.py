"""Versions of data: listing, showing and tagging them, and reading exactly one of them."""

from contextlib import closing

import polars as pl
import pytest

import treadle as tr
from tests.entry.cli.conftest import treadle
from treadle.adapters.tables import DeltaTables
from treadle.bootstrap import Home
from treadle.define.sources import Source, table
from treadle.records.instants import HOUR, instant
from treadle.stages.data.bringing import bring_in
from treadle.stages.data.places import DataPlace

FIRST = instant("2025-06-01")
sales = Source.csv(
    "sales", path="sales", columns={"item": "string", "price": "float"}, unique="item", backdated=True
)


@table(columns={"item": "string", "double": "float"})
def doubled(sales):
    return sales.select("item", double=pl.col("price") * 2)


@pytest.fixture
def home(tmp_path):
    """A home with three versions of `sales`, an hour apart, and of the table made of it."""
    opened = Home.at(tmp_path / "home", create=True)
    (tmp_path / "data" / "sales").mkdir(parents=True)
    with closing(opened.metadata()) as metadata:
        for number in range(3):
            (tmp_path / "data" / "sales" / f"{number}.csv").write_text(f"item,price\ni{number},{number}.5\n")
            place = DataPlace.of(tmp_path / "data")
            bring_in([sales, doubled], place, opened.tables(), metadata, FIRST + number * HOUR)
    return opened.folder


def ask(home, *words):
    return treadle("data", *words, "--home", home)


def items(home, **which):
    return tr.dataset("sales", home=home, **which).collect()["item"].sort().to_list()


def test_datasets_and_versions_are_listed_with_what_they_are(home):
    listed = ask(home, "list", "--json").json
    assert [(row["name"], row["version"], row["rows"]) for row in listed] == [
        ("doubled", 3, 3),
        ("sales", 3, 3),
    ]
    assert listed[0]["made_of"] == "sales/3"
    found = ask(home, "versions", "sales", "--json").json
    assert [row["version"] for row in found] == [3, 2, 1]
    assert [row["parents"] for row in found] == [["sales/2"], ["sales/1"], []]
    assert found[0]["unique"] == ["item"]
    shown = ask(home, "show", "doubled@2", "--json").json
    assert (shown["rows"], shown["parents"]) == (2, ["sales/2"])
    assert shown["columns"] == {"item": "String", "double": "Float64"}
    assert len(shown["code"]) == 64
    assert ask(home, "show", "sales@2", "--json").json["code"] is None
    assert "sales/2" in ask(home, "versions", "doubled").out


def test_a_version_is_found_by_number_tag_and_instant(home):
    ask(home, "tag", "sales", "2", "golden")
    for reference in ("sales@2", "sales@golden", "sales@2025-06-01T01:30Z"):
        assert ask(home, "show", reference, "--json").json["version"] == 2
    assert ask(home, "show", "sales@latest", "--json").json["version"] == 3
    assert items(home) == ["i0", "i1", "i2"]
    assert items(home, version=1) == ["i0"]
    assert items(home, tag="golden") == ["i0", "i1"]
    assert items(home, at="2025-06-01T00:59Z") == ["i0"]
    frame = tr.dataset("sales", home=home)
    assert frame.collect_schema().names() == ["item", "price"]
    assert "__known_at" in tr.dataset("sales", times=True, home=home).collect_schema()


def test_rows_once_asked_for_do_not_move(home, tmp_path):
    frame = tr.dataset("sales", home=home)
    tables = DeltaTables(home / "tables")
    tables.overwrite("sales", tables.read("sales").limit(0).collect())
    assert frame.collect().height == 3


def test_a_tag_points_at_one_version_and_can_be_taken_off(home):
    ask(home, "tag", "sales", "1", "golden")
    assert ask(home, "tag", "sales", "latest", "golden", "--json").json["tags"] == ["golden"]
    assert [row["tags"] for row in ask(home, "versions", "sales", "--json").json] == [["golden"], [], []]
    assert ask(home, "list", "--json").json[1]["tags"] == ["golden = 3"]
    ask(home, "tag", "sales", "golden", "golden", "--remove")
    assert all(not row["tags"] for row in ask(home, "versions", "sales", "--json").json)


def test_what_is_not_there_is_told_with_its_neighbours(home):
    ask(home, "tag", "sales", "1", "golden")
    for words, said in {
        ("show", "sals"): "'sales'",
        ("show", "sales@golde"): "'golden'",
        ("show", "sales@9"): "no version 9",
        ("show", "sales@2025-05-01"): "had no version at",
        ("show", "sales@"): "names no version",
        ("tag", "sales", "1", "2025"): "cannot be a tag",
        ("tag", "sales", "2", "golden", "--remove"): "golden",
        ("versions", "sals"): "'sales'",
    }.items():
        error = ask(home, *words, "--json").error
        assert said in f"{error['what']} {error['fix']}", words
    with pytest.raises(tr.InvalidInput):
        tr.dataset("sales", version=1, tag="golden", home=home)
    with pytest.raises(tr.NotFound):
        tr.dataset("sales", home=home / "nowhere")


def test_two_versions_are_told_apart_by_rows_keys_and_values(home):
    found = ask(home, "diff", "sales@1", "@3", "--json").json
    assert (found["before"], found["now"]) == ("sales/1", "sales/3")
    assert found["rows"] == {"before": 1, "now": 3}
    keys = found["keys"]
    assert (keys["added"], keys["removed"], keys["changed"], keys["same"]) == (2, 0, 0, 1)
    assert keys["examples"]["added"] == [{"item": "i1"}, {"item": "i2"}]
    assert {one["column"] for one in found["profile"]["columns"]} == {"item", "price"}
    shown = ask(home, "diff", "sales@1", "sales")
    assert "sales/3: 3 rows (+2)" in shown.out
    assert "i2" in shown.out


def test_two_datasets_are_compared_by_the_key_that_is_named(home):
    found = ask(home, "diff", "sales", "doubled", "--key", "item", "--no-profile", "--json").json
    assert (list(found["schema"]["added"]), list(found["schema"]["removed"])) == (["double"], ["price"])
    assert found["keys"]["same"] == 3
    assert found["profile"] is None
    said = ask(home, "diff", "doubled@1", "doubled", "--no-profile")
    assert said.code == 0
    assert "--key" in said.err


def test_the_same_content_is_told_by_its_hash_alone(home):
    DeltaTables(home / "tables").overwrite("sales", pl.DataFrame({"unreadable": [1]}))
    found = ask(home, "diff", "sales@2", "sales@2", "--json").json
    assert found["same_content"]
    assert found["keys"] is None
    assert "same content" in ask(home, "diff", "sales@2", "sales@2").err
