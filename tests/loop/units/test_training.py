"""Training sets hold what was known, splits share no row, and a run registers a model once."""

from __future__ import annotations

import random
from dataclasses import replace

import polars as pl
import pytest

from tests.loop.units.shop import project
from tests.loop.units.shop.model import divide, fit, learn_from_second, refuse, strange
from tests.loop.units.shops import ROOT, START, make_store, make_world, plain_rows, stored_rows, times
from treadle.adapters.executor import LocalProcesses
from treadle.define.steps import Step
from treadle.loop.stopwatch import RunClock
from treadle.loop.training import Store, TrainingOperations, known_labels, labelled_requests
from treadle.records.errors import Conflict, InvalidInput, NotFound, TreadleError
from treadle.records.frames import AT, KNOWN_AT, LABEL
from treadle.records.instants import DAY, HOUR
from treadle.records.runs import RunStatus
from treadle.records.splits import Split
from treadle.stages.evaluation.report import evaluate
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.pipelines.artifacts import encode
from treadle.stages.pipelines.recorder import RunRecorder

ENDPOINT = project.endpoints[0]
UNTIL = START + 20 * DAY


def store_of(outcomes):
    """A store whose labels are the given ones: (number, returned, hours after START, withdrawn)."""
    rows = [(number, returned, START + int(hours * HOUR), gone) for number, returned, hours, gone in outcomes]
    frame = pl.DataFrame(
        rows,
        schema={"number": pl.Int64, "returned": pl.Boolean, "decided_at": pl.Int64, "withdrawn": pl.Boolean},
        orient="row",
    ).with_columns(decided_at=times([at for _, _, at, _ in rows]))
    stored = stored_rows(outcomes=frame)
    return Store(stored, {}, OfflineFeatures(stored.__getitem__))


def labelled(outcomes, hours, **more):
    """Order number to label, as known before an hour."""
    found = labelled_requests(store_of(outcomes), ENDPOINT, START + hours * HOUR, **more)
    return dict(found.select("number", LABEL).iter_rows())


@pytest.fixture
def operations(tmp_path):
    """The verbs of a run that is under way in an empty home."""
    world = make_world(tmp_path)
    yield begin(world, make_store(world))
    world.predictions.close()


def begin(world, store, key="run"):
    with world.metadata.begin() as unit:
        run = unit.runs.create_run(START, key=key)
    return TrainingOperations(
        world, store, RunRecorder(run, world.metadata, world.blobs, RunClock(START)), START
    )


def steps_of(operations):
    with operations._world.metadata.read() as view:
        return view.runs.steps(operations._recorder.run.run_id)


class TestWhichRequestsHaveLabels:
    def test_only_labels_known_before_the_instant_and_each_with_its_own_times(self, store):
        found = labelled_requests(store, ENDPOINT, UNTIL)
        outcomes = dict(
            plain_rows()["outcomes"].select("number", pl.col("decided_at").to_physical()).iter_rows()
        )
        asked = dict(plain_rows()["orders"].select("number", pl.col("asked_at").to_physical()).iter_rows())
        expected = sorted((asked[n], n, at) for n, at in outcomes.items() if at < UNTIL)
        assert found.select(AT, "number", KNOWN_AT).rows() == expected
        assert len(expected) > 500

    def test_a_label_known_exactly_at_the_instant_is_left_out(self):
        outcomes = [(1, True, 5, False), (2, False, 6, False)]
        assert labelled(outcomes, 6) == {1: 1.0}
        assert labelled(outcomes, 7) == {1: 1.0, 2: 0.0}

    def test_a_corrected_label_counts_in_the_form_that_was_known(self):
        outcomes = [(1, True, 5, False), (1, False, 8, False)]
        assert labelled(outcomes, 7) == {1: 1.0}
        assert labelled(outcomes, 9) == {1: 0.0}

    def test_a_label_that_was_taken_back_is_no_label_until_a_new_one_comes(self):
        outcomes = [(1, True, 5, False), (1, None, 7, True), (1, False, 9, False), (2, True, 5, False)]
        assert labelled(outcomes, 6) == {1: 1.0, 2: 1.0}
        assert labelled(outcomes, 8) == {2: 1.0}
        assert labelled(outcomes, 10) == {1: 0.0, 2: 1.0}

    def test_a_null_is_no_label_and_corrects_none(self):
        assert labelled([(1, True, 5, False), (1, None, 7, False), (2, None, 5, False)], 9) == {1: 1.0}

    def test_a_label_of_no_request_and_a_request_of_no_label_give_no_row(self):
        assert labelled([(10_000_000, True, 5, False)], 9) == {}

    def test_since_is_about_the_request_and_known_from_about_its_first_label(self):
        outcomes = [
            (n, True, hours, False) for n, hours in ((1, 3), (2, 5), (10, 8))
        ]  # asked every half hour
        assert labelled(outcomes, 9, since=START + HOUR) == {2: 1.0, 10: 1.0}
        assert labelled(outcomes, 9, known_from=START + 5 * HOUR) == {2: 1.0, 10: 1.0}

    def test_a_request_whose_label_was_corrected_since_has_been_learned_from_before(self):
        """Judging a model on it, because its label is new, would be judging on what it was trained on."""
        outcomes = [(1, True, 3, False), (1, False, 8, False), (2, True, 7, False)]
        assert labelled(outcomes, 9, known_from=START + 5 * HOUR) == {2: 1.0}

    def test_known_labels_looks_at_rows_of_a_span_alone(self):
        labels = ENDPOINT.labels
        rows = store_of([(1, True, 3, False), (2, True, 5, False), (3, True, 7, False)])
        found = known_labels(rows, labels, START + 5 * HOUR, since=START + 4 * HOUR)
        assert found["number"].to_list() == [2]


class TestTrainingSets:
    def test_every_value_was_known_at_its_t_and_every_label_before_until(self, operations, store):
        frame = operations.training_set("returns", UNTIL, None)
        assert (frame.rows[KNOWN_AT] < UNTIL).all()
        assert frame.until == UNTIL
        # Oracle: the plain visits, one order at a time.
        visits = plain_rows()["visits"].with_columns(pl.col("came_at", "noted_at").to_physical())
        chooser = random.Random(1)
        for row in chooser.sample(frame.rows.to_dicts(), 25):
            seen = visits.filter(
                (pl.col("shop") == row["shop"])
                & (pl.col("noted_at") <= row[AT])
                & (pl.col("came_at") < row[AT])
            )
            recent = seen.filter(pl.col("came_at") >= row[AT] - 6 * HOUR)["wait"]
            assert row["waiting_wait_mean_6h"] == pytest.approx(recent.mean())
            assert row["waiting_wait_count_1d"] == seen.filter(pl.col("came_at") >= row[AT] - DAY).height

    def test_the_same_set_is_found_again_by_another_run(self, operations):
        first = operations.training_set("returns", UNTIL, None)
        other = begin(operations._world, operations._store, key="other")
        assert other.training_set("returns", UNTIL, None).rows.equals(first.rows)
        assert steps_of(other)[0].cached_from is not None

    def test_changed_rows_make_another_set(self, operations):
        operations.training_set("returns", UNTIL, None)
        visits = plain_rows()["visits"].with_columns(pl.col("wait") + 1.0)
        changed = begin(operations._world, make_store(operations._world, visits=visits), key="changed")
        changed.training_set("returns", UNTIL, None)
        assert steps_of(changed)[0].cached_from is None

    def test_an_unknown_endpoint_is_refused_with_the_nearest_name(self, operations):
        with pytest.raises(NotFound, match="return") as caught:
            operations.training_set("retuns", UNTIL, None)
        assert "did you mean 'returns'?" in str(caught.value)

    def test_no_label_known_yet_is_refused_and_recorded(self, operations):
        with pytest.raises(InvalidInput, match="no request whose label was known"):
            operations.training_set("returns", START, None)
        assert steps_of(operations)[0].status is RunStatus.FAILED


def tags_of(operations):
    with operations._world.metadata.read() as view:
        return view.runs.get_run(operations._recorder.run.run_id).tags


class TestSplits:
    def test_no_row_is_in_both_parts_and_none_is_lost(self, operations):
        whole = operations.training_set("returns", UNTIL, None)
        older, newer = operations.split(whole, Split(by_time=(5 * DAY,)))
        numbers = [set(part.rows["number"]) for part in (older, newer)]
        assert not numbers[0] & numbers[1]
        assert numbers[0] | numbers[1] == set(whole.rows["number"])
        assert len(older) + len(newer) == len(whole)
        assert (older.rows[KNOWN_AT] < UNTIL - 5 * DAY).all()
        assert (newer.rows[KNOWN_AT] >= UNTIL - 5 * DAY).all()
        assert (older.until, newer.until) == (UNTIL - 5 * DAY, UNTIL)

    def test_parts_are_named_by_what_they_are_of(self, operations):
        whole = operations.training_set("returns", UNTIL, None)
        other = operations.training_set("returns", UNTIL, START + DAY)
        names = [
            operations._digest(part)
            for frame in (whole, other)
            for days in (4, 5)
            for part in operations.split(frame, Split(by_time=(days * DAY,)))
        ]
        assert len(set(names)) == 8
        again = operations.split(whole, Split(by_time=(4 * DAY,)))
        assert [operations._digest(part) for part in again] == names[:2]

    def test_an_entity_on_both_sides_of_a_draw_is_a_tag_of_the_run(self, operations):
        whole = operations.training_set("returns", UNTIL, None)
        doubled = replace(whole, rows=whole.rows.with_columns(pl.lit("one").alias("buyer")))
        operations.split(doubled, Split(by_time=(5 * DAY,)))
        operations.split(doubled, Split(shares=(0.3,), group=("number",)))
        assert "leaks.split" not in tags_of(operations)
        operations.split(doubled, Split(shares=(0.3,)))
        assert "'buyer' that is learned from too" in tags_of(operations)["leaks.split"]

    def test_nothing_kept_back_is_allowed_and_nothing_to_learn_from_is_not(self, operations):
        whole = operations.training_set("returns", UNTIL, None)
        older, newer = operations.split(whole, Split(by_time=(0,)))
        assert (len(older), len(newer)) == (len(whole), 0)
        with pytest.raises(InvalidInput, match="leaves nothing to learn from") as caught:
            operations.split(whole, Split(by_time=(365 * DAY,)))
        assert "365d" in str(caught.value)


class TestSteps:
    def test_the_error_of_a_persons_function_comes_with_file_line_and_function(self, operations):
        with pytest.raises(TreadleError) as caught:
            operations.call(divide, (1,), {})
        error = caught.value
        assert error.what == "step 'divide' failed: ZeroDivisionError: division by zero"
        lines = (ROOT / "tests" / "loop" / "units" / "shop" / "model.py").read_text().splitlines()
        line = lines.index("    return x / by") + 1
        assert error.where is not None
        assert error.where.endswith(f"shop/model.py:{line}, in halve")
        [step] = steps_of(operations)
        assert step.status is RunStatus.FAILED
        assert step.error is not None
        assert error.where in step.error

    def test_an_error_that_helps_keeps_all_that_it_says(self, operations):
        with pytest.raises(TreadleError, match="these rows are no good") as caught:
            operations.call(refuse, (1,), {})
        assert caught.value.faults == ("the first", "the second")
        assert caught.value.fix == "bring others"
        assert caught.value.where is not None
        assert "shop/model.py" in caught.value.where

    def test_a_value_that_cannot_be_stored_is_refused_with_what_can(self, operations):
        with pytest.raises(TreadleError, match="cannot be stored") as caught:
            operations.call(strange, (1,), {})
        assert "tr.Frame" in str(caught.value)

    @pytest.mark.parametrize("given", [object(), {"rate": object()}, float("nan"), {1: 2}])
    def test_an_argument_that_cannot_be_recorded_is_refused_before_anything_runs(self, operations, given):
        with pytest.raises(InvalidInput, match="step 'divide' got x="):
            operations.call(divide, (given,), {})
        assert steps_of(operations) == ()

    def test_defaults_are_recorded_as_parameters_and_decide_the_result(self, operations):
        assert operations.call(divide, (6, 2), {}) == 3.0
        assert operations.call(divide, (6,), {"by": 2}) == 3.0
        first, second = steps_of(operations)
        assert first.params == {"x": 6, "by": 2}
        assert second.cached_from == first.ref

    def test_arguments_reach_the_function_under_their_names_whatever_the_order_of_the_call(self, operations):
        whole = operations.training_set("returns", UNTIL, None)
        older, newer = operations.split(whole, Split(by_time=(5 * DAY,)))
        given = operations.call(learn_from_second, (), {"train": newer, "weights": older})
        assert given == [len(older), len(newer)]

    def test_a_step_whose_module_is_gone_says_so(self, operations):
        gone = Step(divide.function, "gone", "tests.loop.units.shop.gone:gone", "0" * 64)
        with pytest.raises(TreadleError, match="step 'gone' failed") as caught:
            operations.call(gone, (1,), {})
        assert "cannot be imported" in caught.value.what
        assert "importable" in str(caught.value)

    def test_in_a_worker_process_errors_and_values_are_the_same(self, tmp_path):
        with LocalProcesses(workers=1, paths=(str(ROOT),)) as workers:
            world = make_world(tmp_path, executor=workers)
            operations = begin(world, make_store(world))
            with pytest.raises(TreadleError, match="ZeroDivisionError") as caught:
                operations.call(divide, (1,), {})
            assert caught.value.where is not None
            assert "shop/model.py" in caught.value.where
            frame = operations.split(
                operations.training_set("returns", UNTIL, None), Split(by_time=(5 * DAY,))
            )[0]
            made = operations.call(fit, (frame,), {})
            world.predictions.close()
        (tmp_path / "here").mkdir()
        near = make_world(tmp_path / "here")
        here = begin(near, make_store(near))
        frame = here.split(here.training_set("returns", UNTIL, None), Split(by_time=(5 * DAY,)))[0]
        assert here.call(fit, (frame,), {}) == made
        near.predictions.close()


class TestRegistering:
    def trained(self, operations, rate=0.3):
        older, newer = operations.split(
            operations.training_set("returns", UNTIL, None), Split(by_time=(5 * DAY,))
        )
        model = operations.call(fit, (older,), {"rate": rate})
        return model, operations.evaluate(model, newer, ["shop"]), older

    def test_the_version_says_what_it_learned_from(self, operations):
        model, report, older = self.trained(operations)
        version = operations.register("returns", model, report)
        assert version.package is not None
        assert operations._world.blobs.get(version.package) == encode(model)
        assert version.tags["trained_until"] == str(older.until)
        assert version.tags["training_rows"] == str(len(older))
        assert version.tags["trained_since"] == str(older.rows[AT].min())
        assert version.tags["training_data"] == operations._digest(older)

    def test_registering_again_in_one_run_gives_the_version_there_is(self, operations):
        model, report, _ = self.trained(operations)
        first = operations.register("returns", model, report)
        assert operations.register("returns", model, report).ref == first.ref
        with operations._world.metadata.read() as view:
            assert len(view.models.list_versions("returns")) == 1

    def test_another_model_under_the_same_name_in_one_run_is_refused(self, operations):
        model, report, _ = self.trained(operations)
        operations.register("returns", model, report)
        other, other_report, _ = self.trained(operations, rate=0.1)
        with pytest.raises(Conflict, match="registered another model as returns/1"):
            operations.register("returns", other, other_report)

    def test_two_runs_of_the_same_training_register_equal_packages_as_two_versions(self, operations):
        model, report, _ = self.trained(operations)
        first = operations.register("returns", model, report)
        other = begin(operations._world, operations._store, key="other")
        second = other.register("returns", *self.trained(other)[:2])
        assert (first.version, second.version) == (1, 2)
        assert first.package == second.package
        assert all(step.cached_from is not None for step in steps_of(other))

    def test_a_report_on_no_rows_is_kept_without_numbers(self, operations):
        older, nothing = operations.split(
            operations.training_set("returns", UNTIL, None), Split(by_time=(0,))
        )
        model = operations.call(fit, (older,), {})
        report = operations.evaluate(model, nothing, ["shop"])
        assert (report.n, report.auc) == (0, None)
        assert "reference" not in operations.register("returns", model, report).tags

    def test_an_unknown_slice_column_is_refused_by_name(self, operations):
        older, newer = operations.split(
            operations.training_set("returns", UNTIL, None), Split(by_time=(5 * DAY,))
        )
        model = operations.call(fit, (older,), {})
        with pytest.raises(NotFound, match="shops"):
            operations.evaluate(model, newer, ["shops"])

    def test_the_report_is_that_of_the_packaged_model_on_the_kept_rows(self, operations):
        from treadle.stages.training.opened import open_model

        older, newer = operations.split(
            operations.training_set("returns", UNTIL, None), Split(by_time=(5 * DAY,))
        )
        model = operations.call(fit, (older,), {})
        report = operations.evaluate(model, newer, [])
        alone = evaluate(
            newer.y, open_model(model).score(newer.rows), groups=newer.rows[AT].to_numpy() // DAY
        )
        assert report.auc == alone.auc
