"""Partitions depend on the key's value alone; rows are read once, spilled, answered, and put back in order."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.features.facts import NOON, PLAIN, SHOP, stored
from treadle.adapters.executor import LocalProcesses
from treadle.define.aggregates import count, mean
from treadle.define.row_features import row_feature
from treadle.define.views import FeatureView, WindowView, column
from treadle.ports.executor import TaskFailed
from treadle.records.errors import InvalidInput
from treadle.records.instants import HOUR
from treadle.stages.features import partitioned
from treadle.stages.features.carried import as_json, from_json, look_up
from treadle.stages.features.partition import MOST, merge, partition_of, places_of, split
from treadle.stages.features.partitioned import Partitioning, lookup_in_parts, row_bytes

VIEW = FeatureView("now", entity=SHOP, source=PLAIN, features=["v"])


@row_feature
def large(v):
    return v > 1.0


WINDOW = WindowView(
    "recent",
    entity=SHOP,
    source=PLAIN,
    features=[mean("v", over="3h"), count(over="1d", where=large)],
    accuracy="tile",
)


def table(rows=200):
    return stored(PLAIN, *({"shop": f"{n % 17}", "v": n % 5, "t": n % 23} for n in range(rows)))


def questions(rows=60):
    spine = pl.DataFrame({"shop": [f"{n % 19}" for n in range(rows)]})
    return spine, np.array([NOON + n % 29 * HOUR for n in range(rows)])


def test_a_key_has_the_same_partition_in_every_process_and_version():
    """Numbers written down once: they may never change while spilled rows and logs are compared."""
    rows = pl.DataFrame({"text": ["", "a", "é", None], "number": [0, 1, -1, None]})
    assert partition_of(rows, ["text"], 1_000).tolist() == TEXTS
    assert partition_of(rows, ["number"], 1_000).tolist() == NUMBERS
    assert partition_of(rows, ["text", "number"], 1_000).tolist() == BOTH


TEXTS = [535, 774, 104, 535]
NUMBERS = [535, 465, 936, 440]
BOTH = [55, 211, 298, 242]


def test_the_width_of_a_number_and_the_encoding_of_a_text_do_not_matter():
    wide = pl.DataFrame({"n": pl.Series([5, -7], dtype=pl.Int64), "s": ["x", "yy"]})
    narrow = wide.with_columns(pl.col("n").cast(pl.Int8), pl.col("s").cast(pl.Categorical))
    assert partition_of(wide, ["n", "s"], 97).tolist() == partition_of(narrow, ["n", "s"], 97).tolist()


def test_keys_spread_evenly():
    for keys in (pl.Series("k", range(40_000)), pl.Series("k", [f"user {n}" for n in range(40_000)])):
        sizes = np.bincount(partition_of(pl.DataFrame([keys]), ["k"], 8))
        assert sizes.min() > 4_700
        assert sizes.max() < 5_300


def test_split_and_merge_give_back_what_there_was():
    rows = pl.DataFrame({"n": range(100)})
    parts = partition_of(rows, ["n"], 7)
    places = dict(places_of(parts))
    pieces = [(places[part], piece) for part, piece in split(rows, parts)]
    assert len(pieces) == 7
    assert merge(pieces, 100).equals(rows)
    assert merge([*reversed(pieces)], 100).equals(rows)


def test_what_no_key_is_made_of_and_too_many_partitions_are_refused():
    with pytest.raises(InvalidInput, match="holds Float64"):
        partition_of(pl.DataFrame({"k": [1.5]}), ["k"], 2)
    for parts in (0, MOST + 1):
        with pytest.raises(InvalidInput, match="cannot be made"):
            partition_of(pl.DataFrame({"k": [1]}), ["k"], parts)


@pytest.mark.parametrize(
    "view",
    [
        VIEW,
        FeatureView(
            "now", entity=SHOP, source=PLAIN, features=[column("v", name="w", fill="last_non_null")], ttl="1h"
        ),
        WINDOW,
    ],
)
def test_a_view_that_travelled_answers_alike(view):
    carried = from_json(as_json(view))
    assert (carried.name, carried.entity.keys, carried.features) == (
        view.name,
        view.entity.keys,
        view.features,
    )
    spine, at = questions()
    assert look_up(carried, table(), spine, at).equals(look_up(view, table(), spine, at))


@pytest.mark.parametrize("view", [VIEW, WINDOW])
def test_a_bound_on_memory_makes_partitions_and_leaves_nothing_behind(view, tmp_path, monkeypatch):
    monkeypatch.setattr(partitioned, "_BATCH", 50)  # several batches, each spilled by itself
    rows, (spine, at) = table(), questions()
    how = Partitioning(memory=8_000, scratch=tmp_path)
    parts = how.parts_of(rows.lazy())
    assert parts == -(-4 * 200 * row_bytes(rows.schema) // 8_000)
    found = lookup_in_parts(view, rows.lazy(), spine, at, parts, how)
    assert found.equals(look_up(view, rows, spine, at))
    assert list(tmp_path.iterdir()) == []
    assert Partitioning(memory=1 << 30).parts_of(rows.lazy()) == 1


def test_processes_on_this_machine_answer_alike():
    rows, (spine, at) = table(), questions()
    with LocalProcesses(2) as executor:
        how = Partitioning(parts=5, executor=executor, at_once=3)
        for view in (VIEW, WINDOW):
            found = lookup_in_parts(view, rows.lazy(), spine, at, how.parts, how)
            assert found.equals(look_up(view, rows, spine, at))


def test_a_partition_that_fails_is_told_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(partitioned, "RUN_PART", "treadle.testing.tasks:fail_helpfully")
    rows, (spine, at) = table(), questions()
    with LocalProcesses(1) as executor:
        how = Partitioning(parts=4, executor=executor, at_once=3, scratch=tmp_path)
        with pytest.raises(TaskFailed, match="'now part 0' failed: InvalidInput: wrong"):
            lookup_in_parts(VIEW, rows.lazy(), spine, at, 4, how)
    assert list(tmp_path.iterdir()) == []
