"""A replay that is repeated, given another end, or begun anew: allowed where it stays what one replay would have been."""

import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.entry.cli.conftest import NAME, treadle
from treadle.adapters.log import FileLog, FileLogReader
from treadle.bootstrap import Home

pytestmark = pytest.mark.slow

SHORT, LONG = "2025-04-04", "2025-04-08"


class Replays:
    """Replays of the shop into homes under one folder."""

    def __init__(self, shop, folder):
        self.shop, self.folder = shop, folder

    def run(self, home, until):
        words = [
            "replay",
            "--project",
            self.shop.project,
            "--data",
            self.shop.data,
            "--home",
            self.folder / home,
        ]
        return treadle(*words, "--until", until, "--json", self.folder / f"{home}.json")

    def found(self, home):
        return json.loads((self.folder / f"{home}.json").read_text())


@pytest.fixture(scope="module")
def replays(shop, tmp_path_factory):
    """A replay to the later end, and one to the earlier end, both untouched."""
    made = Replays(shop, tmp_path_factory.mktemp("replays"))
    for home, until in (("long", LONG), ("short", SHORT)):
        said = made.run(home, until)
        assert said.code == 0, said.err
        assert "going on from" not in said.out
    return made


@pytest.fixture
def own(replays, tmp_path):
    """The same, in folders that the test may change."""
    shutil.copytree(replays.folder, tmp_path / "replays")
    return Replays(replays.shop, tmp_path / "replays")


def test_a_replay_given_a_later_end_is_the_one_that_goes_there_at_once(own):
    said = own.run("short", LONG)
    assert said.code == 0, said.err
    assert "going on from 2025-04-04T00:00:00Z" in said.out
    extended, straight = own.found("short"), own.found("long")
    assert extended["digests"] == straight["digests"]
    assert extended["months"] == straight["months"]
    assert extended["verdicts"] == straight["verdicts"]
    assert extended["resumed_from"] == "2025-04-04T00:00:00Z"
    assert straight["resumed_from"] is None


def test_a_whole_replay_run_again_says_so_and_prints_no_ratio(own):
    said = own.run("short", SHORT)
    assert said.code == 0, said.err
    assert "the replay is whole already" in said.out
    assert "times the" not in said.out
    assert "earlier ones are not counted" in said.out


@pytest.mark.parametrize("end", ["2025-04-02", "2025-04-03T12:00:00Z"])
def test_an_end_that_the_replay_has_passed_is_refused(own, end):
    said = own.run("short", end)
    assert said.code == 1
    assert "beyond the end asked for" in said.err


def test_an_end_within_a_day_cannot_be_gone_on_from_and_the_error_says_which_could(replays):
    assert replays.run("within", "2025-04-02T15:00:00Z").code == 0
    said = replays.run("within", SHORT)
    assert said.code == 1
    assert "within a day of UTC" in said.err
    assert "such as 2025-04-03T00:00:00Z" in said.err


def test_a_home_that_was_served_since_is_left_alone_by_the_same_command_and_by_a_later_end(own):
    log = FileLog(own.folder / "short" / "predictions")
    end = log.append(b"what a server answered")
    log.close()
    for until in (SHORT, LONG):
        said = own.run("short", until)
        assert said.code == 1
        assert "used since its replay ended: it was served" in said.err
    assert FileLogReader(own.folder / "short" / "predictions").end() == end


def test_a_champion_moved_by_hand_ends_a_replay(own):
    home = own.folder / "short"
    metadata = Home.at(home, create=False).metadata()
    with metadata.begin() as unit:
        unit.models.delete_alias("returns", "champion", 2_000_000_000_000_000, reason="by hand")
    metadata.close()
    assert "its champion was moved" in own.run("short", LONG).err


def test_an_end_behind_the_data_is_the_end_of_the_data(shop):
    from treadle.bootstrap import load_project
    from treadle.loop.replay_inputs import replay_inputs
    from treadle.stages.data.reading import read_folder

    project = load_project(shop.project).project
    rows = read_folder(project.sources, shop.data)
    assert replay_inputs(project, rows, None) == replay_inputs(project, rows, 2_000_000_000_000_000)
    assert replay_inputs(project, rows, None) != replay_inputs(project, rows, 1_750_000_000_000_000)


def run_apart(project, data, home, until):
    command = [
        sys.executable,
        "-m",
        "treadle",
        "replay",
        "--project",
        project,
        "--data",
        data,
        "--home",
        home,
    ]
    return subprocess.run([*map(str, command), "--until", until], capture_output=True, text=True, check=False)


def test_a_replay_whose_first_training_failed_is_begun_anew_in_the_same_home(shop, tmp_path):
    project = shutil.copytree(shop.project, tmp_path / NAME, ignore=shutil.ignore_patterns("__pycache__"))
    model = project / "model.py"
    sound = model.read_text()
    broken = sound.replace("    model = Hist", "    raise ValueError('a mistake')\n    model = Hist")
    assert broken != sound
    model.write_text(broken)
    failed = run_apart(project, shop.data, tmp_path / "home", SHORT)
    assert failed.returncode == 1
    assert "a mistake" in failed.stderr
    model.write_text(sound)
    mended = run_apart(project, shop.data, tmp_path / "home", "2025-04-03")
    assert mended.returncode == 0, mended.stderr
    assert "begun anew" in mended.stderr
    runs = treadle("runs", "--home", tmp_path / "home", "--json").json
    assert {run["status"] for run in runs} == {"FINISHED"}


def test_a_home_with_answers_is_never_begun_anew(own, tmp_path):
    other = tmp_path / "data"
    shutil.copytree(own.shop.data, other)
    import polars as pl

    rows = pl.read_parquet(other / "orders.parquet")
    rows.head(rows.height - 10).write_parquet(other / "orders.parquet")
    before = sorted(path.name for path in (own.folder / "short").iterdir())
    words = ["replay", "--project", own.shop.project, "--data", other, "--home", own.folder / "short"]
    said = treadle(*words, "--until", SHORT)
    assert said.code == 1
    assert "other data" in said.err
    assert sorted(path.name for path in (own.folder / "short").iterdir()) == before


def test_a_replay_stopped_by_a_person_says_that_the_same_command_goes_on(shop, tmp_path):
    command = [sys.executable, "-m", "treadle", "replay", "--project", shop.project, "--data", shop.data]
    process = subprocess.Popen(
        [*map(str, command), "--home", str(tmp_path / "home")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    while "promoted: version 1" not in (line := process.stdout.readline()):
        assert line
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines() == ["interrupted; the same command goes on where it was"]


def test_a_replay_whose_first_model_is_not_promoted_says_why(shop, tmp_path):
    import polars as pl

    data = shutil.copytree(shop.data, tmp_path / "data")
    nothing = pl.read_parquet(data / "returns.parquet").head(0)
    nothing.write_parquet(data / "returns.parquet")
    words = [
        "replay",
        "--project",
        shop.project,
        "--data",
        data,
        "--home",
        tmp_path / "home",
        "--until",
        SHORT,
    ]
    said = treadle(*words)
    assert said.code == 2
    assert "the first model was not promoted" in said.err
    assert "too few labels of both classes" in said.err
