"""Outside: object storage through obstore, databases through SQLAlchemy, Delta tables through deltalake; all read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from treadle.adapters.storage import storage_options
from treadle.records.secrets import SecretRef

if TYPE_CHECKING:
    import polars as pl

    from treadle.ports.outside import Mark, Outside
    from treadle.ports.secrets import Secrets
    from treadle.records.outside import DeltaFacts, FileFacts


class OutsideWorld:
    """What can be read outside. Nothing is opened before it is asked for, and nothing stays open.

    Args:
        secrets: where URLs with passwords and the options of storages are looked up.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def files(self, url: str, storage: SecretRef | None) -> list[FileFacts]:
        """See `Outside.files`. One request for a thousand objects."""
        from treadle.adapters.outside_objects import list_objects

        return list_objects(url, storage_options(self._secrets, storage))

    def fetch(self, url: str, storage: SecretRef | None) -> bytes:
        """See `Outside.fetch`."""
        from treadle.adapters.outside_objects import fetch_object

        return fetch_object(url, storage_options(self._secrets, storage))

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
        """See `Outside.query`. Rows come 50,000 at a time, so that a driver need not hold them all."""
        from treadle.adapters.outside_databases import Asked, read_rows

        return read_rows(self._address(url), Asked(table, query, watermark), columns, since)

    def newest_mark(
        self, url: str | SecretRef, *, table: str | None, query: str | None, watermark: str
    ) -> Mark | None:
        """See `Outside.newest_mark`."""
        from treadle.adapters.outside_databases import Asked, read_newest_mark

        return read_newest_mark(self._address(url), Asked(table, query, watermark))

    def delta(self, place: str, storage: SecretRef | None) -> DeltaFacts:
        """See `Outside.delta`."""
        from treadle.adapters.outside_delta import delta_facts

        return delta_facts(place, storage_options(self._secrets, storage))

    def delta_rows(
        self,
        place: str,
        storage: SecretRef | None,
        version: int,
        columns: Sequence[str],
        files: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """See `Outside.delta_rows`."""
        from treadle.adapters.outside_delta import read_delta_rows

        return read_delta_rows(place, storage_options(self._secrets, storage), version, columns, files)

    def select(self, sql: str, inputs: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """See `Outside.select`. By DuckDB, on one thread."""
        from treadle.adapters.outside_select import select_rows

        return select_rows(sql, inputs)

    def _address(self, url: str | SecretRef) -> str:
        return self._secrets.get(url) if isinstance(url, SecretRef) else url


if TYPE_CHECKING:
    _proof: type[Outside] = OutsideWorld
