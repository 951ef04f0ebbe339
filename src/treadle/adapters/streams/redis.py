"""Streams of Redis and Valkey, read from our own positions; the consumer group only shows how far we are.

Messages are read with XREAD, not dealt out by XREADGROUP: a group gives each message to one consumer and remembers what
is under way with whom, and what a consumer had when it was killed stays with it until another claims it. A home needs
the whole stream in order, from the place its own tables have reached, and that is what XREAD gives. A commit moves the
group's last-delivered id (XGROUP SETID), so that lag monitors and trimming by consumption see what is safe.

A producer adds a message as the field `value`, its bytes, and may name the event in the field `event_id`; other fields
are headers. Without `value` the fields are taken as the row: `XADD orders * id 17 amount 9.5`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from treadle.adapters.streams.states import closed, given_id, not_installed, text
from treadle.records.errors import Conflict, Forbidden, InvalidInput, NotReady
from treadle.records.intake import Offset
from treadle.records.messages import (
    CELLS,
    CONTENT_TYPE_HEADER,
    EVENT_ID_HEADER,
    UNREADABLE_HEADER,
    Message,
    Standing,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUE_FIELD: Final = b"value"
_BEGINNING: Final = "0-0"
_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_LONGEST_BLOCK_S: Final = 1.0
"""One wait at the server; shorter than the socket's timeout, so that a silent server is told from an empty stream."""
_COUNTED: Final = 100_000
_COUNT: Final = "return #redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])"


class RedisStreamReader:
    """One stream of a Redis or Valkey server (6.2 or newer); its only partition is named like the stream.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password in it if there is one.
        stream: the stream's key.
        group: the consumer group in which the server shows how far we are.
        timeout: seconds after which a silent server counts as gone.

    Raises:
        NotReady: the client is not installed.
        InvalidInput: the URL is none.
    """

    def __init__(self, url: str, stream: str, *, group: str = "treadle", timeout: float = 5.0) -> None:
        self._redis, self._errors = _client(url, timeout)
        self._stream = stream
        self._group = group
        self._at: str | None = None
        self._committed: str | None = None
        self._open = True

    def poll(self, limit: int, wait_s: float) -> Sequence[Message]:
        """See `Stream.poll`. One round trip, if there are messages."""
        until = time.monotonic() + wait_s
        while True:
            left = until - time.monotonic()
            block = None if left <= 0 else max(int(min(left, _LONGEST_BLOCK_S) * 1000), 1)
            with self._reaching():
                answer = self._redis.xread({self._stream: self._at or _BEGINNING}, count=limit, block=block)
            if answer:
                messages = [self._message(entry, fields) for entry, fields in answer[0][1]]
                self._at = str(messages[-1].offset)
                return messages
            if block is None:
                return []

    def commit(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.commit`. One round trip."""
        position = positions.get(self._stream)
        if position is None:
            return
        entry = _entry(position)
        with self._reaching():
            try:
                self._redis.xgroup_setid(self._stream, self._group, entry)
            except self._errors.ResponseError as error:
                if not _no_group(error):
                    raise
                # `mkstream`, since a stream whose last message was trimmed away may be gone.
                self._redis.xgroup_create(self._stream, self._group, id=entry, mkstream=True)
        self._committed = entry

    def seek(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.seek`."""
        if not self._open:
            raise closed()
        position = positions.get(self._stream)
        self._at = None if position is None else _entry(position)

    def standings(self) -> Sequence[Standing]:
        """See `Stream.standings`. Up to 100,000 waiting messages are counted, by the server."""
        with self._reaching():
            after = f"({self._at}" if self._at else "-"
            waiting = int(self._redis.eval(_COUNT, 1, self._stream, after, _COUNTED + 1))
        counted = waiting if waiting <= _COUNTED else None
        uncommitted = 0 if self._at == self._committed else None
        return [Standing(self._stream, self._at, counted, uncommitted, None)]

    def close(self) -> None:
        """See `Stream.close`."""
        self._open = False
        self._redis.close()

    def _message(self, entry: bytes, fields: Mapping[bytes, bytes] | None) -> Message:
        offset, fields = entry.decode(), fields or {}
        headers = {text(name): text(value) for name, value in fields.items() if name != VALUE_FIELD}
        name = given_id(headers)
        value = fields.get(VALUE_FIELD)
        if value is None:
            value, headers = _as_row(fields)
        else:
            headers.pop(EVENT_ID_HEADER, None)
        return Message(value, name, self._stream, offset, int(offset.partition("-")[0]) * 1000, headers)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        if not self._open:
            raise closed()
        errors = self._errors
        try:
            yield
        except (errors.AuthenticationError, errors.NoPermissionError) as error:
            raise Forbidden(
                f"Redis refuses us: {error}", fix="check the user and the password in the URL"
            ) from error
        except errors.ResponseError as error:
            if str(error).startswith(("NOAUTH", "NOPERM", "WRONGPASS")):
                raise Forbidden(f"Redis refuses us: {error}", fix="put a password into the URL") from error
            if str(error).startswith("WRONGTYPE"):
                raise Conflict(
                    f"the key {self._stream!r} holds something other than a stream",
                    fix="name the key of a stream",
                ) from error
            raise NotReady(f"Redis cannot serve stream {self._stream!r}: {error}") from error
        except (errors.RedisError, OSError) as error:
            raise NotReady(
                f"Redis cannot be reached: {error}", fix="start it; reading goes on where it stood"
            ) from error


def _as_row(fields: Mapping[bytes, bytes]) -> tuple[bytes, dict[str, str]]:
    """Return an entry's fields as the JSON of a row of text, and the headers that say so. Pure."""
    named = {name: value for name, value in fields.items() if name != EVENT_ID_HEADER.encode()}
    try:
        row = {name.decode(): value.decode() for name, value in named.items()}
    except UnicodeDecodeError:
        shown = {text(name): text(value) for name, value in named.items()}
        reason = "its fields are no UTF-8, and it has no field `value`"
        return json.dumps(shown, ensure_ascii=False).encode(), {UNREADABLE_HEADER: reason}
    return json.dumps(row, ensure_ascii=False).encode(), {CONTENT_TYPE_HEADER: CELLS}


def _entry(offset: Offset) -> str:
    if not isinstance(offset, str) or _ID.fullmatch(offset) is None:
        raise InvalidInput(
            f"{offset!r} is no offset of a Redis stream",
            fix="offsets here are entry ids such as 1700000000000-0",
        )
    return offset


def _no_group(error: Exception) -> bool:
    return str(error).startswith("NOGROUP") or "requires the key to exist" in str(error)


def _client(url: str, timeout: float) -> tuple[Any, Any]:
    """Return a client and the module of its errors. `Any`: the client's types are the sum of all its modes."""
    try:
        from redis import Redis, exceptions
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise not_installed("Redis", "redis", "redis") from error
    try:
        # One more try at once: a connection that the server closed while we were idle is no outage. RESP 2, since the
        # shape of what XREAD answers depends on the protocol.
        client = Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 1),
            protocol=2,
        )
    except ValueError as error:
        # What the error quotes may hold the password.
        raise InvalidInput(
            "the stream's URL is no Redis URL", fix="write it like redis://host:6379/0"
        ) from error
    return client, exceptions


if TYPE_CHECKING:
    from treadle.ports.streams import Stream

    _proof: type[Stream] = RedisStreamReader
