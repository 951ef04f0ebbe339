"""Differences between versions are those that a comparison row by row finds, whatever the parts."""

import time
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.errors import InvalidInput, NotFound
from treadle.stages.data.differences import key_difference, schema_difference

VALUES = st.sampled_from([None, float("nan"), 0.0, 1.5])
ROWS = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "c", "d"]), st.integers(0, 2), VALUES, VALUES), max_size=12
)


def frame(rows):
    schema = {"item": pl.String, "shop": pl.Int64, "price": pl.Float64, "cost": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def plain(value):
    return "nan" if isinstance(value, float) and value != value else value


def by_hand(old, new):
    """The same counts, from dictionaries of lists."""

    def grouped(rows):
        found = {}
        for item, shop, *values in rows:
            found.setdefault((item, shop), []).append(tuple(map(plain, values)))
        return found

    before, now = grouped(old), grouped(new)
    shared = [key for key in before if key in now and len(before[key]) == len(now[key]) == 1]
    return {
        "added": len(now.keys() - before.keys()),
        "removed": len(before.keys() - now.keys()),
        "changed": sum(before[key] != now[key] for key in shared),
        "same": sum(before[key] == now[key] for key in shared),
        "repeated_before": sum(len(rows) for rows in before.values() if len(rows) > 1),
        "repeated_now": sum(len(rows) for rows in now.values() if len(rows) > 1),
    }


@settings(max_examples=60, deadline=None)
@given(ROWS, ROWS, st.integers(1, 30))
def test_counts_are_those_found_by_hand_whatever_the_parts(old, new, part):
    found = key_difference(
        frame(old).lazy(), frame(new).lazy(), ["item", "shop"], rows=len(old) + len(new), part=part
    )
    assert {name: getattr(found, name) for name in by_hand(old, new)} == by_hand(old, new)


def test_examples_name_keys_and_both_values():
    old = pl.DataFrame({"k": [1, 2, 3], "v": ["a", "b", None], "w": [1, 1, 1]})
    new = pl.DataFrame({"k": [2, 3, 4], "v": ["b", "c", "d"], "w": [1, 2, 1]})
    found = key_difference(old.lazy(), new.lazy(), ["k"], rows=6)
    assert found.added_examples == ({"k": 4},)
    assert found.removed_examples == ({"k": 1},)
    assert found.changed_examples == ({"k": 3, "v": "null → c", "w": "1 → 2"},)
    assert found.changed_columns == {"v": 1, "w": 1}


def test_columns_that_came_went_or_changed_their_type_are_told_and_not_compared():
    old = pl.DataFrame({"k": [1], "gone": [1], "kind": [1]})
    new = pl.DataFrame({"k": [1], "new": [datetime(2025, 1, 1, tzinfo=UTC)], "kind": ["1"]})
    found = schema_difference(old.schema, new.schema)
    assert (set(found.added), set(found.removed)) == ({"new"}, {"gone"})
    assert found.retyped == {"kind": ("Int64", "String")}
    assert not found.same
    assert key_difference(old.lazy(), new.lazy(), ["k"], rows=2).same == 1
    with pytest.raises(NotFound):
        key_difference(old.lazy(), new.lazy(), ["gone"], rows=2)
    with pytest.raises(InvalidInput):
        key_difference(old.lazy(), new.lazy(), ["kind"], rows=2)


@pytest.mark.bench
def test_a_million_rows_are_compared_in_seconds():
    rows = 1_000_000
    random = np.random.default_rng(0)
    old = pl.DataFrame({"k": np.arange(rows), **{f"c{n}": random.normal(size=rows) for n in range(10)}})
    new = old.slice(1_000).with_columns(c3=pl.when(pl.col("k") % 1000 == 0).then(0.5).otherwise("c3"))
    started = time.perf_counter()
    found = key_difference(old.lazy(), new.lazy(), ["k"], rows=2 * rows)
    taken = time.perf_counter() - started
    floor = time.perf_counter()
    old.join(new, on="k", how="full")
    floor = time.perf_counter() - floor
    assert (found.removed, found.added, found.changed) == (1_000, 0, 999)
    assert taken < 15 * floor, f"1M rows: {taken:.2f} s, a plain full join {floor:.2f} s"
