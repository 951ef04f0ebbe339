"""The contract of runs: experiments, parameters, metrics, tags, steps, search."""

from __future__ import annotations

import math
import random

import pytest

from treadle.ports.metadata import Metadata, Unit
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.records.runs import (
    DEFAULT_EXPERIMENT,
    DatasetInput,
    Lifecycle,
    Metric,
    ModelOutput,
    Run,
    RunFilter,
    RunStatus,
    StepRef,
    StepRun,
)
from treadle.testing.metadata import AT, DIGEST, OTHER

NAN = float("nan")
INF = float("inf")


def _latest(metadata: Metadata, points: list[Metric], batches: int) -> tuple[Metric, tuple[Metric, ...]]:
    """Log the points in so many batches and return the latest and the history."""
    with metadata.begin() as unit:
        run_id = unit.runs.create_run(AT).run_id
    for start in range(batches):
        with metadata.begin() as unit:
            unit.runs.log_batch(run_id, AT, metrics=points[start::batches])
    with metadata.read() as view:
        return view.runs.get_run(run_id).metrics["m"], view.runs.metric_history(run_id, "m")


class RunsContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_run_comes_back_whole(self, metadata: Metadata) -> None:
        dataset = DatasetInput(
            name="flights",
            digest="1f",
            context="train",
            source_type="delta",
            source="{}",
            schema="{}",
            profile="{}",
            tags={"a": "b"},
        )
        with metadata.begin() as unit:
            made = unit.runs.create_run(
                AT,
                run_id="run",
                name="april",
                started=AT - 5,
                user="ann",
                pipeline="train_delay",
                pipeline_version=DIGEST,
                code_commit="c0ffee",
                environment=OTHER,
                params={"rate": "0.1"},
                tags={"why": "drift"},
            )
            assert made.status is RunStatus.RUNNING
            unit.runs.log_batch("run", AT, metrics=[Metric("auc", 0.7, 3, 1)], params={"leaves": "31"})
            unit.runs.log_batch("run", AT, tags={"why": "schedule", "é": "✓"})
            unit.runs.log_inputs("run", [dataset], AT)
            unit.runs.log_outputs("run", [ModelOutput("m-1", 2)], AT)
            unit.runs.set_status("run", RunStatus.FINISHED, AT + 7)
        with metadata.read() as view:
            assert view.runs.get_run("run") == Run(
                run_id="run",
                name="april",
                status=RunStatus.FINISHED,
                started=AT - 5,
                ended=AT + 7,
                user="ann",
                pipeline="train_delay",
                pipeline_version=DIGEST,
                code_commit="c0ffee",
                environment=OTHER,
                params={"rate": "0.1", "leaves": "31"},
                metrics={"auc": Metric("auc", 0.7, 3, 1)},
                tags={"why": "schedule", "é": "✓"},
                datasets=(dataset,),
                models=(ModelOutput("m-1", 2),),
            )

    def test_default_experiment_always_exists(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            assert unit.runs.get_experiment(DEFAULT_EXPERIMENT).name == "Default"
            with pytest.raises(Conflict):
                unit.runs.delete_experiment(DEFAULT_EXPERIMENT, AT)

    def test_experiments_are_numbered_and_named_once(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            first = unit.runs.create_experiment("one", AT, tags={"a": "b"})
            second = unit.runs.create_experiment("two", AT)
            assert [first.experiment_id, second.experiment_id] == ["1", "2"]
            unit.runs.set_experiment_tag("1", "a", "c", AT)
            assert unit.runs.get_experiment("1").tags == {"a": "c"}
            unit.runs.delete_experiment("2", AT)
            for name in ("one", "two"):
                with pytest.raises(Conflict):
                    unit.runs.create_experiment(name, AT)
            assert [found.name for found in unit.runs.experiments()] == ["Default", "one"]
            assert [found.name for found in unit.runs.experiments(None)] == ["Default", "one", "two"]
            gone = unit.runs.find_experiment("two")
            assert gone is not None
            assert gone.lifecycle is Lifecycle.DELETED
            assert unit.runs.find_experiment("three") is None
            with pytest.raises(InvalidInput):
                unit.runs.create_experiment(" ", AT)
            with pytest.raises(Conflict):
                unit.runs.create_run(AT, experiment_id="2")

    def test_deleting_an_experiment_hides_its_runs_and_restoring_shows_those_again(
        self, metadata: Metadata
    ) -> None:
        with metadata.begin() as unit:
            unit.runs.create_experiment("one", AT)
            unit.runs.create_run(AT, run_id="kept", experiment_id="1")
            unit.runs.create_run(AT, run_id="deleted before", experiment_id="1")
            unit.runs.delete_run("deleted before", AT)
            unit.runs.delete_experiment("1", AT)
            assert unit.runs.get_run("kept").lifecycle is Lifecycle.DELETED
            unit.runs.restore_experiment("1", AT)
            assert unit.runs.get_run("kept").lifecycle is Lifecycle.ACTIVE
            assert unit.runs.get_run("deleted before").lifecycle is Lifecycle.DELETED

    def test_deleted_run_can_be_read_and_restored_but_not_changed(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run", tags={"t": "x"})
            unit.runs.delete_run("run", AT)
            end = unit.journal.end()
            unit.runs.delete_run("run", AT)
            for call in (
                lambda: unit.runs.log_batch("run", AT, tags={"a": "b"}),
                lambda: unit.runs.set_status("run", RunStatus.FINISHED, AT),
                lambda: unit.runs.rename_run("run", "x", AT),
                lambda: unit.runs.delete_tag("run", "t", AT),
                lambda: unit.runs.log_inputs("run", [DatasetInput(name="d", digest="1")], AT),
                lambda: unit.runs.log_outputs("run", [ModelOutput("m")], AT),
                lambda: unit.runs.start_step("run", 0, "fit", DIGEST, AT),
            ):
                with pytest.raises(Conflict):
                    call()
            assert unit.journal.end() == end
            assert unit.runs.search_runs().items == ()
            unit.runs.restore_run("run", AT)
            assert unit.runs.get_run("run").tags == {"t": "x"}

    def test_unknown_run_is_not_found(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for call in (
                lambda: unit.runs.get_run("x"),
                lambda: unit.runs.log_batch("x", AT, tags={"a": "b"}),
                lambda: unit.runs.metric_history("x", "m"),
                lambda: unit.runs.set_status("x", RunStatus.FAILED, AT),
                lambda: unit.runs.delete_run("x", AT),
                lambda: unit.runs.get_experiment("99"),
                lambda: unit.runs.get_experiment("x"),
                lambda: unit.runs.get_experiment("9" * 30),
            ):
                with pytest.raises(NotFound):
                    call()

    def test_terminal_status_never_changes(self, metadata: Metadata) -> None:
        for status in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED):
            with metadata.begin() as unit:
                run_id = unit.runs.create_run(AT, status=RunStatus.SCHEDULED).run_id
                unit.runs.set_status(run_id, RunStatus.RUNNING, AT)
                ended = unit.runs.set_status(run_id, status, AT + 1)
                end = unit.journal.end()
                assert unit.runs.set_status(run_id, status, AT + 2) == ended
                for other in RunStatus:
                    if other is not status:
                        with pytest.raises(Conflict):
                            unit.runs.set_status(run_id, other, AT + 3)
                assert unit.runs.get_run(run_id) == ended
                assert unit.journal.end() == end

    def test_run_id_and_status_are_checked_at_birth(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run")
            with pytest.raises(Conflict):
                unit.runs.create_run(AT, run_id="run")
            with pytest.raises(Conflict):
                unit.runs.create_run(AT, status=RunStatus.FINISHED)
            with pytest.raises(NotFound):
                unit.runs.create_run(AT, experiment_id="7")

    def test_parameters_are_written_once(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run", params={"a": "1", "b": "2"})
            unit.runs.log_batch("run", AT, params={"a": "1"})
            with pytest.raises(Conflict) as error:
                unit.runs.log_batch(
                    "run",
                    AT,
                    params={"a": "3", "b": "4", "c": "5"},
                    metrics=[Metric("m", 1.0, 0)],
                    tags={"t": "u"},
                )
            assert len(error.value.faults) == 2
            run = unit.runs.get_run("run")
        assert (run.params, run.metrics, run.tags) == ({"a": "1", "b": "2"}, {}, {})

    def test_bad_batch_is_refused_with_all_its_faults(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run")
            with pytest.raises(InvalidInput) as error:
                unit.runs.log_batch(
                    "run",
                    AT,
                    metrics=[Metric("../up", 1.0, 0), Metric("fine/with dots.and-dashes", 1.0, 0)],
                    params={"": "x", "a" * 251: "x", "long": "x" * 6_001},
                    tags={"a//b": "x", "semi;colon": "x", "long": "x" * 8_001},
                )
            assert len(error.value.faults) == 7
            assert unit.runs.get_run("run").metrics == {}

    def test_latest_metric_is_the_greatest_by_step_then_time_then_value(self, metadata: Metadata) -> None:
        points = [
            Metric("m", value, time, step)
            for value in (-1.0, 0.5, 2.0)
            for time in (5, 9)
            for step in (-1, 0, 3)
        ]
        for seed, batches in ((1, 1), (2, 3), (3, 18)):
            random.Random(seed).shuffle(points)
            latest, history = _latest(metadata, points, batches)
            assert latest == Metric("m", 2.0, 9, 3)
            assert [(point.step, point.timestamp, point.value) for point in history] == sorted(
                (point.step, point.timestamp, point.value) for point in points
            )

    def test_metric_history_is_a_set(self, metadata: Metadata) -> None:
        once = Metric("m", 1.0, 1, 1)
        latest, history = _latest(metadata, [once, once, once], batches=2)
        assert latest == once
        assert history == (once,)

    def test_metrics_may_be_nan_and_infinite(self, metadata: Metadata) -> None:
        values = [NAN, INF, -INF, 0.0, 5e-324, 1.7976931348623157e308]
        latest, history = _latest(
            metadata, [Metric("m", value, 0, step) for step, value in enumerate(values)], 2
        )
        assert latest.value == values[-1]
        assert [repr(point.value) for point in history] == [repr(value) for value in values]
        latest, history = _latest(
            metadata, [Metric("m", NAN, 0, 1), Metric("m", NAN, 0, 1), Metric("m", 9.0, 0, 0)], 1
        )
        assert math.isnan(latest.value)
        assert len(history) == 2

    def test_nan_counts_as_zero_whatever_the_order(self, metadata: Metadata) -> None:
        for points in (
            [Metric("m", NAN, 0), Metric("m", 1.0, 0)],
            [Metric("m", 1.0, 0), Metric("m", NAN, 0)],
        ):
            assert _latest(metadata, points, 2)[0].value == 1.0
        for points in (
            [Metric("m", NAN, 0), Metric("m", -1.0, 0)],
            [Metric("m", -1.0, 0), Metric("m", NAN, 0)],
        ):
            assert math.isnan(_latest(metadata, points, 2)[0].value)

    def test_finished_run_still_takes_metrics(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run")
            unit.runs.set_status("run", RunStatus.FINISHED, AT)
            unit.runs.log_batch("run", AT, metrics=[Metric("test_auc", 0.7, 0)])
            assert unit.runs.get_run("run").metrics["test_auc"].value == 0.7

    def test_tag_can_be_removed_once(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run", tags={"a": "b"})
            unit.runs.delete_tag("run", "a", AT)
            assert unit.runs.get_run("run").tags == {}
            with pytest.raises(NotFound):
                unit.runs.delete_tag("run", "a", AT)

    def test_dataset_read_twice_for_the_same_is_one_input(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_run(AT, run_id="run")
            for context, schema in (("train", "old"), ("train", "new"), ("test", "new")):
                unit.runs.log_inputs(
                    "run", [DatasetInput(name="d", digest="1", context=context, schema=schema)], AT
                )
            unit.runs.log_outputs("run", [ModelOutput("m"), ModelOutput("m", 1)], AT)
            unit.runs.log_outputs("run", [ModelOutput("m")], AT)
            run = unit.runs.get_run("run")
        assert [(found.context, found.schema) for found in run.datasets] == [
            ("test", "new"),
            ("train", "new"),
        ]
        assert run.models == (ModelOutput("m"), ModelOutput("m", 1))

    def test_pages_cover_every_run_once_in_order(self, metadata: Metadata) -> None:
        starts = [AT + n // 3 for n in range(11)]
        random.Random(4).shuffle(starts)
        with metadata.begin() as unit:
            for number, start in enumerate(starts):
                unit.runs.create_run(start, run_id=f"run {number:02}", tags={"n": str(number)})
        ids = [f"run {number:02}" for number in range(11)]
        for newest_first in (True, False):
            seen: list[Run] = []
            after = None
            while True:
                with metadata.begin() as unit:
                    page = unit.runs.search_runs(limit=4, after=after, newest_first=newest_first)
                    # A run that starts before where the listing began must not shift the later pages.
                    edge = AT + 100 if newest_first else AT - 100
                    unit.runs.create_run(edge)
                seen += [run for run in page.items if run.run_id in ids]
                after = page.after
                if after is None:
                    break
            sign = -1 if newest_first else 1
            expected = sorted(ids, key=lambda run_id: (sign * starts[int(run_id[4:])], run_id))
            assert [run.run_id for run in seen] == expected
            assert all(run.tags == {"n": str(int(run.run_id[4:]))} for run in seen)

    def test_exactly_full_page_is_the_last(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for _ in range(3):
                unit.runs.create_run(AT)
            assert unit.runs.search_runs(limit=3).after is None
            assert unit.runs.search_runs(limit=2).after is not None

    def test_conditions_of_a_search_must_all_hold(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.runs.create_experiment("one", AT)
            unit.runs.create_run(AT, run_id="a", pipeline="train", name="x", tags={"k": "1", "l": "2"})
            unit.runs.create_run(
                AT, run_id="b", pipeline="train", name="y", tags={"k": "1"}, experiment_id="1"
            )
            unit.runs.create_run(AT, run_id="c", pipeline="score", name="x", tags={"l": "1"})
            unit.runs.create_run(AT, run_id="d")
            unit.runs.set_status("c", RunStatus.FAILED, AT)
            unit.runs.delete_run("d", AT)

            def found(where: RunFilter) -> list[str]:
                return [run.run_id for run in unit.runs.search_runs(where).items]

            assert found(RunFilter()) == ["a", "b", "c"]
            assert found(RunFilter(lifecycle=None)) == ["a", "b", "c", "d"]
            assert found(RunFilter(lifecycle=Lifecycle.DELETED)) == ["d"]
            assert found(RunFilter(experiments=("1", "nonsense"))) == ["b"]
            assert found(RunFilter(statuses=(RunStatus.FAILED, RunStatus.KILLED))) == ["c"]
            assert found(RunFilter(pipeline="train")) == ["a", "b"]
            assert found(RunFilter(pipeline="train", name="x")) == ["a"]
            assert found(RunFilter(tags={"k": "1"})) == ["a", "b"]
            assert found(RunFilter(tags={"k": "1", "l": "2"})) == ["a"]
            assert found(RunFilter(name="' OR 1=1 --")) == []

    @pytest.mark.parametrize("token", ["", "x", "1", "x:y", ":", f"{'9' * 30}:run"])
    def test_malformed_page_token_or_limit_is_refused(self, metadata: Metadata, token: str) -> None:
        with metadata.begin() as unit:
            with pytest.raises(InvalidInput):
                unit.runs.search_runs(after=token)
            for limit in (0, -1, 50_001):
                with pytest.raises(InvalidInput):
                    unit.runs.search_runs(limit=limit)

    def test_step_comes_back_whole(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _run_with_step(unit)
            done = unit.runs.finish_step("run", 0, 1, AT + 9, outputs={"model": OTHER})
        assert done == StepRun(
            run_id="run",
            index=0,
            name="fit",
            version=DIGEST,
            cache_key=OTHER,
            status=RunStatus.FINISHED,
            started=AT,
            ended=AT + 9,
            executor="local",
            params={"rate": 0.1, "names": ["a"]},
            inputs={"train": DIGEST},
            outputs={"model": OTHER},
        )
        with metadata.read() as view:
            assert view.runs.steps("run") == (done,)
            assert view.runs.steps("other") == ()
            kinds = [event.kind for event in view.journal.read(subject="run/0")]
        assert kinds == ["step.started", "step.finished"]

    def test_step_started_again_fences_the_attempt_before(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _run_with_step(unit)
            again = unit.runs.start_step("run", 0, "fit", DIGEST, AT + 5)
            assert again.attempt == 2
            with pytest.raises(Conflict):
                unit.runs.finish_step("run", 0, 1, AT + 6, outputs={"model": "late"})
            done = unit.runs.finish_step("run", 0, 2, AT + 7)
            abandoned, newest = unit.runs.steps("run", all_attempts=True)
            assert newest == done
            assert (abandoned.status, abandoned.ended, abandoned.outputs) == (RunStatus.FAILED, AT + 5, {})
            assert unit.runs.steps("run") == (done,)
            with pytest.raises(Conflict):
                unit.runs.start_step("run", 0, "fit", DIGEST, AT + 8)

    def test_terminal_step_never_changes(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _run_with_step(unit)
            failed = unit.runs.finish_step("run", 0, 1, AT, status=RunStatus.FAILED, error="ValueError: x")
            assert failed.error == "ValueError: x"
            for status in (RunStatus.FINISHED, RunStatus.FAILED):
                with pytest.raises(Conflict):
                    unit.runs.finish_step("run", 0, 1, AT, status=status)
            assert unit.runs.steps("run") == (failed,)
            assert unit.runs.start_step("run", 0, "fit", DIGEST, AT).attempt == 2

    def test_bad_step_calls_are_refused(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            _run_with_step(unit)
            with pytest.raises(NotFound):
                unit.runs.finish_step("run", 1, 1, AT)
            with pytest.raises(NotFound):
                unit.runs.finish_step("run", 0, 2, AT)
            with pytest.raises(InvalidInput):
                unit.runs.finish_step("run", 0, 1, AT, status=RunStatus.RUNNING)
            with pytest.raises(InvalidInput):
                unit.runs.start_step("run", 1, "fit", DIGEST, AT, params={"x": NAN})
            unit.runs.set_status("run", RunStatus.KILLED, AT)
            with pytest.raises(Conflict):
                unit.runs.start_step("run", 1, "fit", DIGEST, AT)

    def test_cached_is_the_last_step_that_was_executed_and_finished(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            for number in range(4):
                unit.runs.create_run(AT, run_id=f"run {number}")
                unit.runs.start_step(f"run {number}", 2, "fit", DIGEST, AT, cache_key=OTHER)
            assert unit.runs.find_cached(OTHER) is None
            unit.runs.finish_step("run 1", 2, 1, AT + 1, outputs={"model": "first"})
            wanted = unit.runs.finish_step("run 0", 2, 1, AT + 2, outputs={"model": "second"})
            unit.runs.finish_step("run 2", 2, 1, AT + 3, status=RunStatus.FAILED)
            hit = unit.runs.finish_step(
                "run 3", 2, 1, AT + 4, outputs={"model": "second"}, cached_from=StepRef("run 0", 2)
            )
            assert hit.cached_from == wanted.ref
            assert unit.runs.find_cached(OTHER) == wanted
            assert unit.runs.find_cached(DIGEST) is None


def _run_with_step(unit: Unit) -> None:
    unit.runs.create_run(AT, run_id="run")
    unit.runs.start_step(
        "run",
        0,
        "fit",
        DIGEST,
        AT,
        cache_key=OTHER,
        executor="local",
        params={"rate": 0.1, "names": ["a"]},
        inputs={"train": DIGEST},
    )
