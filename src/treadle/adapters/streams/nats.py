"""Streams of NATS JetStream, read from our own positions through a durable pull consumer with explicit acknowledgement.

A consumer cannot be moved, so seeking makes it anew, beginning after our position; what it had not acknowledged comes
again. A durable deals its messages out among those who pull from it, so it belongs to one home: its metadata say to which,
and another that is at work is a `Conflict`. Deliveries are numbered by the server; a number that is missing means that a
message got lost on its way or went to somebody else, and the consumer is made anew from where we stand.

The partition is named by the stream and the instant it was made. A stream that was deleted and made again counts its
messages from 1, and so is read from its beginning.

**Interest and work-queue streams** drop a message when it is acknowledged, and all that is waiting when their consumer is
deleted. There the consumer is kept, its unacknowledged messages are what is left to be read, seeking goes nowhere, and
what comes again may come out of order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from treadle.adapters.streams.nats_pull import LoopThread, Pull, PullEnded
from treadle.adapters.streams.states import closed, given_id, not_installed, text
from treadle.records.errors import Conflict, Forbidden, InvalidInput, NotReady, TreadleError
from treadle.records.instants import instant, iso
from treadle.records.intake import LONGEST_ID, Offset
from treadle.records.messages import EVENT_ID_HEADER, Message, Standing

ID_HEADER: Final = "Nats-Msg-Id"
"""NATS' own header for the name of a message."""
OWNER: Final = "treadle"
_ACKNOWLEDGE: Final = b"+ACK"
_UNACKNOWLEDGED_S: Final = 30.0
Answer = TypeVar("Answer")
_log = logging.getLogger(__name__)


class NatsReader:
    """One stream, or one subject of it, on a NATS server with JetStream (2.10 or newer).

    Args:
        url: `nats://`, `tls://`, `ws://` or `wss://`, with the password or token in it if there is one.
        stream: the stream's name.
        subject: the subject to read, with NATS' wildcards; None reads all.
        durable: the consumer's name.
        owner: what tells this home from others that may use the same name.
        timeout: seconds after which a silent server counts as gone.

    Raises:
        NotReady: the client is not installed.
    """

    def __init__(
        self,
        url: str,
        stream: str,
        *,
        subject: str | None = None,
        durable: str = "treadle",
        owner: str = "",
        timeout: float = 5.0,
    ) -> None:
        self._nats = _library()
        self._url = url
        self._stream = stream
        self._subject = subject
        self._durable = durable
        self._owner = owner
        self._timeout = timeout
        self._loop: LoopThread | None = LoopThread(f"nats {stream}")
        self._client: Any = None
        self._pull: Pull | None = None
        self._partition = ""
        self._positions: dict[str, int] = {}
        self._replies: dict[int, str] = {}
        self._delivered = 0
        self._resets = 0
        self._lost: int | None = None
        self._kept = False

    def poll(self, limit: int, wait_s: float) -> Sequence[Message]:
        """See `Stream.poll`. One round trip if there are messages, two or three otherwise."""
        return self._run(lambda: self._poll(limit, wait_s), 3 * self._timeout + wait_s)

    def commit(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.commit`. One small message for each that was handed out, and one round trip."""
        self._run(lambda: self._commit(_numbers(positions)), 2 * self._timeout)

    def seek(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.seek`."""
        if self._loop is None:
            raise closed()
        self._positions = _numbers(positions)
        self._lost = None
        self._pull = None
        self._resets = 0

    def standings(self) -> Sequence[Standing]:
        """See `Stream.standings`. One round trip."""
        return self._run(self._standings, 3 * self._timeout)

    def close(self) -> None:
        """See `Stream.close`."""
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run(self._disconnect(), self._timeout)
            except TimeoutError:
                _log.warning("the connection to NATS did not close in time")
            loop.close()

    async def _poll(self, limit: int, wait_s: float) -> list[Message]:
        pull = await self._opened()
        taken: list[Message] = []
        for message in await pull.fetch(limit, wait_s):
            place = message.metadata.sequence
            at = self._positions.get(self._partition, 0)
            in_turn, self._delivered = place.consumer == self._delivered + 1, place.consumer
            if not self._kept and not in_turn:
                # What was handed out is given back now; the next poll goes on behind it.
                self._begin_anew()
                return taken
            self._replies[place.stream] = message.reply
            if self._kept or place.stream > at:
                self._positions[self._partition] = max(place.stream, at)
                taken.append(self._message(message))
        if taken:
            self._resets = 0
        return taken

    async def _commit(self, positions: Mapping[str, int]) -> None:
        upto = positions.get(self._partition)
        if upto is None or not self._replies:
            return
        if self._client is None:
            await self._opened()  # made anew, the consumer begins behind what is to be acknowledged
        for sequence in [sequence for sequence in self._replies if sequence <= upto]:
            await self._client.publish(self._replies.pop(sequence), _ACKNOWLEDGE)
        await self._client.flush(timeout=self._timeout)

    async def _standings(self) -> list[Standing]:
        await self._opened()
        info = await self._client.jetstream(timeout=self._timeout).consumer_info(self._stream, self._durable)
        at = self._positions.get(self._partition)
        return [Standing(self._partition, at, info.num_pending, info.num_ack_pending, self._lost)]

    async def _opened(self) -> Pull:
        """Return the consumer, standing at our position; connects and makes it if need be."""
        if self._client is None or not self._client.is_connected:
            await self._disconnect()
            self._client = await self._connect()
        if self._pull is None:
            await self._begin()
            self._pull = Pull(self._client, self._stream, self._durable, self._timeout)
            await self._pull.open()
        return self._pull

    async def _connect(self) -> Any:
        client = self._nats.aio.client.Client()
        try:
            await client.connect(
                self._url,
                name="treadle",
                allow_reconnect=False,  # a new connection is a new beginning: nothing is lost in between
                connect_timeout=self._timeout,
                max_reconnect_attempts=1,  # counts the first attempts too, and 0 would be without end
                reconnect_time_wait=0.05,
                error_cb=_ignore,
            )
        except BaseException:
            await client.close()  # of its own it leaves the socket of a refused connection open
            raise
        return client

    async def _begin(self) -> None:
        manager = self._client.jetstream(timeout=self._timeout)
        info = await manager.stream_info(self._stream)
        self._partition = f"{self._stream}@{iso(instant(info.created))}"
        self._replies, self._delivered = {}, 0
        await self._refuse_another(manager)
        self._kept = info.config.retention != "limits"
        config: dict[str, object] = {
            "durable_name": self._durable,
            "ack_policy": "explicit",
            "ack_wait": _UNACKNOWLEDGED_S,
            "max_ack_pending": -1,
            "filter_subject": self._subject,
            "metadata": {OWNER: self._owner},
            "deliver_policy": "all",
        }
        if not self._kept:
            at = self._positions.get(self._partition)
            if at is not None and at > info.state.last_seq:
                raise Conflict(
                    f"stream {self._stream!r} ends at {info.state.last_seq}, before our position {at}",
                    fix="restore the stream, or give the source another name to begin at the stream's beginning",
                )
            self._count_lost(at, info.state.first_seq)
            config |= {"deliver_policy": "by_start_sequence", "opt_start_seq": (at or 0) + 1}
            await self._delete(manager)
        await manager.add_consumer(self._stream, self._nats.js.api.ConsumerConfig(**config))

    def _count_lost(self, at: int | None, first: int) -> None:
        if self._subject is None and at is not None:
            gone = max(first - at - 1, 0)
            self._lost = (self._lost or 0) + gone
            if gone:
                _log.warning(
                    "%d messages of stream %s were dropped before they were read", gone, self._stream
                )

    async def _refuse_another(self, manager: Any) -> None:
        """Refuse a durable that another home pulls from.

        Raises:
            Conflict: one does, at this moment, or messages went astray time and again.
        """
        try:
            info = await manager.consumer_info(self._stream, self._durable)
        except self._nats.js.errors.NotFoundError:
            return
        owner = (info.config.metadata or {}).get(OWNER)
        if (owner != self._owner and info.num_waiting) or self._resets > 3:
            raise Conflict(
                f"another consumer pulls from the durable {self._durable!r} of stream {self._stream!r}",
                fix="stop it, or give this source a durable of its own: durable='NAME'",
            )

    async def _delete(self, manager: Any) -> None:
        try:
            await manager.delete_consumer(self._stream, self._durable)
        except self._nats.js.errors.NotFoundError:
            pass  # the first time there is none

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        self._pull = None
        if client is not None:
            await client.close()

    def _begin_anew(self) -> None:
        self._resets += 1
        self._pull = None

    def _message(self, message: Any) -> Message:
        headers = {name: text(value) for name, value in (message.headers or {}).items()}
        name = given_id(headers) or headers.get(ID_HEADER) or None
        headers.pop(EVENT_ID_HEADER, None)
        place = message.metadata
        return Message(
            message.data,
            name if name is None or len(name) <= LONGEST_ID else None,
            self._partition,
            place.sequence.stream,
            instant(place.timestamp),
            headers,
        )

    def _run(self, work: Callable[[], Awaitable[Answer]], timeout: float) -> Answer:
        if self._loop is None:
            raise closed()

        async def reached() -> Answer:
            try:
                return await work()
            except TreadleError:
                raise
            except PullEnded as ended:
                self._begin_anew()
                raise NotReady(f"NATS ended the consumer: {ended}") from ended
            except Exception as error:
                await self._disconnect()
                raise self._translated(error) from error

        try:
            return self._loop.run(reached(), timeout)
        except TimeoutError as error:
            self._loop.run(self._disconnect(), timeout)
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> TreadleError:
        errors, js = self._nats.errors, self._nats.js.errors
        said = str(error) or type(error).__name__
        if isinstance(error, errors.AuthorizationError) or "authorization violation" in said.lower():
            return Forbidden(f"NATS refuses us: {said}", fix="check the user, password or token in the URL")
        if isinstance(error, js.NotFoundError):
            return NotReady(
                f"there is no stream {self._stream!r}",
                fix="create the stream, or mend its name in the source",
            )
        if isinstance(error, js.BadRequestError):
            return InvalidInput(
                f"NATS refuses the consumer {self._durable!r}: {error.description}",
                fix="mend the source's durable or subject",
            )
        if isinstance(error, errors.Error | OSError | asyncio.TimeoutError):
            return NotReady(f"NATS cannot be reached: {said}", fix="start it; reading goes on where it stood")
        raise error


async def _ignore(error: Exception) -> None:
    """Take no notice: what goes wrong in the background shows in the next call."""


def _numbers(positions: Mapping[str, Offset]) -> dict[str, int]:
    strange = [offset for offset in positions.values() if not isinstance(offset, int)]
    if strange:
        raise InvalidInput(f"{strange[0]!r} is no offset of NATS", fix="offsets here are whole numbers")
    return {name: offset for name, offset in positions.items() if isinstance(offset, int)}


def _library() -> Any:
    try:
        import nats
        import nats.aio.client
        import nats.errors
        import nats.js.api
        import nats.js.errors
    except ImportError as error:
        raise not_installed("NATS", "nats-py", "nats") from error
    return nats


if TYPE_CHECKING:
    from treadle.ports.streams import Stream

    _proof: type[Stream] = NatsReader
