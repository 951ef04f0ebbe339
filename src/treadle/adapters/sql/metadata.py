"""The metadata store on SQL: a thin facade that opens units of work over one session."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql import postgresql, sqlite
from treadle.adapters.sql.checkpoints import SqlCheckpoints, SqlCheckpointsView
from treadle.adapters.sql.datasets import SqlDatasets, SqlDatasetsView
from treadle.adapters.sql.definitions import SqlDefinitions, SqlDefinitionsView
from treadle.adapters.sql.jobs import SqlJobs, SqlJobsView
from treadle.adapters.sql.journal import SqlJournal, SqlJournalView
from treadle.adapters.sql.migrations import migrate
from treadle.adapters.sql.models import SqlModels, SqlModelsView
from treadle.adapters.sql.runs import SqlRuns, SqlRunsView
from treadle.adapters.sql.session import ReadSession, Session
from treadle.records.errors import Conflict, Corrupt, InvalidInput, NotReady, TreadleError
from treadle.records.events import LIVE
from treadle.records.failpoints import failpoint
from treadle.records.instants import SECOND, Duration

WAIT: Duration = 30 * SECOND
"""How long a writer waits for the one before it."""


@dataclass(frozen=True, slots=True)
class SqlView:
    """What can be asked, all of it as of one moment."""

    runs: SqlRunsView
    models: SqlModelsView
    datasets: SqlDatasetsView
    definitions: SqlDefinitionsView
    journal: SqlJournalView
    jobs: SqlJobsView
    checkpoints: SqlCheckpointsView


@dataclass(frozen=True, slots=True)
class SqlUnit:
    """What can be asked and done in one transaction."""

    runs: SqlRuns
    models: SqlModels
    datasets: SqlDatasets
    definitions: SqlDefinitions
    journal: SqlJournal
    jobs: SqlJobs
    checkpoints: SqlCheckpoints


class SqlMetadata:
    """See `ports/metadata.py`; made by `open_metadata`."""

    def __init__(self, engine: sa.Engine, where: str, wait: Duration) -> None:
        self._engine = engine
        self._where = where
        self._wait = wait
        self._reading, self._start = engine, sqlite.begin
        if engine.dialect.name == "postgresql":
            self._start = postgresql.begin
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._turn = threading.Lock()
        self._writer: int | None = None
        self._process = os.getpid()

    @contextmanager
    def begin(self, world: str = LIVE) -> Iterator[SqlUnit]:
        """Open a unit of work."""
        self._check_process()
        with self._my_turn(), self._translated():
            with self._engine.begin() as connection:
                self._start(connection, write=True)
                session = Session(connection, world)
                yield SqlUnit(
                    runs=SqlRuns(session),
                    models=SqlModels(session),
                    datasets=SqlDatasets(session),
                    definitions=SqlDefinitions(session),
                    journal=SqlJournal(session),
                    jobs=SqlJobs(session),
                    checkpoints=SqlCheckpoints(session),
                )
                if session.broken is not None:
                    raise Conflict(
                        "the unit of work was rolled back: one of its statements had failed",
                        fix=str(session.broken),
                    ) from session.broken
                failpoint("metadata.before_commit")
            failpoint("metadata.after_commit")

    @contextmanager
    def read(self) -> Iterator[SqlView]:
        """Open a read-only view of one moment."""
        self._check_process()
        with self._translated(), self._reading.connect() as connection:
            self._start(connection, write=False)
            session = ReadSession(connection)
            yield SqlView(
                runs=SqlRunsView(session),
                models=SqlModelsView(session),
                datasets=SqlDatasetsView(session),
                definitions=SqlDefinitionsView(session),
                journal=SqlJournalView(session),
                jobs=SqlJobsView(session),
                checkpoints=SqlCheckpointsView(session),
            )

    def tick(self) -> int:
        """Return microseconds of a steady clock that every process using this store shares."""
        if self._engine.dialect.name != "postgresql":
            return time.monotonic_ns() // 1_000
        with self._translated(), self._reading.connect() as connection:
            return postgresql.tick(connection)

    def check(self) -> list[str]:
        """Return every fault found in the stored bytes and references."""
        if self._engine.dialect.name == "postgresql":
            # The server checks references on every write, and pages on every read where checksums are on.
            return []
        try:
            with self._engine.connect() as connection:
                return sqlite.faults_of(connection)
        except sa.exc.DatabaseError as cause:
            return [f"damaged: {cause.orig}"]

    def close(self) -> None:
        """Let go of connections and files."""
        self._engine.dispose()

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        """Let this process's writers queue here: the database's own waiting is by sleeping, and unfair."""
        if self._writer == threading.get_ident():
            raise Conflict(
                "a unit of work is open in this thread already", fix="use that one, or end it first"
            )
        if not self._turn.acquire(timeout=self._wait / SECOND):
            raise NotReady(
                "another writer of this process did not finish in time", where=self._where, fix="try again"
            )
        try:
            self._writer = threading.get_ident()
            yield
        finally:
            self._writer = None
            self._turn.release()

    def _check_process(self) -> None:
        """Let a forked child open connections of its own: sharing its parent's would corrupt them."""
        if self._process != os.getpid():
            self._engine.dispose(close=False)
            self._turn, self._writer, self._process = threading.Lock(), None, os.getpid()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as cause:
            raise _meaning(cause, self._where) from cause


def _meaning(cause: sa.exc.DBAPIError, where: str) -> TreadleError:
    text = str(cause.orig).strip()
    if "malformed" in text or "not a database" in text:
        return Corrupt(f"the metadata store is damaged: {text}", where=where, command="treadle doctor")
    if "locked" in text or "lock timeout" in text:
        return NotReady(f"another writer did not finish in time: {text}", where=where, fix="try again")
    return NotReady(f"the metadata store did not answer: {text}", where=where, command="treadle doctor")


def open_metadata(url: str, *, wait: Duration = WAIT) -> SqlMetadata:
    """Open the store behind a URL, and make or migrate its tables if needed.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user@host/database`.
        wait: how long a writer waits for another one, in microseconds.

    Raises:
        InvalidInput: the URL is of another kind, has no file, or the file lies on a network file system.
        NotReady: the database does not answer, needs a driver that is absent, or was made by a newer treadle.
        Corrupt: the file is not a database.

    Cost: about 3 ms on a store that is up to date (imports aside); the first time, what Alembic takes.
    """
    forms = "sqlite:////folder/metadata.db or postgresql://user@host/database"
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise InvalidInput(f"{url!r} is not a database URL", fix=f"write it as {forms}") from None
    where = parsed.render_as_string(hide_password=True)
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or parsed.database == ":memory:":
            raise InvalidInput(
                "metadata has to outlive the process: name a file", where=where, fix=f"e.g. {forms}"
            )
        engine, begin = sqlite.make_engine(Path(parsed.database), wait // 1_000), sqlite.begin
    elif parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        parsed = parsed.set(drivername="postgresql+psycopg")
        engine, begin = postgresql.make_engine(parsed, wait // 1_000), postgresql.begin
    else:
        raise InvalidInput(
            f"metadata can't be kept in {parsed.drivername!r}", where=where, fix=f"use {forms}"
        )
    try:
        migrate(engine, begin, where)
    except sa.exc.DBAPIError as cause:
        engine.dispose()
        raise _meaning(cause, where) from cause
    except TreadleError:
        engine.dispose()
        raise
    return SqlMetadata(engine, where, wait)


if TYPE_CHECKING:
    from treadle.ports.metadata import Metadata

    def _proof(store: SqlMetadata) -> Metadata:
        return store
