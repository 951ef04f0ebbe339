"""Schema validation, 1M rows × 20 columns: ranges and value lists, against the same questions asked of Polars by hand.

    python benchmarks/validation.py [ROWS] [--folder FOLDER]

Rows: 12 columns of normal numbers, 4 of integers below 1,000, 4 of texts with 3, 10, 20 and 50 different values; with a folder,
its `cur_ROWS.parquet` (of the same columns) is read instead. Ours and the floor take turns; the best of nine of each counts.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import polars as pl

from treadle.records.schemas import ColumnSchema, DatasetSchema
from treadle.stages.validation.profile.builder import profile_frame
from treadle.stages.validation.schema.validate import validate, validate_rows

FLOATS = [f"f{i}" for i in range(12)]
INTS = [f"i{i}" for i in range(4)]
TEXTS = [f"c{i}" for i in range(4)]
VALUES = tuple(f"cat{i}" for i in range(50))


def make(rows: int) -> pl.DataFrame:
    """The second of two months: some numbers have moved, and one category of each text is more frequent."""
    rng = np.random.default_rng(2)
    names = np.array(VALUES)
    columns: dict[str, object] = {
        name: rng.normal(0.3 if place < 3 else 0.0, 1, rows) for place, name in enumerate(FLOATS)
    }
    columns |= {name: rng.integers(0, 1_000, rows) for name in INTS}
    for name, count in zip(TEXTS, (3, 10, 20, 50), strict=True):
        weights = np.ones(count)
        weights[0] += 0.3 * count
        columns[name] = names[rng.choice(count, rows, p=weights / weights.sum())]
    return pl.DataFrame(columns)


def schema() -> DatasetSchema:
    columns = {name: ColumnSchema(type="float", min_fraction=1.0, min=-10.0, max=10.0) for name in FLOATS}
    columns |= {name: ColumnSchema(type="int", min_fraction=1.0, min=0, max=999) for name in INTS}
    columns |= {name: ColumnSchema(type="string", min_fraction=1.0, values=VALUES) for name in TEXTS}
    return DatasetSchema(name="bench", columns=columns)


def floor(rows: pl.DataFrame) -> None:
    answers = (
        rows.lazy()
        .select(
            [pl.col(name).is_between(-10, 999).all() for name in FLOATS + INTS]
            + [pl.col(name).is_in(list(VALUES)).all() for name in TEXTS]
            + [pl.col(name).null_count().alias(f"{name} nulls") for name in FLOATS + INTS + TEXTS]
        )
        .collect()
    )
    assert all(answers.row(0)[:20])


def timed(work, *args) -> float:
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    rows = pl.read_parquet(given.folder / f"cur_{given.rows}.parquet") if given.folder else make(given.rows)
    expected = schema()
    assert not validate_rows(rows, expected).anomalies
    floors, ours = [], []
    for _ in range(9):
        floors.append(timed(floor, rows))
        ours.append(timed(validate_rows, rows, expected))
    best, mine = min(floors), min(ours)
    print(f"floor (Polars by hand)      {best * 1e3:8.1f} ms")
    print(f"validate_rows               {mine * 1e3:8.1f} ms   {mine / best:.2f} × floor")
    off = rows.with_columns(pl.col("f0") * 1_000, pl.col("c0").str.replace("cat7", "dog"))
    print(
        f"validate_rows, two broken   {min(timed(validate_rows, off, expected) for _ in range(5)) * 1e3:8.1f} ms"
    )
    profile = profile_frame(rows, "bench")
    took = min(timed(validate, profile, expected) for _ in range(9))
    print(f"validate (from a profile)   {took * 1e3:8.2f} ms")
    print(f"peak memory                 {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f} MiB")


if __name__ == "__main__":
    main()
