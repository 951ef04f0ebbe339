"""What the core needs from a place where work runs: bytes in, bytes out, best in a process of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from treadle.records.errors import InvalidInput, TreadleError

_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Task:
    """One call of an importable function that takes bytes and returns bytes.

    Raises:
        InvalidInput: the target is not written `package.module:function`, or `threads` is below 1.
    """

    target: str
    """`package.module:function`; imported where the task runs."""
    payload: bytes
    """The function's only argument."""
    name: str
    """What people read in logs and errors."""
    threads: int = 1
    """Threads that numeric libraries may use in the task (OpenMP, BLAS, Polars)."""
    paths: tuple[str, ...] = ()
    """Folders to import from before all others, such as the project's."""

    def __post_init__(self) -> None:
        faults = []
        if not _TARGET.fullmatch(self.target):
            faults.append(f"the target {self.target!r} is not of the form package.module:function")
        if self.threads < 1:
            faults.append(f"threads is {self.threads}; at least 1 is needed")
        if faults:
            raise InvalidInput(f"the task {self.name!r} cannot be accepted", faults=faults)


class TaskFailed(TreadleError):
    """The function raised; nothing is known to be wrong with the worker.

    Args:
        name: the task's name.
        remote_type: the qualified name of the exception's class, such as `builtins.ValueError`.
        message: the text of the exception.
        remote_traceback: the traceback as the worker printed it.
        where, fix, command, faults: taken over when the function raised a `TreadleError`.
    """

    code = "task_failed"

    def __init__(
        self,
        name: str,
        remote_type: str,
        message: str,
        remote_traceback: str,
        *,
        where: str | None = None,
        fix: str | None = None,
        command: str | None = None,
        faults: Sequence[str] = (),
    ) -> None:
        short = remote_type.rpartition(".")[2]
        what = (
            f"the task {name!r} failed: {short}: {message}"
            if message
            else f"the task {name!r} failed: {short}"
        )
        super().__init__(what, where=where, fix=fix, command=command, faults=faults)
        self.name = name
        self.remote_type = remote_type
        self.message = message
        self.remote_traceback = remote_traceback


class WorkerDied(TreadleError):
    """The task did not finish and will not.

    Its worker was killed or crashed, or the task was cancelled, or the executor closed.
    Whether its effects happened is unknown; whether to try again is the caller's decision.
    """

    code = "worker_died"


class Handle(Protocol):
    """A submitted task. Safe to use from several threads."""

    @property
    def task(self) -> Task:
        """What was submitted."""
        ...

    @property
    def seconds(self) -> float | None:
        """Time spent in the function, measured where it ran; None until it has returned or raised."""
        ...

    @property
    def logs(self) -> str:
        """What the task wrote to stdout and stderr: at least its last 64 KiB, complete once it is done."""
        ...

    def done(self) -> bool:
        """Tell whether `result` would answer at once."""
        ...

    def result(self, timeout: float | None = None) -> bytes:
        """Wait for the task and return what the function returned; the same answer on every call.

        Args:
            timeout: seconds to wait, or None to wait as long as it takes. The task goes on after a timeout.

        Raises:
            TaskFailed: the function raised, could not be imported, or returned something else than bytes.
            WorkerDied: the task did not finish and will not.
            TimeoutError: it has not finished yet.
        """
        ...

    def cancel(self) -> None:
        """Stop the task, running or waiting: its `result` raises `WorkerDied`, unless it had finished."""
        ...


class Executor(Protocol):
    """Runs tasks, each at most once: nothing is retried, since only the caller knows what may be repeated.

    Tasks start in the order of submission when a worker is free; a worker runs one at a time and stays
    warm, with modules loaded, so a task must not count on fresh module state. A worker that died is
    replaced.
    """

    def submit(self, task: Task) -> Handle:
        """Queue the task and return at once.

        Raises:
            NotReady: the executor is closed.
        """
        ...

    def close(self) -> None:
        """End the workers now; tasks that have not finished raise `WorkerDied`. Closing twice is allowed."""
        ...
