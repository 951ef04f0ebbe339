"""Pruning removes the rows of versions that nothing needs, and every other version reads as before, killed or not."""

import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest

import treadle as tr
from tests.entry.cli.conftest import treadle
from treadle.bootstrap import Home
from treadle.define.sources import Source, table
from treadle.records.failpoints import VARIABLE
from treadle.records.instants import DAY, instant
from treadle.records.runs import DatasetInput
from treadle.stages.data.bringing import bring_in
from treadle.stages.data.places import DataPlace

FIRST = instant("2025-06-01")
VERSIONS = 6
sales = Source.csv("sales", path="sales.csv", columns={"item": "string"}, backdated=True)


@table(columns={"item": "string"})
def copied(sales):
    return sales


@pytest.fixture
def home(tmp_path):
    """A home in which the rows of a source were replaced each day, and a table was made of each version."""
    opened = Home.at(tmp_path / "home", create=True)
    (tmp_path / "data").mkdir()
    with closing(opened.metadata()) as metadata:
        for number in range(VERSIONS):
            (tmp_path / "data" / "sales.csv").write_text(f"item\ni{number}\n")
            place = DataPlace.of(tmp_path / "data")
            bring_in([sales, copied], place, opened.tables(), metadata, FIRST + number * DAY)
    return opened.folder


def ask(home, *words):
    return treadle("data", *words, "--home", home)


def fates(said):
    return {row["version"]: row["fate"] for row in said.json["versions"]}


def readable(home):
    found = {}
    for name in ("sales", "copied"):
        for version in range(1, VERSIONS + 1):
            try:
                found[f"{name}/{version}"] = tr.dataset(name, version=version, home=home).collect()["item"][0]
            except tr.NotFound:
                pass
    return found


def files(home):
    return {path.name for path in (home / "tables").rglob("*.parquet")}


def read_by_a_run(home, version):
    with closing(Home.at(home, create=False).metadata()) as metadata, metadata.begin() as unit:
        content = unit.datasets.get("copied", version).content_hash
        run = unit.runs.create_run(FIRST)
        unit.runs.log_inputs(run.run_id, [DatasetInput(name="copied", digest=content)], FIRST)
        unit.models.create_model("m", FIRST)
        unit.models.create_version("m", FIRST, run_id=run.run_id)
    return run.run_id


def test_the_plan_is_shown_and_nothing_happens_without_a_yes(home):
    ask(home, "tag", "sales", "2", "golden")
    before, files_before = readable(home), files(home)
    said = ask(home, "prune", "--keep", "2", "--older-than", "1d", "--json")
    assert said.json["done"] is False
    assert {ref for ref, fate in fates(said).items() if fate == "goes"} == {
        f"{name}/{n}" for name in ("sales", "copied") for n in (1, 2, 3, 4) if (name, n) != ("sales", 2)
    }
    shown = ask(home, "prune", "--keep", "2", "--older-than", "1d")
    assert "tagged golden" in shown.out
    assert "would remove 7 versions" in shown.err
    assert (readable(home), files(home)) == (before, files_before)


def test_what_a_run_or_tag_needs_stays_readable_and_the_rest_is_freed(home):
    run = read_by_a_run(home, 3)
    ask(home, "tag", "sales", "1", "golden")
    before = readable(home)
    said = ask(home, "prune", "--keep", "1", "--older-than", "1d", "--yes", "--json")
    why = {row["version"]: row["why"] for row in said.json["versions"]}
    assert why["copied/3"] == [f"read by run {run}", "trained on by m/1"]
    assert why["sales/3"] == ["copied/3 was made of it"]
    stays = {"sales/1", "sales/3", "sales/6", "copied/3", "copied/6"}
    assert readable(home) == {ref: before[ref] for ref in stays}
    assert said.json["files_removed"] == 2 * VERSIONS - len(stays)
    assert len(files(home)) == len(stays)
    again = ask(home, "prune", "--keep", "1", "--older-than", "1d", "--yes", "--json").json
    assert (again["files_removed"], set(fates(ask(home, "prune", "--json")))) == (0, stays)


def test_what_is_known_of_a_removed_version_stays(home):
    ask(home, "prune", "--keep", "1", "--older-than", "1d", "--yes")
    shown = ask(home, "show", "copied@2", "--json").json
    assert shown["dropped"]
    assert shown["parents"] == ["sales/2"]
    assert "removed at" in ask(home, "diff", "copied@2", "copied", "--json").error["what"]
    assert "removed" in ask(home, "tag", "sales", "2", "golden", "--json").error["what"]


def test_a_home_in_use_is_not_pruned(home):
    with Home.at(home, create=False).held("someone"):
        said = ask(home, "prune", "--keep", "1", "--older-than", "1d", "--yes", "--json")
        assert "in use by someone" in said.error["what"]
    assert len(readable(home)) == 2 * VERSIONS


POINTS = [
    "retention.after_manifests:kill",
    "tables.before_drop:kill@2",
    "tables.after_drop_noted:kill",
    "tables.before_remove:kill",
    "tables.before_remove:kill@3",
    "retention.after_table:kill",
]


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_step_what_stays_is_readable_and_the_next_time_finishes(home, point):
    before = readable(home)
    stays = {"sales/5", "sales/6", "copied/5", "copied/6"}
    words = ["data", "prune", "--keep", "2", "--older-than", "1d", "--yes", "--home", str(home)]
    environment = {**os.environ, VARIABLE: point}
    killed = subprocess.run(
        [sys.executable, "-m", "treadle", *words], check=False, env=environment, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    found = readable(home)
    assert {ref: found[ref] for ref in stays} == {ref: before[ref] for ref in stays}
    assert treadle(*words).code == 0
    assert readable(home) == {ref: before[ref] for ref in stays}
    assert len(files(home)) == len(stays)
