"""The online store in memory: for tests and for replays that are thrown away. It keeps the same contract.

A commit copies the views it changes, which makes snapshots free and large views slow to write one by one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from treadle.records.errors import Conflict, NotReady
from treadle.records.views import check_view_name


@dataclass(frozen=True, slots=True)
class _State:
    views: Mapping[str, Mapping[bytes, bytes]] = field(default_factory=dict)
    cursors: Mapping[str, bytes] = field(default_factory=dict)


class MemoryOnline:
    """An online store of one process; it ends with it."""

    remote = False

    def __init__(self) -> None:
        self._committed = _State()
        self._writer = threading.Lock()
        self._batch: MemoryBatch | None = None
        self._open = True

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Online.get`."""
        return _values(self.state(), view).get(key)

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Online.get_many`."""
        values = _values(self.state(), view)
        return [values.get(key) for key in keys]

    def read(self, wanted: Sequence[tuple[str, bytes]] = ()) -> MemoryReader:
        """See `Online.read`."""
        return MemoryReader(self)

    def cursor(self, name: str) -> bytes | None:
        """See `Online.cursor`."""
        check_view_name(name)
        return self.state().cursors.get(name)

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """See `Online.scan`."""
        return iter(sorted(_values(self.state(), view).items()))

    def count(self, view: str) -> int:
        """See `Online.count`."""
        return len(_values(self.state(), view))

    def views(self) -> list[str]:
        """See `Online.views`."""
        return sorted(view for view, values in self.state().views.items() if values)

    def begin(self) -> MemoryBatch:
        """See `Online.begin`."""
        self.state()
        if self._batch is not None and self._batch.thread == threading.get_ident():
            raise Conflict("this thread has a batch open already", fix="commit or abort it first")
        self._writer.acquire()
        self._batch = MemoryBatch(self)
        return self._batch

    def drop(self, view: str) -> None:
        """See `Online.drop`."""
        check_view_name(view)
        with self.begin() as batch:
            for key, _ in self.scan(view):
                batch.delete(view, key)

    def close(self) -> None:
        """See `Online.close`."""
        self._open = False

    def state(self) -> _State:
        """Return what is committed; it never changes, the next commit puts another in its place."""
        if not self._open:
            raise NotReady("the online store is closed")
        return self._committed

    def finish(self, state: _State) -> None:
        """Put a batch's outcome in place and let the next one begin."""
        self._committed = state
        self._batch = None
        self._writer.release()


class MemoryReader:
    """One snapshot; see `ports.online.Reader`."""

    def __init__(self, store: MemoryOnline) -> None:
        self._store = store
        self._state: _State | None = None

    def __enter__(self) -> Self:
        self._state = self._store.state()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._state = None

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Reader.get`."""
        return _values(self._snapshot(), view).get(key)

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Reader.get_many`."""
        values = _values(self._snapshot(), view)
        return [values.get(key) for key in keys]

    def cursor(self, name: str) -> bytes | None:
        """See `Reader.cursor`."""
        check_view_name(name)
        return self._snapshot().cursors.get(name)

    def _snapshot(self) -> _State:
        if self._state is None:
            raise Conflict("the snapshot is closed", fix="use it inside its with block")
        return self._state


class MemoryBatch:
    """One batch; see `ports.online.Batch`."""

    def __init__(self, store: MemoryOnline) -> None:
        self._store = store
        self.thread = threading.get_ident()
        self._before = store.state()
        self._views: dict[str, dict[bytes, bytes]] = {}
        self._cursors: dict[str, bytes] = {}
        self._done = False

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Batch.get`."""
        self._check()
        return _values(_State(self._views) if view in self._views else self._before, view).get(key)

    def put(self, view: str, key: bytes, value: bytes) -> None:
        """See `Batch.put`."""
        self._changed(view)[key] = value

    def delete(self, view: str, key: bytes) -> None:
        """See `Batch.delete`."""
        self._changed(view).pop(key, None)

    def cursor(self, name: str) -> bytes | None:
        """See `Batch.cursor`."""
        self._check()
        check_view_name(name)
        return self._cursors.get(name, self._before.cursors.get(name))

    def set_cursor(self, name: str, value: bytes) -> None:
        """See `Batch.set_cursor`."""
        self._check()
        check_view_name(name)
        self._cursors[name] = value

    def commit(self) -> None:
        """See `Batch.commit`."""
        self._check()
        self._done = True
        before = self._before
        self._store.finish(_State({**before.views, **self._views}, {**before.cursors, **self._cursors}))

    def abort(self) -> None:
        """See `Batch.abort`."""
        self._check()
        self._done = True
        self._store.finish(self._before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._done:
            return  # committed or aborted inside the block
        if kind is None:
            self.commit()
        else:
            self.abort()

    def _changed(self, view: str) -> dict[bytes, bytes]:
        self._check()
        if view not in self._views:
            self._views[view] = dict(_values(self._before, view))
        return self._views[view]

    def _check(self) -> None:
        if self._done:
            raise Conflict("the batch was committed or aborted", fix="begin another")
        if self.thread != threading.get_ident():
            raise Conflict("a batch belongs to the thread that began it", fix="begin one in this thread")


def _values(state: _State, view: str) -> Mapping[bytes, bytes]:
    check_view_name(view)
    return state.views.get(view, {})


if TYPE_CHECKING:
    from treadle.ports.online import Online

    _proof: type[Online] = MemoryOnline
