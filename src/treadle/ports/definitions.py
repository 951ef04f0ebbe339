"""What people defined, by content and version."""

from __future__ import annotations

from typing import Protocol

from treadle.records.definitions import Definition
from treadle.records.digests import Json
from treadle.records.instants import Instant


class DefinitionsView(Protocol):
    """What can be asked about definitions."""

    def get(self, kind: str, name: str, version: int | None = None) -> Definition:
        """Return a version, the current one unless one is named. `NotFound` if there is none."""
        ...

    def find(self, kind: str, name: str) -> Definition | None:
        """Return the current version, or None."""
        ...

    def current(self, kind: str | None = None) -> tuple[Definition, ...]:
        """Return the current version of every definition (of a kind), ordered by kind and name."""
        ...

    def history(self, kind: str, name: str) -> tuple[Definition, ...]:
        """Return all versions, the newest first; () for an unknown name."""
        ...


class Definitions(DefinitionsView, Protocol):
    """What can be done to definitions."""

    def record(
        self, kind: str, name: str, body: Json, at: Instant, *, allow_change: bool = False
    ) -> Definition:
        """Record what is defined under a name. Event `definition.recorded`.

        The content that is current already returns it and writes nothing. Content of an older version, when a
        change is allowed, becomes a new version.

        Raises:
            Conflict: the current content differs and `allow_change` is False.
            InvalidInput: the body can't be written as JSON (NaN included), or kind or name is empty.
        """
        ...
