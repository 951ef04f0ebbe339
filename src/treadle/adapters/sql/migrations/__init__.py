"""Bringing a store to the newest tables: once, under the writers' lock, in one transaction.

A new migration is a file in `versions/` (its number, then what it does), a new `schema.REVISION`, and the
same change in `schema.py`. A kept database of every older revision must still open: add one to the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.schema import REVISION
from treadle.records.errors import NotReady
from treadle.records.failpoints import failpoint

if TYPE_CHECKING:
    from alembic.config import Config

TABLE = "treadle_revision"


def migrate(engine: sa.Engine, begin: Callable[[sa.Connection, bool], None], where: str) -> None:
    """Bring the store to the newest revision; of two processes at once, one finds it done.

    Raises:
        NotReady: a newer treadle made the store.
    """
    with engine.connect() as connection:
        if _revision(connection) == REVISION:
            return
    with engine.begin() as connection:
        begin(connection, True)
        found = _revision(connection)
        if found == REVISION:
            return
        # Loaded only here: it takes longer to import than an up-to-date store to open.
        from alembic import command, script
        from alembic.util import CommandError

        settings = config()
        try:
            if found is not None:
                script.ScriptDirectory.from_config(settings).get_revision(found)
        except CommandError as cause:
            raise NotReady(
                f"a newer treadle made this metadata store (revision {found}, and {REVISION} is known here)",
                where=where,
                command="pip install --upgrade treadle",
            ) from cause
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        failpoint("metadata.before_migrated")


def config() -> Config:
    """Return Alembic's settings for the migrations in this package."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(resources.files(__package__)).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(TABLE):
        return None
    found = connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(TABLE))).scalar()
    return None if found is None else str(found)
