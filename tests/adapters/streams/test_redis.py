"""Redis Streams on a real server: the contract, and what is Redis' own."""

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis

from tests.redis_server import redis_server
from treadle.adapters.streams.redis import RedisStreamReader
from treadle.ports.streams import Stream
from treadle.records.errors import Conflict, Forbidden, InvalidInput
from treadle.records.messages import CELLS, CONTENT_TYPE_HEADER, UNREADABLE_HEADER
from treadle.testing.streams import StreamContract, numbered, positions_of, read

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


class OnRedis:
    """A stream on a server that is killed to go away, and finds its messages again on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._folder = folder
        self._server: AbstractContextManager[str] | None = None
        self.url = ""
        self.come_back()

    def publish(self, values: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        with Redis.from_url(self.url) as client:
            for place, value in enumerate(values):
                client.xadd("events", {"value": value} | ({"event_id": ids[place]} if ids else {}))

    def open(self) -> Stream:
        return RedisStreamReader(self.url, "events", timeout=2.0)

    def go_away(self) -> None:
        assert self._server is not None
        self._server.__exit__(None, None, None)
        self._server = None

    def come_back(self) -> None:
        self._server = redis_server(self._folder, *DURABLE, port=self._port)
        self.url = self._server.__enter__()

    def end(self) -> None:
        if self._server is not None:
            self.go_away()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnRedis]:
    server = OnRedis(tmp_path_factory.mktemp("redis"))
    yield server
    server.end()


@pytest.fixture
def redis(server: OnRedis) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def stream(server: OnRedis, redis: Redis) -> Iterator[RedisStreamReader]:
    stream = RedisStreamReader(server.url, "events")
    yield stream
    stream.close()


class TestRedisStream(StreamContract):
    @pytest.fixture
    def broker(self, server: OnRedis, redis: Redis) -> OnRedis:
        return server


def test_a_commit_shows_in_the_group(server: OnRedis, stream: RedisStreamReader, redis: Redis) -> None:
    server.publish(numbered(5))
    found = read(stream, 5)
    stream.commit(positions_of(found[:3]))
    (group,) = redis.xinfo_groups("events")
    assert (group["name"], group["last-delivered-id"]) == (b"treadle", str(found[2].offset).encode())
    assert group["pending"] == 0
    stream.commit(positions_of(found))
    assert redis.xinfo_groups("events")[0]["last-delivered-id"] == str(found[4].offset).encode()


def test_two_consumers_each_get_every_message(server: OnRedis, stream: RedisStreamReader) -> None:
    server.publish(numbered(5))
    other = server.open()
    assert read(other, 5) == read(stream, 5)
    other.close()


def test_fields_without_a_value_are_a_row_of_text(stream: RedisStreamReader, redis: Redis) -> None:
    redis.xadd("events", {"id": "17", "amount": "9.5", "event_id": "e17"})
    (message,) = read(stream, 1)
    assert json.loads(message.value) == {"id": "17", "amount": "9.5"}
    assert (message.event_id, message.headers) == ("e17", {CONTENT_TYPE_HEADER: CELLS})


def test_fields_that_are_no_text_are_handed_out_with_the_reason(
    stream: RedisStreamReader, redis: Redis
) -> None:
    redis.xadd("events", {"id": b"\xff"})
    (message,) = read(stream, 1)
    assert "UTF-8" in message.headers[UNREADABLE_HEADER]
    assert json.loads(message.value) == {"id": "\\xff"}


def test_fields_beside_the_value_are_headers(stream: RedisStreamReader, redis: Redis) -> None:
    redis.xadd("events", {"value": b"{}", "content-type": "application/json"}, id="1700000000000-3")
    (message,) = read(stream, 1)
    assert (message.value, message.headers) == (b"{}", {"content-type": "application/json"})
    assert (message.offset, message.published_at) == ("1700000000000-3", 1_700_000_000_000_000)


def test_a_stream_that_is_trimmed_is_read_on(
    server: OnRedis, stream: RedisStreamReader, redis: Redis
) -> None:
    server.publish(numbered(10))
    read(stream, 2, limit=2)
    redis.xtrim("events", maxlen=3, approximate=False)
    assert [message.value for message in read(stream, 3)] == numbered(3, since=7)


def test_a_key_that_is_no_stream_is_refused(stream: RedisStreamReader, redis: Redis) -> None:
    redis.set("events", "text")
    with pytest.raises(Conflict):
        stream.poll(1, 0)


def test_a_server_that_wants_a_password_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--user", "default", "on", "nopass", "~*", "+@all", "-xread") as url:
        stream = RedisStreamReader(url, "events")
        with pytest.raises(Forbidden):
            stream.poll(1, 0)
        stream.close()


def test_positions_that_are_none_of_redis_are_refused(stream: RedisStreamReader) -> None:
    with pytest.raises(InvalidInput):
        stream.seek({"events": 17})


def test_an_url_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        RedisStreamReader("http://:sesame@host", "events")
    assert "sesame" not in str(caught.value)
