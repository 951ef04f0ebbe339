"""Point-in-time join of three views, beside Polars' own as-of join on the same events, each in a process of its own.

    python -m benchmarks.point_in_time [--events 3000000] [--rows 1000000] [--rounds 3] [--folder DIR] [--json FILE]

Every contender starts from files on disk and ends with one frame in memory: the rows asked about, in their order, with
15 features of 3 views. What each of them reads:

    polars      three Parquet files of the raw events; sorted, joined as-of on event time one after the other. It knows one
                time only: no lateness, no corrections, no deletions, and of events at one instant it takes the last read.
    treadle     three stored tables (Delta Lake) of the same events with their canonical columns; all rules hold. The
                tables are stored once per version of the data: that is not in the time, and said apart.
    bounded     the same, with what it holds at a time bounded by a setting (--memory).
    late        treadle on tables in which events became known up to an hour late, out of order.
    duckdb      the same Parquet files as polars, one SQL statement with three as-of joins.
    feast       by another interpreter that has it (--feast PYTHON), on as many rows as --feast-rows says, with treadle on
                the same rows beside it: Feast 0.67 needs more memory than most machines have for a million.

The contenders run alternately; only ratios mean something on another machine. Data: user, event time to the second in
2025, three float and two integer features a view; the rows asked about lie in the second half of the year.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

VIEWS, FEATURES, USERS = 3, 5, 10_000
START, YEAR = 1_735_689_600_000_000, 365 * 86_400 * 1_000_000  # from 2025-01-01 UTC, in microseconds
NAMES = [[f"v{view}_f{number}" for number in range(FEATURES)] for view in range(VIEWS)]
TARGET = 1.3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=3_000_000, help="events in each view")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows asked about")
    parser.add_argument("--rounds", type=int, default=3, help="times each contender runs")
    parser.add_argument("--memory", default="256MiB", help="what `bounded` may hold at a time")
    parser.add_argument("--only", nargs="*", help="contenders; all when left out")
    parser.add_argument("--folder", type=Path, help="keep the data here")
    parser.add_argument("--feast", type=Path, metavar="PYTHON", help="an interpreter that has feast")
    parser.add_argument("--feast-rows", type=int, default=10_000, help="rows that Feast is asked about")
    parser.add_argument(
        "--feast-limit", type=float, default=300.0, help="seconds after which Feast is given up"
    )
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    parser.add_argument("--asked", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        print(json.dumps(measured(options.run, options.folder, options.memory, options.asked)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder = folder / f"{options.events}x{options.rows}"
        if not (folder / "stored").exists():
            make(folder, options.events, options.rows, late=not options.only or "late" in options.only)
        numbers = compare(folder, options)
        if options.feast:
            numbers |= beside_feast(folder, options)
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1))


def make(folder: Path, events: int, rows: int, late: bool) -> None:
    """Make the events and the rows asked about, and store the events as tables."""
    import numpy as np
    import polars as pl

    from treadle.adapters.tables import DeltaTables
    from treadle.stages.data.canonical import add_canonical

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    tables = DeltaTables(folder / "tables")
    stored = 0.0
    for view in range(VIEWS):
        seconds = np.sort(random.integers(0, YEAR // 1_000_000, events))
        columns: dict[str, Any] = {"user_id": random.integers(0, USERS, events)}
        columns["event_timestamp"] = pl.Series(seconds * 1_000_000 + START).cast(pl.Datetime("us", "UTC"))
        for number, name in enumerate(NAMES[view]):
            columns[name] = random.normal(size=events) if number < 3 else random.integers(0, 1_000, events)
        frame = pl.DataFrame(columns)
        frame.write_parquet(folder / f"view{view}.parquet", compression="snappy")
        began = time.perf_counter()
        tables.overwrite(f"view{view}", add_canonical(frame, definitions("view")[view].source.timing, ()))
        stored += time.perf_counter() - began
        if late:
            after = np.random.default_rng(view).integers(0, 3_600, events) * 1_000_000
            known = pl.col("event_timestamp") + pl.Series(after).cast(pl.Duration("us"))
            timing = definitions("late")[view].source.timing
            frame = frame.with_columns(known.alias("known"))
            tables.overwrite(f"late{view}", add_canonical(frame, timing, ()))
    asked = random.integers(YEAR // 2_000_000, YEAR // 1_000_000, rows) * 1_000_000 + START
    pl.DataFrame(
        {
            "user_id": random.integers(0, USERS, rows),
            "event_timestamp": pl.Series(asked).cast(pl.Datetime("us", "UTC")),
            "label": random.integers(0, 2, rows),
        }
    ).write_parquet(folder / "rows.parquet", compression="snappy")
    (folder / "stored").write_text(f"{stored:.2f}")


def definitions(table: str) -> list[Any]:
    """Return the three views on tables of that name."""
    import treadle as tr

    types = ["float"] * 3 + ["int"] * 2
    late = {"known": "time"} if table == "late" else {}
    user = tr.Entity("user", keys=["user_id"])
    views = []
    for view in range(VIEWS):
        columns = {"user_id": "int", "event_timestamp": "time", **dict(zip(NAMES[view], types, strict=True))}
        source = tr.Source.parquet(
            f"{table}{view}",
            path="events.parquet",
            columns=columns | late,
            event_time="event_timestamp",
            known_at="known" if late else None,
        )
        views.append(tr.FeatureView(f"view{view}", entity=user, source=source, features=NAMES[view]))
    return views


def polars_asof(folder: Path, memory: str) -> tuple[Any, list[str]]:
    import polars as pl

    joined = pl.read_parquet(folder / "rows.parquet").with_row_index("place").sort("event_timestamp")
    for view in range(VIEWS):
        events = pl.read_parquet(folder / f"view{view}.parquet").sort("event_timestamp")
        joined = joined.join_asof(
            events, on="event_timestamp", by="user_id", strategy="backward", check_sortedness=False
        )
    return joined.sort("place"), [names[0] for names in NAMES]


def duckdb_asof(folder: Path, memory: str) -> tuple[Any, list[str]]:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    features = ", ".join(name for names in NAMES for name in names)
    joins = " ".join(
        f"asof left join '{folder}/view{view}.parquet' t{view} on asked.user_id = t{view}.user_id "
        f"and asked.event_timestamp >= t{view}.event_timestamp"
        for view in range(VIEWS)
    )
    # Only paths and names of this file are put into the text.
    frame = connection.execute(f"select asked.*, {features} from '{folder}/rows.parquet' asked {joins}")  # noqa: S608
    return frame.fetchnumpy(), [names[0] for names in NAMES]


def treadle_join(
    folder: Path, table: str, memory: str | None, rows: int | None = None
) -> tuple[Any, list[str]]:
    import polars as pl

    import treadle as tr
    from treadle.adapters.tables import DeltaTables
    from treadle.records.sizes import size
    from treadle.stages.features.offline import OfflineFeatures
    from treadle.stages.features.partitioned import Partitioning

    tables = DeltaTables(folder / "tables")
    features = tr.FeatureSet("bench", request={"user_id": "int"}, features=definitions(table))
    asked = pl.read_parquet(folder / "rows.parquet", n_rows=rows)
    offline = OfflineFeatures(tables.read, Partitioning(memory=None if memory is None else size(memory)))
    vectors = offline.vectors(features, asked, asked["event_timestamp"].to_physical().to_numpy())
    return pl.concat([asked, vectors], how="horizontal"), [f"view{v}_v{v}_f0" for v in range(VIEWS)]


CONTENDERS: dict[str, Callable[[Path, str], tuple[Any, list[str]]]] = {
    "polars": polars_asof,
    "treadle": lambda folder, memory: treadle_join(folder, "view", None),
    "bounded": lambda folder, memory: treadle_join(folder, "view", memory),
    "late": lambda folder, memory: treadle_join(folder, "late", None),
    "duckdb": duckdb_asof,
}


def measured(contender: str, folder: Path, memory: str, asked: int | None = None) -> dict[str, Any]:
    """Run one contender in this process; imports are not in the time."""
    import numpy as np
    import polars  # noqa: F401 - loaded before the clock starts

    import treadle.adapters.tables
    import treadle.stages.features.offline  # noqa: F401

    used, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    frame, checked = (
        treadle_join(folder, "view", None, asked) if asked else CONTENDERS[contender](folder, memory)
    )
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    sums = [round(float(np.nansum(np.asarray(frame[name], dtype=np.float64))), 3) for name in checked]
    return {
        "seconds": seconds,
        "cpu_seconds": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        "peak_mib": after.ru_maxrss / (1 if sys.platform == "darwin" else 1_024) // 1,
        "sums": sums,
        "rows": len(frame[checked[0]]),
    }


def compare(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run every contender in turn, several times over, and print what they took."""
    chosen = [name for name in CONTENDERS if not options.only or name in options.only]
    if importlib.util.find_spec("duckdb") is None:
        chosen = [name for name in chosen if name != "duckdb"]
        print(f"{'duckdb':>10}  not installed: left out")
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    for _ in range(options.rounds):
        for name in chosen:
            command = [sys.executable, "-m", "benchmarks.point_in_time", "--run", name]
            command += ["--folder", str(folder), "--memory", options.memory]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results[name].append(json.loads(done.stdout))
    numbers = {name: summary(rows) for name, rows in results.items()}
    ours = [name for name in ("treadle", "bounded") if name in numbers]
    assert all(numbers[name]["same"] and numbers[name]["sums"] == numbers[ours[0]]["sums"] for name in ours)
    floor = numbers.get("polars")
    for name, row in numbers.items():
        ratio = f"×{row['seconds'] / floor['seconds']:.2f}" if floor else ""
        cpu = f"×{row['cpu_seconds'] / floor['cpu_seconds']:.2f}" if floor else ""
        target = f"   target ≤ ×{TARGET}" if name == "treadle" else ""
        print(
            f"{name:>10}  {row['seconds']:7.2f} s {ratio:>6}   processor {row['cpu_seconds']:7.2f} s {cpu:>6}   "
            f"peak {row['peak_mib']:6.0f} MiB   "
            f"{row['sums'] if row['same'] else 'answers differ from run to run'}{target}"
        )
    print(f"{'':>10}  storing the three tables once took {(folder / 'stored').read_text()} s")
    return numbers


def beside_feast(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run Feast's two local offline stores and treadle on the same few rows, once each, and print what they took."""
    count = str(options.feast_rows)
    ours = [sys.executable, "-m", "benchmarks.point_in_time", "--run", "treadle", "--asked", count]
    script = Path(__file__).with_name("point_in_time_feast.py")
    commands = {
        "treadle": [*ours, "--folder", str(folder)],
        "feast dask": [str(options.feast), str(script), str(folder), count, "dask"],
        "feast duckdb": [str(options.feast), str(script), str(folder), count, "duckdb"],
    }
    print(f"{'':>10}  on {options.feast_rows:,} rows asked about:")
    found: dict[str, Any] = {}
    for name, command in commands.items():
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=True, timeout=options.feast_limit
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            found[f"{name} {count}"] = {"failed": type(error).__name__}
            print(f"{name:>14}  did not finish: {error}")
            continue
        row = found[f"{name} {count}"] = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{name:>14}  {row['seconds']:7.2f} s   peak {row['peak_mib']:6.0f} MiB   {row['rows']:,} rows   {row['sums']}"
        )
    return found


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians, and whether the answers were the same in every run (up to adding in another order)."""
    medians = {
        name: statistics.median(row[name] for row in rows) for name in ("seconds", "cpu_seconds", "peak_mib")
    }
    same = all(row["sums"] == rows[0]["sums"] for row in rows)
    return {**medians, "sums": rows[0]["sums"], "same": same, "rounds": [row["seconds"] for row in rows]}


if __name__ == "__main__":
    main()
