"""What the core needs to tell others of its lineage."""

from __future__ import annotations

from typing import Protocol

from treadle.records.digests import Json


class LineageTransport(Protocol):
    """Takes lineage events to a system that collects them."""

    def send(self, event: Json) -> None:
        """Hand over one event; it may be sent again after a crash, so the receiver knows events by run and type.

        Raises:
            NotReady: it could not be handed over now; try again later.
            InvalidInput: the receiver refused this event for good.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...
