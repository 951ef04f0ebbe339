"""One worker process, seen from the executor's side: start it, send it a call, notice its death, end it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from treadle.adapters.executor_frames import Call, Outcome, read_frame, write_frame
from treadle.adapters.executor_worker import ORIGINAL_PYTHONPATH

LOG_BYTES = 1 << 20
"""Of what a task writes to stdout and stderr, this much of the end is kept."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a worker process is made for and cannot change later."""

    threads: int
    """Threads of numeric libraries."""
    paths: tuple[str, ...]
    """Folders on its import path before all others."""


class WorkerProcess:
    """A running worker. One thread calls `run`, `reap` and `end`; any thread may call `kill` and `logs`.

    Raises:
        OSError: the system cannot start a process or open a file now.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.killed = False
        self._mutex = threading.Lock()
        self._ended = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            # Appending, because it is emptied before each task while others have it open.
            fcntl.fcntl(self._log, fcntl.F_SETFL, fcntl.fcntl(self._log, fcntl.F_GETFL) | os.O_APPEND)
            self._outcomes, theirs = os.pipe()
            try:
                self._process = self._start(theirs)
            except BaseException:
                os.close(self._outcomes)
                raise
            finally:
                os.close(theirs)
        except BaseException:
            self._log.close()
            raise
        self._poller = select.poll()
        self._poller.register(self._outcomes, select.POLLIN)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def run(self, target: str, payload: bytes) -> tuple[Outcome, bytes] | None:
        """Run one call; None when the process died before it had answered."""
        assert self._process.stdin is not None  # for the type checker: we asked for a pipe
        os.ftruncate(self._log.fileno(), 0)
        try:
            write_frame(self._process.stdin.fileno(), Call(target=target), payload)
            received = read_frame(self._read)
            return received and (cast("Outcome", json.loads(received[0])), received[1])
        except (OSError, ValueError):  # the pipe broke, or a task wrote into it
            return None

    def alive(self) -> bool:
        """Tell whether the process runs; it is not reaped, so that its id stays its own."""
        if self._ended:
            return False
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def logs(self) -> str:
        """Return the last mebibyte written to stdout and stderr since the last call began."""
        descriptor = self._log.fileno()
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, LOG_BYTES, max(size - LOG_BYTES, 0)).decode("utf-8", "replace")

    def kill(self) -> None:
        """Kill the process and what its tasks started; `run` then returns None, unless it had the answer."""
        with self._mutex:
            self.killed = True
            if not self._ended:
                self._kill_group()

    def reap(self) -> str:
        """Kill what is left of the process and its group; return how it ended. `logs` stay readable."""
        with self._mutex:
            self._kill_group()
            status = self._process.wait()
            self._ended = True
        # Our signal, coming while a process is dying already, does not change what it died of.
        how = f"died of {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
        return f"its worker {how}"

    def end(self) -> None:
        """Reap the process if that is still to be done, and close everything. To be called once."""
        if not self._ended:
            self.reap()
        if self._process.stdin is not None:
            self._process.stdin.close()
        os.close(self._outcomes)
        self._log.close()

    def _start(self, theirs: int) -> subprocess.Popen[bytes]:
        # -P: the current folder is not searched for modules unless this process does so itself.
        command = [
            sys.executable,
            "-P",
            "-m",
            "treadle.adapters.executor_worker",
            str(theirs),
            str(os.getpid()),
        ]
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            pass_fds=(theirs,),
            env=_environment(self.setting),
            process_group=0,
        )

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:  # all of it has ended
            pass

    def _read(self, size: int) -> bytes:
        # A process that a task forked may hold our pipe open, after the worker is dead.
        while not self._poller.poll(1_000):
            if not self.alive() and not self._poller.poll(0):
                return b""
        return os.read(self._outcomes, size)


def _environment(setting: Setting) -> dict[str, str]:
    environment = dict(os.environ)
    if "PYTHONPATH" in environment:
        environment[ORIGINAL_PYTHONPATH] = environment["PYTHONPATH"]
    ours = (str(Path(entry).absolute()) for entry in sys.path)  # "" is the current folder
    theirs = (str(Path(entry).absolute()) for entry in setting.paths)
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys((*theirs, *ours)))
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(setting.threads))
    return environment
