"""The event journal: append-only, in commit order, read with cursors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from treadle.records.digests import Json
from treadle.records.events import Event
from treadle.records.instants import Instant


class JournalView(Protocol):
    """What can be asked of the journal."""

    def read(
        self,
        after: int = 0,
        *,
        kinds: Sequence[str] | None = None,
        subject: str | None = None,
        world: str | None = None,
        until: Instant | None = None,
        limit: int = 1_000,
    ) -> tuple[Event, ...]:
        """Return events with a cursor above `after`, the oldest first.

        Args:
            after: a cursor; 0 reads from the beginning.
            kinds: any of these; None means all.
            subject: exactly this one.
            world: only events of this world; None means all.
            until: only events with `at` up to and including this instant.
            limit: at most so many.
        """
        ...

    def latest(self, kind: str, *, subject: str | None = None, world: str | None = None) -> Event | None:
        """Return the newest event of a kind (and subject), or None. For cooldowns."""
        ...

    def end(self) -> int:
        """Return the newest cursor; 0 when nothing has happened."""
        ...

    def position(self, consumer: str) -> int:
        """Return how far a consumer has come; 0 for one that never advanced."""
        ...


class Journal(JournalView, Protocol):
    """What can be written to the journal."""

    def append(
        self, kind: str, subject: str, at: Instant, data: Json = None, key: str | None = None
    ) -> Event:
        """Write an event. With a key that this kind and world has seen, return that event and write nothing.

        Raises:
            InvalidInput: the kind is not `noun.verb`, or the data can't be written as JSON.
        """
        ...

    def advance(self, consumer: str, to: int, *, since: int) -> None:
        """Move a consumer's cursor, in the same unit as the effect of what it read: each happens once.

        Args:
            consumer: its name; made by its first advance.
            to: the cursor of the last event dealt with.
            since: where the consumer believes to stand: a second process that has moved on meanwhile is thus
            found.

        Raises:
            Conflict: the consumer stands elsewhere, or `to` lies behind `since`.
        """
        ...
