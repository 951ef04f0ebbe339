"""The worker process of `LocalProcesses`: reads a call, runs it, writes the outcome, until its input ends.

Started as `python -m treadle.adapters.executor_worker OUTCOMES PARENT`: the descriptor of the pipe for
outcomes and the process id of the executor. Calls come on stdin. Before the first call stdin is replaced by
the null device and neither pipe is inherited, so that neither a task nor a program it starts can touch the
frames.
"""

from __future__ import annotations

import ctypes
import faulthandler
import importlib
import io
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import cast

from treadle.adapters.executor_frames import Call, Outcome, Remote, read_frame, write_frame
from treadle.records.errors import TreadleError

ORIGINAL_PYTHONPATH = "TREADLE_WORKER_PYTHONPATH"
"""Carries the PYTHONPATH that programs started by a task shall see."""

_PR_SET_PDEATHSIG = 1
_C = ctypes.CDLL(None)


def main(arguments: list[str]) -> None:
    """Serve calls until stdin ends or the executor dies."""
    outcomes, parent = int(arguments[0]), int(arguments[1])
    _die_with(parent)
    os.set_inheritable(outcomes, False)
    calls = _take_stdin()
    _restore_environment()
    _open_logs()
    while (received := read_frame(partial(os.read, calls))) is not None:
        call = cast("Call", json.loads(received[0]))
        outcome, payload = perform(call["target"], received[1])
        _flush()
        write_frame(outcomes, outcome, payload)


def perform(target: str, payload: bytes) -> tuple[Outcome, bytes]:
    """Import and call the target; what it raises is part of the outcome, except for KeyboardInterrupt."""
    began = time.perf_counter()
    try:
        function = _resolve(target)
        began = time.perf_counter()  # importing is not time in the function
        returned = function(payload)
        seconds = time.perf_counter() - began
        if not isinstance(returned, bytes):
            raise TypeError(f"{target} returned {type(returned).__name__}, not bytes")
    except KeyboardInterrupt:
        raise
    except BaseException as problem:  # noqa: BLE001 - a task may fail in any way; sys.exit() is one of them
        return Outcome(seconds=time.perf_counter() - began, failure=_describe(problem)), b""
    return Outcome(seconds=seconds, failure=None), returned


def _resolve(target: str) -> Callable[[bytes], object]:
    module, _, name = target.partition(":")
    return cast("Callable[[bytes], object]", getattr(importlib.import_module(module), name))


def _describe(problem: BaseException) -> Remote:
    """Return an exception in the form in which it travels, without this module's own frames."""
    kind = type(problem)
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    known = problem if isinstance(problem, TreadleError) else None
    return Remote(
        type=f"{kind.__module__}.{kind.__qualname__}",
        message=known.what if known else _text(problem),
        traceback="".join(traceback.format_exception(kind, problem, trace)),
        where=known.where if known else None,
        fix=known.fix if known else None,
        command=known.command if known else None,
        faults=list(known.faults) if known else [],
    )


def _text(problem: BaseException) -> str:
    try:
        return str(problem)
    except Exception:  # noqa: BLE001 - a foreign class may not even manage this
        return "<its text cannot be had>"


def _take_stdin() -> int:
    calls = os.dup(0)  # not inherited by the programs a task starts
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return calls


def _restore_environment() -> None:
    original = os.environ.pop(ORIGINAL_PYTHONPATH, None)
    if original is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = original


def _open_logs() -> None:
    faulthandler.enable()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # By lines, so that the last words of a task that is killed are there.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # a task may have closed it: its own loss
            pass
    _C.fflush(None)  # what C libraries have printed


def _die_with(parent: int) -> None:
    """End this process when the executor's process ends, also in the middle of a task."""
    if sys.platform == "linux":
        # The signal comes when the thread that started us ends; the executor's threads outlive their workers.
        _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:  # it ended before we were ready to be told
        os._exit(1)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
