"""PostgreSQL is opened as the store's promises need it, or refused."""

from __future__ import annotations

import sys

import psycopg
import pytest

from treadle.adapters.sql import open_metadata
from treadle.records.errors import NotReady
from treadle.records.instants import SECOND
from treadle.testing.metadata import AT


def test_connections_acknowledge_only_what_is_durable(postgresql_url: str) -> None:
    metadata = open_metadata(postgresql_url, wait=7 * SECOND)
    with metadata._engine.connect() as connection:
        for name, value in (("synchronous_commit", "on"), ("lock_timeout", "7s"), ("fsync", "on")):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
    metadata.close()


def test_views_cannot_write_even_by_mistake(postgresql_url: str) -> None:
    metadata = open_metadata(postgresql_url)
    with metadata.read() as view:
        assert view.journal._ask._connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
    metadata.close()


def test_writer_that_waits_too_long_is_told_so(postgresql_url: str) -> None:
    metadata, other = open_metadata(postgresql_url, wait=SECOND // 20), open_metadata(postgresql_url)
    with other.begin() as unit:
        unit.runs.create_run(AT)
        with pytest.raises(NotReady, match="in time"), metadata.begin():
            pass
        with metadata.read() as view:  # readers don't wait
            assert view.journal.end() == 0
    with metadata.begin() as unit:
        unit.runs.create_run(AT)
    metadata.close()
    other.close()


def test_absent_server_is_not_ready_and_the_password_is_not_told() -> None:
    with pytest.raises(NotReady) as error:
        open_metadata("postgresql://ann:secret@127.0.0.1:1/treadle")
    assert "secret" not in str(error.value)


def test_absent_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(NotReady) as error:
        open_metadata("postgresql://127.0.0.1/treadle")
    assert error.value.command == "pip install 'treadle[postgres]'"


def test_connection_lost_in_between_is_replaced(postgresql_url: str) -> None:
    metadata = open_metadata(postgresql_url)
    with metadata.begin() as unit:
        unit.runs.create_run(AT)
    with psycopg.connect(postgresql_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with metadata.begin() as unit:
        assert len(unit.runs.search_runs().items) == 1
    metadata.close()
