"""The online store beside its floor, raw LMDB, on the same work in one run.

    python -m benchmarks.online [--rows 100000] [--json FILE]

Prints microseconds: the median, and the 99th percentile, which means little on a busy machine.
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import lmdb

from treadle.adapters.online import LmdbOnline

VIEWS = [f"view {number}" for number in range(7)]
VALUE_BYTES = 400
ROUNDS = 20_000
# What the port promises, in microseconds at the median.
TARGETS = {"get": 2.5, "put": 2.0, "7 views": 12.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="keys in each of the seven views")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    options = parser.parse_args()
    keys = [b"%010d" % number for number in range(options.rows)]
    value = os.urandom(VALUE_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        ours, floor = fill_ours(Path(folder), keys, value), fill_raw(Path(folder), keys, value)
        numbers = compare(ours, floor, keys)
        ours["close"]()
        floor["close"]()
    for name, row in numbers.items():
        target = f"   target ≤ {TARGETS[name]}" if name in TARGETS else ""
        print(
            f"{name:>10}  ours {row['ours']:7.2f} (p99 {row['ours_p99']:7.2f})   "
            f"raw {row['raw']:7.2f} (p99 {row['raw_p99']:7.2f})   ×{row['ours'] / row['raw']:.2f}{target}"
        )
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1))


def fill_ours(folder: Path, keys: list[bytes], value: bytes) -> dict[str, Callable]:
    store = LmdbOnline(folder / "ours", durable=False, map_size=8 << 30)
    views = VIEWS

    def put() -> float:
        began = time.perf_counter()
        with store.begin() as batch:
            for key in keys:
                batch.put("view 0", key, value)
        return time.perf_counter() - began

    first = put()
    for view in views[1:]:
        with store.begin() as batch:
            for key in keys:
                batch.put(view, key, value)

    def seven(key: bytes) -> list[bytes | None]:
        with store.read() as reader:
            get = reader.get
            return [get(view, key) for view in views]

    return {
        "get": lambda key: store.get("view 3", key),
        "100 keys": lambda hundred: store.get_many("view 3", hundred),
        "7 views": seven,
        "first put": lambda: first,
        "put": put,
        "close": store.close,
    }


def fill_raw(folder: Path, keys: list[bytes], value: bytes) -> dict[str, Callable]:
    env = lmdb.Environment(str(folder / "raw"), map_size=8 << 30, sync=False, metasync=False, readahead=False)
    prefixes = [b"\x01" + number.to_bytes(3, "big") for number in range(len(VIEWS))]
    prefix = prefixes[3]

    def put() -> float:
        began = time.perf_counter()
        with env.begin(write=True) as txn:
            for key in keys:
                txn.put(prefixes[0] + key, value)
        return time.perf_counter() - began

    first = put()
    for other in prefixes[1:]:
        with env.begin(write=True) as txn:
            for key in keys:
                txn.put(other + key, value)

    def one(key: bytes) -> bytes | None:
        with env.begin() as txn:
            return txn.get(prefix + key)

    def hundred(keys: list[bytes]) -> list[bytes | None]:
        with env.begin() as txn:
            return [txn.get(prefix + key) for key in keys]

    def seven(key: bytes) -> list[bytes | None]:
        with env.begin() as txn:
            return [txn.get(other + key) for other in prefixes]

    return {
        "get": one,
        "100 keys": hundred,
        "7 views": seven,
        "first put": lambda: first,
        "put": put,
        "close": env.close,
    }


def compare(
    ours: dict[str, Callable], raw: dict[str, Callable], keys: list[bytes]
) -> dict[str, dict[str, float]]:
    picker = random.Random(0)
    single = picker.choices(keys, k=ROUNDS)
    hundreds = [picker.sample(keys, 100) for _ in range(ROUNDS // 100)]
    numbers = {}
    for name, arguments in (("get", single), ("7 views", single), ("100 keys", hundreds)):
        assert all(ours[name](argument) == raw[name](argument) for argument in arguments[:100])
        mine, theirs = sample(ours[name], arguments), sample(raw[name], arguments)
        numbers[name] = {"ours": mine[0], "ours_p99": mine[1], "raw": theirs[0], "raw_p99": theirs[1]}
    for name in ("first put", "put"):
        mine_each = sorted(ours[name]() / len(keys) * 1e6 for _ in range(5))
        raw_each = sorted(raw[name]() / len(keys) * 1e6 for _ in range(5))
        numbers[name] = {
            "ours": mine_each[2],
            "ours_p99": mine_each[-1],
            "raw": raw_each[2],
            "raw_p99": raw_each[-1],
        }
    return numbers


def sample(action: Callable, arguments: list) -> tuple[float, float]:
    """Return median and 99th percentile in microseconds."""
    clock = time.perf_counter_ns
    for argument in arguments[: len(arguments) // 10]:
        action(argument)
    times = []
    for argument in arguments:
        began = clock()
        action(argument)
        times.append(clock() - began)
    times.sort()
    return times[len(times) // 2] / 1e3, times[int(len(times) * 0.99)] / 1e3


if __name__ == "__main__":
    main()
