"""Tables: versioned rows for datasets, offline features and the prediction log.

A table is named (`records/tables.py`), has a schema, and moves from version to version; every version stays
readable until it is dropped on purpose.

What every adapter keeps:

* **A write is whole or absent.** Killed at any moment, a writer leaves the old version or the new one.
* **A writer's transaction lands once.** `writer=(id, number)` is recorded in the same commit as the rows.
  When the table already has that id with an equal or greater number, nothing is written and the current
  version is returned. So a stream consumer gives its offset as the number and simply repeats after a crash.
  Two processes that offer the same transaction at the same moment write it once.
* **Writers of one table wait for each other;** appends of several processes all land. Readers never wait.
* **Types are few and stated.** Stored as they are: Boolean, Int8–Int64, Float32, Float64, String, Binary,
  Date, Decimal, List and Struct of these, and Datetime in microseconds UTC. Converted without loss:
  UInt8/16/32 to the next wider signed integer, Categorical and Enum to String, an aware Datetime of another
  zone or unit to microseconds UTC.
  Refused: naive Datetime, nanoseconds that microseconds cannot hold, UInt64, 128-bit integers, Float16,
  Duration, Time, Null, Array, Object. A refusal lists every fault.
* **Columns have an order;** rows have none that survives compaction: sort what you read.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import polars as pl

    from treadle.records.tables import DroppedFiles, TableCommit


class Tables(Protocol):
    """Versioned tables. Every method raises `InvalidInput` on a malformed name."""

    def append(
        self,
        name: str,
        frame: pl.DataFrame,
        *,
        writer: tuple[str, int] | None = None,
        evolve: bool = False,
    ) -> int:
        """Add the rows and return the version that has them; creates the table when there is none.

        Columns are matched by name; the table's order is kept. A frame without rows is a commit too.

        Args:
            name: the table.
            frame: the rows.
            writer: an application transaction `(writer id, number)`, see the module.
            evolve: let new columns join the schema; earlier rows read as null there.

        Raises:
            InvalidInput: the frame's columns are not the table's (all faults: missing, new, of another type),
                or a type cannot be stored.
            Conflict: a new table would lie inside another one, or around it.
        """
        ...

    def overwrite(self, name: str, frame: pl.DataFrame, *, writer: tuple[str, int] | None = None) -> int:
        """Replace rows and schema by the frame's and return the new version; earlier ones stay readable."""
        ...

    def read(self, name: str, *, version: int | None = None) -> pl.LazyFrame:
        """Return the rows of one version, by default the newest; later writes do not show in the frame.

        Raises:
            NotFound: no such table, or no such version, or it was dropped.
        """
        ...

    def version(self, name: str) -> int:
        """Return the newest version (0 is the first).

        Raises:
            NotFound: no such table.
        """
        ...

    def exists(self, name: str) -> bool:
        """Say whether the table has a version."""
        ...

    def names(self) -> list[str]:
        """Return the names of all tables, sorted."""
        ...

    def writer_number(self, name: str, writer_id: str) -> int | None:
        """Return the newest number the writer committed, or None when there is none (or no table)."""
        ...

    def schema(self, name: str, *, version: int | None = None) -> pl.Schema:
        """Return columns and types in order.

        Raises:
            NotFound: no such table, or no such version.
        """
        ...

    def rows(self, name: str, version: int | None = None) -> int:
        """Return the number of rows of one version, without reading them.

        Raises:
            NotFound: no such table, or no such version.
        """
        ...

    def history(self, name: str) -> list[TableCommit]:
        """Return the table's commits, oldest first.

        Raises:
            NotFound: no such table.
        """
        ...

    def compact(self, name: str) -> int:
        """Merge small files into large ones and return the newest version; the rows stay the same.

        Earlier versions stay readable: their files are kept.

        Raises:
            NotFound: no such table.
        """
        ...

    def drop_versions(self, name: str, versions: Collection[int]) -> DroppedFiles:
        """Remove the rows of versions for good, and free the files that no other version needs.

        Every other version stays readable, also when the process is killed on the way; doing it again finishes it. A
        version that was dropped before is dropped already. Numbers are not given again.

        Raises:
            NotFound: no such table, or no such version.
            InvalidInput: the newest version is among them.
        """
        ...
