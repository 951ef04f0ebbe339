"""Definitions on SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.schema import definitions
from treadle.adapters.sql.session import Query, ReadSession, Row, Session, dump, load
from treadle.records.definitions import Definition
from treadle.records.digests import Json, digest_bytes
from treadle.records.errors import Conflict, NotFound, refuse
from treadle.records.instants import Instant

_ALL = sa.select(
    definitions.c.kind,
    definitions.c.name,
    definitions.c.version,
    definitions.c.digest,
    definitions.c.body,
    definitions.c.at,
)


def _definition(row: Row) -> Definition:
    kind, name, version, digest, body, at = row
    return Definition(kind=kind, name=name, version=version, digest=digest, body=load(body), at=at)


class SqlDefinitionsView:
    """See `ports/definitions.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get(self, kind: str, name: str, version: int | None = None) -> Definition:
        """Return a version, the current one unless one is named."""
        query = _named(kind, name).limit(1)
        if version is not None:
            query = query.where(definitions.c.version == version)
        row = self._ask.row(query)
        if row is not None:
            return _definition(row)
        if version is not None and self.find(kind, name) is not None:
            raise NotFound(f"{kind} {name!r} has no version {version}")
        names = sa.select(definitions.c.name).where(definitions.c.kind == kind).distinct()
        raise NotFound.among(kind, name, (str(row[0]) for row in self._ask.rows(names)))

    def find(self, kind: str, name: str) -> Definition | None:
        """Return the current version, or None."""
        row = self._ask.row(_named(kind, name).limit(1))
        return None if row is None else _definition(row)

    def current(self, kind: str | None = None) -> tuple[Definition, ...]:
        """Return the current version of every definition (of a kind), ordered by kind and name."""
        newer = definitions.alias()
        newest = (
            sa.select(sa.func.max(newer.c.version))
            .where(newer.c.kind == definitions.c.kind, newer.c.name == definitions.c.name)
            .scalar_subquery()
        )
        query = _ALL.where(definitions.c.version == newest).order_by(definitions.c.kind, definitions.c.name)
        if kind is not None:
            query = query.where(definitions.c.kind == kind)
        return tuple(_definition(row) for row in self._ask.rows(query))

    def history(self, kind: str, name: str) -> tuple[Definition, ...]:
        """Return all versions, the newest first."""
        return tuple(_definition(row) for row in self._ask.rows(_named(kind, name)))


class SqlDefinitions(SqlDefinitionsView):
    """See `ports/definitions.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def record(
        self, kind: str, name: str, body: Json, at: Instant, *, allow_change: bool = False
    ) -> Definition:
        """Record what is defined under a name."""
        faults = [
            f"its {what} is empty" for what, text in (("kind", kind), ("name", name)) if not text.strip()
        ]
        refuse("the definition can't be recorded", faults)
        text = dump(body, f"{kind} {name!r}")
        digest = digest_bytes(text.encode())
        now = self.find(kind, name)
        if now is not None and now.digest == digest:
            return now
        if now is not None and not allow_change:
            raise Conflict(
                f"{kind} {name!r} is already defined with other content (version {now.version})",
                fix="give it another name, or say that this is a new version of it",
            )
        version = 1 if now is None else now.version + 1
        change = self._do.change(
            "definition.recorded", f"{kind}/{name}", at, {"version": version, "digest": digest}
        )
        row = {"kind": kind, "name": name, "version": version, "digest": digest, "body": text, "at": at}
        change.run(sa.insert(definitions), row)
        return Definition(kind=kind, name=name, version=version, digest=digest, body=load(text), at=at)


def _named(kind: str, name: str) -> Query:
    return _ALL.where(definitions.c.kind == kind, definitions.c.name == name).order_by(
        definitions.c.version.desc()
    )


if TYPE_CHECKING:
    from treadle.ports.definitions import Definitions

    def _proof(session: Session) -> Definitions:
        return SqlDefinitions(session)
