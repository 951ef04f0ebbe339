"""Window state online: events into tiles in LMDB batches, and reads of three windows, beside bare LMDB.

    python -m benchmarks.tiles [--keys 200] [--events 40000] [--json FILE]

One core, in CPU time, so that others on the machine don't count. Each kind of view is filled until its rings are full, then
measured: events a second with 1,000 events to a batch, the floor (get and put of the stored bytes, as they are, in batches
of the same size), and microseconds of a read (snapshot, get, three windows).
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import lmdb

import treadle as tr
from treadle.adapters.online import LmdbOnline
from treadle.define.views import WindowView
from treadle.records.instants import DAY, HOUR, MINUTE
from treadle.stages.features.keys import pack_key
from treadle.stages.features.window_state import window_reader
from treadle.stages.features.writer import make_applier

BATCH, READS, ROUNDS = 1_000, 5_000, 3
TARGETS = {"events": 50_000, "read": 20.0}
START = 15_000 * DAY

thing = tr.Entity("thing", keys=["key"])
events = tr.Source.parquet(
    "events", path="events.parquet", columns={"key": "int", "x": "float", "at": "time"}, event_time="at"
)
SHORT = ["1h", "3h", "12h"]
SUMS = [tr.count(over=SHORT), tr.mean("x", over=SHORT)]
VIEWS = {
    "sums, tile": (SUMS, "tile", 2 * MINUTE),
    "sums and extremes, tile": ([*SUMS, tr.largest("x", over=SHORT)], "tile", 2 * MINUTE),
    "three rings, tile": ([tr.count(over=["1h", "3d", "28d"]), tr.mean("x", over=["1h", "3d", "28d"])], "tile", 20 * MINUTE),
    "all but distinct, tile": (
        [tr.var("x", over=SHORT), tr.smallest("x", over=SHORT), tr.largest("x", over=SHORT), tr.last("x", over=SHORT)],
        "tile",
        2 * MINUTE,
    ),
    "sums, exact": (SUMS, "exact", 2 * MINUTE),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument(
        "--events", type=int, default=40_000, help="measured, after as many as fill the rings"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {}
    for name, (features, accuracy, pace) in VIEWS.items():
        view = tr.WindowView("view", entity=thing, source=events, features=features, accuracy=accuracy)
        with tempfile.TemporaryDirectory() as folder:
            results[name] = measure(Path(folder), view, pace, options.keys, options.events)
        found = results[name]
        ratio = found["floor"] / found["events"]
        print(
            f"{name:>24}  {found['events']:8,.0f} events/s  floor {found['floor']:9,.0f}  ×{ratio:5.2f}"
            f"   read {found['read']:5.1f} µs  get alone {found['get']:4.1f}   {found['bytes']:7,.0f} bytes a key"
        )
    print(f"targets: ≥ {TARGETS['events']:,} events/s, a read ≤ {TARGETS['read']} µs")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def measure(folder: Path, view: WindowView, pace: int, keys: int, count: int) -> dict[str, float]:
    """Fill, then time events, floor and reads; the best of some rounds of each."""
    store = LmdbOnline(folder / "ours", durable=False, map_size=4 << 30)
    applier = make_applier("events", [view])
    stream = arrivals(keys, pace)
    fill = int(min(view.longest, 3 * DAY) / pace * keys * 1.05)
    apply_batches(store, applier.apply, islice(stream, fill))
    best = 0.0
    for _ in range(ROUNDS):
        chosen = list(islice(stream, count))
        began = time.process_time()
        apply_batches(store, applier.apply, iter(chosen))
        best = max(best, count / (time.process_time() - began))
    held = dict(store.scan("view"))
    last = chosen[-1][0]
    reader = window_reader(view, view.features)
    found = {
        "events": best,
        "floor": floor(folder, held, [pack_key([row[2][-2]]) for row in chosen]),
        "bytes": sum(map(len, held.values())) / len(held),
    }
    packed = list(held)
    picker = random.Random(1)

    def get(key: bytes) -> bytes | None:
        with store.read() as snapshot:
            return snapshot.get("view", key)

    found["get"] = timed(get, picker.choices(packed, k=READS))
    found["read"] = timed(lambda key: reader.read(get(key), last + 1), picker.choices(packed, k=READS))
    store.close()
    return found


def arrivals(keys: int, pace: int):
    """Yield events for ever, as an applier takes them: each key about every `pace`, one in fifty up to an hour late."""
    picker = random.Random(0)
    at, row = START, 0
    step = pace // keys
    while True:
        at += step
        row += 1
        event = at - picker.randrange(HOUR) if row % 50 == 0 else at
        yield at, row, (event, event, False, picker.randrange(keys), picker.uniform(-50, 50))


def apply_batches(store: LmdbOnline, apply: Callable, rows) -> None:
    while portion := list(islice(rows, BATCH)):
        with store.begin() as batch:
            for known_at, row, values in portion:
                apply(batch, known_at, row, values)


def floor(folder: Path, held: dict[bytes, bytes], keys: list[bytes]) -> float:
    """Return how many values of the same keys and sizes bare LMDB gets and puts in a second."""
    env = lmdb.Environment(str(folder / "raw"), map_size=4 << 30, sync=False, metasync=False)
    with env.begin(write=True) as txn:
        for key, value in held.items():
            txn.put(key, value)
    best = 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for start in range(0, len(keys), BATCH):
            with env.begin(write=True) as txn:
                for key in keys[start : start + BATCH]:
                    txn.put(key, txn.get(key))
        best = max(best, len(keys) / (time.process_time() - began))
    env.close()
    return best


def timed(action: Callable, arguments: list) -> float:
    """Return the median in microseconds."""
    clock = time.perf_counter_ns
    times = []
    for argument in arguments:
        began = clock()
        action(argument)
        times.append(clock() - began)
    return sorted(times)[len(times) // 2] / 1e3


if __name__ == "__main__":
    main()
