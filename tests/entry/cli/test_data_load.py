"""Bringing data in by a command of its own; two at once take turns, and each row is stored once."""

import subprocess
import sys

import pytest

import treadle as tr
from tests.entry.cli.conftest import treadle
from treadle.bootstrap import Home

PROJECT = """
import polars as pl
import treadle as tr

sales = tr.Source.csv("sales", path="sales", columns={"item": "string", "price": "float"}, backdated=True)

@tr.table(columns={"item": "string"})
def items(sales):
    return sales.select("item")

project = tr.Project(name="NAME", sources=[sales, items])
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a project and its data; the home is not there yet."""
    name = f"load_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(PROJECT.replace("NAME", name))
    (tmp_path / "data" / "sales").mkdir(parents=True)
    return tmp_path


def words(place, *more):
    project = next(path.parent for path in place.glob("load_*/__init__.py"))
    return ["data", "load", "--data", place / "data", "--project", project, "--home", place / "home", *more]


def write(place, name, *items):
    lines = ["item,price", *(f"{item},1" for item in items)]
    part = place / f".{name}.part"
    part.write_text("\n".join(lines) + "\n")
    part.replace(place / "data" / "sales" / f"{name}.csv")


def stored(place):
    return sorted(tr.dataset("sales", home=place / "home").collect()["item"])


def test_new_rows_become_a_version_of_the_source_and_of_the_tables_on_it(place):
    write(place, "a", "one")
    assert [(row["name"], row["version"]) for row in treadle(*words(place, "--json")).json] == [
        ("items", 1),
        ("sales", 1),
    ]
    assert [row["is_new"] for row in treadle(*words(place, "--json")).json] == [False, False]
    write(place, "b", "two")
    assert [row["is_new"] for row in treadle(*words(place, "--json")).json] == [True, True]
    assert stored(place) == ["one", "two"]


def test_faulty_data_leaves_no_home_behind(place):
    (place / "data" / "sales" / "a.csv").write_text("item\none\n")
    said = treadle(*words(place, "--json"))
    assert any("price" in fault for fault in said.error["faults"])
    assert not (place / "home").exists()


def test_a_home_that_stays_in_use_is_told_after_the_wait(place):
    write(place, "a", "one")
    home = Home.at(place / "home", create=True)
    with home.held("a server"):
        said = treadle(*words(place, "--wait", "1s", "--json"))
    assert "in use by a server" in said.error["what"]
    assert "waiting" in said.err
    assert treadle(*words(place)).code == 0


LOADER = """
import sys
from pathlib import Path
from treadle.entry.cli import main
place, who, rounds, words = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
for number in range(rounds):
    part = place / f".{who}{number}.part"
    part.write_text("item,price\\n" + "".join(f"{who}{number}-{n},1\\n" for n in range(5)))
    part.replace(place / "data" / "sales" / f"{who}{number}.csv")
    assert main(words) == 0
"""


@pytest.mark.slow
def test_two_processes_that_load_at_once_both_finish_and_every_row_is_stored_once(place):
    rounds = 3
    arguments = [str(word) for word in words(place, "--wait", "60s", "--json")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOADER, str(place), who, str(rounds), *arguments],
            stdout=subprocess.DEVNULL,
        )
        for who in ("x", "y")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    expected = sorted(f"{who}{number}-{n}" for who in "xy" for number in range(rounds) for n in range(5))
    assert stored(place) == expected
    assert sorted(tr.dataset("items", home=place / "home").collect()["item"]) == expected
    found = treadle("data", "versions", "sales", "--home", place / "home", "--json").json
    assert [row["version"] for row in found] == list(range(len(found), 0, -1))
    tables = [row["table_version"] for row in found]
    assert len(set(tables)) == len(tables)
    assert [row["rows"] for row in found] == sorted((row["rows"] for row in found), reverse=True)
    numbers = tr.dataset("sales", times=True, home=place / "home").collect()["__row"]
    assert numbers.n_unique() == len(expected)
