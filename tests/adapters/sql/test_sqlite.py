"""SQLite is opened as the store's promises need it, or refused."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from treadle.adapters.sql import open_metadata, schema, sqlite
from treadle.records.errors import Corrupt, InvalidInput, NotReady
from treadle.records.instants import SECOND
from treadle.testing.metadata import AT, set_scene

MOUNTS = """\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:5 / /home/ann\\040b rw shared:1 - nfs4 server:/ann rw
23 21 0:6 / /data rw - nfs server:/data rw
24 23 8:2 / /data/local rw - xfs /dev/sdb rw
25 21 0:7 / /over rw - ext4 /dev/sdc rw
26 25 0:8 / /over rw - cifs //server/over rw
garbage
"""


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((4, 0, 0), True),
    ],
)
def test_versions_with_the_wal_reset_bug_are_not_sound(version: tuple[int, ...], sound: bool) -> None:
    assert sqlite.sound(version) is sound


def test_driver_in_use_is_sound() -> None:
    assert sqlite.sound(tuple(sqlite.choose_driver().sqlite_version_info))


@pytest.mark.parametrize(
    "other", [None, SimpleNamespace(sqlite_version_info=(3, 51, 2), sqlite_version="3.51.2")]
)
def test_no_sound_driver_is_refused_with_what_was_found(
    monkeypatch: pytest.MonkeyPatch, other: object
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    monkeypatch.setitem(sys.modules, "pysqlite3", other)
    with pytest.raises(NotReady) as error:
        sqlite.choose_driver()
    assert len(error.value.faults) == 2
    assert error.value.command is not None


def test_new_enough_interpreter_needs_no_other_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert sqlite.choose_driver() is sqlite3


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/x", "ext4"),
        ("/home/ann b/t", "nfs4"),
        ("/home/ann", "ext4"),
        ("/data/x", "nfs"),
        ("/data/local/x", "xfs"),
        ("/database", "ext4"),
        ("/over/x", "cifs"),
    ],
)
def test_file_system_is_that_of_the_innermost_mount(path: str, kind: str) -> None:
    assert sqlite.file_system_of(Path(path), MOUNTS) == kind


def test_network_file_system_is_refused_and_an_unknown_one_is_not() -> None:
    with pytest.raises(InvalidInput, match="nfs4"):
        sqlite.refuse_network(Path("/home/ann b/t"), MOUNTS)
    sqlite.refuse_network(Path("/data/local/t"), MOUNTS)
    sqlite.refuse_network(Path("/t"), "")


def test_connections_are_durable_and_strict(sqlite_url: str) -> None:
    engine = sqlite.make_engine(path_of(sqlite_url), 12_000)
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "mmap_size",
                "busy_timeout",
                "secure_delete",
            )
        }
    engine.dispose()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "mmap_size": 0,
        "busy_timeout": 12_000,
        "secure_delete": 1,
    }


def test_files_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "metadata.db"
    metadata = open_metadata(f"sqlite:///{path}")
    with metadata.begin() as unit:
        unit.runs.create_run(AT)
    modes = {found.name: found.stat().st_mode & 0o777 for found in path.parent.iterdir()}
    assert modes == dict.fromkeys(("metadata.db", "metadata.db-wal", "metadata.db-shm"), 0o600)
    metadata.close()
    path.chmod(0o644)
    open_metadata(f"sqlite:///{path}").close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "mysql://root@host/x", "metadata.db", "", "postgresql+asyncpg://h/x"],
)
def test_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as error:
        open_metadata(url)
    assert error.value.fix is not None


def test_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        open_metadata(f"sqlite:///{tmp_path}")


def test_file_that_is_no_database_is_corrupt_and_untouched(tmp_path: Path) -> None:
    path = tmp_path / "metadata.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(Corrupt):
        open_metadata(f"sqlite:///{path}")
    assert path.read_bytes() == b"not a database at all" * 100


def test_damaged_pages_are_found(sqlite_url: str) -> None:
    metadata = open_metadata(sqlite_url)
    with metadata.begin() as unit:
        for number in range(200):
            unit.runs.create_run(AT, tags={"t": "x" * 200, "n": str(number)})
    metadata.close()
    data = bytearray(path_of(sqlite_url).read_bytes())
    for page in range(len(data) // 2 // 4096, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path_of(sqlite_url).write_bytes(data)
    metadata = open_metadata(sqlite_url)
    assert metadata.check() != []
    metadata.close()


def test_reference_to_nothing_is_found(sqlite_url: str) -> None:
    metadata = open_metadata(sqlite_url)
    with metadata.begin() as unit:
        set_scene(unit)
    connection = sqlite.choose_driver().connect(path_of(sqlite_url), isolation_level=None)
    connection.execute("DELETE FROM experiments WHERE experiment_id = 1")
    connection.close()
    assert any("runs" in fault and "experiments" in fault for fault in metadata.check())
    metadata.close()


def test_writer_that_waits_too_long_is_told_so(sqlite_url: str) -> None:
    metadata = open_metadata(sqlite_url, wait=SECOND // 20)
    blocker = sqlite.choose_driver().connect(path_of(sqlite_url), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotReady, match="in time"), metadata.begin():
        pass
    with metadata.read() as view:  # readers don't wait
        assert view.journal.end() == 0
    blocker.execute("ROLLBACK")
    blocker.close()
    with metadata.begin() as unit:
        unit.runs.create_run(AT)
    metadata.close()


def test_search_takes_as_many_queries_for_many_runs_as_for_few(sqlite_url: str) -> None:
    statements: list[str] = []
    metadata = open_metadata(sqlite_url)
    sa.event.listen(metadata._engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
    with metadata.begin() as unit:
        for _ in range(60):
            unit.runs.create_run(AT, params={"a": "1"}, tags={"b": "2"})
    counts = []
    for limit in (2, 60):
        statements.clear()
        with metadata.read() as view:
            assert len(view.runs.search_runs(limit=limit).items) == limit
        counts.append(len(statements))
    metadata.close()
    assert counts[0] == counts[1] <= 7


def test_session_reads_with_select_only(sqlite_url: str) -> None:
    metadata = open_metadata(sqlite_url)
    with metadata.read() as view, pytest.raises(TypeError):
        view.journal._ask.rows(sa.delete(schema.events))  # type: ignore[arg-type]  # that is the point
    metadata.close()
