"""NATS JetStream on a real server: the contract, and what is NATS' own."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import nats
import pytest
from nats.js.api import RetentionPolicy

from tests.nats_server import nats_server
from treadle.adapters.streams.nats import NatsReader
from treadle.ports.streams import Stream
from treadle.records.errors import Conflict, Forbidden, InvalidInput, NotReady
from treadle.testing.streams import StreamContract, numbered, positions_of, read, values

_numbers = itertools.count()


class Server:
    """A server that is killed to go away, and finds its streams again on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self._folder = folder
        self._running: AbstractContextManager[str] | None = None
        self.url = ""
        self.come_back()

    def go_away(self) -> None:
        assert self._running is not None
        self._running.__exit__(None, None, None)
        self._running = None

    def come_back(self) -> None:
        self._running = nats_server(self._folder, port=self._port)
        self.url = self._running.__enter__()

    def end(self) -> None:
        if self._running is not None:
            self.go_away()

    def ask(self, act: Callable[[object], Awaitable[object]]) -> object:
        async def asked() -> object:
            client = await nats.connect(self.url)
            try:
                return await act(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(asked())


class OnNats:
    """A new stream."""

    def __init__(self, server: Server, **options: object) -> None:
        self.server = server
        self.name = f"events{next(_numbers)}"
        self._options = options
        self.make()

    def make(self) -> None:
        self.server.ask(
            lambda js: js.add_stream(name=self.name, subjects=[f"{self.name}.>"], **self._options)
        )

    def publish(
        self, values: Sequence[bytes], ids: Sequence[str] | None = None, *, subject: str = "a"
    ) -> None:
        async def send(js: object) -> None:
            for place, value in enumerate(values):
                headers = {"event_id": ids[place]} if ids else None
                await js.publish(f"{self.name}.{subject}", value, headers=headers)

        self.server.ask(send)

    def open(self, **options: object) -> Stream:
        return NatsReader(self.server.url, self.name, timeout=2.0, **options)

    def go_away(self) -> None:
        self.server.go_away()

    def come_back(self) -> None:
        self.server.come_back()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("nats"))
    yield server
    server.end()


@pytest.fixture
def stream_of(server: Server) -> OnNats:
    return OnNats(server)


class TestNatsStream(StreamContract):
    @pytest.fixture
    def broker(self, stream_of: OnNats) -> OnNats:
        return stream_of


def test_a_commit_acknowledges(stream_of: OnNats) -> None:
    stream_of.publish(numbered(5))
    stream = stream_of.open()
    found = read(stream, 5)
    stream.commit(positions_of(found[:3]))
    (standing,) = stream.standings()
    assert standing.uncommitted == 2
    stream.close()
    info = stream_of.server.ask(lambda js: js.consumer_info(stream_of.name, "treadle"))
    assert info.ack_floor.stream_seq == 3


def test_one_subject_of_a_stream_can_be_read(stream_of: OnNats) -> None:
    stream_of.publish(numbered(3))
    stream_of.publish(numbered(3, since=3), subject="b")
    stream = stream_of.open(subject=f"{stream_of.name}.b")
    assert values(read(stream, 3)) == numbered(3, since=3)
    assert stream.poll(10, 0) == []
    stream.close()


def test_a_stream_made_again_is_read_from_its_beginning(stream_of: OnNats) -> None:
    stream_of.publish(numbered(5))
    stream = stream_of.open()
    positions = positions_of(read(stream, 5))
    stream.close()
    stream_of.server.ask(lambda js: js.delete_stream(stream_of.name))
    stream_of.make()
    stream_of.publish(numbered(7, since=100))
    stream = stream_of.open()
    stream.seek(positions)
    assert values(read(stream, 7)) == numbered(7, since=100)
    stream.close()


def test_messages_dropped_before_they_were_read_are_counted(stream_of: OnNats) -> None:
    stream_of.publish(numbered(10))
    stream = stream_of.open()
    found = read(stream, 2, limit=2)
    stream_of.server.ask(lambda js: js.purge_stream(stream_of.name, seq=9))
    stream.seek(positions_of(found))
    assert values(read(stream, 2)) == numbered(2, since=8)
    assert [standing.lost for standing in stream.standings()] == [6]
    stream.close()


def test_natss_own_header_names_the_event(stream_of: OnNats) -> None:
    async def send(js: object) -> None:
        await js.publish(f"{stream_of.name}.a", b"{}", headers={"Nats-Msg-Id": "n1", "k": "v"})

    stream_of.server.ask(send)
    stream = stream_of.open()
    (message,) = read(stream, 1)
    assert (message.event_id, message.headers["k"]) == ("n1", "v")
    stream.close()


def test_a_message_that_another_took_away_comes_again(stream_of: OnNats) -> None:
    stream_of.publish(numbered(6))
    stream = stream_of.open()
    read(stream, 2, limit=2)

    async def steal(js: object) -> None:
        thief = await js.pull_subscribe_bind("treadle", stream_of.name)
        assert len(await thief.fetch(2)) == 2

    stream_of.server.ask(steal)
    assert values(read(stream, 4)) == numbered(4, since=2)
    stream.close()


@pytest.mark.parametrize("retention", [RetentionPolicy.WORK_QUEUE, RetentionPolicy.INTEREST])
def test_streams_that_drop_what_is_acknowledged_lose_nothing(
    server: Server, retention: RetentionPolicy
) -> None:
    queue = OnNats(server, retention=retention)
    stream = queue.open()
    assert stream.poll(1, 0) == []  # makes the consumer; before it nothing is of interest
    queue.publish(numbered(4))
    found = read(stream, 4)
    stream.commit(positions_of(found[:2]))
    queue.publish(numbered(2, since=4))
    stream.close()
    again = queue.open()
    again.seek(positions_of(found[:2]))
    assert values(read(again, 2)) == numbered(2, since=4)
    info = server.ask(lambda js: js.stream_info(queue.name))
    assert info.state.messages == 4  # the two under way come when their time is up
    again.close()


def test_a_durable_that_another_home_pulls_from_is_left_alone(stream_of: OnNats) -> None:
    one, other = stream_of.open(owner="one"), stream_of.open(owner="other")
    assert one.poll(1, 0) == []

    async def pull(js: object) -> None:
        puller = await js.pull_subscribe_bind("treadle", stream_of.name)
        waiting = asyncio.ensure_future(puller.fetch(1, timeout=5))
        while not (await js.consumer_info(stream_of.name, "treadle")).num_waiting:
            await asyncio.sleep(0.01)
        with pytest.raises(Conflict):
            await asyncio.to_thread(other.poll, 1, 0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    stream_of.server.ask(pull)
    one.close()
    other.close()


def test_a_stream_that_is_not_there_is_awaited(server: Server) -> None:
    stream = NatsReader(server.url, "missing")
    with pytest.raises(NotReady, match="no stream"):
        stream.poll(1, 0)
    stream.close()


def test_a_server_that_refuses_us_is_told_from_one_that_is_away(tmp_path: Path) -> None:
    with nats_server(tmp_path, "--user", "u", "--pass", "p") as url:
        stream = NatsReader(url, "events")
        with pytest.raises(Forbidden):
            stream.poll(1, 0)
        stream.close()


def test_positions_that_are_none_of_nats_are_refused(stream_of: OnNats) -> None:
    stream = stream_of.open()
    with pytest.raises(InvalidInput):
        stream.seek({"events": "1-0"})
    stream.close()
