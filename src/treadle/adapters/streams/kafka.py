"""Topics of Kafka, or of what speaks its protocol, read from our own positions through librdkafka.

Partitions are assigned by hand, not dealt out in a group: a home needs every partition, its positions are in its own log,
and a process that was killed goes on at once instead of waiting for its membership to expire. So there is no rebalancing;
partitions that a topic gets later are noticed within half a minute. The consumer group only shows how far we are.

librdkafka reconnects by itself, after pauses that grow from 0.1 to 10 seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from treadle.adapters.streams.states import closed, given_id, not_installed, text
from treadle.records.errors import Conflict, Forbidden, InvalidInput, NotReady, TreadleError
from treadle.records.intake import Offset
from treadle.records.messages import EVENT_ID_HEADER, Message, Standing

LOGIN_OPTIONS: Final = ("security.", "sasl.", "ssl.")
"""The beginnings of the librdkafka options that may be given for logging in."""
_NEW_PARTITIONS_S: Final = 30.0
_log = logging.getLogger(__name__)


class KafkaReader:
    """One topic; its partitions are named `topic/0`, `topic/1` and so on.

    Args:
        servers: `host:port`, several joined by commas.
        topic: the topic.
        group: the consumer group in which the broker shows how far we are.
        login: librdkafka's options for logging in (`security.…`, `sasl.…`, `ssl.…`).
        timeout: seconds after which a silent broker counts as gone.

    Raises:
        NotReady: the client is not installed.
        InvalidInput: an option is not one of those, or librdkafka refuses its value.
    """

    def __init__(
        self,
        servers: str,
        topic: str,
        *,
        group: str = "treadle",
        login: Mapping[str, str] | None = None,
        timeout: float = 5.0,
    ) -> None:
        self._kafka = _library()
        self._topic = topic
        self._timeout = timeout
        self._away: TreadleError | None = None
        self._at: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._assigned: tuple[int, ...] = ()
        self._look_again = 0.0
        self._consumer: Any = self._open(servers, group, dict(login or {}))

    def poll(self, limit: int, wait_s: float) -> Sequence[Message]:
        """See `Stream.poll`. Messages are fetched ahead, so most calls are no round trip."""
        self._begin()
        first = self._live().poll(max(wait_s, 0))
        if first is None:
            self._check()
            return []
        batch = [first, *(self._live().consume(limit - 1, 0) if limit > 1 else ())]
        messages = []
        for message in batch:
            if message.error() is not None:
                self._failed(message.error())
            elif message.offset() > self._at.get(message.partition(), -1):
                self._at[message.partition()] = message.offset()
                messages.append(self._message(message))
        return messages

    def commit(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.commit`. The broker is told in the background."""
        consumer = self._live()
        self._check()
        offsets = self._known(positions)
        if offsets:
            places = [
                self._kafka.TopicPartition(self._topic, partition, offset + 1)
                for partition, offset in offsets.items()
            ]
            consumer.commit(offsets=places, asynchronous=True)
            self._committed |= offsets

    def seek(self, positions: Mapping[str, Offset]) -> None:
        """See `Stream.seek`."""
        self._live()
        self._at = self._known(positions)
        self._lost = {}
        self._assigned = ()

    def standings(self) -> Sequence[Standing]:
        """See `Stream.standings`. One round trip a partition."""
        found = []
        for partition in self._partitions():
            low, high = self._ends(partition)
            at = self._at.get(partition)
            following = low if at is None else max(at + 1, low)
            told = self._committed.get(partition)
            beyond = None if told is None else max((-1 if at is None else at) - told, 0)
            lost = self._lost.get(partition, 0)
            found.append(Standing(self._name(partition), at, max(high - following, 0), beyond, lost))
        return found

    def close(self) -> None:
        """See `Stream.close`."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close()

    def _begin(self) -> None:
        """Stand at our positions, again whenever the topic has got more partitions."""
        now = time.monotonic()
        if self._assigned and now < self._look_again:
            return
        try:
            partitions = self._partitions()
        except NotReady:
            if self._assigned:  # reading goes on in the partitions that are known
                self._look_again = now + self._timeout
                return
            raise
        if partitions != self._assigned:
            self._live().assign([self._place(partition) for partition in partitions])
            self._assigned = partitions
        self._look_again = now + _NEW_PARTITIONS_S

    def _place(self, partition: int) -> object:
        """Return where to read a partition on.

        Raises:
            Conflict: the topic was made anew.
        """
        low, high = self._ends(partition)
        at = self._at.get(partition)
        following = low if at is None else at + 1
        if following > high:
            raise Conflict(
                f"topic {self._topic!r} was made anew: partition {partition} ends at {high}, before our position {at}",
                fix="give the source another name, to begin at the topic's beginning, or restore the topic",
            )
        if following < low:
            self._lost[partition] = self._lost.get(partition, 0) + low - following
            _log.warning(
                "%d messages of partition %d of topic %s were dropped by the broker before they were read",
                low - following,
                partition,
                self._topic,
            )
        return self._kafka.TopicPartition(self._topic, partition, max(following, low))

    def _partitions(self) -> tuple[int, ...]:
        try:
            found = self._live().list_topics(self._topic, timeout=self._timeout).topics[self._topic]
        except self._kafka.KafkaException as error:
            raise self._translated(error.args[0]) from error
        if found.error is not None or not found.partitions:
            raise NotReady(
                f"there is no topic {self._topic!r}: {found.error or 'it has no partitions'}",
                fix="create the topic, or mend its name in the source",
            )
        return tuple(sorted(found.partitions))

    def _ends(self, partition: int) -> tuple[int, int]:
        place = self._kafka.TopicPartition(self._topic, partition)
        try:
            low, high = self._live().get_watermark_offsets(place, timeout=self._timeout)
        except self._kafka.KafkaException as error:
            raise self._translated(error.args[0]) from error
        return low, high

    def _check(self) -> None:
        """Find out whether a broker that was away still is.

        Raises:
            NotReady: it is.
        """
        if self._away is None:
            return
        fault, self._away = self._away, None
        try:
            self._live().list_topics(self._topic, timeout=min(self._timeout, 1.0))
        except self._kafka.KafkaException:
            self._away = fault
            raise fault from None

    def _failed(self, error: Any) -> None:  # the client is untyped
        if error.code() == self._kafka.KafkaError._AUTO_OFFSET_RESET:
            self._assigned = ()  # what we wanted is gone: look where the partition begins and ends now
        elif error.code() != self._kafka.KafkaError._PARTITION_EOF:
            self._away = self._translated(error)

    def _noticed(self, error: Any) -> None:  # called by the client, from within poll
        fault = self._translated(error)
        # One broker of several may go: the client turns to the others.
        if isinstance(fault, Forbidden) or error.code() == self._kafka.KafkaError._ALL_BROKERS_DOWN:
            self._away = fault

    def _translated(self, error: Any) -> TreadleError:  # the client is untyped
        code, codes = error.code(), self._kafka.KafkaError
        refused = (
            codes._AUTHENTICATION,
            codes.TOPIC_AUTHORIZATION_FAILED,
            codes.GROUP_AUTHORIZATION_FAILED,
            codes.CLUSTER_AUTHORIZATION_FAILED,
            codes.SASL_AUTHENTICATION_FAILED,
        )
        if code in refused:
            return Forbidden(f"Kafka refuses us: {error.str()}", fix="check the options for logging in")
        return NotReady(
            f"Kafka cannot serve topic {self._topic!r}: {error.str()}",
            fix="start the broker; reading goes on where it stood",
        )

    def _message(self, message: Any) -> Message:  # the client is untyped
        headers = {name: text(value) for name, value in message.headers() or ()}
        name = given_id(headers)
        headers.pop(EVENT_ID_HEADER, None)
        kind, millis = message.timestamp()
        at = None if kind == self._kafka.TIMESTAMP_NOT_AVAILABLE else millis * 1000
        partition = self._name(message.partition())
        return Message(message.value() or b"", name, partition, message.offset(), at, headers)

    def _name(self, partition: int) -> str:
        return f"{self._topic}/{partition}"

    def _known(self, positions: Mapping[str, Offset]) -> dict[int, int]:
        """Return the positions in this topic's partitions by their numbers."""
        found = {}
        for name, offset in positions.items():
            topic, _, number = name.rpartition("/")
            if topic != self._topic or not number.isdecimal():
                continue
            if not isinstance(offset, int):
                raise InvalidInput(f"{offset!r} is no offset of Kafka", fix="offsets here are whole numbers")
            found[int(number)] = offset
        return found

    def _live(self) -> Any:
        if self._consumer is None:
            raise closed()
        return self._consumer

    def _open(self, servers: str, group: str, login: dict[str, str]) -> Any:
        strange = sorted(option for option in login if not option.startswith(LOGIN_OPTIONS))
        if strange:
            raise InvalidInput(
                "these are no options for logging in to Kafka",
                faults=strange,
                fix=f"give options that begin with {', '.join(LOGIN_OPTIONS)}",
            )
        options: dict[str, object] = {
            **login,
            "bootstrap.servers": servers,
            "group.id": group,
            "client.id": "treadle",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # Never chosen by the client: where to go on when a position is gone is decided, and counted, above.
            "auto.offset.reset": "error",
            "socket.timeout.ms": int(self._timeout * 1000),
            "fetch.wait.max.ms": 100,
            "error_cb": self._noticed,
            "log_level": 2,  # an outage is reported once, by us, not by each attempt to reconnect
        }
        try:
            return self._kafka.Consumer(options)
        except self._kafka.KafkaException as error:
            raise InvalidInput(
                f"librdkafka refuses the options: {error.args[0].str()}",
                fix="check the options for logging in",
            ) from error


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        raise not_installed("Kafka", "confluent-kafka", "kafka") from error
    return confluent_kafka


if TYPE_CHECKING:
    from treadle.ports.streams import Stream

    _proof: type[Stream] = KafkaReader
