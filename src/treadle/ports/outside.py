"""Outside: object storage, databases and Delta tables that batches of rows are read from. Nothing is ever written there.

Rows come as they are: conforming them to a source's columns is the reader's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from treadle.records.secrets import SecretRef

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from treadle.records.outside import DeltaFacts, FileFacts

    Mark: TypeAlias = int | float | str | datetime
    """A watermark as the database holds it."""


class Outside(Protocol):
    """What can be read outside. Every method raises `NotReady` when the place cannot be reached, is not there or refuses."""

    def files(self, url: str, storage: SecretRef | None) -> list[FileFacts]:
        """Return the objects under a URL of object storage, sorted by path.

        Args:
            url: `s3://bucket/prefix`; what is listed lies below the prefix, or is the object of that name (its path is
                then empty).
            storage: the secret with the storage's options, a JSON object of text.
        """
        ...

    def fetch(self, url: str, storage: SecretRef | None) -> bytes:
        """Return the bytes of one object."""
        ...

    def query(
        self,
        url: str | SecretRef,
        columns: Sequence[tuple[str, str]],
        *,
        table: str | None,
        query: str | None,
        watermark: str | None = None,
        since: Mark | None = None,
    ) -> pl.DataFrame:
        """Return rows of a database, all seen at one moment.

        Args:
            url: SQLAlchemy's; or the secret that holds it.
            columns: names and declared types of those that are read.
            table: `table` or `schema.table`; or
            query: a SELECT.
            watermark: the column that `since` is about.
            since: rows from this value on, itself included; None reads all.

        Raises:
            InvalidInput: a column or the table is not there, the query fails, or a value has no place in a table; every
                fault is listed.
        """
        ...

    def newest_mark(
        self, url: str | SecretRef, *, table: str | None, query: str | None, watermark: str
    ) -> Mark | None:
        """Return the greatest value of a watermark column; None without rows. For telling cheaply whether there is news."""
        ...

    def delta(self, place: str, storage: SecretRef | None) -> DeltaFacts:
        """Return what a Delta table is like now; `place` is an absolute path or a URL."""
        ...

    def delta_rows(
        self,
        place: str,
        storage: SecretRef | None,
        version: int,
        columns: Sequence[str],
        files: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Return those of the columns that a version of a Delta table has; with `files`, the rows of those only."""
        ...

    def select(self, sql: str, inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Return what one SELECT makes of rows that are given to it by name; it can reach nothing else.

        Raises:
            InvalidInput: it is not one SELECT, or fails, or asks for anything but those rows.
            NotReady: the engine is not installed.
        """
        ...
