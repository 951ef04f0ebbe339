"""A home: a folder of treadle's own, held by one controller at a time, closed whole."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.bootstrap.conftest import SOUND
from tests.redis_server import redis_server
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.online_redis import RedisOnline
from treadle.bootstrap import HOME_FILE, ONLINE_URL, PART_FILE, Home, load_project, need, open_world
from treadle.ports.executor import Task
from treadle.records.errors import Conflict, Corrupt, InvalidInput, NotFound, NotReady
from treadle.testing.online import fill


def test_a_home_is_made_once_and_found_again(tmp_path):
    folder = tmp_path / "a" / "home"
    made = Home.at(folder, create=True)
    assert made == Home.at(folder, create=True) == Home.at(folder, create=False)
    assert made.notes() == {"version": 1}
    assert [path.name for path in folder.iterdir()] == [HOME_FILE]
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_path_with_a_link_and_dots_is_the_same_home(tmp_path):
    made = Home.at(tmp_path / "home", create=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert Home.at(tmp_path / "x" / ".." / "link", create=False) == made


def test_what_is_no_home_is_said_to_be_none_and_stays_as_it_is(tmp_path):
    with pytest.raises(NotFound, match="is not a treadle home") as caught:
        Home.at(tmp_path / "nowhere", create=False)
    assert caught.value.command == "treadle run PIPELINE --home DIR"
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("words")
    with pytest.raises(Conflict, match="holds files but is not a treadle home, e"):
        Home.at(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_empty_folder_becomes_a_home_also_after_a_kill_in_the_middle(tmp_path):
    (tmp_path / PART_FILE).write_text("{")
    assert Home.at(tmp_path, create=True).notes() == {"version": 1}


def test_a_file_is_no_place_for_a_home(tmp_path):
    (tmp_path / "file").write_text("words")
    for folder in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(Conflict, match="cannot be made: "):
            Home.at(folder, create=True)


@pytest.mark.parametrize("name", ["my home", "hôme", "home?x=1", "a%20b", "a#b", "[home]", "a\\b"])
def test_a_path_that_tables_cannot_be_read_under_is_refused_at_once(name, tmp_path):
    with pytest.raises(InvalidInput, match="the path of the home has") as caught:
        Home.at(tmp_path / name, create=True)
    assert "--home" in str(caught.value.fix)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["home", "a,b=c+d&e'f", "(x);y:z@~$!", "A-1_b.c"])
def test_in_every_other_path_all_stores_open_write_and_read(name, tmp_path):
    home = Home.at(tmp_path / name, create=True)
    tables, blobs, online, metadata = home.tables(), home.blobs(), home.online(), home.metadata()
    tables.overwrite("rows", pl.DataFrame({"x": [1, 2]}))
    assert tables.read("rows").collect()["x"].to_list() == [1, 2]
    assert blobs.get(blobs.put(b"bytes")) == b"bytes"
    for store in (blobs, online, metadata):
        store.close()
    assert {path.name for path in tmp_path.iterdir()} == {name}
    assert {path.name for path in home.folder.iterdir()} >= {"tables", "blobs", "online", "metadata.db"}


class TestNotes:
    def test_facts_are_added_and_replaced(self, tmp_path):
        home = Home.at(tmp_path, create=True)
        home.note(project="/p", data="/d")
        home.note(data="/e")
        assert home.notes() == {"version": 1, "project": "/p", "data": "/e"}

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": "1"}'])
    def test_a_damaged_file_is_said_to_be_damaged(self, text, tmp_path):
        Home.at(tmp_path, create=True)
        (tmp_path / HOME_FILE).write_text(text)
        with pytest.raises(Corrupt, match="is damaged") as caught:
            Home.at(tmp_path, create=False)
        assert '{"version": 1}' in str(caught.value.fix)

    def test_a_newer_home_is_left_to_a_newer_treadle(self, tmp_path):
        Home.at(tmp_path, create=True)
        (tmp_path / HOME_FILE).write_text(json.dumps({"version": 2}))
        with pytest.raises(
            NotReady, match=r"a newer treadle made the home .* \(version 2, this one knows 1\)"
        ):
            Home.at(tmp_path, create=True)


HOLD = """
import sys
from pathlib import Path
from treadle.bootstrap import Home
with Home.at(Path(sys.argv[1]), create=False).held("treadle up"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the home."""
    home = Home.at(tmp_path / "home", create=True)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield home, process
    process.kill()
    process.communicate()


class TestHeld:
    def test_a_home_held_by_another_process_says_by_which(self, holder):
        home, process = holder
        with pytest.raises(Conflict) as caught, home.held("treadle run"):
            pass
        assert caught.value.what == f"the home {home.folder} is in use by treadle up (process {process.pid})"
        assert caught.value.fix == "stop that process, or use another --home"

    def test_readers_look_on(self, holder):
        home, _ = holder
        metadata = home.metadata()
        with metadata.read() as view:
            assert view.datasets.names() == ()
        metadata.close()

    def test_a_killed_process_holds_nothing(self, holder):
        home, process = holder
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with home.held("treadle run"):
            assert "treadle run" in (home.folder / "lock").read_text()

    def test_the_same_process_is_no_exception(self, tmp_path):
        home = Home.at(tmp_path, create=True)
        said = f"in use by first \\(process {os.getpid()}\\)"
        with home.held("first"), pytest.raises(Conflict, match=said), home.held("second"):
            pass
        with home.held("third"):
            pass

    def test_a_block_that_fails_lets_go(self, tmp_path):
        home = Home.at(tmp_path, create=True)
        with pytest.raises(ZeroDivisionError), home.held("first"):
            raise ZeroDivisionError
        with home.held("second"):
            pass


def open_files(folder):
    """What this process has open below a folder."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = link.readlink()
        except FileNotFoundError:  # the listing's own
            continue
        if target.is_relative_to(folder):
            found.append(target)
    return sorted(found)


def children():
    """The processes this process has started and not yet waited for."""
    threads = list(Path("/proc/self/task").iterdir())
    return {child for thread in threads for child in (thread / "children").read_text().split()}


class TestWorld:
    def test_a_world_closes_everything_it_opened(self, tmp_path, write_project):
        home = Home.at(tmp_path / "home", create=True)
        loaded = load_project(write_project())
        before = children()
        with open_world(home, loaded, SimulatedClock(0)) as world:
            assert world.project is loaded.project
            assert (world.project_paths, world.code_folder) == ((str(loaded.import_path),), loaded.folder)
            with world.metadata.begin() as unit:
                unit.checkpoints.put("x", 1, 0)
            world.blobs.put(b"bytes")
            task = Task(target="treadle.testing.tasks:echo", payload=b"words", name="echo")
            assert world.executor.submit(task).result(timeout=60) == b"words"
            assert children() > before
            assert open_files(home.folder)
            with (
                pytest.raises(Conflict, match="is in use by treadle"),
                open_world(home, loaded, SimulatedClock(0)),
            ):
                pass
        assert open_files(home.folder) == []
        assert children() <= before
        with open_world(home, loaded, SimulatedClock(0)) as world, world.metadata.read() as view:
            found = view.checkpoints.get("x")
            assert found is not None
            assert found.value == 1

    def test_a_world_that_fails_half_open_closes_what_it_had(self, tmp_path, write_project, monkeypatch):
        home = Home.at(tmp_path / "home", create=True)
        loaded = load_project(write_project())
        (home.folder / "predictions").write_text("a file where a folder belongs")
        with pytest.raises(Exception), open_world(home, loaded, SimulatedClock(0)):  # noqa: B017
            pass
        assert open_files(home.folder) == []
        (home.folder / "predictions").unlink()
        with open_world(home, loaded, SimulatedClock(0)):
            pass


class TestClaim:
    @pytest.fixture
    def home(self, tmp_path):
        return Home.at(tmp_path / "home", create=True)

    def named(self, write_project, name, **where):
        return load_project(write_project(SOUND.replace('"shop"', repr(name)), **where))

    def test_a_home_stays_the_first_project_s_and_both_are_named(self, home, write_project):
        first, second = self.named(write_project, "first"), self.named(write_project, "second")
        with open_world(home, first, SimulatedClock(0)):
            pass
        before = (home.folder / HOME_FILE).read_bytes()
        with pytest.raises(Conflict) as caught, open_world(home, second, SimulatedClock(0)):
            pass
        for said in ("'first'", str(first.folder), "'second'", str(second.folder)):
            assert said in caught.value.what
        assert "--take-over" in str(caught.value.fix)
        assert (home.folder / HOME_FILE).read_bytes() == before

    def test_a_renamed_project_takes_its_home_when_it_is_told_to(self, home, write_project):
        home.claim(self.named(write_project, "first"))
        second = self.named(write_project, "second")
        home.claim(second, take_over=True)
        assert home.notes()["project_name"] == "second"
        assert home.notes()["project"] == str(second.folder)
        home.claim(second)

    def test_a_project_that_moved_keeps_its_home(self, home, write_project):
        home.claim(self.named(write_project, "first"))
        moved = self.named(write_project, "first")
        home.claim(moved)
        assert home.notes()["project"] == str(moved.folder)

    def test_a_home_of_before_names_were_kept_goes_by_the_folder(self, home, write_project):
        first, second = self.named(write_project, "first"), self.named(write_project, "second")
        home.note(project=str(first.folder))
        with pytest.raises(Conflict, match=first.folder.name):
            home.claim(second)
        home.claim(first)
        assert home.notes()["project_name"] == "first"


def test_a_home_that_cannot_be_written_to_says_so(tmp_path):
    home = Home.at(tmp_path / "home", create=True)
    (home.folder / "lock").mkdir()
    with pytest.raises(NotReady, match="cannot be written to") as caught, home.held("treadle"):
        pass
    assert caught.value.where == str(home.folder / "lock")
    (home.folder / PART_FILE).mkdir()
    with pytest.raises(NotReady, match="cannot be written to"):
        home.note(x=1)


def test_an_error_of_the_block_is_not_taken_for_one_of_the_home(tmp_path):
    home = Home.at(tmp_path / "home", create=True)
    with pytest.raises(FileNotFoundError), home.held("treadle"):
        (tmp_path / "nowhere").read_text()


def test_a_part_that_is_not_installed_is_named_with_its_install_line():
    need("all", "json")
    with pytest.raises(NotReady) as caught:
        need("serve", "no_such_server")
    assert caught.value.what == "this needs no_such_server, which is not installed"
    assert caught.value.fix == "install the extra: pip install 'treadle[serve]'"


def test_online_features_lie_on_redis_where_a_secret_names_one(tmp_path, monkeypatch):
    home, other = (Home.at(tmp_path / name, create=True) for name in ("one", "two"))
    with redis_server(tmp_path) as url:
        monkeypatch.setenv(ONLINE_URL, url)
        stores = [home.online(), other.online(), home.online()]
        assert [type(store) for store in stores] == [RedisOnline] * 3
        fill(stores[0], "v", {b"k": b"1"})
        assert [store.get("v", b"k") for store in stores] == [b"1", None, b"1"]
        monkeypatch.setenv(ONLINE_URL, f"{url}#shared")
        named = [home.online(), other.online()]
        fill(named[0], "v", {b"k": b"2"})
        assert named[1].get("v", b"k") == b"2"
        for store in (*stores, *named):
            store.close()
    monkeypatch.delenv(ONLINE_URL)
    embedded = home.online()
    assert embedded.get("v", b"k") is None
    embedded.close()
    assert not any("redis" in path.read_text() for path in home.folder.glob("*.json"))
