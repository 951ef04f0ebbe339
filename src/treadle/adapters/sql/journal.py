"""The journal on SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.schema import consumers, events
from treadle.adapters.sql.session import ReadSession, Row, Session, load
from treadle.records.digests import Json
from treadle.records.errors import Conflict
from treadle.records.events import Event, check_kind
from treadle.records.instants import Instant

_COLUMNS = (
    events.c.cursor,
    events.c.at,
    events.c.kind,
    events.c.subject,
    events.c.data,
    events.c.key,
    events.c.world,
)
_POSITION = sa.select(consumers.c.position).where(consumers.c.consumer == sa.bindparam("consumer"))


def _event(row: Row) -> Event:
    cursor, at, kind, subject, data, key, world = row
    return Event(cursor, at, kind, subject, load(data), key, world)


class SqlJournalView:
    """See `ports/journal.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def read(
        self,
        after: int = 0,
        *,
        kinds: Sequence[str] | None = None,
        subject: str | None = None,
        world: str | None = None,
        until: Instant | None = None,
        limit: int = 1_000,
    ) -> tuple[Event, ...]:
        """Return events with a cursor above `after`, the oldest first."""
        query = sa.select(*_COLUMNS).where(events.c.cursor > after).order_by(events.c.cursor).limit(limit)
        if kinds is not None:
            query = query.where(events.c.kind.in_(kinds))
        if subject is not None:
            query = query.where(events.c.subject == subject)
        if world is not None:
            query = query.where(events.c.world == world)
        if until is not None:
            query = query.where(events.c.at <= until)
        return tuple(_event(row) for row in self._ask.rows(query))

    def latest(self, kind: str, *, subject: str | None = None, world: str | None = None) -> Event | None:
        """Return the newest event of a kind (and subject), or None."""
        query = sa.select(*_COLUMNS).where(events.c.kind == kind).order_by(events.c.cursor.desc()).limit(1)
        if subject is not None:
            query = query.where(events.c.subject == subject)
        if world is not None:
            query = query.where(events.c.world == world)
        row = self._ask.row(query)
        return None if row is None else _event(row)

    def end(self) -> int:
        """Return the newest cursor; 0 when nothing has happened."""
        row = self._ask.row(sa.select(sa.func.max(events.c.cursor)))
        return 0 if row is None or row[0] is None else int(row[0])

    def position(self, consumer: str) -> int:
        """Return how far a consumer has come; 0 for one that never advanced."""
        row = self._ask.row(_POSITION, {"consumer": consumer})
        return 0 if row is None else int(row[0])


class SqlJournal(SqlJournalView):
    """See `ports/journal.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def append(
        self, kind: str, subject: str, at: Instant, data: Json = None, key: str | None = None
    ) -> Event:
        """Write an event, or return the one that has this key."""
        check_kind(kind)
        if key is not None:
            query = sa.select(*_COLUMNS).where(
                events.c.world == self._do.world, events.c.kind == kind, events.c.key == key
            )
            row = self._ask.row(query)
            if row is not None:
                return _event(row)
        cursor = self._do.change(kind, subject, at, data, key).cursor
        return Event(cursor, at, kind, subject, data, key, self._do.world)

    def advance(self, consumer: str, to: int, *, since: int) -> None:
        """Move a consumer's cursor from where it believes to stand."""
        stands = self.position(consumer)
        if stands != since or to < since:
            raise Conflict(
                f"consumer {consumer!r} stands at {stands}, so it can't go from {since} to {to}",
                fix="another process moved it, or the cursor went backwards: read on from its position",
            )
        change = self._do.keep_position("consumer")
        row = {"consumer": consumer, "position": to}
        change.run(
            change.upsert(consumers).on_conflict_do_update(
                index_elements=["consumer"], set_={"position": to}
            ),
            row,
        )


if TYPE_CHECKING:
    from treadle.ports.journal import Journal

    def _proof(session: Session) -> Journal:
        return SqlJournal(session)
