"""Tables as Delta Lake folders, written through `deltalake`, read by Polars. Neither step needs pyarrow.

A table `a/b` is the folder `ROOT/a/b`; any tool that speaks Delta Lake reads it. Its features are kept to
reader version 1, writer version 2: no deletion vectors, no column mapping. Log entries are never cleaned up,
so every version stays readable until it is vacuumed on purpose.

`deltalake` records application transactions but does not enforce them: two appends of the same one both land.
So every write holds the table's lease, an exclusive `flock` on `ROOT/.leases/NAME.lock` that the system drops
when its holder dies, and looks at the recorded transactions under it. Other programs that append without the
lease stay safe too, by Delta's own commit protocol; only the once-guarantee is ours.
"""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from treadle.adapters.tables_drops import check_drop, note_path, only_needed_by, read_note, write_note
from treadle.adapters.tables_files import fsync, read_file, remove_file, write_whole
from treadle.adapters.tables_types import schema_faults, storable
from treadle.records.errors import Conflict, Corrupt, InvalidInput, NotFound
from treadle.records.failpoints import failpoint
from treadle.records.tables import DroppedFiles, TableCommit, check_table_name

_CONFIGURATION = {
    "delta.enableDeletionVectors": "false",
    # A manifest may name any version, however old: expiry by the wall clock would break it.
    "delta.enableExpiredLogCleanup": "false",
    # Opening reads the log since the last checkpoint: 3 ms at 20, 9 ms at the library's 100 (200 versions).
    "delta.checkpointInterval": "20",
}
_LOG = "_delta_log"


class DeltaTables:
    """Tables in a folder of a local disk, for any number of threads and processes.

    Handles stay open between calls and follow the log. Open it after a fork, not before: the library's worker
    threads do not survive one.

    Args:
        root: the folder; made when absent.
        durable: flush each commit and its files to the disk before returning (0.2 ms a file on an SSD).
            Without it a commit survives the death of the process but maybe not that of the machine.
    """

    def __init__(self, root: Path | str, *, durable: bool = True) -> None:
        self._root = Path(root)
        self._root.mkdir(parents=True, exist_ok=True)
        self._durable = durable
        self._begin()

    def _begin(self) -> None:
        # Writers and readers have handles of their own, so that no reader waits for an append in progress.
        self._writing: dict[str, DeltaTable] = {}
        self._reading: dict[str, DeltaTable] = {}
        self._lock = threading.Lock()

    def append(
        self,
        name: str,
        frame: pl.DataFrame,
        *,
        writer: tuple[str, int] | None = None,
        evolve: bool = False,
    ) -> int:
        """See `Tables.append`. About 8 ms for a small frame."""
        rows = storable(frame, where=f"table {check_table_name(name)}")
        return self._committing(name, lambda: self._append(name, rows, writer, evolve=evolve))

    def overwrite(self, name: str, frame: pl.DataFrame, *, writer: tuple[str, int] | None = None) -> int:
        """See `Tables.overwrite`."""
        rows = storable(frame, where=f"table {check_table_name(name)}")
        return self._committing(name, lambda: self._overwrite(name, rows, writer))

    def read(self, name: str, *, version: int | None = None) -> pl.LazyFrame:
        """See `Tables.read`. Opening costs 3 to 25 ms; the files are read when the frame is collected."""
        return pl.scan_delta(self._at(name, version))

    def version(self, name: str) -> int:
        """See `Tables.version`. Less than a millisecond once the table is open."""
        with self._lock:
            return self._newest(name).version()

    def exists(self, name: str) -> bool:
        """See `Tables.exists`."""
        check_table_name(name)
        return self._holds(name)

    def names(self) -> list[str]:
        """See `Tables.names`. Walks the folder, not into the tables."""
        return sorted(self._below(""))

    def writer_number(self, name: str, writer_id: str) -> int | None:
        """See `Tables.writer_number`."""
        if not self.exists(name):
            return None
        with self._lock:
            return self._newest(name).transaction_version(writer_id)

    def schema(self, name: str, *, version: int | None = None) -> pl.Schema:
        """See `Tables.schema`."""
        if version is not None:
            return _schema(self._at(name, version))
        with self._lock:
            return _schema(self._newest(name))

    def rows(self, name: str, version: int | None = None) -> int:
        """See `Tables.rows`. Adds up the counts in the log; reads no data file."""
        if version is not None:
            return self._at(name, version).count()
        with self._lock:
            return self._newest(name).count()

    def history(self, name: str) -> list[TableCommit]:
        """See `Tables.history`."""
        with self._lock:
            entries = self._newest(name).history()
        return [_commit_of(entry) for entry in reversed(entries)]

    def compact(self, name: str) -> int:
        """See `Tables.compact`. The merged files stay on disk for the earlier versions."""
        check_table_name(name)
        return self._committing(name, lambda: self._compact(name))

    def drop_versions(self, name: str, versions: Collection[int]) -> DroppedFiles:
        """See `Tables.drop_versions`. Reads the table's log once, and no data file."""
        newest = self.version(name)
        check_drop(name, versions, newest)
        with self._lease(name):
            note = note_path(name)
            gone = read_note(self._get(note), note) | frozenset(versions)
            files = only_needed_by(gone, newest, lambda version: self._commit(name, version))
            failpoint("tables.before_drop")
            self._put(note, write_note(gone))
            failpoint("tables.after_drop_noted")
            freed = [size for path, size in files.items() if self._remove(f"{name}/{path}")]
        return DroppedFiles(len(freed), sum(freed))

    def _committing(self, name: str, write: Callable[[], int]) -> int:
        """Write as the table's one writer; returns the version."""
        with self._lease(name):
            return write()

    def _append(self, name: str, rows: pl.DataFrame, writer: tuple[str, int] | None, *, evolve: bool) -> int:
        handle = self._current(name)
        if handle is None:
            return self._create(name, rows, writer)
        if _committed(handle, writer):
            return handle.version()
        stored = _schema(handle)
        if faults := schema_faults(rows.schema, stored, evolve=evolve):
            raise InvalidInput(
                f"the rows do not fit table {name!r}; nothing was written",
                where=f"table {name} version {handle.version()}",
                fix="make the columns those of the table, or overwrite the table",
                faults=faults,
            )
        new = [column for column in rows.columns if column not in stored]
        rows = rows.select([*stored.names(), *new])
        return self._write(name, handle, rows, writer, "append", "merge" if new else None)

    def _overwrite(self, name: str, rows: pl.DataFrame, writer: tuple[str, int] | None) -> int:
        handle = self._current(name)
        if handle is None:
            return self._create(name, rows, writer)
        if _committed(handle, writer):
            return handle.version()
        return self._write(name, handle, rows, writer, "overwrite", "overwrite")

    def _compact(self, name: str) -> int:
        handle = self._current(name)
        if handle is None:
            raise NotFound.among("table", name, self.names())
        before = handle.version()
        handle.optimize.compact()
        self._flush(name, range(before + 1, handle.version() + 1))
        return handle.version()

    # Where tables are: what another place than a folder answers in another way.

    def _where(self, name: str) -> str:
        """Return the folder or URL of a table."""
        return str(self._root / check_table_name(name))

    def _options(self) -> dict[str, str] | None:
        """Return the options of the storage."""
        return None

    def _properties(self, writer: tuple[str, int] | None) -> CommitProperties | None:
        """Return what a commit carries."""
        return CommitProperties(app_transactions=_transactions(writer)) if writer else None

    def _holds(self, name: str) -> bool:
        return _is_table(self._root / name)

    def _below(self, name: str) -> Iterator[str]:
        """Yield the names of the tables below a name; those of all for an empty one."""
        folder = self._root / name
        return _tables_below(folder, f"{name}/" if name else "") if folder.is_dir() else iter(())

    def _get(self, path: str) -> bytes | None:
        """Return the bytes of a file below the tables; None without one."""
        return read_file(self._root / path)

    def _put(self, path: str, data: bytes) -> None:
        """Write a file below the tables, whole or not at all."""
        write_whole(self._root / path, data)

    def _remove(self, path: str) -> bool:
        """Remove a file below the tables; returns whether it was there."""
        failpoint("tables.before_remove")
        return remove_file(self._root / path)

    def _commit(self, name: str, version: int) -> bytes:
        """Return the log entry of a version."""
        path = f"{name}/{_LOG}/{version:020}.json"
        found = self._get(path)
        if found is None:
            raise Corrupt(f"the log of table {name!r} lacks version {version}", where=path)
        return found

    @contextmanager
    def _lease(self, name: str) -> Iterator[None]:
        """Hold the table's writer lease: one writer at a time across threads and processes, in any order."""
        folder = self._root / ".leases"
        folder.mkdir(exist_ok=True)
        # "+" cannot occur in a name, so two names never share a file.
        with (folder / f"{name.replace('/', '+')}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _current(self, name: str) -> DeltaTable | None:
        """Return the writer's handle at the newest version; None without a table. Needs the lease."""
        handle = self._writing.get(name)
        if handle is not None:
            handle.update_incremental()
            return handle
        if not self._holds(name):
            return None
        handle = self._writing[name] = self._open(name)
        return handle

    def _newest(self, name: str) -> DeltaTable:
        """Return the readers' handle at the newest version. Needs the lock."""
        handle = self._reading.get(check_table_name(name))
        if handle is not None:
            handle.update_incremental()
            return handle
        if not self.exists(name):
            raise NotFound.among("table", name, self.names())
        handle = self._reading[name] = self._open(name)
        return handle

    def _at(self, name: str, version: int | None) -> DeltaTable:
        """Return a handle of its own at one version, so that no later write moves it."""
        newest = self.version(name)
        if version is not None and not 0 <= version <= newest:
            raise NotFound(f"table {name!r} has no version {version}", fix=f"its versions are 0 to {newest}")
        if version is not None and version in read_note(self._get(note_path(name)), note_path(name)):
            raise NotFound(f"version {version} of table {name!r} was dropped", fix="read a later one")
        return self._open(name, newest if version is None else version)

    def _open(self, name: str, version: int | None = None) -> DeltaTable:
        where = self._where(name)
        try:
            return DeltaTable(where, version=version, storage_options=self._options())
        except TableNotFoundError as error:
            raise NotFound(f"no table named {name!r}", where=where) from error
        except DeltaError as error:
            raise Corrupt(
                f"table {name!r} cannot be opened: {error}",
                where=f"{where}/{_LOG}",
                fix="restore the missing or damaged log files",
            ) from error

    def _create(self, name: str, rows: pl.DataFrame, writer: tuple[str, int] | None) -> int:
        where = self._where(name)
        with self._lease(".create"):  # so that of two new tables one cannot appear inside the other
            for above in PurePosixPath(name).parents:
                if above != PurePosixPath() and self._holds(str(above)):
                    raise Conflict(
                        f"{name!r} would lie inside table {str(above)!r}", fix="choose another name"
                    )
            if inside := sorted(self._below(name)):
                raise Conflict(f"{name!r} would lie around table {inside[0]!r}", fix="choose another name")
            failpoint("tables.before_write")
            try:
                write_deltalake(
                    where,
                    rows,
                    mode="error",  # "append" would add to a table that another machine has made meanwhile, unasked
                    configuration=_CONFIGURATION,
                    commit_properties=self._properties(writer),
                    storage_options=self._options(),
                )
            except DeltaError as error:
                if self._holds(name):
                    raise CommitFailedError(f"another writer made table {name!r} first") from error
                raise
        failpoint("tables.after_commit")
        self._flush(name, range(1))
        return 0

    def _write(
        self,
        name: str,
        handle: DeltaTable,
        rows: pl.DataFrame,
        writer: tuple[str, int] | None,
        mode: Literal["append", "overwrite"],
        schema_mode: Literal["merge", "overwrite"] | None,
    ) -> int:
        before = handle.version()
        failpoint("tables.before_write")
        write_deltalake(
            handle, rows, mode=mode, schema_mode=schema_mode, commit_properties=self._properties(writer)
        )
        failpoint("tables.after_commit")
        self._flush(name, range(before + 1, handle.version() + 1))
        return handle.version()

    def _flush(self, name: str, versions: range) -> None:
        """Bring the commits and the files they added to the disk, then the folders that list them."""
        if not self._durable:
            return
        path = self._root / name
        for version in versions:
            log = path / _LOG / f"{version:020}.json"
            for line in log.read_bytes().splitlines():
                added = json.loads(line).get("add")
                if added is not None:
                    fsync(path / added["path"])
            fsync(log)
        for folder in (path, path / _LOG):
            fsync(folder)


def _transactions(writer: tuple[str, int] | None) -> list[Transaction]:
    return [] if writer is None else [Transaction(*writer)]


def _committed(handle: DeltaTable, writer: tuple[str, int] | None) -> bool:
    """Say whether the writer's transaction, or a later one of it, is in the table."""
    if writer is None:
        return False
    number = handle.transaction_version(writer[0])
    return number is not None and number >= writer[1]


def _schema(handle: DeltaTable) -> pl.Schema:
    return pl.Schema(handle.schema())


def _is_table(path: Path) -> bool:
    """Say whether the folder holds a first commit; a writer killed before it leaves an empty log folder."""
    return (path / _LOG).is_dir() and DeltaTable.is_deltatable(str(path))


def _tables_below(folder: Path, prefix: str) -> Iterator[str]:
    for child in folder.iterdir():
        if child.name.startswith((".", "_")) or not child.is_dir():
            continue
        if _is_table(child):
            yield f"{prefix}{child.name}"
        else:
            yield from _tables_below(child, f"{prefix}{child.name}/")


def _commit_of(entry: Mapping[str, object]) -> TableCommit:
    metrics = entry.get("operationMetrics")
    added = metrics.get("num_added_rows") if isinstance(metrics, Mapping) else None
    return TableCommit(
        version=int(str(entry["version"])),
        at=int(str(entry["timestamp"])) * 1000,
        operation=str(entry["operation"]),
        rows_added=None if added is None else int(added),
    )


if TYPE_CHECKING:
    from treadle.ports.tables import Tables

    _proof: type[Tables] = DeltaTables
