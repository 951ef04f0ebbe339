"""Push to readable online: how long until a pushed row is in the features, and how many rows a second are taken in.

    python benchmarks/push.py [--pushes 2000] [--rows 1000]

Four measurements in one run, on one machine:

* floor: the bare append to a log and a bare online commit of the same bytes, by one thread, one row at a time;
* in process: `Live.push` of one row, until the row is read from the online store;
* HTTP: the same through `treadle up` on loopback, over a kept-alive connection; the row is read by this process;
* rows a second: batches pushed in process, until the last row is readable; checked, logged, applied to two views.

A row counts as readable when a reader that looks every 0.1 ms finds it. Pushes are spaced out, so that each is measured by
itself. Target: p99 below 50 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from treadle.adapters.clock import SystemClock
from treadle.adapters.log import FileLog
from treadle.adapters.online import LmdbOnline
from treadle.bootstrap import Home, load_project, open_world
from treadle.entry.client import connect
from treadle.loop.live import Live
from treadle.records.instants import iso
from treadle.records.intake import encode_record
from treadle.stages.data.intake import check_rows, make_event
from treadle.stages.features.keys import pack_key

PROJECT = """
import treadle as tr

readings = tr.Source.push(
    "readings", columns={"id": "string", "sensor": "string", "at": "time", "value": "float"},
    event_time="at", event_id="id",
)
asks = tr.Source.push("asks", columns={"sensor": "string", "at": "time", "bad": "bool"}, event_time="at")
sensor = tr.Entity("sensor", keys=["sensor"])
newest = tr.FeatureView("newest", entity=sensor, source=readings, features=["value"])
lately = tr.WindowView("lately", entity=sensor, source=readings, features=[tr.mean("value", over="1h"), tr.count(over="1h")])
project = tr.Project(
    name="bench_push",
    sources=[readings, asks],
    endpoints=[tr.Endpoint(
        "bad", model="bad@champion",
        features=tr.FeatureSet("seen", request={"sensor": "string"}, features=[newest, lately]),
        requests=tr.Requests(asks), labels=tr.Labels("bad", source=asks, key=["sensor"], value="bad"),
    )],
)
"""
SENSORS = 1_000
TOKEN = "token-of-the-benchmark"  # noqa: S105 - of a server that lives for a minute
LOOK = 0.0001
PAUSE = 0.002


def row(number: int) -> dict[str, object]:
    at = iso(time.time_ns() // 1_000)
    return {"id": str(number), "sensor": f"sensor-{number % SENSORS}", "at": at, "value": number / 2}


def readable(online: LmdbOnline, number: int, before: bytes | None) -> bool:
    """Say whether a row's sensor has another value than before."""
    found = online.get("newest", pack_key([f"sensor-{number % SENSORS}"]))
    return found is not None and found != before


def latencies(push: Callable[[int], object], online: LmdbOnline, first: int, pushes: int) -> list[float]:
    """Return the seconds from the beginning of each push until its row is readable."""
    found = []
    for number in range(first, first + pushes):
        before = online.get("newest", pack_key([f"sensor-{number % SENSORS}"]))
        started = time.perf_counter()
        push(number)
        while not readable(online, number, before):
            time.sleep(LOOK)  # a reader that spun would keep the threads it waits for from working
        found.append(time.perf_counter() - started)
        time.sleep(PAUSE)
    return found


def floor(folder: Path, pushes: int) -> list[float]:
    """Return the seconds of a bare append and a bare online commit."""
    log = FileLog(folder / "floor-log")
    online = LmdbOnline(folder / "floor-online", durable=False)
    source = load_project(folder / "bench_push").project.sources[0]
    found = []
    for number in range(pushes):
        checked = check_rows(source, [row(number)], time.time_ns() // 1_000)  # type: ignore[arg-type]  # a Source
        record = encode_record(make_event(source, checked.rows[0], str(number), 1, None))  # type: ignore[arg-type]
        key = pack_key([f"sensor-{number % SENSORS}"])
        started = time.perf_counter()
        log.append(record)
        with online.begin() as batch:
            batch.put("newest", key, record)
        online.get("newest", key)
        found.append(time.perf_counter() - started)
        time.sleep(PAUSE)
    log.close()
    online.close()
    return found


def in_process(folder: Path, pushes: int, rows: int) -> tuple[list[float], float]:
    """Return the latencies of single rows, and rows a second in batches."""
    home = Home.at(folder / "home", create=True)
    with open_world(home, load_project(folder / "bench_push"), SystemClock()) as world:
        live = Live(world)
        live.start()
        online = world.online
        assert isinstance(online, LmdbOnline)
        try:
            single = latencies(lambda n: live.push("readings", [row(n)]), online, 0, pushes)
            batches = 30
            started = time.perf_counter()
            for batch in range(batches):
                first = 10_000_000 + batch * rows
                live.push("readings", [row(n) for n in range(first, first + rows)])
            while live.feed.behind():
                time.sleep(0.0005)
            return single, batches * rows / (time.perf_counter() - started)
        finally:
            live.stop()


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A running `treadle up`; yields its URL."""
    command = [sys.executable, "-m", "treadle", "up", "--home", str(folder / "home"), "--project",
               str(folder / "bench_push"), "--port", "0", "--json"]  # fmt: skip
    environment = os.environ | {"TREADLE_TOKEN": TOKEN}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.terminate()
        process.wait(60)


def over_http(folder: Path, pushes: int) -> list[float]:
    """Return the latencies of single rows over HTTP."""
    with server(folder) as url, connect(url, TOKEN) as client:
        online = LmdbOnline(folder / "home" / "online", durable=False)
        try:
            return latencies(lambda n: client.push("readings", [row(n)]), online, 50_000_000, pushes)
        finally:
            online.close()


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1e3


def show(name: str, values: list[float], bare: list[float]) -> None:
    shown = [f"{quantile(values, share):8.3f}" for share in (0.5, 0.99, 1.0)]
    ratio = quantile(values, 0.5) / quantile(bare, 0.5)
    print(f"{name:<12}{'  '.join(shown)}   {ratio:6.1f} ×")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pushes", type=int, default=2_000)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of a batch")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="treadle_push_") as name:
        folder = Path(name)
        (folder / "bench_push").mkdir()
        (folder / "bench_push" / "__init__.py").write_text(PROJECT)
        bare = floor(folder, given.pushes)
        single, rate = in_process(folder, given.pushes, given.rows)
        http = over_http(folder, given.pushes)
    print(f"{given.pushes:,} pushes of one row; milliseconds from push to readable\n")
    print(f"{'':<12}{'p50':>8}  {'p99':>8}  {'max':>8}   p50 to floor")
    for title, values in (("floor", bare), ("in process", single), ("HTTP", http)):
        show(title, values, bare)
    print(f"\nbatches of {given.rows:,} rows: {rate:,.0f} rows a second, until all are readable")
    worst = quantile(single, 0.99)
    print(f"p99 in process {worst:.1f} ms; target below 50 ms: {'met' if worst < 50 else 'MISSED'}")


if __name__ == "__main__":
    main()
