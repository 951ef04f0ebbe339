"""Processes that do one thing to a store, started quickly: one process imports everything and forks for each.

Run as a module it reads orders from standard input, one JSON list a line, and answers each with one number:

    ["start", function, url, failpoints, path]   the new process's id
    ["wait", id]                                 its exit code; negative: the signal that ended it
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import alembic.command  # noqa: F401 - so that processes that migrate at once do not wait for their imports

from treadle.adapters.sql import open_metadata
from treadle.records import failpoints
from treadle.records.runs import Metric

EVENTS_OF_ONE_UNIT = 5


def one_unit(url: str, _path: str) -> None:
    metadata = open_metadata(url)
    with metadata.begin() as unit:
        unit.runs.create_run(1, run_id="run", params={"a": "1"}, tags={"b": "2"})
        unit.runs.log_batch("run", 1, metrics=[Metric("m", 1.0, 0)])
        unit.models.create_model("delay", 1)
        unit.models.create_version("delay", 1)
        unit.models.set_alias("delay", "champion", 1, 1)
        unit.checkpoints.put("progress", 1, 1)


def units_until_killed(url: str, path: str) -> None:
    metadata = open_metadata(url)
    number = 0
    with Path(path).open("a", buffering=1) as acknowledged:
        while True:
            with metadata.begin() as unit:
                unit.runs.create_run(1, run_id=f"run {number}", tags={"n": str(number)})
            acknowledged.write(f"{number}\n")
            number += 1


def thirty_versions(url: str, _path: str) -> None:
    metadata = open_metadata(url)
    me = str(os.getpid())
    for number in range(30):
        with metadata.begin() as unit:
            made = unit.models.create_version("delay", number, source=me)
            unit.models.set_alias("delay", "champion", made.version, number)
            unit.jobs.claim(me, 10**9, number, 0)


def open_only(url: str, _path: str) -> None:
    open_metadata(url).close()


def open_then_fork(url: str, _path: str) -> None:
    metadata = open_metadata(url)
    with metadata.begin() as unit:
        unit.runs.create_run(1, run_id="parent")
    child = os.fork()
    with metadata.begin() as unit:
        unit.runs.create_run(1, run_id="child" if child == 0 else "parent again")
    if child:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


FUNCTIONS: dict[str, Callable[[str, str], None]] = {
    function.__name__: function
    for function in (one_unit, units_until_killed, thirty_versions, open_only, open_then_fork)
}


class Workers:
    """The parent's end."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, *order: object) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, function: Callable[[str, str], None], url: str, armed: str = "", path: str = "") -> int:
        return self._ask("start", function.__name__, url, armed, path)

    def wait(self, process: int) -> int:
        return self._ask("wait", process)

    def run(self, function: Callable[[str, str], None], url: str, armed: str = "") -> int:
        return self.wait(self.start(function, url, armed))

    def close(self) -> None:
        self._process.communicate()


def answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _serve() -> None:
    for line in sys.stdin:
        order, *arguments = json.loads(line)
        if order == "wait":
            answer(os.waitstatus_to_exitcode(os.waitpid(arguments[0], 0)[1]))
            continue
        name, url, armed, path = arguments
        child = os.fork()
        if child == 0:
            status = 1
            try:
                failpoints.arm(armed)
                FUNCTIONS[name](url, path)
                status = 0
            finally:
                os._exit(status)
        answer(child)


if __name__ == "__main__":
    _serve()
