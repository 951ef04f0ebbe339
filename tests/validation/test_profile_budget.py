"""What a profile may cost: time beside one NumPy pass on the same frames, and memory that does not grow with the rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from benchmarks.profiles import FLAT, TARGET, measure_memory, measure_time, spread
from treadle.records.profiles import MOST_BYTES
from treadle.stages.validation.profile.builder import ProfileBuilder


def test_what_a_builder_holds_does_not_grow_with_the_rows() -> None:
    r = np.random.default_rng(0)
    builder, sizes = ProfileBuilder("rows"), []
    for _ in range(8):
        codes = r.integers(0, 10**9, 50_000)
        builder.add(
            pl.DataFrame({"x": r.normal(size=50_000), "code": codes, "key": [f"k{c}" for c in codes]})
        )
        sizes.append(len(builder.build().to_bytes()))
    assert max(sizes[4:]) < 1.3 * max(sizes[:4])
    assert max(sizes) < 3 * MOST_BYTES


@pytest.mark.bench
def test_a_drift_report_takes_little_more_than_one_pass() -> None:
    found = measure_time(1_000_000, 5)
    assert found["cpu"]["report"] <= TARGET * found["cpu"]["floor"]
    assert found["wall"]["report"] <= TARGET * found["wall"]["floor"]
    assert found["largest_column"] <= MOST_BYTES


@pytest.mark.bench
def test_memory_is_flat_from_a_hundred_thousand_rows_on() -> None:
    assert spread(measure_memory(10_000_000)) <= FLAT
