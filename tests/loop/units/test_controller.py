"""The controller: each tick reads, decides, records, and only then acts; a tick that was cut off is finished."""

from __future__ import annotations

import shutil

import polars as pl
import pytest

import treadle as tr
from tests.loop.units.conftest import FIRST
from tests.loop.units.shop.model import retrain, train_returns
from tests.loop.units.shops import (
    able,
    guessing,
    log_predictions,
    make_store,
    make_world,
    plain_rows,
    registry,
    turn,
    with_project,
)
from tests.loop.units.test_turn import champion, roll_back
from treadle.loop.controller import KEPT_READINGS, Controller
from treadle.loop.stopwatch import Stopwatch
from treadle.records.errors import InvalidInput, TreadleError
from treadle.records.failpoints import FailpointError, arm
from treadle.records.instants import DAY, HOUR
from treadle.records.jobs import JobState
from treadle.records.models import Verdict

ON_TIME = tr.on(tr.every("10d"), run=train_returns, cooldown="5d", name="on time")


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    arm("")


def controller(world, store, **more):
    return Controller(world, store, Stopwatch(), **more)


def events(world, *kinds):
    with world.metadata.read() as view:
        return view.journal.read(kinds=list(kinds), limit=10_000)


def jobs(world):
    with world.metadata.read() as view:
        return view.jobs.list(limit=100)


def watched(world):
    """The world without triggers: monitors alone."""
    return with_project(world, triggers=[])


def timed(world):
    return with_project(world, triggers=[ON_TIME])


class TestMonitors:
    def test_before_the_first_prediction_readings_say_that_there_is_too_little(self, world, store):
        controller(watched(world), store).tick(FIRST + DAY)
        states = {event.data["kind"]: event.data["state"] for event in events(world, "monitor.read")}
        assert states == dict.fromkeys(["score_drift", "auc", "calibration"], "insufficient_data")

    def test_a_monitor_is_read_once_each_time_it_is_due(self, world, store):
        ticking = controller(watched(world), store)
        for hours in (0, 1, 6, 23, 24, 25, 48):
            ticking.tick(FIRST + hours * HOUR)
        assert sorted({event.at for event in events(world, "monitor.read")}) == [
            FIRST,
            FIRST + DAY,
            FIRST + 2 * DAY,
        ]
        assert len(events(world, "monitor.read")) == 9

    def test_without_a_champion_nothing_is_read(self, tmp_path):
        world = watched(make_world(tmp_path))
        controller(world, make_store(world)).tick(FIRST)
        assert events(world, "monitor.read", "loop.ticked") == ()
        world.predictions.close()

    def test_labels_count_once_they_have_matured(self, world, store):
        """The window of the AUC ends a day before the tick: younger predictions lack the labels that come late."""
        log_predictions(world, store, 1, FIRST, FIRST + 9 * DAY, able)
        controller(watched(world), store).tick(FIRST + 9 * DAY)
        [auc] = [event.data for event in events(world, "monitor.read") if event.data["kind"] == "auc"]
        assert (auc["window"]["start"], auc["window"]["end"]) == (FIRST + DAY, FIRST + 8 * DAY)
        outcomes = plain_rows()["outcomes"].join(plain_rows()["orders"], on="number")
        asked, decided = (outcomes[name].to_physical() for name in ("asked_at", "decided_at"))
        inside = (asked >= FIRST + DAY) & (asked < FIRST + 8 * DAY) & (decided <= FIRST + 9 * DAY)
        assert auc["n"] == inside.sum() > 250

    def test_predictions_of_an_earlier_champion_are_not_held_against_the_present_one(self, world, store):
        log_predictions(world, store, 7, FIRST, FIRST + 9 * DAY, able)
        controller(watched(world), store).tick(FIRST + 9 * DAY)
        assert {event.data["n"] for event in events(world, "monitor.read")} == {0}

    def test_an_alert_is_raised_once_until_it_ends_and_again_when_it_comes_back(self, world, store):
        bad_from, good_from, bad_again = FIRST + 8 * DAY, FIRST + 20 * DAY, FIRST + 32 * DAY
        log_predictions(world, store, 1, FIRST, bad_from, able)
        log_predictions(world, store, 1, bad_from, good_from, guessing)
        log_predictions(world, store, 1, good_from, bad_again, able)
        log_predictions(world, store, 1, bad_again, FIRST + 39 * DAY, guessing)
        ticking = controller(watched(world), store)
        for day in range(1, 40):
            ticking.tick(FIRST + day * DAY)
        states = [e.data["state"] for e in events(world, "monitor.read") if e.data["kind"] == "auc"]
        raised = [e.at for e in events(world, "alert.raised") if e.data["kind"] == "auc"]
        starts = [
            FIRST + (day + 1) * DAY
            for day, state in enumerate(states)
            if state == "alert" and (day == 0 or states[day - 1] != "alert")
        ]
        assert raised == starts
        assert len(raised) >= 2
        assert states.count("alert") > len(raised)

    def test_the_message_of_an_alert_is_the_sentence_of_its_reading(self, world, store):
        log_predictions(world, store, 1, FIRST, FIRST + 9 * DAY, guessing)
        controller(watched(world), store).tick(FIRST + 9 * DAY)
        [alert] = [event for event in events(world, "alert.raised") if event.data["kind"] == "auc"]
        [reading] = [event for event in events(world, "monitor.read") if event.data["kind"] == "auc"]
        assert alert.data["message"] == reading.data["sentence"]
        assert "fell" in alert.data["message"]


class TestTriggers:
    def test_a_firing_is_recorded_with_its_truth_table_before_its_job_and_the_job_before_its_turn(
        self, world, store
    ):
        [turned] = controller(timed(world), store).tick(FIRST + 10 * DAY)
        [evaluated] = events(world, "trigger.evaluated")
        assert evaluated.data["outcome"] == "fired"
        [row] = evaluated.data["truth"]
        assert (row["condition"], row["holds"]) == ("every 10d", True)
        [fired], [queued] = events(world, "trigger.fired"), events(world, "job.queued")
        started = events(world, "turn.started")[-1]
        ended = events(world, "job.succeeded")[-1]
        order = [evaluated.cursor, fired.cursor, queued.cursor, started.cursor, ended.cursor]
        assert order == sorted(order)
        assert fired.data["reasons"] == [turned.reason]
        assert [job.state for job in jobs(world)] == [JobState.SUCCEEDED]

    def test_a_firing_between_two_readings_has_its_truth_table_too(self, world, store):
        often = tr.on(
            tr.every("228h"), run=train_returns, cooldown="5d", name="on time"
        )  # nine and a half days
        ticking = controller(with_project(world, triggers=[often]), store)
        outcomes = {}
        for hours in (9 * 24, 9 * 24 + 12, 9 * 24 + 18):  # monitors are read at the first alone
            before = len(events(world, "trigger.evaluated"))
            ticking.tick(FIRST + hours * HOUR)
            outcomes[hours] = [e.data["outcome"] for e in events(world, "trigger.evaluated")[before:]]
        assert list(outcomes.values()) == [["not_met"], ["fired"], []]

    def test_after_a_turn_the_trigger_is_quiet_for_its_period(self, world, store):
        ticking = controller(timed(world), store)
        turned = [len(ticking.tick(FIRST + day * DAY)) for day in range(1, 31)]
        assert [day + 1 for day, count in enumerate(turned) if count] == [10, 20, 30]

    def test_a_fall_of_the_auc_starts_the_pipeline_and_says_so(self, world, store):
        falls = with_project(world, triggers=[retrain])
        log_predictions(world, store, 1, FIRST, FIRST + 9 * DAY, guessing)
        [turned] = controller(falls, store).tick(FIRST + 9 * DAY)
        assert "auc drops by 0.05" in turned.reason
        assert turned.result.trained.run.tags["reason"] == turned.reason

    def test_the_turn_uses_labels_known_before_the_tick(self, world, store):
        [turned] = controller(timed(world), store).tick(FIRST + 10 * DAY)
        [version] = turned.result.trained.versions
        assert int(version.tags["trained_until"]) == FIRST + 10 * DAY - 7 * DAY  # a week is kept back
        assert version.created == FIRST + 10 * DAY

    def test_without_any_model_the_first_tick_trains_one(self, tmp_path):
        world = timed(make_world(tmp_path, at=FIRST))
        store = make_store(world)
        [turned] = controller(world, store).tick(FIRST)
        assert "it never ran" in turned.reason
        assert champion(world) == 1
        world.predictions.close()

    def test_labels_are_counted_as_new_when_they_have_a_value_and_came_since_the_last_turn(
        self, world, store
    ):
        def histories(labels):
            outcomes = plain_rows()["outcomes"]
            nulls = outcomes.with_columns(returned=pl.lit(None, pl.Boolean)) if labels == "null" else outcomes
            changed = make_store(world, outcomes=nulls)
            with world.metadata.begin() as unit:
                return controller(timed(world), changed)._histories(unit, FIRST + 2 * DAY)["train_returns"]

        decided = plain_rows()["outcomes"]["decided_at"].to_physical()
        assert histories("real").new_labels == ((decided > FIRST) & (decided <= FIRST + 2 * DAY)).sum() > 50
        assert histories("null").new_labels == 0

    def test_readings_of_the_last_two_months_reach_the_triggers(self, world, store):
        ticking = controller(watched(world), store)
        for days in (1, 30, 70):
            ticking.tick(FIRST + days * DAY)
        with world.metadata.read() as view:
            kept = {reading.at for reading in ticking._recent_readings(view, FIRST + 75 * DAY)}
        assert kept == {FIRST + 30 * DAY, FIRST + 70 * DAY}
        assert KEPT_READINGS == 60 * DAY

    def test_verdicts_hold_the_triggers_off_even_when_no_model_ever_passed(self, tmp_path):
        world = with_project(make_world(tmp_path), triggers=[ON_TIME], gates={})
        store = make_store(world)
        turn(world, store, FIRST)
        with world.metadata.begin() as unit:
            history = controller(world, store)._histories(unit, FIRST)["train_returns"]
        assert history.verdicts == (Verdict.INCONCLUSIVE,)
        assert (history.last_started, history.last_promoted) == (FIRST, None)
        world.predictions.close()


IMPOSSIBLE = tr.no_worse_slice("shop", min_rows=100_000)
HARD = [tr.better_than_champion("auc", margin=0.2), tr.loads_and_answers()]


class TestWhoServes:
    def test_with_too_little_data_the_gate_holds_and_the_champion_stays(self, world, store):
        gated = with_project(
            world, triggers=[ON_TIME], gates={"champion": [IMPOSSIBLE, tr.loads_and_answers()]}
        )
        [turned] = controller(gated, store).tick(FIRST + 10 * DAY)
        assert turned.result.decision is not None
        assert turned.result.decision.verdict is Verdict.INCONCLUSIVE
        assert champion(world) == 1
        controller(gated, store).tick(FIRST + 11 * DAY)
        assert champion(world) == 1

    def test_a_rejected_challenger_leaves_the_champion(self, world, store):
        [turned] = controller(with_project(world, triggers=[ON_TIME], gates={"champion": HARD}), store).tick(
            FIRST + 10 * DAY
        )
        assert turned.result.decision is not None
        assert turned.result.decision.verdict is Verdict.REJECTED
        assert champion(world) == 1

    def test_after_a_rollback_ticks_leave_the_persons_choice(self, world, store):
        lenient = with_project(world, triggers=[ON_TIME], gates={"champion": [tr.loads_and_answers()]})
        ticking = controller(lenient, store)
        ticking.tick(FIRST + 10 * DAY)
        assert champion(world) == 2
        roll_back(world, FIRST + 10 * DAY + HOUR)
        for hours in (0, 2, 24, 48):
            assert ticking.tick(FIRST + 10 * DAY + hours * HOUR) == []
        assert champion(world) == 1

    def test_readings_from_before_a_rollback_say_nothing_about_the_version_that_came_back(self, world, store):
        lenient = with_project(world, triggers=[retrain], gates={"champion": [tr.loads_and_answers()]})
        log_predictions(world, store, 1, FIRST, FIRST + 9 * DAY, guessing)
        controller(lenient, store).tick(FIRST + 9 * DAY)
        assert champion(world) == 2
        roll_back(world, FIRST + 9 * DAY + HOUR)
        with world.metadata.begin() as unit:
            history = controller(lenient, store)._histories(unit, FIRST + 15 * DAY)["train_returns"]
        assert history.last_promoted == FIRST + 9 * DAY + HOUR


class TestCutOff:
    @pytest.fixture
    def undisturbed(self, template, tmp_path_factory):
        """What the same ticks leave when nothing happens to them."""
        folder = tmp_path_factory.mktemp("undisturbed") / "home"
        shutil.copytree(template[0], folder)
        world = timed(make_world(folder, at=FIRST))
        for day in (10, 11):
            controller(world, template[1]).tick(FIRST + day * DAY)
        world.predictions.close()
        return registry(world)

    @pytest.mark.parametrize(
        "point",
        ["controller.after_decision", "turn.before_verdict", "turn.after_verdict", "metadata.after_commit"],
    )
    def test_a_tick_cut_off_anywhere_and_ticked_again_leaves_the_same(self, world, store, point, undisturbed):
        arm(f"{point}:raise")
        with pytest.raises(FailpointError):
            controller(timed(world), store, try_again=True).tick(FIRST + 10 * DAY)
        for day in (10, 11):
            controller(timed(world), store).tick(FIRST + day * DAY)
        assert registry(world) == undisturbed

    def test_a_tick_cut_off_before_its_turn_is_finished_by_the_next_one_without_a_second_turn(
        self, world, store
    ):
        """Its trigger still holds at the next tick, an hour later: the queued turn comes first and starts the cooldown."""
        arm("controller.after_decision:raise")
        with pytest.raises(FailpointError):
            controller(timed(world), store).tick(FIRST + 10 * DAY)
        assert [job.state for job in jobs(world)] == [JobState.QUEUED]
        [turned] = controller(timed(world), store).tick(FIRST + 10 * DAY + HOUR)
        assert turned.result.trained.run.started == FIRST + 10 * DAY
        assert [job.state for job in jobs(world)] == [JobState.SUCCEEDED]
        assert len(events(world, "trigger.fired")) == 1

    def test_the_same_tick_twice_does_nothing(self, world, store):
        ticking = controller(timed(world), store)
        ticking.tick(FIRST + 10 * DAY)
        with world.metadata.read() as view:
            end = view.journal.end()
        assert ticking.tick(FIRST + 10 * DAY) == []
        assert controller(timed(world), store).tick(FIRST + 10 * DAY) == []
        with world.metadata.read() as view:
            assert view.journal.end() == end

    def test_a_turn_that_fails_is_recorded_said_and_not_tried_again_live(self, world, store, monkeypatch):
        monkeypatch.setattr("treadle.loop.training.RUN_STEP", "tests.loop.units.test_turn:out_of_memory")
        with pytest.raises(TreadleError, match="step 'fit' failed"):
            controller(timed(world), store).tick(FIRST + 10 * DAY)
        monkeypatch.undo()
        [job] = jobs(world)
        assert job.state is JobState.FAILED
        assert "no memory" in str(job.error)
        assert controller(timed(world), store).tick(FIRST + 10 * DAY) == []
        assert (
            controller(timed(world), store).tick(FIRST + 11 * DAY) == []
        )  # the failed start counts for the period
        assert champion(world) == 1
        [_] = controller(timed(world), store).tick(FIRST + 20 * DAY)

    def test_a_turn_that_fails_in_a_replay_is_tried_again_with_the_same_tick(self, world, store, monkeypatch):
        monkeypatch.setattr("treadle.loop.training.RUN_STEP", "tests.loop.units.test_turn:out_of_memory")
        with pytest.raises(TreadleError, match="step 'fit' failed"):
            controller(timed(world), store, try_again=True).tick(FIRST + 10 * DAY)
        monkeypatch.undo()
        [turned] = controller(timed(world), store, try_again=True).tick(FIRST + 10 * DAY)
        assert turned.result.decision is not None
        assert [job.state for job in jobs(world)] == [JobState.SUCCEEDED]

    def test_a_job_of_a_controller_that_died_in_it_is_taken_over_at_once(self, world, store):
        arm("controller.after_decision:raise")
        with pytest.raises(FailpointError):
            controller(timed(world), store).tick(FIRST + 10 * DAY)
        with world.metadata.begin() as unit:  # as if it had been claimed and its holder killed
            assert unit.jobs.claim("controller", HOUR, FIRST, world.metadata.tick()) is not None
        [_] = controller(timed(world), store).tick(FIRST + 10 * DAY)
        assert [job.state for job in jobs(world)] == [JobState.SUCCEEDED]


class TestThePipelineOfAnEndpoint:
    def test_is_the_triggers_or_the_only_one(self, world, store):
        [endpoint] = world.project.endpoints
        assert controller(world, store).pipeline_for(endpoint) == "train_returns"
        assert controller(watched(world), store).pipeline_for(endpoint) == "train_returns"

    def test_cannot_be_told_when_there_is_none(self, world, store):
        [endpoint] = world.project.endpoints
        with pytest.raises(InvalidInput, match="cannot be told which pipeline"):
            controller(with_project(world, triggers=[], pipelines=[]), store).pipeline_for(endpoint)
