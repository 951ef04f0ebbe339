"""PostgreSQL through psycopg 3, as SQLite: one writer at a time, acknowledged means durable.

Writers take one advisory lock for the length of their transaction. It makes cursors grow in commit order (a
sequence alone would not: a smaller number can be committed later) and lets every check-then-write rule stand
without retries.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from treadle.records.errors import NotReady

_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")
_WRITERS = 7_233_120_801
"""Any number that nothing else in the same database uses."""


def make_engine(url: sa.URL, wait_ms: int) -> sa.Engine:
    """Return an engine on a server, whose connections wait so long for another writer.

    Raises:
        NotReady: psycopg is not installed.
    """
    try:
        engine = sa.create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=True)
    except ModuleNotFoundError as cause:
        raise NotReady(
            "PostgreSQL needs psycopg, which is not installed", command="pip install 'treadle[postgres]'"
        ) from cause

    # Any: the driver's connection, of a library that is not always installed.
    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.autocommit = True
        with connection.cursor() as cursor:
            # A stopped process must not keep all others waiting for ever.
            cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
            cursor.execute("SET synchronous_commit = 'on'")
            cursor.execute(f"SET lock_timeout = {int(wait_ms)}")
        connection.autocommit = False

    return engine


def begin(connection: sa.Connection, write: bool) -> None:
    """Begin the transaction: a writer waits for its turn."""
    if write:
        connection.execute(_LOCK, {"key": _WRITERS})


def tick(connection: sa.Connection) -> int:
    """Return the server's clock in microseconds: the one clock that claimers on several machines share."""
    found = connection.exec_driver_sql("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    return int(found.scalar_one())
