"""The Dask worker's side of `DaskExecutor`: functions that Dask calls there, and the processes they keep warm.

One task is in one thread of the Dask worker, which waits for our child process; the other functions are called beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from treadle.adapters.executor_frames import Outcome
from treadle.adapters.executor_process import Setting, WorkerProcess


@dataclass(frozen=True)
class Ran:
    """What became of a task: an outcome with what it returned, or how its process ended."""

    logs: str
    outcome: Outcome | None = None
    returned: bytes = b""
    ending: str = ""


@dataclass
class _Kept:
    """What this Dask worker keeps for the executors that use it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: dict[str, list[WorkerProcess]] = field(default_factory=dict)
    running: dict[str, WorkerProcess] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)


_kept = _Kept()


def run_task(
    executor: str, number: str, target: str, payload: bytes, threads: int, paths: tuple[str, ...]
) -> Ran:
    """Run one task in a warm process of the executor's; called by Dask in a thread of a worker."""
    if not _begins(number):
        return Ran("", ending="its Dask worker died; it was not run again")
    try:
        worker = _take(executor, number, Setting(threads, paths))
    except OSError as problem:
        return Ran("", ending=f"no worker could be started: {problem}")
    if worker is None:
        return Ran("", ending="it was cancelled")
    answer = worker.run(target, payload)
    with _kept.lock:
        del _kept.running[number]
        _kept.cancelled.discard(number)
        healthy = answer is not None and not worker.killed
        ending = "" if healthy else worker.reap()
        logs = worker.logs()
        if healthy:
            _kept.idle.setdefault(executor, []).append(worker)
    if not healthy:
        worker.end()
    return Ran(logs, ending=ending) if answer is None else Ran(logs, *answer)


def cancel_tasks(numbers: list[str]) -> None:
    """Kill the processes of these tasks, and let none of them begin."""
    with _kept.lock:
        for number in numbers:
            _kept.cancelled.add(number)
            if number in _kept.running:
                _kept.running[number].kill()


def logs_of(number: str) -> str:
    """Return what a task that runs here has written so far; nothing when it runs elsewhere."""
    with _kept.lock:
        worker = _kept.running.get(number)
        return "" if worker is None else worker.logs()


def end_workers(executor: str) -> None:
    """End the idle processes of an executor that closes."""
    with _kept.lock:
        ending = _kept.idle.pop(executor, [])
        _kept.cancelled = {number for number in _kept.cancelled if not number.startswith(executor)}
    for worker in ending:
        worker.end()


def begun(number: str, client: object = None) -> _Mark:
    """Return the mark, kept by the scheduler, that a task has begun.

    Args:
        number: the task's.
        client: the connection to the scheduler; within a Dask worker it is found.
    """
    from distributed import Event

    return cast("Callable[..., _Mark]", Event)(f"treadle-{number}", client)


def _begins(number: str) -> bool:
    """Mark a task as begun; False when it is marked already: it ran on a worker that died."""
    mark = begun(number)
    if mark.is_set():
        return False
    mark.set()
    return True


class _Mark(Protocol):
    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def clear(self) -> None: ...


def _take(executor: str, number: str, setting: Setting) -> WorkerProcess | None:
    """Return a process for the task, warm if there is one; None when the task was cancelled before it began."""
    with _kept.lock:
        idle = _kept.idle.setdefault(executor, [])
        warm = next((worker for worker in idle if worker.setting == setting and worker.alive()), None)
        others = [worker for worker in idle if worker is not warm]
        _kept.idle[executor] = []
    for worker in others:  # of another setting, or dead
        worker.end()
    worker = warm or WorkerProcess(setting)
    with _kept.lock:
        if number in _kept.cancelled:
            _kept.idle[executor].append(worker)
            return None
        _kept.running[number] = worker
    return worker
