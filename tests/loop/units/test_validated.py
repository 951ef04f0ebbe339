"""Data at the door and in a pipeline: broken ones stop, changed ones are told, and what was found is recorded."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from tests.loop.units.shops import START, make_store, make_world, plain_rows, stored_rows, with_project
from treadle.define.schema_reader import parse_schema
from treadle.loop.batch_check import BatchCheck
from treadle.loop.stopwatch import RunClock
from treadle.loop.stored import ingest, load_store
from treadle.loop.training import TrainingOperations
from treadle.loop.validation import CHANGED, REFUSED
from treadle.records.anomalies import Validation
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import DAY
from treadle.records.runs import RunStatus
from treadle.stages.pipelines.artifacts import decode
from treadle.stages.pipelines.recorder import RunRecorder

UNTIL = START + 20 * DAY
RETURNS = """
name = "returns"
[rows]
min = 100
new_columns = true
[[rules]]
name = "worth"
rule = "amount < 90 or number >= 0"
[[keys]]
columns = ["number"]
[[references]]
columns = ["shop"]
dataset = "visits"
to = ["shop"]
[columns.number]
type = "int"
[columns.shop]
type = "string"
values = ["a", "b", "c"]
[columns.amount]
type = "float"
min = 0.0
max = 100.0
drift = 0.2
[columns.label]
type = "float"
not_in_environments = ["serving"]
min = 0.0
max = 1.0
"""
VISITS = """
name = "visits"
[rows]
min_ratio = 0.5
[columns.shop]
type = "string"
[columns.wait]
type = "float"
min = 0.0
max = 60.0
drift = 0.2
[columns.came_at]
type = "time"
[columns.noted_at]
type = "time"
"""


@pytest.fixture
def shop(tmp_path):
    """A home whose project has both schemas."""
    schemas = [parse_schema(text).schema for text in (RETURNS, VISITS)]
    world = with_project(make_world(tmp_path), schemas=schemas)
    yield world
    world.predictions.close()


def begin(world, store, key, at=START):
    with world.metadata.begin() as unit:
        run = unit.runs.create_run(at, key=key, pipeline="train_returns")
    return TrainingOperations(world, store, RunRecorder(run, world.metadata, world.blobs, RunClock(at)), at)


def end(world, operations, at=START):
    with world.metadata.begin() as unit:
        unit.runs.set_status(operations._recorder.run.run_id, RunStatus.FINISHED, at, ended=at)


def found(world, operations):
    """The newest verdict that a run has recorded."""
    with world.metadata.read() as view:
        run = view.runs.get_run(operations._recorder.run.run_id)
        step = view.runs.steps(run.run_id)[-1]
    assert (step.name, step.status) == ("validated", RunStatus.FINISHED)
    return Validation.from_json(decode(world.blobs.get(step.outputs["value"]))), run.tags


def events(world, kind):
    with world.metadata.read() as view:
        return view.journal.read(kinds=[kind])


class TestInAPipeline:
    def test_a_frame_that_keeps_its_schema_passes_and_the_run_says_so(self, shop):
        store = make_store(shop)
        operations = begin(shop, store, "first")
        frame = operations.training_set("returns", UNTIL, None)
        assert operations.validated(frame, "returns", "training") is frame
        validation, tags = found(shop, operations)
        assert [one.kind for one in validation.anomalies] == ["comparison_missing"]
        assert validation.rows == len(frame)
        assert tags["validation.returns"] == "kept: 1 info"

    def test_broken_data_stop_it_with_every_anomaly_and_the_run_keeps_them(self, shop):
        store = make_store(shop)
        operations = begin(shop, store, "first")
        frame = operations.training_set("returns", UNTIL, None)
        rows = frame.rows.with_columns(pl.col("amount") * 10, number=pl.lit(-1, pl.Int64))
        with pytest.raises(InvalidInput) as stopped:
            operations.validated(replace(frame, rows=rows), "returns", "training")
        validation, tags = found(shop, operations)
        assert [fault.split(":")[0] for fault in stopped.value.faults] == [
            "above_max",
            "key_repeated",
            "rule_broken",
        ]
        assert [one.kind for one in validation.stops] == ["above_max", "key_repeated", "rule_broken"]
        assert tags["validation.returns"] == "broken: 3 stop, 1 info"
        assert not events(shop, CHANGED)

    def test_the_same_frame_again_is_answered_from_the_record(self, shop):
        store = make_store(shop)
        for key in ("first", "second"):
            operations = begin(shop, store, key)
            operations.validated(operations.training_set("returns", UNTIL, None), "returns", "training")
        with shop.metadata.read() as view:
            steps = view.runs.steps(operations._recorder.run.run_id)
        assert steps[-1].cached_from is not None

    def test_values_that_changed_since_the_last_finished_run_are_an_event_and_stop_nothing(self, shop):
        store = make_store(shop)
        first = begin(shop, store, "first")
        frame = first.training_set("returns", UNTIL, None)
        first.validated(frame, "returns", "training")
        end(shop, first)
        unlike = replace(frame, rows=frame.rows.with_columns(pl.col("amount") * 0.75))
        for _ in range(2):  # gone on with after a crash, it tells it once
            second = begin(shop, store, "second", at=START + DAY)
            second.training_set("returns", UNTIL, None)
            second.validated(unlike, "returns", "training")
        validation, _ = found(shop, second)
        assert (validation.changed, validation.broken) == (True, False)
        (event,) = events(shop, CHANGED)
        assert event.subject == "returns"
        assert [one["kind"] for one in event.data["anomalies"]] == ["distribution_changed"]

    def test_an_unknown_schema_is_named_with_its_neighbours(self, shop):
        operations = begin(shop, make_store(shop), "first")
        frame = operations.training_set("returns", UNTIL, None)
        with pytest.raises(NotFound) as refused:
            operations.validated(frame, "return", "training")
        assert "'returns'" in str(refused.value.fix)


class TestAtTheDoor:
    def test_what_is_kept_leaves_its_profile_for_the_next(self, shop):
        rows, manifests = stored_rows(shop.project), make_store(shop).manifests
        check = BatchCheck(shop, START)
        assert not check(rows)
        check.settle(manifests)
        again = BatchCheck(shop, START + DAY)
        assert not again(rows)
        assert [one.kind for one in again.validations["visits"].anomalies] == []

    def test_broken_rows_are_refused_with_every_anomaly_and_the_journal_notes_it(self, shop):
        visits = plain_rows()["visits"].with_columns(pl.col("wait") * -1, shop=pl.lit(3))
        faults = BatchCheck(shop, START)(stored_rows(shop.project, visits=visits))
        assert [fault.split(":")[1].strip() for fault in faults] == ["type_changed", "below_min"]
        (event,) = events(shop, REFUSED)
        assert (event.subject, event.data["broken"]) == ("visits", True)

    def test_changed_rows_are_taken_and_told_once(self, shop):
        rows, manifests = stored_rows(shop.project), make_store(shop).manifests
        check = BatchCheck(shop, START)
        check(rows)
        check.settle(manifests)
        busier = {"visits": rows["visits"].with_columns(pl.col("wait") * 0.4 + 20)}
        for _ in range(2):
            check = BatchCheck(shop, START + DAY)
            assert not check(busier)
        check.settle(manifests)
        check.settle(manifests)
        (event,) = events(shop, CHANGED)
        assert [one["kind"] for one in event.data["anomalies"]] == ["distribution_changed"]

    def test_far_fewer_rows_than_before_are_refused(self, shop):
        rows, manifests = stored_rows(shop.project), make_store(shop).manifests
        check = BatchCheck(shop, START)
        check(rows)
        check.settle(manifests)
        (fault,) = BatchCheck(shop, START)({"visits": rows["visits"].head(100)})
        assert fault.startswith("visits: rows_fell")

    def test_a_broken_batch_is_refused_whole_and_the_old_rows_stay(self, shop, tmp_path):
        folder = tmp_path / "data"
        folder.mkdir()
        for name, rows in plain_rows().items():
            rows.write_parquet(folder / f"{name}.parquet")
        before = ingest(shop, folder, START)
        plain_rows()["orders"].with_columns(pl.col("amount") + 1).write_parquet(folder / "orders.parquet")
        plain_rows()["visits"].with_columns(pl.col("wait") * -1).write_parquet(folder / "visits.parquet")
        with pytest.raises(InvalidInput) as refused:
            ingest(shop, folder, START + DAY)
        assert [fault.split(":")[1].strip() for fault in refused.value.faults] == [
            "below_min",
            "unit_changed",
        ]
        assert "with the sign turned" in refused.value.faults[1]
        after = load_store(shop)
        assert all(after.rows[name].equals(before.rows[name]) for name in before.rows)
        plain_rows()["visits"].write_parquet(folder / "visits.parquet")
        taken = ingest(shop, folder, START + DAY).rows["orders"]
        assert not taken.equals(before.rows["orders"])

    def test_sources_without_a_schema_are_let_in(self, shop):
        assert not BatchCheck(shop, START)({"orders": pl.DataFrame({"anything": [1]})})
