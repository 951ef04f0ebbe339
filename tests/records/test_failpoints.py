"""Failpoints: nothing when unset, once at the asked hit when armed, and a clear refusal of a wrong text."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from treadle.records import failpoints
from treadle.records.errors import InvalidInput
from treadle.records.failpoints import FailpointError, arm, failpoint


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    arm("")
    yield
    arm("")


def run_with(specs: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from treadle.records.failpoints import failpoint\n{code}"],
        env={failpoints.VARIABLE: specs},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_an_unarmed_point_is_passed_freely() -> None:
    failpoint("some.point")
    arm("other.point:raise")
    failpoint("some.point")


def test_a_raise_point_fails_at_its_hit_only() -> None:
    arm("some.point:raise@3")
    failpoint("some.point")
    failpoint("some.point")
    with pytest.raises(FailpointError, match=r"some\.point"):
        failpoint("some.point")
    failpoint("some.point")


def test_without_a_count_the_first_hit_fails() -> None:
    arm(" a.b:raise , c.d:raise@2 ")
    with pytest.raises(FailpointError):
        failpoint("a.b")
    failpoint("c.d")
    with pytest.raises(FailpointError):
        failpoint("c.d")


def test_arming_replaces_what_was_armed() -> None:
    arm("a.b:raise")
    arm("c.d:raise")
    failpoint("a.b")


def test_a_kill_point_ends_the_process_by_sigkill_at_its_hit() -> None:
    done = run_with("x.y:kill@3", "for i in range(5): print(i, flush=True); failpoint('x.y')")
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]


def test_an_empty_variable_arms_nothing() -> None:
    done = run_with("", "failpoint('x.y'); print('alive')")
    assert (done.returncode, done.stdout.strip()) == (0, "alive")


@pytest.mark.parametrize("wrong", ["x.y", "x.y:explode", "x.y:kill@0", "x.y:kill@", ":kill", "X y:raise"])
def test_a_text_that_is_no_failpoint_is_refused_whole(wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        arm(f"good.one:raise,{wrong}")
    assert len(caught.value.faults) == 1
    assert wrong in caught.value.faults[0]
    failpoint("good.one")
