"""The stream in memory: the contract, and several partitions."""

from collections.abc import Sequence

import pytest

from treadle.adapters.streams.memory import MemoryBroker, MemoryStream
from treadle.ports.streams import Stream
from treadle.records.errors import Conflict
from treadle.testing.streams import StreamContract, positions_of, read, values


class InMemory:
    def __init__(self) -> None:
        self.broker = MemoryBroker()

    def publish(self, values: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        for place, value in enumerate(values):
            self.broker.publish(value, event_id=None if ids is None else ids[place])

    def open(self) -> Stream:
        return MemoryStream(self.broker)

    def go_away(self) -> None:
        self.broker.away = True

    def come_back(self) -> None:
        self.broker.away = False


class TestMemoryStream(StreamContract):
    @pytest.fixture
    def broker(self) -> InMemory:
        return InMemory()


def test_each_partition_is_read_from_its_own_position() -> None:
    broker = MemoryBroker(partitions=["a", "b"])
    for number in range(4):
        broker.publish(b"a%d" % number, partition="a")
        broker.publish(b"b%d" % number, partition="b")
    stream = MemoryStream(broker)
    stream.seek({"a": 2})
    found = read(stream, 5)
    assert sorted(values(found)) == [b"a3", b"b0", b"b1", b"b2", b"b3"]
    assert positions_of(found) == {"a": 3, "b": 3}


def test_messages_dropped_before_they_were_read_are_counted() -> None:
    broker = MemoryBroker()
    for number in range(6):
        broker.publish(b"%d" % number)
    stream = MemoryStream(broker)
    read(stream, 2, limit=2)
    broker.drop("0", 4)
    assert values(read(stream, 2)) == [b"4", b"5"]
    assert [standing.lost for standing in stream.standings()] == [2]


def test_a_stream_that_ends_before_our_position_is_refused() -> None:
    stream = MemoryStream(MemoryBroker())
    stream.seek({"0": 5})
    with pytest.raises(Conflict):
        stream.poll(1, 0)
