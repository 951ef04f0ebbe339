"""Steps are recorded, found again by what decides them, and gone on with where a run was cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from treadle.records.digests import digest_bytes
from treadle.records.errors import Conflict, Corrupt, InvalidInput
from treadle.records.runs import RunStatus, StepRef
from treadle.stages.pipelines.recorder import RunRecorder, StepCall

CALL = StepCall(
    "fit", digest_bytes(b"code"), {"rate": 0.1}, {"rows": digest_bytes(b"rows")}, digest_bytes(b"env")
)


class Work:
    """A computation that counts how often it was asked."""

    def __init__(self, value="made", **notes):
        self.value, self.notes, self.times = value, notes, 0

    def __call__(self):
        self.times += 1
        if isinstance(self.value, BaseException):
            raise self.value
        return self.value, self.notes


def recorder(stores, run):
    return RunRecorder(run, stores.metadata, stores.blobs, stores.clock)


def test_a_step_is_recorded_with_all_that_decided_it_and_what_it_gave(stores):
    run = stores.begin_run("one")
    outcome = recorder(stores, run).step(CALL, Work({"a": 1}, seconds=2.5, rows=7))
    assert (outcome.value, outcome.cached, dict(outcome.notes)) == (
        {"a": 1},
        False,
        {"seconds": 2.5, "rows": 7},
    )
    [step] = stores.steps(run)
    assert (step.name, step.version, step.params, step.inputs) == (
        CALL.name,
        CALL.version,
        CALL.params,
        CALL.inputs,
    )
    assert (step.status, step.attempt, step.cache_key, step.error) == (
        RunStatus.FINISHED,
        1,
        CALL.cache_key,
        None,
    )
    assert step.outputs["value"] == outcome.digest == digest_bytes(stores.blobs.get(outcome.digest))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": digest_bytes(b"other code")},
        {"params": {"rate": 0.2}},
        {"params": {"rate": 0.1, "more": None}},
        {"inputs": {"rows": digest_bytes(b"other rows")}},
        {"inputs": {"lines": digest_bytes(b"rows")}},
        {"environment": digest_bytes(b"other env")},
    ],
    ids=["name", "code", "parameter", "one more parameter", "input", "name of an input", "environment"],
)
def test_a_step_is_computed_again_when_anything_that_decides_it_changes(stores, change):
    work = Work()
    recorder(stores, stores.begin_run("one")).step(CALL, work)
    recorder(stores, stores.begin_run("two")).step(replace(CALL, **change), work)
    assert work.times == 2


def test_where_it_runs_decides_nothing(stores):
    assert replace(CALL, executor="worker").cache_key == CALL.cache_key


def test_the_same_step_in_another_run_is_answered_from_the_first(stores):
    first, second = stores.begin_run("one"), stores.begin_run("two")
    work = Work("made", seconds=3.0)
    recorder(stores, first).step(CALL, work)
    outcome = recorder(stores, second).step(CALL, work)
    assert work.times == 1
    assert (outcome.value, outcome.cached, dict(outcome.notes)) == ("made", True, {"seconds": 3.0})
    [step] = stores.steps(second)
    assert step.cached_from == StepRef(first.run_id, 0)
    third = stores.begin_run("three")
    recorder(stores, third).step(CALL, work)
    assert stores.steps(third)[0].cached_from == StepRef(first.run_id, 0)  # the one that was executed


@pytest.mark.parametrize("part", ["value", "notes"])
def test_a_result_whose_bytes_are_gone_is_computed_again(stores, part):
    first, second = stores.begin_run("one"), stores.begin_run("two")
    recorder(stores, first).step(CALL, Work("made"))
    stores.lose(stores.steps(first)[0].outputs[part])
    work = Work("made")
    outcome = recorder(stores, second).step(CALL, work)
    assert (work.times, outcome.cached) == (1, False)
    assert stores.blobs.has(outcome.digest)


@pytest.mark.parametrize("part", ["value", "notes"])
def test_a_result_whose_bytes_are_damaged_is_computed_again_and_mended(stores, part, monkeypatch):
    first, second = stores.begin_run("one"), stores.begin_run("two")
    recorder(stores, first).step(CALL, Work("made"))
    damaged, get = stores.steps(first)[0].outputs[part], stores.blobs.get

    def broken(digest):
        if digest == damaged:
            raise Corrupt("damaged")
        return get(digest)

    monkeypatch.setattr(type(stores.blobs), "get", lambda self, digest: broken(digest))
    work = Work("made")
    outcome = recorder(stores, second).step(CALL, work)
    assert (work.times, outcome.cached) == (1, False)


def test_a_run_that_is_gone_through_again_finds_every_step_and_changes_nothing(stores):
    run = stores.begin_run("one")
    works = [Work(n) for n in range(3)]
    for _ in range(2):
        again = recorder(stores, run)
        found = [again.step(replace(CALL, params={"n": n}), work) for n, work in enumerate(works)]
        assert [outcome.value for outcome in found] == [0, 1, 2]
        assert not any(outcome.cached for outcome in found)
    assert [work.times for work in works] == [1, 1, 1]
    assert [step.attempt for step in stores.steps(run, all_attempts=True)] == [1, 1, 1]


def test_two_equal_calls_in_one_run_are_two_steps_and_one_computation(stores):
    run = stores.begin_run("one")
    work, recording = Work(), recorder(stores, run)
    assert [recording.step(CALL, work).cached for _ in range(2)] == [False, True]
    assert work.times == 1
    assert [step.index for step in stores.steps(run)] == [0, 1]


def test_a_finished_step_whose_bytes_are_gone_is_made_again_under_its_digest(stores):
    run = stores.begin_run("one")
    made = recorder(stores, run).step(CALL, Work("made"))
    stores.lose(made.digest)
    again = recorder(stores, run).step(CALL, Work("made"))
    assert again.digest == made.digest
    assert stores.blobs.has(made.digest)
    assert [step.attempt for step in stores.steps(run, all_attempts=True)] == [1]


def test_a_finished_step_that_gives_other_bytes_now_is_not_passed_off_as_the_same(stores):
    run = stores.begin_run("one")
    made = recorder(stores, run).step(CALL, Work("made"))
    stores.lose(made.digest)
    with pytest.raises(Corrupt, match="gives another one"):
        recorder(stores, run).step(CALL, Work("made otherwise"))


def test_a_run_does_not_go_on_with_changed_code(stores):
    run = stores.begin_run("one")
    recorder(stores, run).step(CALL, Work())
    with pytest.raises(Conflict, match=r"step 0 \(fit\) finished with other code") as caught:
        recorder(stores, run).step(replace(CALL, environment=digest_bytes(b"upgraded")), Work())
    assert "start a new run" in str(caught.value)


def test_a_failed_step_is_recorded_with_its_error_and_can_be_tried_again(stores):
    run = stores.begin_run("one")
    with pytest.raises(ValueError, match="three"):
        recorder(stores, run).step(CALL, Work(ValueError("not three")))
    [step] = stores.steps(run)
    assert (step.status, step.error, step.outputs) == (RunStatus.FAILED, "ValueError: not three", {})
    recorder(stores, run).step(CALL, Work())
    assert [(s.attempt, s.status) for s in stores.steps(run, all_attempts=True)] == [
        (1, RunStatus.FAILED),
        (2, RunStatus.FINISHED),
    ]


def test_an_error_of_ours_is_recorded_with_everything_it_says(stores):
    run = stores.begin_run("one")
    error = InvalidInput("bad rows", where="here", fix="mend them", faults=["one", "two"])
    with pytest.raises(InvalidInput):
        recorder(stores, run).step(CALL, Work(error))
    text = stores.steps(run)[0].error
    assert text is not None
    assert all(part in text for part in ("bad rows", "here", "mend them", "one", "two"))


def test_a_value_that_cannot_be_stored_fails_the_step(stores):
    run = stores.begin_run("one")
    with pytest.raises(InvalidInput, match="cannot be stored"):
        recorder(stores, run).step(CALL, Work(object()))
    assert stores.steps(run)[0].status is RunStatus.FAILED


def test_an_interruption_leaves_the_step_begun_to_be_begun_again(stores):
    run = stores.begin_run("one")
    with pytest.raises(KeyboardInterrupt):
        recorder(stores, run).step(CALL, Work(KeyboardInterrupt()))
    assert stores.steps(run)[0].status is RunStatus.RUNNING
    assert recorder(stores, run).step(CALL, Work()).value == "made"
    assert stores.steps(run)[0].attempt == 2


SCRIPT = """
import sys
from pathlib import Path
from tests.pipelines.conftest import Stores
from treadle.records.digests import digest_bytes
from treadle.stages.pipelines.recorder import RunRecorder, StepCall

stores = Stores(Path(sys.argv[1]))
run = stores.begin_run("killed")
recorder = RunRecorder(run, stores.metadata, stores.blobs, stores.clock)
for n in range(3):
    call = StepCall("s", digest_bytes(b"code"), {"n": n}, {}, digest_bytes(b"env"))
    def compute():
        with open(Path(sys.argv[1]) / "computed", "a") as file:
            file.write(str(n))
        return {"n": n}, {"seconds": 0.1}
    assert recorder.step(call, compute).value == {"n": n}
"""


@pytest.mark.parametrize("hit", [pytest.param(1, marks=pytest.mark.faults), 2])
@pytest.mark.parametrize("point", ["step.before_artifact", "step.before_finish"])
def test_a_killed_run_goes_on_at_the_step_it_was_killed_in(stores, point, hit):
    def go(failpoints=""):
        environment = {**os.environ, "TREADLE_FAILPOINTS": failpoints}
        command = [sys.executable, "-c", SCRIPT, str(stores.folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    code, errors = go(f"{point}:kill@{hit}")
    assert code == -signal.SIGKILL, errors
    run = stores.begin_run("killed")
    assert [step.status for step in stores.steps(run)] == [RunStatus.FINISHED] * (hit - 1) + [
        RunStatus.RUNNING
    ]
    assert go() == (0, "")
    steps = stores.steps(run)
    assert [step.status for step in steps] == [RunStatus.FINISHED] * 3
    assert [step.attempt for step in steps] == [2 if n == hit - 1 else 1 for n in range(3)]
    computed = "012".replace(str(hit - 1), str(hit - 1) * 2)
    assert (stores.folder / "computed").read_text() == computed
    first = next(s for s in stores.steps(run, all_attempts=True) if s.index == hit - 1)
    assert (first.status, first.attempt) == (RunStatus.FAILED, 1)
    assert all(stores.blobs.has(digest) for step in steps for digest in step.outputs.values())
