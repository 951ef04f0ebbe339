"""Rows of any database that SQLAlchemy speaks to."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from treadle.records.errors import InvalidInput, NotReady

if TYPE_CHECKING:
    from treadle.ports.outside import Mark

_PORTION = 50_000
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
"""The drivers we come with, for URLs that name none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are asked for."""

    table: str | None
    query: str | None
    watermark: str | None = None

    def rows(self, columns: Sequence[str]) -> sa.FromClause:
        """Return them as something to select from."""
        named: list[sa.ColumnClause[object]] = [sa.column(column) for column in columns]
        if self.query is not None:
            # A colon in a person's query is a colon (`::date`), never a parameter.
            written = sa.text(self.query.strip().rstrip(";").replace(":", r"\:"))
            return written.columns(*named).subquery("treadle_rows")
        schema, _, name = (self.table or "").rpartition(".")
        return sa.table(name, *named, schema=schema or None)


def read_rows(url: str, asked: Asked, columns: Sequence[tuple[str, str]], since: Mark | None) -> pl.DataFrame:
    """Return the rows, from a mark on if there is one; see `Outside.query`."""
    names = [name for name, _ in columns]
    with _connection(url) as connection, _refusals():
        faults = _missing(names, _columns_there(connection, asked, names))
        if faults:
            raise InvalidInput("the rows cannot be read", faults=faults)
        source = asked.rows(names)
        statement = sa.select(*(source.c[name] for name in names))
        if asked.watermark is not None and since is not None:
            statement = statement.where(source.c[asked.watermark] >= since)
        parts = list(_portions(connection, statement))
    values: list[list[object]] = [
        [row[place] for part in parts for row in part] for place in range(len(names))
    ]
    done: dict[str, pl.Series] = {}
    for (name, kind), column in zip(columns, values, strict=True):
        try:
            done[name] = _series(column, kind)
        except _Unfit as unfit:
            faults.append(f"column {name!r} {unfit}")
    if faults:
        raise InvalidInput("the rows cannot be read", faults=faults)
    return pl.DataFrame(done)


def read_newest_mark(url: str, asked: Asked) -> Mark | None:
    """Return the greatest watermark; see `Outside.newest_mark`."""
    assert asked.watermark is not None
    with _connection(url) as connection, _refusals():
        source = asked.rows([asked.watermark])
        found: Mark | None = connection.execute(sa.select(sa.func.max(source.c[asked.watermark]))).scalar()
    return found


@contextmanager
def _connection(url: str) -> Iterator[sa.Connection]:
    """Open a connection that only reads, and close it again.

    Raises:
        NotReady: the driver is not installed, or the database cannot be reached.
    """
    engine = _engine(url)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise NotReady(
            f"the database {engine.url.render_as_string(hide_password=True)} cannot be reached: {_said(error)}",
            fix="check the URL, and that the server is running",
        ) from error
    try:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA query_only = ON")
        elif engine.dialect.name == "postgresql":
            connection = connection.execution_options(postgresql_readonly=True)
        yield connection
    finally:
        connection.close()
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        name = parsed.database
        is_file = parsed.get_backend_name() == "sqlite" and name and not name.startswith((":", "file:"))
        if is_file and not Path(str(name)).is_file():  # SQLite would make an empty one
            raise NotReady(
                f"there is no database file {name}", fix="write sqlite:////absolute/path/to/file.db"
            )
        return sa.create_engine(parsed, poolclass=sa.NullPool)
    except (ArgumentError, NoSuchModuleError):  # not shown: the text may hold a password
        raise NotReady(
            "the URL of the database is none that SQLAlchemy knows",
            fix="write it like postgresql://host/db, mysql+pymysql://host/db or sqlite:////path/to/file.db",
        ) from None
    except ModuleNotFoundError as error:
        extra = "pip install 'treadle[postgres]'" if error.name == "psycopg" else f"pip install {error.name}"
        raise NotReady(
            f"the database's driver {error.name} is not installed", fix=f"install it: {extra}"
        ) from error


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a database says of a statement into a fault."""
    try:
        yield
    except SQLAlchemyError as error:
        raise InvalidInput(
            "the rows cannot be read", faults=[f"the database refused: {_said(error)}"]
        ) from error


def _said(error: SQLAlchemyError) -> str:
    """Return the first line of what the driver said, without the statement and its values."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(error).__name__])[0][:300]


def _columns_there(connection: sa.Connection, asked: Asked, wanted: Sequence[str]) -> list[str]:
    source = asked.rows(wanted)
    return list(connection.execute(sa.select(sa.text("*")).select_from(source).where(sa.false())).keys())


def _missing(wanted: Sequence[str], there: Sequence[str]) -> list[str]:
    faults = []
    for name in wanted:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.6)
            hint = f"was it renamed to {near[0]!r}?" if near else f"there are {', '.join(there[:20])}"
            faults.append(f"column {name!r} is missing; {hint}")
    return faults


def _portions(
    connection: sa.Connection, statement: sa.Select[tuple[object, ...]]
) -> Iterator[Sequence[sa.Row[tuple[object, ...]]]]:
    streaming = connection.execution_options(stream_results=True, max_row_buffer=_PORTION)
    yield from streaming.execute(statement).partitions(_PORTION)


class _Unfit(Exception):
    """Why values cannot be a column; becomes one fault."""


def _series(values: Sequence[object], kind: str) -> pl.Series:
    """Return a column's values as the database gave them, in one type."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pl.Series(values, dtype=pl.Null)
    if UUID in kinds or Decimal in kinds:
        values = [_plain(value, kind) for value in values]
        kinds = {type(value) for value in values} - {type(None)}
    if kind == "bool" and kinds == {int} and all(value in (0, 1, None) for value in values):
        return pl.Series(
            [None if v is None else bool(v) for v in values], dtype=pl.Boolean
        )  # databases without booleans hold 0 and 1
    if kinds == {int, float}:
        return pl.Series([None if value is None else float(str(value)) for value in values], dtype=pl.Float64)
    if kinds == {datetime}:
        return _times(values)
    if len(kinds) > 1 or not kinds <= {bool, int, float, str, date}:
        said = " and ".join(sorted(found.__name__ for found in kinds))
        raise _Unfit(f"holds {said}, not {kind}; convert it in a query=")
    try:
        return pl.Series(values, strict=True)
    except (TypeError, OverflowError):
        raise _Unfit("holds a number too large for 64 bits") from None


def _plain(value: object, kind: str) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return int(value) if kind == "int" and value == value.to_integral_value() else float(value)
    return value


def _times(values: Sequence[object]) -> pl.Series:
    found = [value for value in values if isinstance(value, datetime)]
    aware = sum(value.tzinfo is not None for value in found)
    if aware == 0:
        return pl.Series(values, dtype=pl.Datetime("us"))
    if aware < len(found):
        raise _Unfit("holds times with and without a zone; convert them in a query=")
    moved = [value.astimezone(UTC) if isinstance(value, datetime) else None for value in values]
    return pl.Series(moved, dtype=pl.Datetime("us", "UTC"))
