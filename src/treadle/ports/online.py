"""Online features: the newest value of every key, read in microseconds.

A view maps keys to values, both plain bytes; the caller packs and unpacks them. Beside the views lie named
cursors: how far a writer has come in its source. Values and cursors of one batch become visible together or
not at all, also when the process is killed, so a consumer that stores its offset as a cursor applies every
event once.

What every adapter keeps:

* **A read sees one moment.** `read()` is one snapshot across all views; `get` and `get_many` each see one.
* **One batch at a time.** `begin` waits for the batch of another thread or process, so what a batch reads
  cannot change before it commits. A batch belongs to the thread that began it.
* **Any key.** Keys are 0 or more bytes of any length; `scan` goes in byte order.
* A view comes into being with its first value; one that has none reads as empty and is no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self


class Reader(Protocol):
    """One consistent snapshot.

    Close it soon: while it is open the space of overwritten values cannot be reused.
    """

    def get(self, view: str, key: bytes) -> bytes | None:
        """Return the key's value at the snapshot's moment, or None."""
        ...

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of the keys, in their order."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """Return the cursor as it stood at the snapshot's moment, or None."""
        ...


class Batch(Protocol):
    """Changes that become visible together.

    As a context manager it commits at the end of the block, and aborts when the block raises.
    Every method raises `Conflict` once the batch has been committed or aborted.
    """

    def get(self, view: str, key: bytes) -> bytes | None:
        """Return the key's value with the batch's own changes applied."""
        ...

    def put(self, view: str, key: bytes, value: bytes) -> None:
        """Set the key's value."""
        ...

    def delete(self, view: str, key: bytes) -> None:
        """Remove the key; nothing happens when it is absent."""
        ...

    def cursor(self, name: str) -> bytes | None:
        """Return the cursor with the batch's own change applied, or None."""
        ...

    def set_cursor(self, name: str, value: bytes) -> None:
        """Set the cursor."""
        ...

    def commit(self) -> None:
        """Make all changes visible at once; durable on return when the store was opened durable."""
        ...

    def abort(self) -> None:
        """Forget all changes."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Online(Protocol):
    """The online store. Every method raises `InvalidInput` on a malformed view name."""

    remote: bool
    """Whether a read is a round trip, so that it pays to say with the snapshot what is wanted."""

    def get(self, view: str, key: bytes) -> bytes | None:
        """Return the key's value, or None."""
        ...

    def get_many(self, view: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of the keys, in their order, all of one moment."""
        ...

    def read(self, wanted: Sequence[tuple[str, bytes]] = ()) -> AbstractContextManager[Reader]:
        """Open a snapshot over all views.

        Args:
            wanted: views and keys that will be asked for, if known. A store across a network fetches them with the
                snapshot in one round trip; others take no notice.
        """
        ...

    def begin(self) -> Batch:
        """Open the batch; waits while another thread or process has one.

        Raises:
            Conflict: this thread has one open already.
        """
        ...

    def cursor(self, name: str) -> bytes | None:
        """Return the committed cursor, or None when it was never set."""
        ...

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """Iterate keys and values of one moment in key order. Exhaust or close the iterator."""
        ...

    def count(self, view: str) -> int:
        """Return the number of keys of the view."""
        ...

    def views(self) -> list[str]:
        """Return the names of the views that hold a key, sorted."""
        ...

    def drop(self, view: str) -> None:
        """Remove every key of the view, in a batch of its own; nothing happens when it has none."""
        ...

    def close(self) -> None:
        """Release the store; a second call does nothing."""
        ...
