"""One small world for all commands: the project that `treadle init` makes, with data, two versions, and features online."""

import io
import json
import shutil
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from treadle.entry.cli import main

NAME = "shop_of_the_cli_tests"
BEFORE_THE_CHANGE = "2025-05-20"


@dataclass(frozen=True)
class Said:
    """What a command did: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a command that was given --json."""
        assert self.code != 0
        assert self.out == ""
        found: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return found


@dataclass(frozen=True)
class Shop:
    """A project made by `treadle init`, its data, and a home in which its pipeline ran twice."""

    folder: Path
    home: Path

    @property
    def project(self) -> Path:
        return self.folder / NAME

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def treadle(self, *words: object) -> Said:
        """Run a command on the shop's home."""
        return treadle(*words, "--home", self.home)

    def copy(self, to: Path) -> "Shop":
        """The same shop with a home of its own, for a test that changes it."""
        shutil.copytree(self.home, to)
        return replace(self, home=to)


def treadle(*words: object) -> Said:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Said(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def new_project(tmp_path_factory):
    """The folder that `treadle init` made, untouched."""
    above = tmp_path_factory.mktemp("projects")
    with chdir(above):
        said = treadle("init", NAME)
    assert said.code == 0, said.err
    return above / NAME


@pytest.fixture(scope="session")
def shop(new_project, tmp_path_factory):
    """A shop whose home tests read and never change."""
    made = Shop(new_project, tmp_path_factory.mktemp("homes") / "home")
    fill_data(made)
    for until in (BEFORE_THE_CHANGE, None):
        words = ["run", "train_returns", "--project", made.project, "--data", made.data, "--json"]
        said = made.treadle(*words, *(["--until", until] if until else []))
        assert said.json["verdict"] == "promoted", said.out
    fill_online(made)
    return made


def fill_data(shop: Shop) -> None:
    from treadle.bootstrap import load_project

    load_project(shop.project)
    data = __import__(f"{NAME}.data", fromlist=["make_tables"])
    shop.data.mkdir()
    for name, rows in data.make_tables().items():
        rows.write_parquet(shop.data / f"{name}.parquet")


def fill_online(shop: Shop) -> None:
    from treadle.bootstrap import Home, load_project
    from treadle.loop.feed import Feed
    from treadle.records.instants import instant

    home = Home.at(shop.home, create=False)
    tables, online = home.tables(), home.online()
    views = load_project(shop.project).project.views
    feed = Feed(views, {view.source.name: tables.read(view.source.name).collect() for view in views})
    feed.advance(online, instant("2025-06-30"))
    online.close()


@pytest.fixture
def own_shop(shop, tmp_path):
    """The shop with a home that the test may change."""
    return shop.copy(tmp_path / "home")
