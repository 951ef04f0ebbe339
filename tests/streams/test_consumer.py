"""Streams of a running server, from a broker in memory: each event once, nothing swallowed, and it can be seen how it goes."""

from __future__ import annotations

import msgspec
import pytest

from tests.streams.places import (
    NOW,
    as_json,
    dead_letters,
    eventually,
    order,
    orders_and_garbage,
    serving,
    source,
    table_rows,
)
from treadle.adapters.streams.memory import MemoryBroker, MemoryStream
from treadle.loop.streams import Consumer, stream_key, stream_states
from treadle.records.errors import NotReady
from treadle.records.instants import HOUR, MINUTE
from treadle.records.messages import CELLS, CONTENT_TYPE_HEADER


class InMemory:
    """Opens one stream in memory, whatever is asked for."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(partitions=["0", "1"])

    def redis(self, url: str, stream: str, group: str) -> MemoryStream:
        return MemoryStream(self.broker)


@pytest.fixture
def streams() -> InMemory:
    return InMemory()


ORDERS = source("redis", "redis://localhost")


def committed(live, broker: MemoryBroker, partition: str = "0") -> None:
    last = len(broker.after(partition, None, 1 << 30)[0]) - 1
    eventually(lambda: broker.committed.get(partition) == last, f"{live.threads['stream orders'].fault}")


def test_each_event_is_taken_in_once_and_garbage_becomes_dead_letters(tmp_path, streams):
    messages, garbage = orders_and_garbage(400, seed=1)
    for place, message in enumerate(messages):
        streams.broker.publish(message, partition=str(place % 2))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker, "0")
        committed(live, streams.broker, "1")
        counts = live.consumers["orders"].state.counts
        eventually(lambda: table_rows(live).height == 400 and dead_letters(live).height == garbage)
        assert sorted(table_rows(live)["order"]) == list(range(400))
        assert (counts.messages, counts.taken, counts.dead_letters) == (len(messages), 400, garbage)
        assert counts.duplicates == len(messages) - 400 - garbage


def test_nothing_comes_twice_after_a_restart_though_the_broker_was_told_nothing(tmp_path, streams):
    for number in range(20):
        streams.broker.publish(as_json(order(number)))
    streams.broker.publish(b"garbage")
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
    streams.broker.committed.clear()
    streams.broker.publish(as_json(order(20)))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
        counts = live.consumers["orders"].state.counts
        assert (counts.messages, counts.taken, counts.duplicates, counts.dead_letters) == (22, 21, 0, 1)
        eventually(lambda: table_rows(live).height == 21)
        assert dead_letters(live).height == 1


def test_the_broker_is_told_only_of_what_is_on_the_disk(tmp_path, streams, monkeypatch):
    with serving(tmp_path, ORDERS, streams=streams) as live:
        order_of = []
        intake, stream = live.intake, live.consumers["orders"]
        monkeypatch.setattr(intake, "sync", lambda: order_of.append("sync"))
        eventually(lambda: stream._stream is not None)
        told = stream._stream.commit
        monkeypatch.setattr(stream._stream, "commit", lambda at: (order_of.append("commit"), told(at)))
        streams.broker.publish(as_json(order(1)))
        committed(live, streams.broker)
        assert order_of[:2] == ["sync", "commit"]


def test_dead_letters_keep_the_message_its_place_and_the_reason(tmp_path, streams):
    streams.broker.publish(as_json(order(1)))
    streams.broker.publish(b"\xc1 nonsense", event_id="e2")
    streams.broker.publish(as_json({"order": 3}))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
        eventually(lambda: dead_letters(live).height == 2)
        first, second = dead_letters(live).sort("offset").iter_rows(named=True)
    assert (first["raw"], first["event_id"], first["offset"]) == (b"\xc1 nonsense", "e2", "1")
    assert first["partition"] == f"{stream_key(ORDERS.origin)}:0"
    assert "MessagePack" in first["reasons"][0]
    assert any("'amount' is missing" in reason for reason in second["reasons"])


def test_events_are_named_by_their_producer_or_their_place(tmp_path, streams):
    orders = source("redis", "redis://localhost", event_id=None)
    for value in (as_json(order(1)), as_json(order(1))):
        streams.broker.publish(value)
    for value in (as_json(order(2)), as_json(order(3))):
        streams.broker.publish(value, event_id="named")
    with serving(tmp_path, orders, streams=streams) as live:
        committed(live, streams.broker)
        eventually(lambda: table_rows(live).height == 3)
        key = stream_key(orders.origin)
        rows = table_rows(live).sort("__row").select("order", "__event_id").rows()
    assert rows == [(1, f"{key}/0/0"), (1, f"{key}/0/1"), (2, "named")]


def test_json_messagepack_and_cells_become_the_same_row(tmp_path, streams):
    streams.broker.publish(as_json(order(1)))
    streams.broker.publish(msgspec.msgpack.encode(order(2)))
    cells = {name: str(value) for name, value in order(3).items()}
    streams.broker.publish(as_json(cells), headers={CONTENT_TYPE_HEADER: CELLS})
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
        eventually(lambda: table_rows(live).height == 3)
        rows = table_rows(live).sort("order").select("order", "shop", "amount", "placed").rows()
    assert [row[:3] for row in rows] == [(1, "b", 1.0), (2, "a", 2.0), (3, "b", 3.0)]
    assert len({row[3] for row in rows}) == 1


def test_the_watermark_follows_the_newest_event_and_late_ones_are_counted_and_kept(tmp_path, streams):
    with serving(tmp_path, ORDERS, streams=streams) as live:
        consumer = live.consumers["orders"]
        for number, ago in enumerate((HOUR, 0, 30 * 1_000_000, 2 * HOUR)):
            streams.broker.publish(as_json(order(number, ago=ago)))
            committed(live, streams.broker)
        assert (consumer.state.newest, consumer.state.watermark) == (NOW, NOW - MINUTE)
        assert consumer.state.counts.late == 1  # half a minute is within the source's known_after
        eventually(lambda: table_rows(live).height == 4)


def test_partitions_that_are_read_one_after_another_are_not_late(tmp_path, streams):
    for place, partition in ((0, "0"), (100, "1")):
        for number in range(place, place + 100):
            streams.broker.publish(
                as_json(order(number, ago=(place + 100 - number) * HOUR)), partition=partition
            )
    streams.broker.publish(as_json(order(300, ago=50 * HOUR)), partition="1")
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker, "0")
        committed(live, streams.broker, "1")
        state = live.consumers["orders"].state
    assert (state.counts.late, state.newest, state.watermark) == (1, NOW - HOUR, NOW - HOUR - MINUTE)


def test_a_broker_that_is_away_is_a_fault_that_passes(tmp_path, streams):
    streams.broker.away = True
    streams.broker.publish(as_json(order(1)))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        eventually(lambda: live.threads["stream orders"].fault is not None)
        assert "cannot be reached" in live.consumers["orders"].state.fault
        assert "cannot be reached" in stream_states(live.world.metadata, [ORDERS])["orders"].fault
        streams.broker.away = False
        committed(live, streams.broker)
        assert live.consumers["orders"].state.fault is None
        assert live.threads["stream orders"].fault is None


def test_what_could_not_be_logged_comes_again(tmp_path, streams, monkeypatch):
    for number in range(10):
        streams.broker.publish(as_json(order(number)))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
        offer, failures = live.intake.offer, iter([NotReady("the disk is full")])

        def failing(*given, **options):
            for failure in failures:
                raise failure
            return offer(*given, **options)

        monkeypatch.setattr(live.intake, "offer", failing)
        streams.broker.publish(as_json(order(10)))
        committed(live, streams.broker)
        eventually(lambda: table_rows(live).height == 11)


def test_how_it_goes_survives_a_restart_and_can_be_looked_at(tmp_path, streams):
    streams.broker.publish(as_json(order(1)))
    streams.broker.publish(b"{")
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
    with serving(tmp_path, ORDERS, streams=streams) as live:
        state = stream_states(live.world.metadata, [ORDERS])["orders"]
    assert (state.counts.messages, state.counts.taken, state.counts.dead_letters) == (2, 1, 1)
    assert (state.newest, state.waiting) == (NOW, 0)


def test_a_message_that_is_too_large_is_kept_in_part(tmp_path, streams, monkeypatch):
    monkeypatch.setattr("treadle.stages.data.consume.LONGEST_MESSAGE", 100)
    monkeypatch.setattr("treadle.loop.streams.LONGEST_MESSAGE", 100)
    monkeypatch.setattr("treadle.loop.streams.KEPT_OF_LONG", 10)
    streams.broker.publish(as_json(order(1) | {"more": "x" * 100}))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
        eventually(lambda: dead_letters(live).height == 1)
        (letter,) = dead_letters(live).iter_rows(named=True)
    assert letter["raw"] == b'{"order": '
    assert "at most 100" in letter["reasons"][0]


def test_a_streams_key_never_changes():
    # Positions in homes begin with it: another key would have every stream read again.
    kinds = ("inbox", "redis", "nats", "kafka")
    assert [stream_key(source(kind, f"{kind}://h").origin) for kind in kinds] == [
        "f4af5d2f",
        "976ce950",
        "6570dd30",
        "9cf3a991",
    ]


def test_another_stream_under_the_same_name_is_read_from_its_beginning(tmp_path, streams):
    for number in range(5):
        streams.broker.publish(as_json(order(number)))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
    streams.broker = MemoryBroker()
    for number in range(5, 12):
        streams.broker.publish(as_json(order(number)))
    with serving(tmp_path, source("redis", "redis://elsewhere"), streams=streams) as live:
        committed(live, streams.broker)
        eventually(lambda: table_rows(live).height == 12)


def test_the_status_and_the_metrics_of_a_server_tell_of_its_streams(tmp_path, streams):
    from treadle.entry.api.status import gauges_of, status_of

    streams.broker.publish(as_json(order(1)))
    with serving(tmp_path, ORDERS, streams=streams) as live:
        committed(live, streams.broker)
        eventually(lambda: live.consumers["orders"].state.waiting == 0)
        told = status_of(live)["streams"]["orders"]
        gauges = {name: values for name, _, values in gauges_of(live)}
    assert (told["taken"], told["waiting"], told["fault"]) == (1, 0, None)
    assert list(gauges["treadle_stream_waiting_messages"].values()) == [0.0]
    assert next(iter(gauges["treadle_stream_lag_seconds"].values())) >= 0


def test_without_a_data_folder_an_inbox_says_so(tmp_path):
    with serving(tmp_path, source("inbox", "")) as live:
        eventually(lambda: live.threads["stream orders"].fault is not None)
        assert "--data" in live.threads["stream orders"].fault.text


def test_turning_is_for_one_thread_and_closing_lets_go(tmp_path, streams):
    streams.broker.publish(as_json(order(1)))
    with serving(tmp_path, ORDERS) as live:
        live.threads["stream orders"].ask_to_stop()
        consumer = Consumer(
            ORDERS,
            lambda: MemoryStream(streams.broker),
            intake=live.intake,
            metadata=live.world.metadata,
            clock=live.world.clock,
            wait_s=0,
        )
        consumer.turn()
        consumer.close()
        consumer.close()
        assert streams.broker.committed == {"0": 0}
        assert consumer.state.counts.taken == 1
