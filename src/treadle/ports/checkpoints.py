"""Checkpoints: the newest progress of something resumable, saved in the same unit as what it progressed."""

from __future__ import annotations

from typing import Protocol

from treadle.records.definitions import Checkpoint
from treadle.records.digests import Json
from treadle.records.instants import Instant


class CheckpointsView(Protocol):
    """What can be asked about checkpoints."""

    def get(self, name: str) -> Checkpoint | None:
        """Return the checkpoint of that name, or None."""
        ...

    def names(self, prefix: str = "") -> tuple[str, ...]:
        """Return the names that start with the prefix, sorted."""
        ...


class Checkpoints(CheckpointsView, Protocol):
    """What can be done to checkpoints."""

    def put(self, name: str, value: Json, at: Instant, *, epoch: int = 0) -> None:
        """Save or overwrite. No event.

        Raises:
            Conflict: it was saved by a writer with a greater epoch.
            InvalidInput: the value can't be written as JSON.
        """
        ...

    def delete(self, name: str) -> None:
        """Forget a checkpoint; one that is not there is no error. No event."""
        ...
