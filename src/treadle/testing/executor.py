"""The contract every executor keeps.

An adapter's author writes:

    class TestMyExecutor(ExecutorContract):
        workers = 2             # that may run at the same time; 0 when `submit` runs the task itself

        @pytest.fixture
        def executor(self) -> Iterator[Executor]:
            ...
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from treadle.ports.executor import Executor, Handle, Task, TaskFailed, WorkerDied
from treadle.records.errors import InvalidInput, NotReady

WAIT = 60.0
"""Seconds after which a test gives up."""


def task(function: str, payload: bytes = b"", *, threads: int = 1, paths: tuple[str, ...] = ()) -> Task:
    """Return a task that calls a function of `treadle.testing.tasks`."""
    return Task(f"treadle.testing.tasks:{function}", payload, name=function, threads=threads, paths=paths)


def wait_for(path: Path) -> str:
    """Return the text of a file once it is there with some in it."""
    deadline = time.monotonic() + WAIT
    while not (path.exists() and path.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.002)
    return path.read_text(encoding="utf-8")


class ExecutorContract:
    """Subclass with a fixture `executor` and the number of `workers`."""

    workers: int

    @pytest.fixture
    def executor(self) -> Executor:
        """Return the executor under test."""
        raise NotImplementedError("give the executor to be tested as a fixture")

    @pytest.mark.parametrize(
        "payload", [b"", b"\x00", bytes(range(256)) * 20_000], ids=["none", "one", "5 MB"]
    )
    def test_the_bytes_that_the_function_returns_are_the_result(
        self, executor: Executor, payload: bytes
    ) -> None:
        """Whatever their number."""
        handle = executor.submit(task("backwards", payload))
        assert handle.result(WAIT) == payload[::-1]
        assert handle.done()
        assert handle.result(0) == payload[::-1]
        assert handle.task == task("backwards", payload)

    def test_each_task_gets_its_own_answer(self, executor: Executor) -> None:
        """Many more tasks than workers, asked for in another order."""
        handles = [executor.submit(task("echo", str(number).encode())) for number in range(100)]
        assert [handle.result(WAIT) for handle in reversed(handles)] == [
            str(number).encode() for number in reversed(range(100))
        ]

    def test_time_is_measured_in_the_function(self, executor: Executor) -> None:
        """Not in the queue, and also when it fails."""
        began = time.perf_counter()
        for function in ("echo", "fail"):
            handle = executor.submit(task(function, b"x"))
            assert self._finished(handle)
            assert handle.seconds is not None
            assert 0 < handle.seconds < time.perf_counter() - began

    def test_an_exception_comes_back_with_type_text_and_traceback(self, executor: Executor) -> None:
        """And the executor goes on."""
        handle = executor.submit(task("fail", b"this"))
        with pytest.raises(TaskFailed):
            handle.result(WAIT)
        with pytest.raises(TaskFailed, match="'fail' failed: ValueError: cannot use this") as caught:
            handle.result(0)
        error = caught.value
        assert (error.name, error.remote_type, error.message) == (
            "fail",
            "builtins.ValueError",
            "cannot use this",
        )
        assert error.remote_traceback.startswith("Traceback (most recent call last)")
        assert 'raise ValueError(f"cannot use {payload.decode()}")' in error.remote_traceback
        assert error.remote_traceback.rstrip().endswith("ValueError: cannot use this")
        assert "about to fail" in handle.logs
        assert executor.submit(task("echo", b"well")).result(WAIT) == b"well"

    def test_the_help_in_an_error_of_ours_comes_back_too(self, executor: Executor) -> None:
        """What, where, how to fix, the next command, every fault."""
        with pytest.raises(TaskFailed, match="InvalidInput: wrong") as caught:
            executor.submit(task("fail_helpfully")).result(WAIT)
        error = caught.value
        assert (error.where, error.fix, error.command) == ("here", "do right", "treadle doctor")
        assert error.faults == ("one", "two")

    @pytest.mark.parametrize(
        ("target", "remote_type"),
        [
            ("treadle.testing.no_such_module:echo", "builtins.ModuleNotFoundError"),
            ("treadle.testing.tasks:no_such_function", "builtins.AttributeError"),
            ("treadle.testing.tasks:CONSTANT", "builtins.TypeError"),
            ("treadle.testing.tasks:none", "builtins.TypeError"),
            ("treadle.testing.tasks:leave", "builtins.SystemExit"),
        ],
    )
    def test_what_is_no_function_from_bytes_to_bytes_fails(
        self, executor: Executor, target: str, remote_type: str
    ) -> None:
        """As a task, not as a worker."""
        with pytest.raises(TaskFailed) as caught:
            executor.submit(Task(target, b"", name="wrong")).result(WAIT)
        assert caught.value.remote_type == remote_type

    def test_what_a_task_writes_is_in_its_logs_and_in_no_other(self, executor: Executor) -> None:
        """By Python's streams at least."""
        first = executor.submit(task("write", "naïve ✓".encode()))
        second = executor.submit(task("write", b"two\nlines"))
        silent = executor.submit(task("echo"))
        for handle in (first, second, silent):
            handle.result(WAIT)
        assert [handle.logs for handle in (first, second, silent)] == ["naïve ✓", "two\nlines", ""]

    def test_of_long_logs_the_end_is_kept(self, executor: Executor) -> None:
        """At least 64 KiB of it."""
        handle = executor.submit(task("write", b"x" * 3_000_000 + b"end"))
        handle.result(WAIT)
        assert handle.logs.endswith("x" * 65_000 + "end")

    def test_modules_are_imported_from_the_folders_of_the_task(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        """Before all others."""
        (tmp_path / "only_here.py").write_text(
            "def answer(payload):\n    return payload + b'!'\n", encoding="utf-8"
        )
        found = Task("only_here:answer", b"found", name="found", paths=(str(tmp_path),))
        assert executor.submit(found).result(WAIT) == b"found!"

    @pytest.mark.parametrize(
        "target", ["os", "os:", ":system", "os.system", "os:a.b", "os:a b", "os:a()", "o-s:a"]
    )
    def test_a_target_in_another_form_is_refused(self, target: str) -> None:
        """When the task is made."""
        with pytest.raises(InvalidInput) as caught:
            Task(target, b"", name="wrong", threads=0)
        assert len(caught.value.faults) == 2

    def test_a_closed_executor_takes_no_tasks(self, executor: Executor) -> None:
        """And may be closed again."""
        handle = executor.submit(task("echo", b"before"))
        handle.result(WAIT)
        executor.close()
        executor.close()
        assert handle.result(0) == b"before"
        with pytest.raises(NotReady, match="closed"):
            executor.submit(task("echo"))

    def test_as_many_tasks_run_at_once_as_there_are_workers(self, executor: Executor, tmp_path: Path) -> None:
        """Two that wait for each other meet when there are two; otherwise the next waits for its turn."""
        a, b = tmp_path / "a", tmp_path / "b"
        if self.workers >= 2:
            first = executor.submit(task("meet", f"{a}\n{b}".encode()))
            second = executor.submit(task("meet", f"{b}\n{a}".encode()))
            assert (first.result(WAIT), second.result(WAIT)) == (b"met", b"met")
        elif self.workers == 1:
            first = executor.submit(task("meet", f"{a}\n{b}".encode()))
            second = executor.submit(task("echo", b"later"))
            wait_for(a)
            assert not second.done()
            b.touch()
            assert (first.result(WAIT), second.result(WAIT)) == (b"met", b"later")

    def test_waiting_may_end_before_the_task_does(self, executor: Executor, tmp_path: Path) -> None:
        """The task goes on; what it wrote can be read meanwhile."""
        if self.workers:
            handle = executor.submit(task("meet", f"{tmp_path / 'here'}\n{tmp_path / 'go'}".encode()))
            wait_for(tmp_path / "here")
            with pytest.raises(TimeoutError, match="'meet' has not finished"):
                handle.result(0.01)
            assert not handle.done()
            assert handle.seconds is None
            (tmp_path / "go").touch()
            assert handle.result(WAIT) == b"met"

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
    def test_a_died_worker_is_told_and_replaced(self, executor: Executor, number: signal.Signals) -> None:
        """More often than there are workers; the tasks behind it run."""
        if self.workers:
            dying = [executor.submit(task("die", str(int(number)).encode())) for _ in range(self.workers + 1)]
            healthy = [executor.submit(task("echo", b"well")) for _ in range(3)]
            for handle in dying:
                with pytest.raises(WorkerDied, match=f"'die' did not finish.*{number.name}"):
                    handle.result(WAIT)
                assert "last words" in handle.logs
                assert handle.seconds is None
            assert [handle.result(WAIT) for handle in healthy] == [b"well"] * 3

    def test_a_running_and_a_waiting_task_can_be_cancelled(self, executor: Executor, tmp_path: Path) -> None:
        """The others are not harmed."""
        if self.workers:
            here = [tmp_path / f"here{number}" for number in range(self.workers)]
            running = [
                executor.submit(task("meet", f"{path}\n{tmp_path / 'never'}".encode())) for path in here
            ]
            waiting = executor.submit(task("meet", f"{tmp_path / 'started'}\n{tmp_path / 'never'}".encode()))
            behind = executor.submit(task("echo", b"well"))
            for path in here:
                wait_for(path)
            waiting.cancel()
            for handle in (waiting, *running):
                handle.cancel()
                handle.cancel()
                with pytest.raises(WorkerDied, match="cancelled"):
                    handle.result(WAIT)
            assert behind.result(WAIT) == b"well"
            behind.cancel()
            assert behind.result(0) == b"well"
            assert not (tmp_path / "started").exists()

    def test_closing_ends_what_runs_and_what_waits(self, executor: Executor, tmp_path: Path) -> None:
        """At once, and nobody waits for ever."""
        if self.workers:
            here = tmp_path / "here"
            handles = [
                executor.submit(task("meet", f"{here}\n{tmp_path / 'never'}".encode())) for _ in range(5)
            ]
            wait_for(here)
            executor.close()
            for handle in handles:
                with pytest.raises(WorkerDied, match="closed"):
                    handle.result(0)

    def _finished(self, handle: Handle) -> bool:
        try:
            handle.result(WAIT)
        except TaskFailed:
            pass
        return handle.done()
