"""One connection inside one transaction, in a form that cannot write without saying what happened.

Reading goes through `rows`, `row` and `value`, which take a SELECT only. Writing needs a `Change`, and the
only ways to get one are `change`, which first writes the event, and `keep_position`, for what is no news (see
`ports/metadata.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from treadle.adapters.sql import schema
from treadle.records.digests import Json, canonical
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.events import check_kind
from treadle.records.failpoints import failpoint
from treadle.records.instants import Instant

Query: TypeAlias = "sa.Select[*tuple[Any, ...]]"
Row: TypeAlias = "sa.Row[*tuple[Any, ...]]"
"""Untyped on purpose: this is the border; each adapter turns a row into a typed record at once."""
Values: TypeAlias = Mapping[str, object]

DIALECTS = ("sqlite", "postgresql")
Write: TypeAlias = sa.Insert | sa.Update | sa.Delete
Upsert: TypeAlias = sqlite.Insert | postgresql.Insert

_SEEN = sa.select(schema.events.c.subject, schema.events.c.cursor).where(
    schema.events.c.world == sa.bindparam("world"),
    schema.events.c.kind == sa.bindparam("kind"),
    schema.events.c.key == sa.bindparam("key"),
)
_EVENT = sa.insert(schema.events)
_COMPILED: dict[tuple[Write, str], tuple[str, tuple[str, ...] | None]] = {}

UNSTORABLE = (OverflowError, UnicodeError, sa.exc.DataError)
"""What drivers raise for a value that the database has no place for."""


def dump(value: object, what: str = "the value") -> str:
    """Return a value as canonical JSON text.

    Raises:
        InvalidInput: it can't be written as JSON.
    """
    try:
        return canonical(value).decode()
    except (TypeError, ValueError, RecursionError) as cause:
        raise InvalidInput(
            f"{what} can't be written as JSON: {cause}", fix="use text, finite numbers, lists and objects"
        ) from cause


def load(text: str) -> Json:
    """Return the value of JSON text that `dump` wrote."""
    return cast("Json", json.loads(text))


class ReadSession:
    """The right to ask."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect.name
        self.broken: Exception | None = None

    def rows(self, select: Query, given: Values | None = None) -> Sequence[Row]:
        """Return all rows."""
        if not isinstance(select, sa.Select):
            raise TypeError("a session reads with SELECT only; writing needs a Change")
        try:
            return self._connection.execute(select, given or {}).all()
        except UNSTORABLE as cause:
            self.broken = cause
            raise unstorable(cause) from cause

    def row(self, select: Query, given: Values | None = None) -> Row | None:
        """Return the first row, or None."""
        found = self.rows(select, given)
        return found[0] if found else None


class Change:
    """The right to write, for one state change."""

    def __init__(self, session: Session, cursor: int) -> None:
        self._session = session
        self.cursor = cursor
        """The event's position; 0 for a position that is no news."""

    def run(self, statement: Write, rows: Values | Sequence[Values] = ()) -> int:
        """Execute an INSERT, UPDATE or DELETE and return how many rows it touched (-1: unknown)."""
        return self._session._write(statement, rows).rowcount

    def run_many(self, statement: Write, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute an INSERT once for each row, of values in the order of the table's columns.

        For many rows of text that is checked already, and a statement that is made once and kept.
        """
        self._session._write_many(statement, rows)

    def upsert(self, table: sa.Table) -> Upsert:
        """Return an INSERT into the table that can be given an ON CONFLICT."""
        return upsert(table, self._session.dialect)


class Session(ReadSession):
    """The right to ask and to change, in one world.

    A statement that the database refuses poisons the session: whoever swallows that error can't commit half
    of it.
    """

    def __init__(self, connection: sa.Connection, world: str) -> None:
        super().__init__(connection)
        self.world = world

    def seen(self, kind: str, key: str | None) -> str | None:
        """Return the subject of the event that this kind and key were used for in this world, or None."""
        found = self._seen(kind, key)
        return None if found is None else str(found[0])

    def seen_at(self, kind: str, key: str | None) -> int | None:
        """Return the cursor of the event that this kind and key were used for in this world, or None."""
        found = self._seen(kind, key)
        return None if found is None else int(found[1])

    def _seen(self, kind: str, key: str | None) -> Row | None:
        return None if key is None else self.row(_SEEN, {"world": self.world, "kind": kind, "key": key})

    def change(
        self, kind: str, subject: str, at: Instant, data: Json = None, key: str | None = None
    ) -> Change:
        """Write the event of a change that passed all its checks, and return the right to make it."""
        row = {
            "at": at,
            "kind": check_kind(kind),
            "subject": subject,
            "data": dump(data, "the event's data"),
            "key": key,
            "world": self.world,
        }
        written = self._write(_EVENT, row).inserted_primary_key
        failpoint("metadata.after_event")
        return Change(self, int(written[0]) if written else 0)

    def keep_position(self, of: Literal["lease", "consumer", "checkpoint"]) -> Change:
        """Return the right to write a position, which is no news and has no event."""
        return Change(self, 0)

    def _write(self, statement: Write, rows: Values | Sequence[Values]) -> sa.CursorResult[*tuple[Any, ...]]:
        with self._guarded():
            for row in (rows,) if isinstance(rows, Mapping) else rows:
                for value in row.values():
                    if isinstance(value, str) and "\0" in value:
                        raise UnicodeError("text with a NUL character")
            return self._connection.execute(statement, rows or None)

    def _write_many(self, statement: Write, rows: Sequence[tuple[object, ...]]) -> None:
        text, names = _compiled(statement, self._connection.dialect)
        with self._guarded():
            given = rows if names is None else [dict(zip(names, row, strict=True)) for row in rows]
            self._connection.exec_driver_sql(text, list(given))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self.broken is not None:
            raise Conflict(
                "this unit of work has failed and can't go on",
                fix="leave the `begin()` block; nothing was changed",
            ) from self.broken
        try:
            yield
        except UNSTORABLE as cause:
            self.broken = cause
            raise unstorable(cause) from cause
        except sa.exc.IntegrityError as cause:
            self.broken = cause
            raise Conflict(f"the database refused a row that contradicts others: {cause.orig}") from cause
        except Exception as cause:
            self.broken = cause
            raise


def _compiled(statement: Write, dialect: sa.Dialect) -> tuple[str, tuple[str, ...] | None]:
    """Return an INSERT's text, and the names of its parameters unless they go by position."""
    found = _COMPILED.get((statement, dialect.name))
    if found is None:
        compiled = statement.compile(dialect=dialect)
        names = tuple(compiled.params) if compiled.positiontup is None else None
        found = _COMPILED[statement, dialect.name] = (str(compiled), names)
    return found


def unstorable(cause: Exception) -> InvalidInput:
    """Return what it means that a value does not fit the database."""
    return InvalidInput(
        f"the database can't store a value: {cause}", fix="numbers must fit 64 bits, text UTF-8"
    )


def upsert(table: sa.Table, dialect: str) -> Upsert:
    """Return an INSERT that can be given an ON CONFLICT; both databases spell it the same."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def among(column: sa.ColumnElement[str], dialect: str) -> sa.ColumnElement[bool]:
    """Return the condition that a column is one of the parameter `ids`: one text however many there are."""
    if dialect == "postgresql":
        return column == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(sa.Text())))
    values = sa.func.json_each(sa.bindparam("ids", type_=sa.Text())).table_valued("value")
    return column.in_(sa.select(values.c.value))


def id_list(ids: Sequence[str], dialect: str) -> object:
    """Return what the parameter `ids` of `among` takes."""
    return list(ids) if dialect == "postgresql" else json.dumps(list(ids))
