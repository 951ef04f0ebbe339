"""Tasks on a Dask cluster: the cluster decides where, a warm process of ours beside each Dask worker does the work.

A task runs in a child process of a Dask worker (`executor_process.WorkerProcess`), never in the Dask worker itself: so it
may crash, be killed or cancelled, and its output is its own, as on this machine. Dask runs a task again when one of its
workers dies; here nothing runs twice, since only the caller knows what may be repeated: a task says on the scheduler that
it has begun, and one that finds this said does not begin.

Dask's own processes send one another pickles: whoever reaches a scheduler's port can run code on its cluster. Connect only
over TLS (`security`), or within one machine. treadle must be installed on the cluster in the same version.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast
from uuid import uuid4

from treadle.adapters.executor import LocalHandle
from treadle.adapters.executor_dask_worker import Ran, begun, cancel_tasks, end_workers, logs_of, run_task
from treadle.ports.executor import Task
from treadle.records.errors import InvalidInput, NotReady

if TYPE_CHECKING:
    from distributed.security import Security

    from treadle.ports.executor import Executor, Handle

_NO_WARNING = {"distributed.admin.large-graph-warning-threshold": "1TB"}
"""Payloads are data on purpose; Dask would advise against each large one."""


class _Future(Protocol):
    """What is used of a `distributed.Future`, whose methods have no types."""

    def result(self) -> object: ...
    def release(self) -> None: ...
    def add_done_callback(self, callback: Callable[[_Future], None]) -> None: ...


class _Client(Protocol):
    """What is used of a `distributed.Client`."""

    def submit(self, function: Callable[..., object], *arguments: object, **options: object) -> _Future: ...
    def run(
        self, function: Callable[..., object], *arguments: object, **options: object
    ) -> dict[str, object]: ...
    def nthreads(self) -> dict[str, int]: ...
    def close(self) -> None: ...


class DaskHandle(LocalHandle):
    """A task on a Dask cluster."""

    def __init__(self, task: Task, pool: DaskExecutor, number: str) -> None:
        super().__init__(task, pool)
        self._cluster = pool
        self.number = number

    @property
    def logs(self) -> str:
        """What the task wrote so far; while it runs, asked of the cluster. See `Handle.logs`."""
        return super().logs if self.done() else self._cluster.logs_of(self) or super().logs


class DaskExecutor:
    """Runs tasks on a Dask cluster, as many at once as its workers have threads; the others wait here, in order.

    Args:
        address: the scheduler's, such as `tls://scheduler:8786`.
        security: certificates for TLS, a `distributed.Security`.
        timeout: seconds to wait for the scheduler.

    Raises:
        NotReady: Dask is not installed, or no scheduler answers.
        InvalidInput: the address is not a scheduler's.
    """

    def __init__(self, address: str, *, security: Security | None = None, timeout: float = 10.0) -> None:
        self._client = _connect(address, security, timeout)
        self._name = uuid4().hex
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._queue: deque[DaskHandle] = deque()
        self._running: dict[DaskHandle, _Future] = {}
        self._is_closed = False

    def submit(self, task: Task) -> Handle:
        """Queue the task for the cluster; see `Executor.submit`."""
        handle = DaskHandle(task, self, f"{self._name}-{next(self._numbers)}")
        with self._lock:
            if self._is_closed:
                raise NotReady("the executor is closed", fix="submit before closing it, or make another")
            self._queue.append(handle)
        self._send()
        return handle

    def cancel(self, handle: LocalHandle) -> None:
        """Stop a task of this executor, running or waiting."""
        assert isinstance(handle, DaskHandle)  # for the type checker: handles come from `submit`
        with self._lock:
            if handle.done():
                return
            if handle in self._queue:
                self._queue.remove(handle)
                handle.settle("it was cancelled")
                return
        logs = self.logs_of(handle)
        if self._settle(handle, "it was cancelled", logs):
            self._on_workers(cancel_tasks, [handle.number])

    def logs_of(self, handle: DaskHandle) -> str:
        """Return what a running task wrote so far."""
        with self._lock:
            if handle not in self._running or self._is_closed:
                return ""
        return next((logs for logs in self._on_workers(logs_of, handle.number) if logs), "")

    def close(self) -> None:
        """End what runs, our processes on the cluster, and the connection; see `Executor.close`."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            unfinished = [*self._running, *self._queue]
            self._queue.clear()
        for handle in unfinished:
            self._settle(handle, "the executor was closed", "")
        self._on_workers(cancel_tasks, [handle.number for handle in unfinished])
        self._on_workers(end_workers, self._name)
        self._client.close()

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self) -> None:
        """Give the cluster as many tasks as it has threads."""
        import dask

        with self._lock:
            if self._is_closed or not self._queue:
                return
            threads = sum(self._client.nthreads().values())
            while self._queue and len(self._running) < max(threads, 1):
                handle = self._queue.popleft()
                task = handle.task
                with dask.config.set(_NO_WARNING):
                    future = self._client.submit(
                        run_task,
                        self._name,
                        handle.number,
                        task.target,
                        task.payload,
                        task.threads,
                        task.paths,
                        key=f"treadle-{handle.number}",
                        pure=False,
                        retries=0,
                    )
                self._running[handle] = future
                future.add_done_callback(partial(self._finished, handle))

    def _finished(self, handle: DaskHandle, future: _Future) -> None:
        """Take what came back; runs in a thread of the client's."""
        try:
            ran = future.result()
        except BaseException as problem:  # noqa: BLE001 - whatever Dask says: the task did not come back
            ran = Ran("", ending=f"the cluster lost it: {type(problem).__name__}: {problem}")
        assert isinstance(ran, Ran)  # for the type checker: that is what `run_task` returns
        if ran.outcome is None:
            self._settle(handle, ran.ending, ran.logs)
        elif not handle.done():
            handle.keep_logs(ran.logs)
            handle.settle_with(ran.outcome, ran.returned)
        with self._lock:
            self._running.pop(handle, None)
            closed = self._is_closed
        future.release()
        if not closed:
            begun(handle.number, self._client).clear()  # it cannot run again
            self._send()

    def _settle(self, handle: DaskHandle, reason: str, logs: str) -> bool:
        if handle.done():
            return False
        handle.keep_logs(logs)
        handle.settle(reason)
        return True

    def _on_workers(self, function: Callable[..., object], *arguments: object) -> list[str]:
        """Call a function on every Dask worker that answers, beside what it is running."""
        try:
            found = self._client.run(function, *arguments, on_error="ignore")
        except (OSError, RuntimeError, ValueError):  # the cluster is gone, or has no workers
            return []
        return [answer for answer in found.values() if isinstance(answer, str)]


def _connect(address: str, security: Security | None, timeout: float) -> _Client:
    try:
        from distributed import Client
    except ImportError:
        raise NotReady(
            "the package `distributed` is not installed, so nothing can run on Dask",
            fix="pip install 'treadle[dask]'",
        ) from None
    try:
        connect = cast("Callable[..., _Client]", Client)
        return connect(address, security=security, timeout=timeout, set_as_default=False, name="treadle")
    except OSError as error:
        raise NotReady(
            f"no Dask scheduler answers at {address}: {error}", fix="start it, or name the one that runs"
        ) from error
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"{address!r} is not the address of a Dask scheduler: {error}",
            fix="name it like tls://scheduler:8786",
        ) from error


if TYPE_CHECKING:
    _executor: Executor = DaskExecutor("tls://scheduler:8786")
