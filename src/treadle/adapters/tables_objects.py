"""Tables as Delta Lake folders in object storage: S3, GCS, Azure.

There is no lease on a bucket. A writer takes the newest version, looks for its transaction there, and commits the next one by
a conditional put, which one of several writers wins; the others begin again. So a writer's transaction lands once, and all
appends land, whatever process or machine they come from. What is committed is durable: the storage says so before it answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import obstore
from deltalake import CommitProperties
from deltalake.exceptions import CommitFailedError
from obstore.exceptions import BaseError

from treadle.adapters.storage import Options, open_bucket, unreachable
from treadle.adapters.tables import DeltaTables, _transactions
from treadle.records.errors import Conflict
from treadle.records.failpoints import failpoint
from treadle.records.tables import check_table_name

if TYPE_CHECKING:
    from treadle.ports.tables import Tables

_TRIES = 200
_PAUSE = 0.01
"""Seconds before the second try; each further one waits longer, up to 50 times that."""


class ObjectTables(DeltaTables):
    """Tables under a URL of object storage, for any number of threads, processes and machines.

    The storage must know conditional puts (S3, GCS, Azure and MinIO do).

    Args:
        url: such as `s3://bucket/prefix`.
        options: the storage's options; the environment's hold for those that are not given.
    """

    def __init__(self, url: str, options: Options) -> None:
        self._url = url.rstrip("/")
        self._storage = dict(options)
        self._store = open_bucket(self._url, options)
        self._mutexes: dict[str, threading.RLock] = {}
        self._durable = False  # there is nothing of ours to flush
        self._begin()

    def _committing(self, name: str, write: Callable[[], int]) -> int:
        with self._lease(name):
            for number in range(_TRIES):
                try:
                    return write()
                except CommitFailedError:  # another writer was first: begin again at its version
                    self._writing.pop(name, None)
                    time.sleep(_PAUSE * min(number, 50))
        raise Conflict(
            f"table {name!r} is written by others all the time; nothing was written", fix="try again later"
        )

    @contextmanager
    def _lease(self, name: str) -> Iterator[None]:
        """Keep the other threads of this process waiting: what they would write would have to be written again."""
        with self._mutexes.setdefault(name, threading.RLock()):
            yield

    def _where(self, name: str) -> str:
        return f"{self._url}/{check_table_name(name)}"

    def _options(self) -> dict[str, str] | None:
        return self._storage or None

    def _get(self, path: str) -> bytes | None:
        try:
            return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError:
            return None

    def _put(self, path: str, data: bytes) -> None:
        obstore.put(self._store, path, data)

    def _remove(self, path: str) -> bool:
        failpoint("tables.before_remove")
        try:
            obstore.head(self._store, path)
        except FileNotFoundError:
            return False
        obstore.delete(self._store, path)
        return True

    def _properties(self, writer: tuple[str, int] | None) -> CommitProperties | None:
        return CommitProperties(app_transactions=_transactions(writer), max_commit_retries=0)

    def _holds(self, name: str) -> bool:
        # deltalake's own question holds the interpreter's lock for as long as the storage takes to answer.
        try:
            pages = obstore.list(self._store, prefix=f"{name}/_delta_log")
            return any(entry["path"].endswith(".json") for page in pages for entry in page)
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise unreachable(self._where(name), error) from error

    def _below(self, name: str) -> Iterator[str]:
        for prefix in obstore.list_with_delimiter(self._store, name or None)["common_prefixes"]:
            child = prefix.strip("/")
            if child.rpartition("/")[2].startswith((".", "_")):
                continue
            if self._holds(child):
                yield child
            else:
                yield from self._below(child)


if TYPE_CHECKING:
    _proof: type[Tables] = ObjectTables
