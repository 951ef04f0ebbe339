"""The online store in LMDB: a memory-mapped B-tree in a folder, one writer, readers that never wait.

Any number of processes may open the folder; each opens it once. How the bytes lie is in
`online_keys.py`; what LMDB asks of a process in `online_environment.py`.

**Batches** hold LMDB's write lock from `begin` on, so what they read is what they change; their own changes
stay in memory until `commit` applies them in key order. So a batch costs its size in memory, and when the map
turns out to be full, nothing is lost: the transaction is dropped, the map doubled, and the same changes are
applied again. That needs a moment without readers in this process; new ones are held back and open ones
waited for. Should another process have committed in that moment, the batch fails with `Conflict` rather than
overwrite what it had not seen.

**The map** is doubled when it is half full at the beginning of a batch and nobody reads, and in need as said.
It is grown by whichever process has the write lock; the others notice at their next transaction and
follow.

**Forks**: a child never uses what its parent opened. When nothing was open at the fork the store reopens by
itself in the child; otherwise every call there raises `NotReady`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import lmdb

from treadle.adapters.online_environment import Environment, StaleError
from treadle.adapters.online_keys import LONGEST_PLAIN, VIEW_NAMES, count_key, in_key_order, view_prefix
from treadle.adapters.online_transactions import LmdbBatch, LmdbReader
from treadle.records.views import check_view_name

GIGABYTE = 1 << 30


class LmdbOnline:
    """An online store in a folder of a local disk.

    Args:
        path: the folder; made when absent.
        map_size: bytes of address space at first; doubled when full. Disk space is used only as data comes.
        durable: flush every commit to the disk (a power cut loses nothing). Without it a killed process still
            loses nothing, but a power cut may cost the whole store: for what can be rebuilt.

    Raises:
        NotReady: the folder is on a network file system, is open in this process already, or is no LMDB
            store.
    """

    remote = False

    def __init__(self, path: Path | str, *, map_size: int = GIGABYTE, durable: bool = True) -> None:
        self._environment = Environment(Path(path), map_size=map_size, durable=durable)
        self._prefixes: dict[str, bytes] = {}

    def get(self, view: str, key: bytes) -> bytes | None:
        """See `Online.get`. About 1.5 µs."""
        prefix = self._prefixes.get(view)
        if prefix is None or len(key) > LONGEST_PLAIN:
            with self.read() as reader:
                return reader.get(view, key)
        environment = self._environment
        active = environment.active
        active.append(None)
        try:
            if not environment.holding_back:
                with environment.handle.begin() as txn:
                    return txn.get(prefix + key)
        except (lmdb.MapResizedError, lmdb.ReadersFullError, StaleError):
            pass  # the snapshot below knows what to do
        finally:
            active.pop()
        with self.read() as reader:
            return reader.get(view, key)

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """See `Online.get_many`. About 1 µs a key."""
        with self.read() as reader:
            return reader.get_many(view, keys)

    def read(self, wanted: Sequence[tuple[str, bytes]] = ()) -> LmdbReader:
        """See `Online.read`. About 1.5 µs to open and close."""
        return LmdbReader(self._environment, self._prefixes)

    def cursor(self, name: str) -> bytes | None:
        """See `Online.cursor`."""
        with self.read() as reader:
            return reader.cursor(name)

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """See `Online.scan`. Keys of more than 474 bytes that begin alike are held in memory to be sorted."""
        check_view_name(view)
        return self._scan(view)

    def _scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        with self.read() as reader:
            prefix = reader.prefix(view)
            if prefix is not None:
                yield from in_key_order(reader.pairs(prefix))

    def count(self, view: str) -> int:
        """See `Online.count`. Kept by the writers, so it costs one read."""
        with self.read() as reader:
            prefix = reader.prefix(view)
            return 0 if prefix is None else reader.number(count_key(prefix))

    def views(self) -> list[str]:
        """See `Online.views`."""
        with self.read() as reader:
            pairs = list(reader.pairs(VIEW_NAMES))
            held = [name for name, number in pairs if reader.number(count_key(view_prefix(number)))]
        return sorted(name[len(VIEW_NAMES) :].decode() for name in held)

    def begin(self) -> LmdbBatch:
        """See `Online.begin`.

        Close this thread's snapshots first: should the map turn out to be full, they would be in the way.
        """
        return LmdbBatch(self._environment, self._prefixes)

    def drop(self, view: str) -> None:
        """See `Online.drop`. About 0.3 µs a key; other writers wait meanwhile."""
        check_view_name(view)
        with self.begin() as batch:
            batch.clear(view)

    def close(self) -> None:
        """See `Online.close`. Waits for the readers at work."""
        self._environment.close()


if TYPE_CHECKING:
    from treadle.ports.online import Online

    _proof: type[Online] = LmdbOnline
