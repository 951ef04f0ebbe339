"""A stream in memory, for tests and examples: a broker that can be written to, and made to go away."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from treadle.adapters.streams.states import closed
from treadle.records.errors import Conflict, InvalidInput, NotReady
from treadle.records.instants import Instant
from treadle.records.intake import Offset
from treadle.records.messages import Message, Standing


class MemoryBroker:
    """Keeps the messages of one stream; may be used by several threads."""

    def __init__(self, name: str = "memory", partitions: Sequence[str] = ("0",)) -> None:
        self.name = name
        self.away = False
        """Whether it refuses to be reached."""
        self.committed: dict[str, int] = {}
        """What consumers said is safe with them."""
        self._messages: dict[str, list[Message]] = {partition: [] for partition in partitions}
        self._dropped = dict.fromkeys(partitions, 0)
        self._more = threading.Condition()

    def publish(
        self,
        value: bytes,
        *,
        partition: str | None = None,
        event_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        at: Instant | None = None,
    ) -> Message:
        """Add a message to a partition, the first if none is named."""
        partition = partition if partition is not None else next(iter(self._messages))
        with self._more:
            offset = self._dropped[partition] + len(self._messages[partition])
            message = Message(value, event_id, partition, offset, at, dict(headers or {}))
            self._messages[partition].append(message)
            self._more.notify_all()
        return message

    def drop(self, partition: str, count: int) -> None:
        """Forget the oldest messages of a partition, as brokers do after a while."""
        with self._more:
            del self._messages[partition][:count]
            self._dropped[partition] += count

    def after(self, partition: str, offset: int | None, limit: int) -> tuple[list[Message], int]:
        """Return messages behind an offset, and how many in between are gone."""
        first = self._dropped[partition]
        begin = 0 if offset is None else offset + 1
        if begin > first + len(self._messages[partition]):
            raise Conflict(f"stream {self.name!r} was made anew", fix="seek to its beginning")
        lost = max(first - begin, 0)
        place = max(begin - first, 0)
        return self._messages[partition][place : place + limit], lost

    def partitions(self) -> list[str]:
        """Return the partitions.

        Raises:
            NotReady: it is away.
        """
        if self.away:
            raise NotReady(f"stream {self.name!r} cannot be reached")
        return sorted(self._messages)

    def wait(self, seconds: float) -> None:
        """Wait for a message to be published, so long at most."""
        self._more.wait(seconds)

    def locked(self) -> threading.Condition:
        """Return what must be held to look and wait."""
        return self._more


class MemoryStream:
    """A consumer of a stream in memory."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker: MemoryBroker | None = broker
        self._positions: dict[str, int] = {}
        self._lost: dict[str, int] = {}

    def poll(self, limit: int, wait_s: float) -> Sequence[Message]:
        """See `Stream.poll`."""
        broker = self._reach()
        with broker.locked():
            found = self._take(broker, limit)
            if not found and wait_s > 0:
                broker.wait(wait_s)
                found = self._take(broker, limit)
        return found

    def commit(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.commit`."""
        broker = self._reach()
        broker.partitions()
        with broker.locked():
            broker.committed |= {partition: _number(offset) for partition, offset in positions.items()}

    def seek(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.seek`."""
        self._reach()
        self._positions = {partition: _number(offset) for partition, offset in positions.items()}
        self._lost = {}

    def standings(self) -> Sequence[Standing]:
        """See `Stream.standings`."""
        broker, found = self._reach(), []
        for partition in broker.partitions():
            at, told = self._positions.get(partition), broker.committed.get(partition, -1)
            waiting, _ = broker.after(partition, at, 2**31)
            beyond = 0 if at is None else max(at - told, 0)
            found.append(Standing(partition, at, len(waiting), beyond, self._lost.get(partition, 0)))
        return found

    def close(self) -> None:
        """See `Stream.close`."""
        self._broker = None

    def _take(self, broker: MemoryBroker, limit: int) -> list[Message]:
        found: list[Message] = []
        for partition in broker.partitions():
            at = self._positions.get(partition)
            messages, lost = broker.after(partition, at, limit - len(found))
            if messages:
                if at is not None:
                    self._lost[partition] = self._lost.get(partition, 0) + lost
                self._positions[partition] = _number(messages[-1].offset)
                found += messages
        return found

    def _reach(self) -> MemoryBroker:
        if self._broker is None:
            raise closed()
        return self._broker


def _number(offset: Offset) -> int:
    if not isinstance(offset, int):
        raise InvalidInput(f"{offset!r} is no offset of this stream", fix="offsets here are whole numbers")
    return offset


if TYPE_CHECKING:
    from treadle.ports.streams import Stream

    _proof: type[Stream] = MemoryStream
