"""The contract of streams: order, redelivery, our own positions, brokers that go away.

Subclass `StreamContract` and give the broker to be tested as a fixture: something that publishes to one stream and opens
consumers of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import pytest

from treadle.ports.streams import Stream
from treadle.records.errors import NotReady
from treadle.records.intake import Offset
from treadle.records.messages import Message, event_id

DEADLINE = 30.0
"""Seconds that a test waits for what must happen."""
WAIT = 0.2
"""Seconds after which a poll of a stream at its end may come back empty-handed."""


class Broker(Protocol):
    """A stream under test, on its broker."""

    def publish(self, values: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        """Append messages, with the producer's event ids if given; returns when they can be read."""
        ...

    def open(self) -> Stream:
        """Return a new consumer, not yet told where to stand."""
        ...

    def go_away(self) -> None:
        """Make the broker unreachable, in a way that keeps its messages."""
        ...

    def come_back(self) -> None:
        """Make it reachable again."""
        ...


def read(stream: Stream, count: int, *, limit: int = 100) -> list[Message]:
    """Poll until there are so many messages.

    Raises:
        AssertionError: they do not come in time, or more than asked for come.
    """
    found: list[Message] = []
    until = time.monotonic() + DEADLINE
    while len(found) < count:
        assert time.monotonic() < until, f"only {len(found)} of {count} messages came"
        found += stream.poll(min(limit, count - len(found)), WAIT)
    assert len(found) == count
    return found


def patiently(act: Callable[[], object]) -> None:
    """Repeat what raises `NotReady` until it does not, with a deadline."""
    until = time.monotonic() + DEADLINE
    while True:
        try:
            act()
        except NotReady:
            assert time.monotonic() < until, "the broker did not come back"
            time.sleep(0.02)
        else:
            return


def poll_until_away(stream: Stream) -> list[Message]:
    """Poll until the stream says that its broker is away; return what came before.

    Raises:
        AssertionError: it does not say so in time.
    """
    found: list[Message] = []
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        try:
            found += stream.poll(1_000, WAIT)
        except NotReady:
            return found
    raise AssertionError("the stream did not notice that its broker is away")


def positions_of(messages: Sequence[Message]) -> Mapping[str, Offset]:
    """Return the last offset of each partition. Pure."""
    return {message.partition: message.offset for message in messages}


def numbered(count: int, since: int = 0) -> list[bytes]:
    """Return values that tell their place. Pure."""
    return [b'{"n": %d}' % number for number in range(since, since + count)]


def values(messages: Sequence[Message]) -> list[bytes]:
    """Return what messages hold. Pure."""
    return [message.value for message in messages]


class StreamContract:
    """Subclass with a fixture `broker`: an empty stream of one partition."""

    names_events = True
    """Whether a producer can name its events; if not, ids that are given to `publish` are ignored."""

    @pytest.fixture
    def broker(self) -> Broker:
        """Return an empty stream on its broker."""
        raise NotImplementedError("give the broker to be tested as a fixture")

    def test_a_stream_begins_at_its_oldest_message(self, broker: Broker) -> None:
        broker.publish(numbered(25))
        stream = broker.open()
        assert values(read(stream, 25)) == numbered(25)
        assert stream.poll(10, 0) == []
        stream.close()

    def test_messages_come_in_order_and_no_more_than_asked_for(self, broker: Broker) -> None:
        broker.publish(numbered(25))
        stream = broker.open()
        portions: list[list[bytes]] = []
        until = time.monotonic() + DEADLINE
        while sum(map(len, portions)) < 25 and time.monotonic() < until:
            portions.append(values(stream.poll(4, WAIT)))
        assert max(map(len, portions)) <= 4
        assert [value for portion in portions for value in portion] == numbered(25)
        stream.close()

    def test_one_message_at_a_time_is_allowed(self, broker: Broker) -> None:
        broker.publish(numbered(3))
        stream = broker.open()
        assert values(read(stream, 3, limit=1)) == numbered(3)
        stream.close()

    def test_polling_waits_for_a_message_only_as_long_as_allowed(self, broker: Broker) -> None:
        broker.publish(numbered(1))
        stream = broker.open()
        read(stream, 1)
        began = time.monotonic()
        assert stream.poll(10, 0.3) == []
        assert 0.2 <= time.monotonic() - began < DEADLINE / 2
        broker.publish(numbered(1, since=1))
        assert values(read(stream, 1)) == numbered(1, since=1)
        stream.close()

    def test_a_message_keeps_its_name_and_place_at_every_delivery(self, broker: Broker) -> None:
        broker.publish(numbered(5))
        broker.publish(numbered(2, since=5), ids=["first", "second"])
        stream = broker.open()
        found = read(stream, 7)
        again = broker.open()
        assert read(again, 7) == found
        if self.names_events:
            assert [message.event_id for message in found[5:]] == ["first", "second"]
        assert len({event_id(message, "events") for message in found}) == 7
        assert len({message.partition for message in found}) == 1
        stream.close()
        again.close()

    def test_seeking_stands_after_our_own_positions_whatever_was_committed(self, broker: Broker) -> None:
        broker.publish(numbered(10))
        stream = broker.open()
        found = read(stream, 10)
        stream.commit(positions_of(found))
        stream.seek(positions_of(found[:4]))
        assert values(read(stream, 6)) == numbered(6, since=4)
        stream.seek({})
        assert values(read(stream, 10)) == numbered(10)
        stream.close()
        other = broker.open()
        other.seek(positions_of(found[:9]))
        assert values(read(other, 1)) == numbered(1, since=9)
        other.close()

    def test_what_was_not_committed_comes_again(self, broker: Broker) -> None:
        broker.publish(numbered(10))
        stream = broker.open()
        found = read(stream, 6, limit=6)
        stream.commit(positions_of(found[:3]))
        stream.close()
        stream = broker.open()
        stream.seek(positions_of(found[:3]))
        again = read(stream, 7)
        assert again[:3] == found[3:]
        assert values(again) == numbered(7, since=3)
        stream.close()

    def test_positions_of_partitions_that_are_gone_are_ignored(self, broker: Broker) -> None:
        broker.publish(numbered(3))
        stream = broker.open()
        found = read(stream, 3)
        stream.seek({"no-such-partition": found[0].offset, **positions_of(found[:1])})
        assert values(read(stream, 2)) == numbered(2, since=1)
        stream.close()

    def test_committing_twice_and_backwards_does_no_harm(self, broker: Broker) -> None:
        broker.publish(numbered(4))
        stream = broker.open()
        found = read(stream, 4)
        for upto in (4, 4, 2, 4):
            stream.commit(positions_of(found[:upto]))
        stream.commit({})
        broker.publish(numbered(1, since=4))
        assert values(read(stream, 1)) == numbered(1, since=4)
        stream.close()

    def test_bytes_that_are_no_row_are_handed_out_like_others(self, broker: Broker) -> None:
        garbage = [b"{", b"\xff\xfe not text", b"[1, 2]", b'{"n": 1}']
        broker.publish(garbage)
        stream = broker.open()
        assert values(read(stream, 4)) == garbage
        stream.close()

    def test_standings_count_what_waits(self, broker: Broker) -> None:
        broker.publish(numbered(10))
        stream = broker.open()
        found = read(stream, 4, limit=4)
        (standing,) = stream.standings()
        assert (standing.partition, standing.position) == (found[-1].partition, found[-1].offset)
        assert standing.waiting == 6
        read(stream, 6)
        assert [standing.waiting for standing in stream.standings()] == [0]
        stream.close()

    def test_a_closed_stream_says_so(self, broker: Broker) -> None:
        broker.publish(numbered(1))
        stream = broker.open()
        read(stream, 1)
        stream.close()
        stream.close()
        for use in (lambda: stream.poll(1, 0), lambda: stream.seek({}), stream.standings):
            with pytest.raises(NotReady):
                use()

    def test_a_broker_that_was_away_is_read_on_without_a_gap(self, broker: Broker) -> None:
        broker.publish(numbered(6))
        stream = broker.open()
        found = read(stream, 4, limit=4)
        broker.go_away()
        found += poll_until_away(stream)  # what was fetched ahead may still come
        broker.come_back()
        patiently(lambda: stream.commit(positions_of(found)))
        broker.publish(numbered(3, since=6))
        until = time.monotonic() + DEADLINE
        while numbered(1, since=8)[0] not in values(found):
            assert time.monotonic() < until, f"after the outage came only {values(found)}"
            patiently(lambda: found.extend(stream.poll(10, WAIT)))
        # Messages may come again after an outage, but none too late.
        assert list(dict.fromkeys(values(found))) == numbered(9)
        stream.close()

    def test_a_broker_that_is_away_when_we_begin_is_awaited(self, broker: Broker) -> None:
        broker.publish(numbered(2))
        broker.go_away()
        stream = broker.open()
        stream.seek({})
        assert poll_until_away(stream) == []
        broker.come_back()
        found: list[bytes] = []
        patiently(lambda: found.extend(values(read(stream, 2))))
        assert found == numbered(2)
        stream.close()
