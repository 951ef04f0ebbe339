"""A home that has answered and learned nothing yet."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treadle.adapters.clock import ShiftedClock
from treadle.adapters.log import FileLog
from treadle.bootstrap import Home, load_project, open_world
from treadle.entry.cli import main
from treadle.loop.pushed_store import settle
from treadle.records.instants import HOUR, instant
from treadle.records.predictions import Prediction, encode_prediction
from treadle.stages.serving.prediction_log import PredictionFlusher

NOW = instant("2026-03-01T12:00:00Z")
PROJECT = Path(__file__).parent / "parcels"
NOTES = ["=cmd()", 'a "quoted", note\nof two lines', "naïve 包裹", "-", "plain"]


def prediction(number: int, *, at: int | None = None) -> Prediction:
    """An answer: the further back, the smaller the number; depots and scores come in turns."""
    when = NOW - (200 - number) * HOUR if at is None else at
    fields = [number, "north" if number % 4 else "south", NOTES[number % 5], number / 2]
    return Prediction(
        f"p{number:03}",
        when,
        "late",
        "late",
        1,
        fields,
        [99.0, number / 2, fields[1]],
        (number * 37 % 100) / 100,
    )


@dataclass(frozen=True)
class Said:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        assert self.code != 0, self.out
        return json.loads(self.err.splitlines()[-1])["error"]


@dataclass(frozen=True)
class Place:
    """The home, and commands on it."""

    home: Home

    @contextmanager
    def world(self):
        with open_world(self.home, load_project(PROJECT), ShiftedClock(NOW)) as world:
            yield world

    def treadle(self, *words: object, json: bool = True) -> Said:
        words = (
            "labels",
            *words,
            "--home",
            self.home.folder,
            "--project",
            PROJECT,
            *(["--json"] if json else []),
        )
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(word) for word in words])
        return Said(code, out.getvalue(), err.getvalue())

    def ok(self, *words: object) -> Any:
        """Run a command that succeeds and return its JSON."""
        return self.treadle(*words).json

    def labels(self) -> list[dict[str, Any]]:
        """The rows of the labels' table, in the order of their events."""
        rows = self.home.tables().read("truth").collect().sort("__row")
        return rows.select("prediction", "number", "late", "who", "remark").rows(named=True)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    home = Home.at(tmp_path_factory.mktemp("labelling") / "home", create=True)
    home.note(clock_end=NOW)
    log = FileLog(home.folder / "predictions")
    log.append_many([encode_prediction(prediction(number)) for number in range(200)])
    log.close()
    with Place(home).world() as world:
        settle(world)
        PredictionFlusher(world.project.endpoints, world.predictions, world.tables).flush()
    return home.folder


@pytest.fixture
def place(template, tmp_path):
    return Place(Home.at(Path(shutil.copytree(template, tmp_path / "home")), create=False))
