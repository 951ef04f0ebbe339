"""SQLite, opened so that what it acknowledges stays.

WAL with `synchronous=FULL`, `BEGIN IMMEDIATE` for writers, no memory map, on a local file that only its owner
can read. Versions before 3.51.3 can corrupt a WAL database when two connections write and checkpoint at the
same time (https://www.sqlite.org/wal.html, the WAL-reset bug; repaired also in 3.44.6 and 3.50.7), so they
are refused.

No other SQLite library in the same process may open the file, not even to read: file locks belong to the
process, so the two would not see each other's. Whoever needs a connection takes `choose_driver()`.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import sqlalchemy as sa

from treadle.records.errors import InvalidInput, NotReady

FIRST_SOUND = (3, 51, 3)
_BACKPORTS = ((3, 44, 6), (3, 50, 7))
_NETWORKED = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.cephfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)


def sound(version: tuple[int, ...]) -> bool:
    """Whether a version of SQLite can be trusted with two writers on a WAL database."""
    return version >= FIRST_SOUND or any(version[:2] == fix[:2] and version >= fix for fix in _BACKPORTS)


def choose_driver() -> ModuleType:
    """Return the interpreter's `sqlite3` if it is new enough, or else `pysqlite3`.

    Raises:
        NotReady: neither is new enough.
    """
    found = [f"sqlite3 of this Python: SQLite {sqlite3.sqlite_version}"]
    if sound(sqlite3.sqlite_version_info):
        return sqlite3
    try:
        other = importlib.import_module("pysqlite3")
    except ImportError:
        found.append("pysqlite3: not installed")
    else:
        if sound(tuple(other.sqlite_version_info)):
            return other
        found.append(f"pysqlite3: SQLite {other.sqlite_version}")
    raise NotReady(
        "no SQLite here is safe to write with: versions before 3.51.3 can corrupt a database",
        faults=found,
        fix="install a newer pysqlite3, or use PostgreSQL",
        command="pip install --upgrade pysqlite3",
    )


def file_system_of(path: Path, mounts: str) -> str:
    """Return the file system type of a resolved path, by /proc/self/mountinfo's text; "" if unknown."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        # A later mount hides an earlier one at the same point, hence >=.
        if path.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), right.split(" ")[0]
    return kind


def refuse_network(path: Path, mounts: str) -> None:
    """Refuse a path on a network file system, where file locks and shared memory can't be relied on.

    Raises:
        InvalidInput: the file system's type is a known networked one. An unknown type is let through.
    """
    kind = file_system_of(path, mounts)
    if kind in _NETWORKED:
        raise InvalidInput(
            f"SQLite can't be used safely on a network file system ({kind})",
            where=str(path),
            fix="put the treadle home on a local disk, or use PostgreSQL for the metadata",
        )


def open_file(path: Path) -> Path:
    """Return the resolved path of a database file that only its owner can read, made if it is not there."""
    path = path.expanduser().resolve()
    if sys.platform == "linux":
        refuse_network(
            path.parent, Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise InvalidInput("the database is a folder, not a file", where=str(path))
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as cause:
        raise NotReady(
            f"the database can't be opened: {cause.strerror}",
            where=str(path),
            fix="give the user that runs treadle the right to write there: readers too keep their place in the folder; "
            "or copy the home and name the copy with --home",
        ) from cause
    # WAL and shared memory files take over the mode of the database.
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path


def make_engine(path: Path, wait_ms: int) -> sa.Engine:
    """Return an engine on a database file; the driver begins nothing by itself, see `begin`."""
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(open_file(path))),
        module=choose_driver(),
        pool_size=8,
        max_overflow=24,
        connect_args={"check_same_thread": False, "timeout": wait_ms / 1_000, "isolation_level": None},
    )

    # Any: the driver is either of two modules of the same interface, one of them without types.
    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "fullfsync=ON",
            "checkpoint_fullfsync=ON",
            "foreign_keys=ON",
            "mmap_size=0",
            "trusted_schema=OFF",
            "cell_size_check=ON",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def begin(connection: sa.Connection, write: bool) -> None:
    """Begin the transaction: a writer takes its turn now, not at its first write, which could only fail."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def faults_of(connection: sa.Connection) -> list[str]:
    """Return what SQLite itself finds wrong: damaged pages and rows that refer to nothing."""
    found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    faults = [f"damaged: {text}" for text in found if text != "ok"]
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        faults.append(f"row {row} of {table} refers to a row of {parent} that is not there")
    return faults
