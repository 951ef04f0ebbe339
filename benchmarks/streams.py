"""Streams: how many messages a second go from each broker into the event log, beside what the broker's adapter can hand out.

    python -m benchmarks.streams [--messages 50000]

For each broker, on a real server on loopback and in one run:

* floor: `poll` until the end, nothing is done with the messages;
* taken: `treadle up`'s consumer, until all is in the event log, synced, and the broker was told; the online store and the
  tables follow in their own threads meanwhile, as they do in a server.

Rows have four columns and an `event_id`; none is a duplicate.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from tests.streams.brokers import BROKERS
from tests.streams.places import as_json, eventually, order, serving, source
from treadle.adapters.secrets import LocalSecrets
from treadle.adapters.streams.opened import OpenStreams
from treadle.loop.streams import open_stream


def floor(kind: str, address: str, data: Path, count: int) -> float:
    """Return the seconds that handing out takes."""
    opener = OpenStreams(LocalSecrets({}, None), "floor")
    stream = open_stream(opener, source(kind, address).origin, data)
    stream.seek({})
    found, began = 0, time.perf_counter()
    while found < count:
        found += len(stream.poll(2_000, 1.0))
    took = time.perf_counter() - began
    stream.close()
    return took


def taken(kind: str, address: str, data: Path, home: Path, count: int) -> float:
    """Return the seconds from the start of the consumer until everything is in the log and the broker was told."""
    with serving(home, source(kind, address), data=data) as live:
        began = time.perf_counter()  # the thread has begun a moment ago; its first poll opens the stream
        consumer = live.consumers["orders"]
        eventually(lambda: consumer.state.counts.messages == count and not consumer._taken)
        return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=50_000)
    count = parser.parse_args().messages
    messages = [as_json(order(number)) for number in range(count)]
    print(f"{count:,} messages of {len(messages[-1])} bytes; messages a second")
    print(f"{'broker':<8}{'floor':>12}{'taken':>12}{'ratio':>8}")
    for kind, broker in BROKERS.items():
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder, "data")
            data.mkdir()
            with broker(data) as (address, publish):
                publish(messages)
                bare = count / floor(kind, address, data, count)
                ours = count / taken(kind, address, data, Path(folder, "home"), count)
        print(f"{kind:<8}{bare:>12,.0f}{ours:>12,.0f}{ours / bare:>8.2f}")


if __name__ == "__main__":
    main()
