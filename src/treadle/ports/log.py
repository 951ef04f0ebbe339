"""What the core needs from a local append log: where pushed events and predictions become safe.

A position is a number that grows with every record; 0 is before the first one. Positions come from the log
(`append`, `read`, `start`, `end`) and are never computed by a caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol


class LogReader(Protocol):
    """The reading half; any number of processes may read and follow a log while one writes it."""

    def read(self, since: int = 0, limit: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield `(position after the record, record)` in order, from `since` to the present end.

        To follow a log, keep the last position and call again. A record that is only partly written yet is
        not shown.

        Args:
            since: a position this log gave; 0 means the oldest record still kept.
            limit: the largest number of records, or None for all.

        Raises:
            NotFound: the records after `since` were dropped.
            InvalidInput: `since` lies past the end, or `limit` is negative.
            Corrupt: a record in the middle is damaged; names file and offset, and the position to go on
                from. The records before it have been yielded by then.
        """
        ...

    def start(self) -> int:
        """Return the position before the oldest record still kept."""
        ...

    def end(self) -> int:
        """Return the position after the last whole record."""
        ...

    def close(self) -> None:
        """Let go of files and locks; closing twice is allowed."""
        ...


class AppendLog(LogReader, Protocol):
    """The writing half: one writer at a time, in one process; its methods may be called from several threads.

    After a kill of the process at any moment every acknowledged record is there once, in order; a record
    being appended at that moment is there whole or not at all. A second writer gets `Conflict`.
    """

    def append(self, record: bytes) -> int:
        """Hand the record to the operating system and return the position after it.

        From the return on it survives the death of this process; loss of power only after the next `sync`.

        Raises:
            InvalidInput: the record is larger than the log takes.
            NotReady: the log is closed, or an earlier disk error left it unsure of its end: open it anew.
        """
        ...

    def append_many(self, records: Iterable[bytes]) -> int:
        """Append the records in order in one write; return the position after the last.

        A kill in the middle leaves the first few of them, never a gap.
        """
        ...

    def sync(self) -> None:
        """Return when everything appended before this call survives loss of power; appends go on."""
        ...

    def truncate(self, position: int) -> None:
        """Remove every record after the position, durably.

        Raises:
            InvalidInput: the position is outside of `start()`…`end()` or no record ends there.
        """
        ...

    def drop_before(self, position: int) -> None:
        """Free storage that holds only records before the position.

        What can be freed in one piece is up to the adapter, so some records before the position may stay.

        Raises:
            InvalidInput: the position lies past the end.
        """
        ...
