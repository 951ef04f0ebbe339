"""Profiles and the drift report beside their floor, one NumPy pass, on the same frames in one run; and how memory grows.

    python -m benchmarks.profiles [--rows 1000000] [--rounds 5] [--most 10000000] [--json FILE]

Two frames of 12 float, 4 integer and 4 text columns, a few of which drift. The floor takes 64-bin histograms and nine
quantiles of each number column and counts of each text column, of both frames: what a drift report needs at least, exact
and not mergeable. Ours makes both profiles and their distances. `--most 0` leaves the memory part out.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from treadle.records.profile_distances import compare
from treadle.records.profiles import MOST_BYTES
from treadle.stages.validation.profile.builder import profile_frame

FLOATS = [f"f{i}" for i in range(12)]
INTEGERS = [f"i{i}" for i in range(4)]
TEXTS = [f"c{i}" for i in range(4)]
LEVELS = (3, 10, 20, 50)
TARGET = 1.75
"""The drift report takes at most so many times the floor."""
FLAT = 0.10
"""Peak memory stays within this share of its median, from the fewest rows to the most."""
ROW_GROUP = 100_000

PEAK = """
import re, sys
from pathlib import Path
from treadle.stages.validation.profile.builder import parquet_batches, profile_frame
found = profile_frame(parquet_batches(Path(sys.argv[1])), "rows")
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(found.rows, peak.group(1))
"""
# Not getrusage: what it gives begins with the size of the process that started this one.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--most", type=int, default=10_000_000, help="rows of the largest file; 0: no memory part"
    )
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    options = parser.parse_args()
    numbers = measure_time(options.rows, options.rounds)
    for clock in ("wall", "cpu"):
        floor_s, report_s, profile_s = (numbers[clock][name] for name in ("floor", "report", "profile"))
        print(
            f"{options.rows:,} × 20, {clock:>4}: floor {floor_s:.3f} s   drift report {report_s:.3f} s"
            f"   ×{report_s / floor_s:.2f} (target ≤ {TARGET})   one profile {profile_s:.3f} s"
        )
    print(f"largest column {numbers['largest_column']:,} bytes (at most {MOST_BYTES:,})")
    if options.most:
        numbers["peak_kib"] = measure_memory(options.most)
        for rows, peak in numbers["peak_kib"].items():
            print(f"{rows:>12,} rows streamed: peak {peak / 1024:.0f} MiB")
        print(f"off the median by at most {spread(numbers['peak_kib']):.1%} (target ≤ {FLAT:.0%})")
    if options.json:
        options.json.write_text(json.dumps(numbers, indent=1))


def frame(rows: int, seed: int, shift: float) -> pl.DataFrame:
    r = np.random.default_rng(seed)
    columns: dict[str, object] = {
        name: r.normal(shift if i < 3 else 0, 1, rows) for i, name in enumerate(FLOATS)
    }
    columns |= {name: r.integers(0, 1000, rows) for name in INTEGERS}
    for name, levels in zip(TEXTS, LEVELS, strict=True):
        p = np.ones(levels)
        p[0] += shift * levels
        texts = np.array([f"cat{j}" for j in range(levels)])
        columns[name] = texts[r.choice(levels, rows, p=p / p.sum())]
    return pl.DataFrame(columns)


def floor(reference: pl.DataFrame, current: pl.DataFrame) -> list[float]:
    shares, found = np.linspace(0.1, 0.9, 9), []
    for name in FLOATS + INTEGERS:
        x, y = reference[name].to_numpy(), current[name].to_numpy()
        ends = min(x.min(), y.min()), max(x.max(), y.max())
        hx, hy = np.histogram(x, 64, ends)[0], np.histogram(y, 64, ends)[0]
        np.partition(x, (shares * len(x)).astype(int))
        np.partition(y, (shares * len(y)).astype(int))
        p, q = (hx + 1) / len(x), (hy + 1) / len(y)
        found.append(float(((p - q) * np.log(p / q)).sum()))
    for name in TEXTS:
        reference[name].value_counts()
        current[name].value_counts()
    return found


def measure_time(rows: int, rounds: int) -> dict:
    reference, current = frame(rows, 1, 0.0), frame(rows, 2, 0.3)

    def report() -> None:
        compare(profile_frame(reference, "reference"), profile_frame(current, "current"))

    # Taken in turns, so that a busy minute slows both; the quickest round of each says what the work takes. On a busy
    # machine the processor's time says more than the wall's.
    work = {
        "floor": lambda: floor(reference, current),
        "report": report,
        "profile": lambda: profile_frame(current),
    }
    rows_of: dict[str, list[tuple[float, float]]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, task in work.items():
            rows_of[name].append(timed(task))
    return {
        "rows": rows,
        "wall": {name: min(wall for wall, _ in taken) for name, taken in rows_of.items()},
        "cpu": {name: min(cpu for _, cpu in taken) for name, taken in rows_of.items()},
        "largest_column": max(len(column.to_bytes()) for column in profile_frame(current).columns),
    }


def measure_memory(most: int) -> dict[int, int]:
    """Return the peak memory (KiB) of a process that streams 100,000 rows, a tenth of the most, and the most."""
    peaks = {}
    with tempfile.TemporaryDirectory() as folder:
        for rows in sorted({100_000, most // 10, most}):
            file = Path(folder) / f"{rows}.parquet"
            write(file, rows)
            command = [sys.executable, "-c", PEAK, str(file)]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            assert int(said[0]) == rows
            peaks[rows] = int(said[1])
            file.unlink()
    return peaks


def spread(peaks: dict[int, int]) -> float:
    """Return how far the farthest peak is from the median of all, as a share of it."""
    middle = statistics.median(peaks.values())
    return max(abs(peak - middle) for peak in peaks.values()) / middle


def write(file: Path, rows: int) -> None:
    """Write a file of many row groups, part by part."""
    part = frame(ROW_GROUP, 3, 0.0)
    pl.concat([part.lazy()] * (rows // ROW_GROUP)).sink_parquet(
        file, row_group_size=ROW_GROUP, compression="lz4"
    )


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the wall and by the processor, of all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
