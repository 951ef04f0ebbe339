"""A project whose events come from a stream, a server for it, and what is in its home afterwards."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl

import treadle as tr
from tests.intake.places import opened
from treadle.adapters.clock import ShiftedClock
from treadle.adapters.online import LmdbOnline
from treadle.adapters.secrets import LocalSecrets
from treadle.adapters.streams.opened import OpenStreams
from treadle.loop.live import Live, Pace
from treadle.loop.pushed_tables import DEAD_LETTERS
from treadle.ports.streams import Streams
from treadle.records.instants import MINUTE, SECOND, instant, iso
from treadle.records.rows import PUSHED, ROW

NOW = instant("2026-03-01T12:00:00Z")
DEADLINE = 60.0
COLUMNS = {"order": "int", "shop": "string", "amount": "float", "placed": "time"}
SOURCES = {
    "inbox": lambda at, options: tr.Source.inbox("orders", path="inbox", **options),
    "redis": lambda at, options: tr.Source.redis("orders", url=at, stream="orders", **options),
    "nats": lambda at, options: tr.Source.nats("orders", url=at, stream="orders", **options),
    "kafka": lambda at, options: tr.Source.kafka("orders", servers=at, topic="orders", **options),
}
"""How the source of orders is defined on each broker, given its address."""


def source(kind: str, at: str, **options: object) -> tr.Source:
    defaults = {"columns": COLUMNS, "event_time": "placed", "known_after": "1m"}
    return SOURCES[kind](at, defaults | {"event_id": "order"} | options)


def project(orders: tr.Source) -> tr.Project:
    return tr.Project(name="shops", sources=[orders])


def order(number: int, *, ago: int = 0) -> dict[str, object]:
    return {"order": number, "shop": "ab"[number % 2], "amount": float(number), "placed": iso(NOW - ago)}


def as_json(row: Mapping[str, object]) -> bytes:
    return json.dumps(row).encode()


def orders_and_garbage(count: int, seed: int) -> tuple[list[bytes], int]:
    """Return messages of so many orders, some of them twice, with garbage among them; and how much garbage there is."""
    chance = random.Random(seed)
    messages, garbage = [], 0
    for number in range(count):
        messages.append(as_json(order(number, ago=chance.randrange(600) * SECOND)))
        if chance.random() < 0.1:
            messages.append(as_json(order(chance.randrange(number + 1), ago=MINUTE)))
        if chance.random() < 0.02:
            unlike = order(number) | {"amount": "much", "order": count + garbage}
            messages.append(chance.choice([b'{"order":', b"[%d]" % garbage, as_json(unlike)]))
            garbage += 1
    return messages, garbage


@contextmanager
def serving(
    folder: Path,
    orders: tr.Source,
    *,
    streams: Streams | None = None,
    data: Path | None = None,
    portion: int = 2_000,
) -> Iterator[Live]:
    """Yield a running server whose stores are in the folder."""
    folder.mkdir(exist_ok=True, parents=True)
    online = LmdbOnline(folder / "online", durable=False, map_size=1 << 26)
    opener = streams or OpenStreams(LocalSecrets({}, None), "test")
    try:
        with opened(folder, online=online, clock=ShiftedClock(NOW)) as world:
            ours = replace(world, project=project(orders), streams=opener)
            live = Live(ours, data=data, pace=Pace(tables=0.05, sync=0.05, loop=1.0, portion=portion))
            try:
                live.start()
                yield live
            finally:
                live.stop()
    finally:
        online.close()


def eventually(true, said: str = "it did not come true in time") -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, said
        time.sleep(0.01)


def table_rows(live: Live) -> pl.DataFrame:
    return live.world.tables.read("orders").filter(pl.col(ROW) >= PUSHED).collect()


def dead_letters(live: Live) -> pl.DataFrame:
    tables = live.world.tables
    if not tables.exists(DEAD_LETTERS):
        return pl.DataFrame({"raw": [], "reasons": [], "offset": []})
    return tables.read(DEAD_LETTERS).collect()
