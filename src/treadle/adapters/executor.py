"""Where tasks run: in warm processes on this machine, or at once in this process."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from treadle.adapters.executor_frames import Outcome, Remote
from treadle.adapters.executor_process import LOG_BYTES, Setting, WorkerProcess
from treadle.adapters.executor_worker import perform
from treadle.ports.executor import Task, TaskFailed, WorkerDied
from treadle.records.errors import InvalidInput, NotReady

if TYPE_CHECKING:
    from treadle.ports.executor import Executor, Handle


class Cancels(Protocol):
    """An executor that can stop its tasks."""

    def cancel(self, handle: LocalHandle) -> None:
        """Stop one of its tasks, running or waiting."""
        ...


class LocalHandle:
    """A task of an executor in this module, and what became of it; settled once."""

    def __init__(self, task: Task, pool: Cancels | None = None) -> None:
        self._task = task
        self._pool = pool
        self._settled = threading.Event()
        self._mutex = threading.Lock()
        self._answer: bytes | Remote | str = b""
        self._seconds: float | None = None
        self._logs = ""
        self.worker: WorkerProcess | None = None

    @property
    def task(self) -> Task:
        """What was submitted."""
        return self._task

    @property
    def seconds(self) -> float | None:
        """Time spent in the function; see `Handle.seconds`."""
        return self._seconds

    @property
    def logs(self) -> str:
        """What the task wrote so far, at most the last mebibyte; see `Handle.logs`."""
        with self._mutex:
            # Once settled, the worker may be on another task or gone.
            return self._logs if self._settled.is_set() or self.worker is None else self.worker.logs()

    def done(self) -> bool:
        """Tell whether the task has finished or will not."""
        return self._settled.is_set()

    def result(self, timeout: float | None = None) -> bytes:
        """Wait for the function's bytes; see `Handle.result`. Each call raises an exception of its own."""
        if not self._settled.wait(timeout):
            raise TimeoutError(f"the task {self._task.name!r} has not finished after {timeout} s")
        answer = self._answer
        if isinstance(answer, bytes):
            return answer
        if isinstance(answer, str):
            raise WorkerDied(
                f"the task {self._task.name!r} did not finish: {answer}",
                where=self._task.target,
                fix=f"look at what it wrote last:\n{self._logs[-1_000:]}" if self._logs else None,
            )
        raise TaskFailed(
            self._task.name,
            answer["type"],
            answer["message"],
            answer["traceback"],
            where=answer["where"],
            fix=answer["fix"],
            command=answer["command"],
            faults=answer["faults"],
        )

    def cancel(self) -> None:
        """Stop the task; see `Handle.cancel`. The worker of a running one is killed and replaced."""
        if self._pool is not None:
            self._pool.cancel(self)

    def settle(self, answer: bytes | Remote | str, *, seconds: float | None = None) -> None:
        """Record the end of the task, unless one is recorded; a text says why it did not finish."""
        logs = self.logs
        with self._mutex:
            if not self._settled.is_set():
                self._answer, self._seconds, self._logs = answer, seconds, logs
                self._settled.set()

    def settle_with(self, outcome: Outcome, returned: bytes) -> None:
        """Record what came back from the function."""
        failure = outcome["failure"]
        self.settle(returned if failure is None else failure, seconds=outcome["seconds"])

    def keep_logs(self, logs: str) -> None:
        """Keep the end of an output that no worker process keeps."""
        self._logs = logs[-LOG_BYTES:]


class InProcess:
    """Runs each task at once, in the calling thread; for tests and for work that needs no process of its own.

    A task's `threads` mean nothing here, and nothing protects this process from it. Output is captured by
    replacing `sys.stdout` and `sys.stderr` meanwhile, so one thread at a time should submit. Folders of
    `paths` stay on `sys.path`.
    """

    def __init__(self) -> None:
        self._closed = False

    def submit(self, task: Task) -> Handle:
        """Run the task and return its handle, which is done."""
        if self._closed:
            raise _closed()
        sys.path[:0] = [path for path in task.paths if path not in sys.path]
        handle, output = LocalHandle(task), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            outcome, returned = perform(task.target, task.payload)
        handle.keep_logs(output.getvalue())
        handle.settle_with(outcome, returned)
        return handle

    def close(self) -> None:
        """Take no more tasks."""
        self._closed = True


class LocalProcesses:
    """Warm worker processes on this machine.

    A worker is made for one number of threads and one row of `paths`, since neither can be changed later:
    libraries read the first when they load, and a module of the same name from another folder would be
    mistaken for the one that is loaded. A task that asks for others gets a new process in the worker's
    place. Modules edited on disk are seen by new workers only.

    A worker has this process's environment and import path and ends when this process does, however that
    ends.
    It leads a process group: what its tasks start ends with it, and Ctrl-C in a terminal does not reach it.

    Args:
        workers: tasks that may run at the same time.
        threads: what the workers are prepared for before the first task.
        paths: folders that they are prepared to import from.
    """

    def __init__(self, workers: int = 2, *, threads: int = 1, paths: tuple[str, ...] = ()) -> None:
        if workers < 1 or threads < 1:
            raise InvalidInput(
                f"{workers} workers with {threads} threads cannot run a task", fix="give at least 1 of each"
            )
        self._changed = threading.Condition()
        self._queue: deque[LocalHandle] = deque()
        self._running: set[LocalHandle] = set()
        self._is_closed = False
        self._slots = [
            threading.Thread(
                target=self._serve, args=(Setting(threads, paths),), name="treadle-worker", daemon=True
            )
            for _ in range(workers)
        ]
        for slot in self._slots:
            slot.start()
        atexit.register(self.close)

    def submit(self, task: Task) -> Handle:
        """Queue the task for the next free worker; see `Executor.submit`."""
        handle = LocalHandle(task, self)
        with self._changed:
            if self._is_closed:
                raise _closed()
            self._queue.append(handle)
            self._changed.notify()
        return handle

    def cancel(self, handle: LocalHandle) -> None:
        """Stop a task of this executor, running or waiting."""
        with self._changed:
            if handle in self._queue:
                self._queue.remove(handle)
            self._stop(handle, "it was cancelled")

    def close(self) -> None:
        """Kill the workers; see `Executor.close`. Returns when they are gone."""
        with self._changed:
            self._is_closed = True
            for handle in (*self._queue, *self._running):
                self._stop(handle, "the executor was closed")
            self._queue.clear()
            self._changed.notify_all()
        for slot in self._slots:
            slot.join()
        atexit.unregister(self.close)

    def __enter__(self) -> LocalProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stop(self, handle: LocalHandle, reason: str) -> None:
        handle.settle(reason)
        if handle in self._running and handle.worker is not None:
            handle.worker.kill()

    def _serve(self, setting: Setting) -> None:
        """Be one slot (a thread): keep a worker warm and give it one task after another."""
        worker, problem = _start(setting)
        while (handle := self._take()) is not None:
            setting = Setting(handle.task.threads, handle.task.paths)
            # One that died while idle is replaced before it costs a task.
            if worker is not None and not (worker.setting == setting and worker.alive()):
                worker.end()
                worker = None
            if worker is None:
                worker, problem = _start(setting)
            if worker is None:
                self._release(handle)
                handle.settle(f"no worker could be started: {problem}")
            elif not self._run(handle, worker):
                worker, problem = _start(setting)
        if worker is not None:
            worker.end()

    def _take(self) -> LocalHandle | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            if self._is_closed:
                return None
            handle = self._queue.popleft()
            self._running.add(handle)
            return handle

    def _release(self, handle: LocalHandle) -> None:
        with self._changed:
            self._running.discard(handle)

    def _run(self, handle: LocalHandle, worker: WorkerProcess) -> bool:
        """Run the task and settle its handle; tell whether the worker lives on, or was ended."""
        with self._changed:
            if handle.done():  # cancelled in the moment between
                self._running.discard(handle)
                return True
            handle.worker = worker
        answer = worker.run(handle.task.target, handle.task.payload)
        # From here on nobody kills this worker because of this task: that would hit the next one.
        self._release(handle)
        if answer is not None:
            handle.settle_with(*answer)
            if not worker.killed:
                return True
        handle.settle(worker.reap())
        worker.end()
        return False


def _start(setting: Setting) -> tuple[WorkerProcess | None, str]:
    try:
        return WorkerProcess(setting), ""
    except OSError as problem:
        return None, str(problem)


def _closed() -> NotReady:
    return NotReady("the executor is closed", fix="submit before closing it, or make another")


if TYPE_CHECKING:
    _executors: list[Executor] = [InProcess(), LocalProcesses()]
