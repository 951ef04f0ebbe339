"""Checkpoints on SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.schema import checkpoints
from treadle.adapters.sql.session import ReadSession, Session, dump, load
from treadle.records.definitions import Checkpoint
from treadle.records.digests import Json
from treadle.records.errors import Conflict
from treadle.records.instants import Instant

_GET = sa.select(checkpoints.c.value, checkpoints.c.at, checkpoints.c.epoch).where(
    checkpoints.c.name == sa.bindparam("wanted")
)


class SqlCheckpointsView:
    """See `ports/checkpoints.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get(self, name: str) -> Checkpoint | None:
        """Return the checkpoint of that name, or None."""
        row = self._ask.row(_GET, {"wanted": name})
        return None if row is None else Checkpoint(name, load(row[0]), row[1], row[2])

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that start with the prefix, sorted."""
        query = (
            sa.select(checkpoints.c.name)
            .where(sa.func.substr(checkpoints.c.name, 1, len(prefix)) == prefix)
            .order_by(checkpoints.c.name)
        )
        return tuple(str(row[0]) for row in self._ask.rows(query))


class SqlCheckpoints(SqlCheckpointsView):
    """See `ports/checkpoints.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def put(self, name: str, value: Json, at: Instant, *, epoch: int = 0) -> None:
        """Save or overwrite, unless a newer epoch saved it."""
        text = dump(value, f"checkpoint {name!r}")
        row = self._ask.row(_GET, {"wanted": name})
        if row is not None and row[2] > epoch:
            raise Conflict(
                f"checkpoint {name!r} was saved by epoch {row[2]}, which is newer than {epoch}",
                fix="this worker lost its lease: stop it",
            )
        change = self._do.keep_position("checkpoint")
        values = {"value": text, "at": at, "epoch": epoch}
        statement = change.upsert(checkpoints).on_conflict_do_update(index_elements=["name"], set_=values)
        change.run(statement, {"name": name, **values})

    def delete(self, name: str) -> None:
        """Forget a checkpoint."""
        self._do.keep_position("checkpoint").run(sa.delete(checkpoints).where(checkpoints.c.name == name))


if TYPE_CHECKING:
    from treadle.ports.checkpoints import Checkpoints

    def _proof(session: Session) -> Checkpoints:
        return SqlCheckpoints(session)
