"""Each broker on a real server, with one empty stream of orders, and a way to publish to it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from tests.kafka_cluster import kafka_cluster
from tests.nats_server import nats_server
from tests.redis_server import redis_server

Publish: TypeAlias = Callable[[Sequence[bytes]], None]


@contextmanager
def redis_orders(folder: Path) -> Iterator[tuple[str, Publish]]:
    from redis import Redis

    with redis_server(folder) as url, Redis.from_url(url) as client:

        def publish(messages: Sequence[bytes]) -> None:
            with client.pipeline(transaction=False) as pipeline:
                for message in messages:
                    pipeline.xadd("orders", {"value": message})
                pipeline.execute()

        yield url, publish


@contextmanager
def nats_orders(folder: Path) -> Iterator[tuple[str, Publish]]:
    import nats

    with nats_server(folder) as url:

        async def send(messages: Sequence[bytes]) -> None:
            client = await nats.connect(url)
            js = client.jetstream()
            stream = await js.add_stream(name="orders", subjects=["orders"])
            for message in messages:
                await client.publish("orders", message)
            await client.flush(timeout=60)
            while (await js.stream_info("orders")).state.last_seq < stream.state.last_seq + len(messages):
                await asyncio.sleep(0.01)
            await client.close()

        yield url, lambda messages: asyncio.run(send(messages))


@contextmanager
def kafka_orders(folder: Path) -> Iterator[tuple[str, Publish]]:
    from confluent_kafka import Producer

    with kafka_cluster() as cluster:
        cluster.make_topic("orders", 3)
        producer = Producer({"bootstrap.servers": cluster.servers, "log_level": 2})

        def publish(messages: Sequence[bytes]) -> None:
            for place, message in enumerate(messages):
                producer.produce("orders", message, partition=place % 3)
            assert producer.flush(60) == 0

        yield cluster.servers, publish


@contextmanager
def inbox_orders(folder: Path) -> Iterator[tuple[str, Publish]]:
    inbox = folder / "inbox"
    inbox.mkdir()
    numbers = itertools.count()

    def publish(messages: Sequence[bytes]) -> None:
        for place in range(0, len(messages), 400):
            part = folder / "part"
            part.write_bytes(b"\n".join(messages[place : place + 400]))
            part.rename(inbox / f"orders-{next(numbers):06}.jsonl")

    yield str(folder), publish


BROKERS = {"inbox": inbox_orders, "redis": redis_orders, "nats": nats_orders, "kafka": kafka_orders}
