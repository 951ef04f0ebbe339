"""A small production: the flights example on every eighth flight, with small models, and the command that replays it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from examples.flights.data import read_table

ROOT = Path(__file__).parents[2]
UNTIL = "2013-06-20"


@pytest.fixture(scope="session")
def small_project(tmp_path_factory):
    """The example as it stands, but with 12 trees instead of 200."""
    folder = tmp_path_factory.mktemp("projects") / "small_flights"
    shutil.copytree(ROOT / "examples" / "flights", folder, ignore=shutil.ignore_patterns("__pycache__"))
    model = folder / "model.py"
    text = model.read_text()
    assert "iterations: int = 200" in text
    model.write_text(text.replace("iterations: int = 200", "iterations: int = 12"))
    return folder


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small-data")
    for name in ("weather", "planes", "airports", "airlines"):
        read_table(name).write_parquet(folder / f"{name}.parquet")
    flights = read_table("flights").filter((pl.col("flight") % 8 == 0) & (pl.col("time_hour") < "2013-06-25"))
    flights.write_parquet(folder / "flights.parquet")
    return folder


class ReplayCommand:
    """`treadle replay` in a process of its own."""

    def __init__(self, project, data):
        self.project, self.data = project, data

    def start(self, home, *extra, failpoints=""):
        command = [sys.executable, "-m", "treadle", "replay", "--project", self.project, "--data", self.data]
        command += ["--home", home, "--json", home.with_suffix(".json"), "--until", UNTIL, *extra]
        environment = {**os.environ, "TREADLE_FAILPOINTS": failpoints}
        return subprocess.Popen(
            [str(part) for part in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    def run(self, home, *extra, failpoints=""):
        process = self.start(home, *extra, failpoints=failpoints)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output

    def found(self, home):
        return json.loads(home.with_suffix(".json").read_text())


@pytest.fixture(scope="session")
def replay_command(small_project, small_data):
    return ReplayCommand(small_project, small_data)


@pytest.fixture(scope="session")
def replayed(replay_command, tmp_path_factory):
    """A home that a replay left behind, and what the replay found."""
    home = tmp_path_factory.mktemp("replayed") / "home"
    code, output = replay_command.run(home)
    assert code == 0, output
    return home, replay_command.found(home), output
