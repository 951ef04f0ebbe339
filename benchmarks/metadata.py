"""The metadata store beside its floor: the same rows in bare SQL on the same SQLite library.

    python -m benchmarks.metadata

Each pair of timings is taken alternately in one run; only the ratio means something on another machine.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treadle.adapters.sql import open_metadata
from treadle.adapters.sql.sqlite import choose_driver
from treadle.ports.metadata import Metadata
from treadle.records.instants import SECOND
from treadle.records.runs import Metric, RunFilter

AT = 1_380_000_000 * SECOND
RUNS, LISTED, BATCH = 5_000, 100, 1_000
METRICS, PARAMS, TAGS = 3, 5, 3

# The floor keeps the same rows in the same shape, and says nothing about what may be written.
FLOOR = """
CREATE TABLE events (cursor INTEGER PRIMARY KEY AUTOINCREMENT, at, kind, subject, data, key, world);
CREATE INDEX events_by_kind ON events (kind, cursor);
CREATE INDEX events_by_subject ON events (subject, cursor);
CREATE TABLE runs (run_id TEXT PRIMARY KEY, experiment_id, name, status, started, ended, lifecycle, pipeline);
CREATE INDEX runs_by_started ON runs (started, run_id);
CREATE TABLE params (run_id, key, value, PRIMARY KEY (run_id, key));
CREATE TABLE tags (run_id, key, value, PRIMARY KEY (run_id, key));
CREATE TABLE metrics (run_id, key, step, timestamp, value, is_nan,
    PRIMARY KEY (run_id, key, step, timestamp, value, is_nan)) WITHOUT ROWID;
CREATE TABLE latest (run_id, key, step, timestamp, value, is_nan, PRIMARY KEY (run_id, key));
"""
EVENT = "INSERT INTO events (at, kind, subject, data, key, world) VALUES (?, ?, ?, ?, ?, ?)"
POINT = "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?, 0)"
LATEST = (
    "INSERT INTO latest VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (run_id, key) DO UPDATE "
    "SET step = excluded.step, timestamp = excluded.timestamp, value = excluded.value "
    "WHERE (excluded.step, excluded.timestamp, excluded.value) "
    "> (latest.step, latest.timestamp, latest.value)"
)


def connect(path: Path) -> Any:
    connection = choose_driver().connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def fill_floor(connection: Any) -> None:
    connection.executescript(FLOOR)
    connection.execute("BEGIN")
    for number in range(RUNS):
        run = f"run {number:05}"
        row = (run, 0, "", "FINISHED", AT + number % 997, None, "active", "train" if number % 2 else "score")
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.executemany(
            "INSERT INTO params VALUES (?, ?, ?)", [(run, f"p{n}", "1") for n in range(PARAMS)]
        )
        connection.executemany(
            "INSERT INTO tags VALUES (?, ?, ?)", [(run, f"t{n}", "1") for n in range(TAGS)]
        )
        connection.executemany(LATEST, [(run, f"m{n}", 0, 0, 0.5) for n in range(METRICS)])
    connection.execute("COMMIT")


def fill_store(store: Metadata) -> None:
    with store.begin() as unit:
        for number in range(RUNS):
            run = unit.runs.create_run(
                AT + number % 997,
                run_id=f"run {number:05}",
                pipeline="train" if number % 2 else "score",
                params={f"p{n}": "1" for n in range(PARAMS)},
                tags={f"t{n}": "1" for n in range(TAGS)},
            )
            unit.runs.log_batch(run.run_id, AT, metrics=[Metric(f"m{n}", 0.5, 0) for n in range(METRICS)])


def floor_log(connection: Any, points: list[tuple[str, str, int, int, float]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        EVENT, (AT, "run.logged", points[0][0], json.dumps({"metrics": len(points)}), None, "live")
    )
    connection.executemany(POINT, points)
    connection.execute(LATEST, points[-1])
    connection.execute("COMMIT")


def store_log(store: Metadata, run: str, metrics: list[Metric]) -> None:
    with store.begin() as unit:
        unit.runs.log_batch(run, AT, metrics=metrics)


def floor_list(connection: Any) -> int:
    rows = connection.execute(
        "SELECT * FROM runs WHERE lifecycle = 'active' AND pipeline = 'train' "
        "ORDER BY started DESC, run_id LIMIT ?",
        (LISTED,),
    ).fetchall()
    ids = [row[0] for row in rows]
    marks = ",".join("?" * len(ids))
    found = len(ids)
    for table in ("params", "tags", "latest"):
        query = f"SELECT * FROM {table} WHERE run_id IN ({marks})"  # noqa: S608 - names and marks of our own
        found += len(connection.execute(query, ids).fetchall())
    return found


def store_list(store: Metadata) -> int:
    with store.read() as view:
        runs = view.runs.search_runs(RunFilter(pipeline="train"), limit=LISTED).items
    return sum(1 + len(run.params) + len(run.tags) + len(run.metrics) for run in runs)


def compare(
    name: str, floor: Callable[[int], object], ours: Callable[[int], object], times: int
) -> dict[str, Any]:
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(times):
        for work, seconds in ((floor, taken[0]), (ours, taken[1])):
            start = time.perf_counter()
            work(number)
            seconds.append(time.perf_counter() - start)
    low, high = (statistics.median(seconds[times // 10 :]) * 1_000 for seconds in taken)
    print(f"{name:34} floor {low:8.3f} ms   ours {high:8.3f} ms   ratio {high / low:5.2f}")
    return {"work": name, "floor_ms": round(low, 4), "ours_ms": round(high, 4), "ratio": round(high / low, 2)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection = connect(Path(folder) / "floor.db")
        store = open_metadata(f"sqlite:///{folder}/ours.db")
        fill_floor(connection)
        fill_store(store)
        run = "run 00000"
        compare(
            "one metric, one durable commit",
            lambda n: floor_log(connection, [(run, "one", n, n, 0.5)]),
            lambda n: store_log(store, run, [Metric("one", 0.5, n, n)]),
            400,
        )
        compare(
            f"{BATCH} metrics, one durable commit",
            lambda n: floor_log(connection, [(run, "many", n * BATCH + i, 0, 0.5) for i in range(BATCH)]),
            lambda n: store_log(store, run, [Metric("many", 0.5, 0, n * BATCH + i) for i in range(BATCH)]),
            30,
        )
        assert floor_list(connection) == store_list(store)
        compare(
            f"list {LISTED} of {RUNS} runs",
            lambda _: floor_list(connection),
            lambda _: store_list(store),
            100,
        )
        store.close()
        connection.close()


if __name__ == "__main__":
    main()
