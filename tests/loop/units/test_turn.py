"""A turn does each thing once, however often it is performed and wherever it is cut off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

import treadle as tr
from tests.loop.units import shop
from tests.loop.units.conftest import FIRST
from tests.loop.units.shops import ROOT, START, make_store, make_world, registry, turn, with_project
from treadle.loop import turn as turns
from treadle.loop.turn import Judge, Promote, Train, TurnResult, explain, find_pipeline, perform, plan_turn
from treadle.records.errors import Corrupt, NotFound, TreadleError
from treadle.records.instants import DAY
from treadle.records.models import Verdict
from treadle.records.runs import RunStatus
from treadle.stages.pipelines.artifacts import decode
from treadle.stages.registry.rollback import plan_rollback, rollback_reason

LATER = FIRST + 14 * DAY


def champion(world, alias="champion"):
    with world.metadata.read() as view:
        found = view.models.find_by_alias("returns", alias)
    return None if found is None else found.version


def roll_back(world, at):
    with world.metadata.begin() as unit:
        plan = plan_rollback("returns", "champion", unit.models.alias_history("returns", "champion"))
        unit.models.set_alias(
            "returns", "champion", plan.to, at, reason=rollback_reason(plan, "a person says so")
        )
    return plan.to


class TestThePlan:
    def test_a_plan_is_data_that_explains_itself(self):
        train = Train("train_returns", {"until": 5}, key="k", reason="the AUC fell")
        plan = plan_turn(train, ["returns"])
        assert plan == (train, Judge("returns"), Promote("returns"))
        said = explain(plan)
        assert len(said) == 3
        assert "train_returns(until=5) because the AUC fell" in said[0]
        assert all("returns" in sentence for sentence in said[1:])

    def test_without_endpoints_a_model_is_trained_and_nothing_is_decided(self, world, store):
        result = turn(world, store, LATER, endpoints=())
        assert result.decision is None
        assert [version.version for version in result.trained.versions] == [2]
        assert champion(world) == 1

    def test_an_unknown_pipeline_is_refused_with_the_nearest_name(self, world, store):
        with pytest.raises(NotFound) as caught:
            perform(world, store, [Train("train_return", {}, key="k", reason="")], LATER)
        assert "did you mean 'train_returns'?" in str(caught.value)


class TestTheFirstModel:
    def test_the_first_model_that_beats_guessing_becomes_champion(self, world):
        with world.metadata.read() as view:
            [verdict] = view.models.verdicts("returns")
            [run] = view.runs.search_runs().items
        assert verdict.verdict is Verdict.PROMOTED
        assert "better than guessing" in verdict.reasons[0]
        assert champion(world) == 1
        assert (run.status, run.pipeline, run.params["until"]) == (
            RunStatus.FINISHED,
            "train_returns",
            str(FIRST),
        )
        assert run.params["rate"] == "0.3"
        assert run.metrics["auc"].value > 0.7

    def test_with_too_little_to_judge_by_there_is_no_champion_at_all(self, tmp_path):
        world = make_world(tmp_path)
        result = turn(world, make_store(world), START + 2 * DAY, holdout="0d")
        assert result.decision is not None
        assert result.decision.verdict is Verdict.INCONCLUSIVE
        assert champion(world) is None
        world.predictions.close()


class TestJudging:
    def test_a_better_challenger_takes_the_alias_in_the_transaction_of_its_verdict(self, world, store):
        with_rate = turn(world, store, FIRST + DAY, key="weak", rate=0.001)
        assert with_rate.decision is not None
        result = turn(world, store, LATER)
        assert result.decision is not None
        assert result.decision.verdict is Verdict.PROMOTED, result.decision.reasons
        assert champion(world) == result.decision.challenger_version
        with world.metadata.read() as view:
            move = view.models.alias_history("returns", "champion")[0]
            verdict = view.models.verdicts("returns")[0]
        assert (move.at, verdict.at) == (LATER, LATER)
        assert verdict.reasons[0] in move.reason

    def test_it_is_judged_on_rows_that_neither_has_learned_from(self, world, store):
        decision = turn(world, store, LATER).decision
        assert decision is not None
        assert decision.window is not None
        with world.metadata.read() as view:
            versions = view.models.list_versions("returns")
        assert decision.window.start == max(int(v.tags["trained_until"]) for v in versions)
        assert decision.window.end == LATER
        assert decision.n > 200

    def test_a_worse_challenger_is_refused_and_the_champion_stays(self, world, store):
        decision = turn(world, store, LATER, since=LATER - 8 * DAY).decision
        assert decision is not None
        assert decision.verdict is Verdict.REJECTED, decision.reasons
        assert champion(world) == 1

    def test_without_newer_labels_nothing_is_decided_and_the_champion_stays(self, world, store):
        decision = turn(world, store, LATER, holdout="0d").decision
        assert decision is not None
        assert decision.verdict is Verdict.INCONCLUSIVE
        assert decision.n == 0
        assert champion(world) == 1

    def test_a_damaged_package_fails_the_gate_with_the_reason(self, world, store, monkeypatch):
        monkeypatch.setattr(turns, "VERIFY_MODEL", "tests.loop.units.test_turn:cannot_load")
        decision = turn(world, store, LATER).decision
        assert decision is not None
        assert decision.verdict is Verdict.REJECTED
        assert "cannot be loaded here" in decision.reasons[-1]

    def test_a_champion_on_features_that_are_gone_is_named_with_what_to_do(self, world, store):
        [endpoint] = world.project.endpoints
        fewer = tr.FeatureSet(
            "returns", request=endpoint.features.request, features=[shop.waiting, tr.category("shop")]
        )
        changed = tr.Endpoint(
            "returns",
            model=endpoint.model,
            features=fewer,
            requests=endpoint.requests,
            labels=endpoint.labels,
        )
        with pytest.raises(TreadleError, match="returns/1 cannot be judged") as caught:
            turn(with_project(world, endpoints=[changed]), store, LATER)
        assert "'amount' is not among them" in caught.value.faults
        assert "treadle models promote" in str(caught.value.command)


def cannot_load(_payload):
    raise Corrupt("the model cannot be loaded here")


class TestDoingItAgain:
    def test_performing_a_plan_twice_changes_nothing(self, world, store):
        first = turn(world, store, LATER)
        before = registry(world)
        second = turn(world, store, LATER)
        assert registry(world) == before
        assert second.decision == first.decision
        assert second.trained.versions[0].ref == first.trained.versions[0].ref
        assert second.trained.rows == first.trained.rows > 0
        assert second.trained.fit_seconds == first.trained.fit_seconds > 0

    def test_a_finished_run_is_found_even_when_the_environment_has_changed_since(self, world, store):
        turn(world, store, LATER)
        before = registry(world)
        turn(replace(world, environment="f" * 64), store, LATER)
        assert registry(world) == before

    def test_a_person_who_rolled_back_is_not_overruled_by_the_same_plan(self, world, store):
        turn(world, store, FIRST + DAY, key="weak", rate=0.001)
        assert turn(world, store, LATER).decision is not None
        promoted = champion(world)
        assert promoted != 1
        assert roll_back(world, LATER + 1) == 1
        turn(world, store, LATER)
        assert champion(world) == 1

    def test_a_version_judged_against_a_champion_that_was_moved_meanwhile_is_judged_again(
        self, world, store, monkeypatch
    ):
        """The evidence is about the champion it was held against; moved by a person, it is void."""
        turn(world, store, FIRST + DAY, key="second", endpoints=())
        judged = []
        real = turns.judge_version

        def interrupted(*arguments):
            decision = real(*arguments)
            judged.append(decision.champion_version)
            if len(judged) == 1:
                with world.metadata.begin() as unit:
                    unit.models.set_alias("returns", "champion", 2, LATER - 1, reason="a person prefers it")
            return decision

        monkeypatch.setattr(turns, "judge_version", interrupted)
        result = turn(world, store, LATER)
        assert judged == [1, 2]
        assert result.decision is not None
        assert result.decision.champion_version == 2

    def test_a_run_that_failed_is_begun_anew_under_another_id(self, world, store, monkeypatch):
        monkeypatch.setattr("treadle.loop.training.RUN_STEP", "tests.loop.units.test_turn:out_of_memory")
        with pytest.raises(TreadleError, match="step 'fit' failed"):
            turn(world, store, LATER)
        monkeypatch.undo()
        assert turn(world, store, LATER).decision is not None
        with world.metadata.read() as view:
            runs = [run for run in view.runs.search_runs().items if run.started == LATER]
            failed = next(run for run in runs if run.status is RunStatus.FAILED)
            steps = view.runs.steps(failed.run_id)
        assert sorted(run.status for run in runs) == [RunStatus.FAILED, RunStatus.FINISHED]
        assert [(step.name, step.status) for step in steps] == [
            ("training_set", RunStatus.FINISHED),
            ("fit", RunStatus.FAILED),
        ]
        assert "no memory" in str(steps[1].error)

    def test_an_interrupted_run_goes_on_under_its_id(self, world, store, monkeypatch):
        def interrupt(*_arguments):
            raise KeyboardInterrupt

        monkeypatch.setattr("treadle.loop.training.TrainingOperations.evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            turn(world, store, LATER)
        monkeypatch.undo()
        result = turn(world, store, LATER)
        assert result.trained.run.run_id in {run[0] for run in registry(world)["runs"]}
        assert [status for _, status, _ in registry(world)["runs"]] == [RunStatus.FINISHED] * 2
        assert [version.version for version in result.trained.versions] == [2]


def out_of_memory(_payload):
    raise MemoryError("no memory")


class TestSeveralEndpoints:
    @pytest.fixture
    def two(self, world):
        """A project with a second endpoint, whose model another pipeline would train."""
        [endpoint] = world.project.endpoints
        other = tr.Endpoint(
            "fraud", model="fraud@champion", features=endpoint.features, requests=endpoint.requests, labels=endpoint.labels
        )  # fmt: skip
        return with_project(world, endpoints=[endpoint, other])

    @pytest.mark.parametrize("order", [("returns", "fraud"), ("fraud", "returns")])
    def test_only_the_endpoints_whose_model_was_registered_are_judged(self, two, store, order):
        result = turn(two, store, LATER, endpoints=order)
        assert result.decision is not None
        assert result.decision.challenger_version == 2
        with two.metadata.read() as view:
            assert [verdict.model for verdict in view.models.verdicts("returns")] == ["returns"] * 2
            assert view.models.verdicts("fraud") == ()

    def test_a_run_that_registers_for_none_of_them_says_which_line_is_missing(self, two, store):
        train = Train(
            "train_returns", {"until": LATER}, key="k", reason="", register_as={"returns": "rehearsal"}
        )
        with pytest.raises(TreadleError, match="registered no version of 'fraud'") as caught:
            perform(two, store, plan_turn(train, ["fraud"]), LATER)
        assert "tr.register('fraud', model, report)" in str(caught.value.fix)

    def test_a_rehearsal_registers_under_its_own_name_and_starts_no_turn(self, world, store):
        before = len(registry(world)["turns"])
        train = Train(
            "train_returns", {"until": LATER}, key="k", reason="", register_as={"returns": "rehearsal"}
        )
        result = perform(world, store, plan_turn(train, []), LATER)
        assert isinstance(result, TurnResult)
        assert [version.ref for version in result.trained.versions] == ["rehearsal/1"]
        assert len(registry(world)["turns"]) == before


def test_the_packaged_model_of_a_version_answers_what_its_report_was_made_of(world, store):
    with world.metadata.read() as view:
        version = view.models.get_version("returns", 1)
    report = turns.load_report(world, version)
    reference = turns.load_reference(world, version)
    assert report is not None
    assert reference is not None
    assert report.n > 100
    assert decode(world.blobs.get(str(version.package))) == turns.load_model(world, version)
    assert find_pipeline(world, "train_returns").name == "train_returns"


SCRIPT = """
import sys
from pathlib import Path
from tests.loop.units.conftest import FIRST
from tests.loop.units.shops import make_store, make_world, turn
from treadle.loop.stored import load_store
from treadle.records.instants import DAY

world = make_world(Path(sys.argv[1]), at=FIRST + 14 * DAY)
turn(world, load_store(world), FIRST + 14 * DAY, key="killed")
world.predictions.close()
"""


ORDINARY = [
    "metadata.after_commit:kill@8",
    "turn.before_verdict:kill",
    "turn.after_verdict:kill",
]
MORE = [
    *(f"step.{point}:kill@{hit}" for point in ("before_artifact", "before_finish") for hit in (1, 2, 3)),
    *(f"blob.{point}:kill@{hit}" for point in ("before_publish", "after_publish") for hit in (1, 4)),
    *(f"metadata.{point}:kill@{hit}" for point in ("before_commit", "after_commit") for hit in (1, 2, 5, 10)),
]


@pytest.mark.parametrize(
    "point", [*ORDINARY, *(pytest.param(point, marks=pytest.mark.faults) for point in MORE)]
)
def test_killed_anywhere_in_a_turn_and_done_again_the_registry_is_the_same(
    template, tmp_path, point, reference_turn
):
    home = tmp_path / "home"
    shutil.copytree(template[0], home)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(home)],
        env={**os.environ, "TREADLE_FAILPOINTS": point},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    world = make_world(home, at=LATER)
    turn(world, template[1], LATER, key="killed")
    world.predictions.close()
    assert registry(world) == reference_turn


@pytest.fixture(scope="module")
def reference_turn(template, tmp_path_factory):
    """What the same turn leaves when nothing happens to it."""
    folder = tmp_path_factory.mktemp("reference") / "home"
    shutil.copytree(template[0], folder)
    world = make_world(folder, at=LATER)
    turn(world, template[1], LATER, key="killed")
    world.predictions.close()
    return registry(world)
