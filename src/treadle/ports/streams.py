"""What the core needs from a stream: messages in order, from a place that we name ourselves.

The places that count are ours. Whoever consumes a stream keeps the position of each partition with the data it made of
the messages, seeks there when it begins, and tells the broker afterwards how far it got. What the broker remembers only
shows people how far behind a consumer is, and lets it drop what everybody has read.

What every adapter keeps:

* **Order.** Messages of a partition are handed out in the order of their offsets, without a gap, from the position on.
  Nothing is promised between partitions.
* **At least once.** After a seek, a lost connection or a killed process messages come again that were handed out
  before, with the same `event_id`, partition and offset. Never is one left out that the broker still has.
* **Nothing is swallowed.** Bytes that are no row are handed out like all others; the caller decides what they are.
* **A broker that is away** makes a method raise `NotReady`; the next call tries again. The stream goes on where it stood,
  so the caller need not seek. How long to wait between calls is the caller's choice: let it grow.
* **Messages that the broker has dropped** before they were read are gone: reading goes on at the oldest that is left, and
  `standings` counts the loss.
* **A stream made anew** under its old name, which ends before our position, is `Conflict`: its offsets mean other messages.
* **Two consumers** of one stream, each with positions of its own, both get every message. An adapter whose broker deals
  messages out among the consumers of one name raises `Conflict` when it finds that another is active.

A stream is used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from treadle.records.intake import Offset
from treadle.records.messages import Message, Standing

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.records.secrets import SecretRef


class Stream(Protocol):
    """A stream that is read from our own positions; before the first `seek` it stands at its oldest message."""

    def poll(self, limit: int, wait_s: float) -> Sequence[Message]:
        """Return the next messages, as many as are there at once.

        Args:
            limit: at most so many, from 1.
            wait_s: when there is none, wait at most so many seconds for the first.

        Raises:
            NotReady: the broker cannot be reached, or does not have the stream.
            Conflict: the stream was made anew, or another consumer takes messages away.
            Forbidden: the broker refuses us.
        """
        ...

    def commit(self, positions: Mapping[str, Offset]) -> None:
        """Tell the broker that everything up to these offsets is safe with us; the call may be repeated.

        A position that was not told is no loss: the next one covers it.

        Args:
            positions: partition → offset of a message that was handed out; partitions not named stay as they are.

        Raises:
            NotReady: the broker cannot be reached.
        """
        ...

    def seek(self, positions: Mapping[str, Offset]) -> None:
        """Stand after these offsets, and before the oldest message in partitions not named, whatever the broker remembers.

        Partitions that the stream does not have any more are ignored. The broker need not be there: the next `poll`
        begins at these places.
        """
        ...

    def standings(self) -> Sequence[Standing]:
        """Return how far each partition has been read, sorted by partition; asks the broker.

        Raises:
            NotReady: the broker cannot be reached.
        """
        ...

    def close(self) -> None:
        """Let go of the broker; a second call does nothing, other methods raise `NotReady` from then on."""
        ...


class Streams(Protocol):
    """Opens streams by how they are defined. Nothing is reached before the stream's first `poll`.

    Every method raises `NotReady` when the broker's client is not installed or a secret is not set, and `InvalidInput` when
    an address or option is none.
    """

    def inbox(self, folder: Path) -> Stream:
        """Open a folder that files are put into."""
        ...

    def redis(self, url: str | SecretRef, stream: str, group: str) -> Stream:
        """Open a stream of Redis or Valkey."""
        ...

    def nats(self, url: str | SecretRef, stream: str, subject: str | None, durable: str) -> Stream:
        """Open a JetStream stream of NATS, or one subject of it."""
        ...

    def kafka(self, servers: str | SecretRef, topic: str, group: str, login: SecretRef | None) -> Stream:
        """Open a topic of Kafka; `login` is the secret with the client's options, a JSON object of text."""
        ...
