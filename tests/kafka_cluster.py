"""librdkafka's mock cluster: brokers that speak Kafka's protocol over TCP, in this process, ended by their handle.

The Python client can start one, but neither make topics in it nor take its brokers down; the library underneath can.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka

_POINTER, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_SIGNATURES = {
    "rd_kafka_conf_new": (_POINTER, []),
    "rd_kafka_conf_set": (_INT, [_POINTER, _TEXT, _TEXT, _TEXT, ctypes.c_size_t]),
    "rd_kafka_new": (_POINTER, [_INT, _POINTER, _TEXT, ctypes.c_size_t]),
    "rd_kafka_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_new": (_POINTER, [_POINTER, _INT]),
    "rd_kafka_mock_cluster_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, [_POINTER]),
    "rd_kafka_mock_topic_create": (_INT, [_POINTER, _TEXT, _INT, _INT]),
    "rd_kafka_mock_broker_set_down": (_INT, [_POINTER, _INT]),
    "rd_kafka_mock_broker_set_up": (_INT, [_POINTER, _INT]),
}


class KafkaCluster:
    """A running cluster of one broker."""

    def __init__(self, library: ctypes.CDLL, cluster: int) -> None:
        self._library = library
        self._cluster = cluster
        self.servers = library.rd_kafka_mock_cluster_bootstraps(cluster).decode()

    def make_topic(self, name: str, partitions: int = 1) -> None:
        assert self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1) == 0

    def go_away(self) -> None:
        assert self._library.rd_kafka_mock_broker_set_down(self._cluster, 1) == 0

    def come_back(self) -> None:
        assert self._library.rd_kafka_mock_broker_set_up(self._cluster, 1) == 0


@contextmanager
def kafka_cluster() -> Iterator[KafkaCluster]:
    library = _library()
    fault = ctypes.create_string_buffer(512)
    options = library.rd_kafka_conf_new()
    library.rd_kafka_conf_set(options, b"log_level", b"2", fault, len(fault))
    handle = library.rd_kafka_new(0, options, fault, len(fault))
    assert handle, fault.value
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    try:
        yield KafkaCluster(library, cluster)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(handle)


def _library() -> ctypes.CDLL:
    package = Path(confluent_kafka.__file__).parent
    beside = [*package.parent.glob("confluent_kafka.libs/librdkafka*"), *package.glob(".dylibs/librdkafka*")]
    library = ctypes.CDLL(str(beside[0]))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
