"""Kafka topics on librdkafka's mock cluster: the contract, and what is Kafka's own."""

import itertools
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.kafka_cluster import KafkaCluster, kafka_cluster
from treadle.adapters.streams.kafka import KafkaReader
from treadle.ports.streams import Stream
from treadle.records.errors import Conflict, InvalidInput, NotReady
from treadle.testing.streams import StreamContract, numbered, patiently, positions_of, read, values

_numbers = itertools.count()


class OnKafka:
    """A new topic of one partition."""

    def __init__(self, cluster: KafkaCluster, producer: Producer) -> None:
        self.topic = f"events{next(_numbers)}"
        self.cluster = cluster
        self._producer = producer
        cluster.make_topic(self.topic)

    def publish(self, values: Sequence[bytes], ids: Sequence[str] | None = None) -> None:
        for place, value in enumerate(values):
            headers = {"event_id": ids[place]} if ids else None
            self._producer.produce(self.topic, value, headers=headers)
        assert self._producer.flush(30) == 0

    def open(self) -> Stream:
        return KafkaReader(self.cluster.servers, self.topic, timeout=2.0)

    def go_away(self) -> None:
        self.cluster.go_away()

    def come_back(self) -> None:
        self.cluster.come_back()


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def producer(cluster: KafkaCluster) -> Producer:
    return Producer({"bootstrap.servers": cluster.servers, "log_level": 2, "linger.ms": 0})


@pytest.fixture
def topic(cluster: KafkaCluster, producer: Producer) -> OnKafka:
    return OnKafka(cluster, producer)


class TestKafkaTopic(StreamContract):
    @pytest.fixture
    def broker(self, topic: OnKafka) -> OnKafka:
        return topic


def test_a_commit_shows_in_the_group(topic: OnKafka) -> None:
    topic.publish(numbered(5))
    stream = topic.open()
    stream.commit(positions_of(read(stream, 5)[:3]))
    stream.close()
    looker = Consumer({"bootstrap.servers": topic.cluster.servers, "group.id": "treadle", "log_level": 2})
    (place,) = looker.committed([TopicPartition(topic.topic, 0)], timeout=10)
    looker.close()
    assert place.offset == 3  # Kafka counts the message to come


def test_two_consumers_of_one_group_each_get_every_message(topic: OnKafka) -> None:
    topic.publish(numbered(5))
    stream, other = topic.open(), topic.open()
    assert values(read(stream, 5)) == values(read(other, 5)) == numbered(5)
    stream.close()
    other.close()


def test_partitions_are_read_each_from_its_own_position(cluster: KafkaCluster, producer: Producer) -> None:
    cluster.make_topic("wide", 3)
    for number in range(12):
        producer.produce("wide", b"%d" % number, partition=number % 3)
    producer.flush(30)
    stream = KafkaReader(cluster.servers, "wide")
    stream.seek({"wide/0": 1, "wide/1": 3, "other/2": 3})
    found = read(stream, 6)
    by_partition = {name: [m.value for m in found if m.partition == name] for name in ("wide/0", "wide/2")}
    assert by_partition == {"wide/0": [b"6", b"9"], "wide/2": [b"2", b"5", b"8", b"11"]}
    assert [standing.position for standing in stream.standings()] == [3, 3, 3]
    stream.close()


def test_a_message_without_a_value_is_handed_out_empty(topic: OnKafka, producer: Producer) -> None:
    producer.produce(topic.topic, None, key=b"k", headers={"event_id": "e", "trace": b"\xff"})
    producer.flush(30)
    stream = topic.open()
    (message,) = read(stream, 1)
    assert (message.value, message.event_id, message.headers) == (b"", "e", {"trace": "\\xff"})
    assert message.published_at is not None
    stream.close()


def test_a_topic_that_was_made_anew_is_refused(topic: OnKafka) -> None:
    topic.publish(numbered(2))
    stream = topic.open()
    stream.seek({f"{topic.topic}/0": 40})
    with pytest.raises(Conflict):
        patiently(lambda: stream.poll(1, 0))
    stream.close()


def test_a_topic_that_is_not_there_is_awaited(cluster: KafkaCluster) -> None:
    stream = KafkaReader(cluster.servers, "never made/really")
    with pytest.raises(NotReady):
        stream.poll(1, 0)
    stream.close()


def test_only_options_for_logging_in_are_taken(cluster: KafkaCluster) -> None:
    with pytest.raises(InvalidInput) as caught:
        KafkaReader(
            cluster.servers, "events", login={"plugin.library.paths": "/tmp/x.so", "sasl.username": "u"}
        )
    assert caught.value.faults == ("plugin.library.paths",)
    with pytest.raises(InvalidInput):
        KafkaReader(cluster.servers, "events", login={"security.protocol": "nonsense"})
