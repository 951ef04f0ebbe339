"""One process's hold on an LMDB folder: opening, counting readers, growing the map, surviving forks.

LMDB asks much of a process: to open a folder once, to resize the map only while nothing reads it, never to
use an environment that came through a fork. This module keeps to it, so that its callers need not know.
"""

from __future__ import annotations

import mmap
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

import lmdb

from treadle.adapters.filesystems import network_filesystem
from treadle.records.errors import Conflict, NotReady
from treadle.records.failpoints import failpoint

_PAGE = mmap.PAGESIZE
_MOST_READERS = 1024
_PATIENCE_SECONDS = 30.0

Transaction: TypeAlias = "lmdb.Transaction[bytes]"


class StaleError(Exception):
    """The environment must be reopened before it can be used: it came through a fork."""


class Unusable:
    """Stands where an environment was, so that the read path needs no check of its own."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def begin(self, *, write: bool = False) -> Transaction:
        """Raise what is the matter."""
        raise self._error


class Holder(Protocol):
    """What holds an open transaction: a snapshot or a batch."""

    thread: int
    """The thread that opened it."""

    def take_transaction(self) -> Transaction | None:
        """Give the transaction away; the holder is closed then."""
        ...


class Environment:
    """An open LMDB folder.

    Args:
        path: the folder; made when absent.
        map_size: bytes of address space at first.
        durable: flush every commit to the disk.

    Raises:
        NotReady: the folder is on a network file system, is open in this process already, or is no LMDB
            store.
    """

    def __init__(self, path: Path, *, map_size: int, durable: bool) -> None:
        self.path = path
        self._map_size = map_size
        self._durable = durable
        # One entry per reader at work. list.append and list.pop are atomic, which makes this a counter that
        # costs 0.05 µs where a lock costs 0.2. Readers count themselves in, then look whether someone wants
        # them out.
        self.active: list[None] = []
        self.holding_back = False
        self.snapshots: set[Holder] = set()
        self.batch: Holder | None = None
        self._admitted = threading.Event()
        self._alone_lock = threading.Lock()
        self._writer = threading.Lock()
        self.handle: lmdb.Environment | Unusable = self._open()
        _living.add(self)

    def close(self) -> None:
        """Wait for the readers at work and close; a second call does nothing."""
        self._refuse_second_batch()
        _living.discard(self)
        with self._writer, self._alone("close the store"):
            if isinstance(self.handle, lmdb.Environment):
                if not self._durable:
                    self.handle.sync(True)
                self.handle.close()
            self.handle = Unusable(NotReady("the online store is closed", where=str(self.path)))

    def acquire_writer(self) -> Transaction:
        """Wait for the batch of another thread or process, and open the write transaction.

        Raises:
            Conflict: this thread has a batch open.
        """
        self._refuse_second_batch()
        self._writer.acquire()
        try:
            self._grow_ahead()
            return self._begin_write()
        except BaseException:
            self._writer.release()
            raise

    def begin_read(self) -> Transaction:
        """Open a read transaction of the newest state and count it in; `end_read` ends it."""
        while True:
            self.active.append(None)
            try:
                # A thread that holds a snapshot already is let in: whoever holds back waits for that one
                # anyway.
                if not self.holding_back or self._holds_snapshot():
                    return self.handle.begin()
            except lmdb.MapResizedError:
                self.active.pop()
                self._follow_map()
                continue
            except lmdb.ReadersFullError:
                self.active.pop()
                self._clear_stale_readers()
                continue
            except StaleError:
                self.active.pop()
                self._reopen()
                continue
            except BaseException:
                self.active.pop()
                raise
            self.active.pop()
            self._admitted.wait()

    def end_read(self, txn: Transaction) -> None:
        """End a read transaction."""
        txn.abort()
        self.active.pop()

    def abort(self, txn: Transaction) -> None:
        """End a write transaction without its changes.

        The library waits for a moment in which no thread is inside any of its calls; threads that read
        without pause would keep it waiting for minutes, so they are held back.
        """
        with self._held_back():
            txn.abort()

    def release_writer(self) -> None:
        """Let the next batch begin."""
        self.batch = None
        self._writer.release()

    def commit(self, txn: Transaction, apply: Callable[[Transaction], None]) -> None:
        """Apply a batch and commit it; when the map is full, grow it and apply again.

        Args:
            txn: the open write transaction; ended here, however it goes.
            apply: makes the changes; may be called again.

        Raises:
            Conflict: another process committed while the map grew, or readers of this process did not end.
        """
        number = txn.id()
        while True:
            try:
                try:
                    apply(txn)
                    failpoint("online.before_commit")
                    txn.commit()
                except BaseException:
                    self.abort(txn)
                    raise
            except lmdb.MapFullError:
                self._grow()
            else:
                failpoint("online.after_commit")
                return
            txn = self._begin_write()
            # A transaction takes the number after the last committed one, so the same number again means that
            # nothing was committed in between.
            if txn.id() != number:
                self.abort(txn)
                raise Conflict(
                    "another process wrote while the map grew; the batch was not applied",
                    where=str(self.path),
                    fix="repeat the batch; or give the store a larger map_size",
                )

    def _begin_write(self) -> Transaction:
        while True:
            try:
                if isinstance(self.handle, lmdb.Environment):
                    self.handle.reader_check()  # a killed reader would pin old pages for ever
                return self.handle.begin(write=True)
            except lmdb.MapResizedError:
                self._follow_map()
            except StaleError:
                self._reopen()

    def _refuse_second_batch(self) -> None:
        batch = self.batch
        if batch is not None and batch.thread == threading.get_ident():
            raise Conflict("this thread has a batch open already", fix="commit or abort it first")

    def _holds_snapshot(self) -> bool:
        """Say whether this thread has a snapshot open."""
        return threading.get_ident() in {holder.thread for holder in list(self.snapshots)}

    def _open(self) -> lmdb.Environment:
        kind = network_filesystem(self.path)
        if kind is not None:
            raise NotReady(
                f"the online store cannot live on {kind}: memory maps are not shared between machines",
                where=str(self.path),
                fix="use a folder on a local disk",
            )
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            env = lmdb.Environment(
                str(self.path),
                map_size=self._map_size,
                metasync=self._durable,
                sync=self._durable,
                # Keys are read at random: reading ahead would fill memory with pages nobody asked for.
                readahead=False,
                max_readers=_MOST_READERS,
            )
        except lmdb.Error as error:
            raise NotReady(
                f"the online store cannot be opened: {error}",
                where=str(self.path),
                fix="give the user that runs treadle the right to write there: readers too keep their place in the folder; "
                "or copy the home and name the copy with --home",
            ) from error
        env.reader_check()
        self._admitted.set()
        return env

    @contextmanager
    def _alone(self, purpose: str) -> Iterator[None]:
        """Hold back new readers of this process and wait for those at work."""
        if self._holds_snapshot():
            raise Conflict(
                f"cannot {purpose} while this thread holds a snapshot of it",
                where=str(self.path),
                fix="close the reader or scan first",
            )
        with self._held_back():
            self._await_readers(purpose)
            yield

    @contextmanager
    def _held_back(self) -> Iterator[None]:
        """Let no new reader of this process begin; threads that hold a snapshot go on."""
        with self._alone_lock:
            self._admitted.clear()
            self.holding_back = True
            try:
                yield
            finally:
                self.holding_back = False
                self._admitted.set()

    def _await_readers(self, purpose: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.active:
            if time.monotonic() > deadline:
                raise Conflict(
                    f"cannot {purpose}: a snapshot has been open for {_PATIENCE_SECONDS:.0f} s",
                    where=str(self.path),
                    fix="close readers and scans soon",
                )
            time.sleep(0.0002)

    def _grow(self) -> None:
        """Double the map. Only the holder of the writer's lock comes here."""
        with self._alone("grow the map"):
            env = self.handle
            if isinstance(env, lmdb.Environment):
                self._map_size = 2 * max(self._map_size, env.info()["map_size"])
                env.set_mapsize(self._map_size)

    def _grow_ahead(self) -> None:
        """Grow a map that is half full, if nobody reads: cheaper now than in the middle of a commit."""
        env = self.handle
        if isinstance(env, lmdb.Environment) and not self.active:
            info = env.info()
            if 2 * info["last_pgno"] * _PAGE > info["map_size"]:
                self._grow()

    def _follow_map(self) -> None:
        """Take over the size another process gave the map."""
        with self._alone("follow the map's growth"):
            env = self.handle
            if isinstance(env, lmdb.Environment):
                env.set_mapsize(0)
                self._map_size = env.info()["map_size"]

    def _clear_stale_readers(self) -> None:
        env = self.handle
        if isinstance(env, lmdb.Environment) and env.reader_check() == 0:
            raise NotReady(
                f"{_MOST_READERS} snapshots are open",
                where=str(self.path),
                fix="close readers and scans soon",
            )

    def _reopen(self) -> None:
        with self._alone_lock:
            if isinstance(self.handle, Unusable):
                self.handle = self._open()

    def after_fork(self) -> None:
        """In a child: let go of the parent's environment, if that cannot harm the parent.

        Closing frees only what belongs to this process id. Ending a transaction would not: it would free the
        parent's place in the shared table of readers, or its write lock. So with one open, the environment is
        kept for ever and never used.
        """
        env, busy = self.handle, bool(self.active) or self.batch is not None
        holders = (*self.snapshots, *([self.batch] if self.batch else []))
        _abandoned.extend([holder.take_transaction() for holder in holders])
        self.active, self.snapshots = [], set()
        self._alone_lock, self._writer, self.batch = threading.Lock(), threading.Lock(), None
        self.holding_back = False
        self._admitted = threading.Event()
        self._admitted.set()
        if isinstance(env, Unusable):
            return
        if busy:
            _abandoned.append(env)
            self.handle = Unusable(
                NotReady(
                    "the online store was in use when this process was forked",
                    where=str(self.path),
                    fix="start processes with spawn, or open the store after the fork",
                )
            )
        else:
            env.close()
            self.handle = Unusable(StaleError())


_living: weakref.WeakSet[Environment] = weakref.WeakSet()
_abandoned: list[object] = []


def _after_fork_in_child() -> None:
    for store in list(_living):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
