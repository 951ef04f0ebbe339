"""Servers that read a stream until they are killed: `python -m tests.streams.dying`.

It reads a job a line (JSON: kind, address, home, data, failpoints), does each in a fork of its own, and answers with the
fork's exit code and output. What has to be loaded is loaded once, before the first fork; nothing is opened before it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import treadle.adapters.streams.inbox
import treadle.adapters.streams.kafka
import treadle.adapters.streams.nats
import treadle.adapters.streams.redis  # noqa: F401 - loaded before the first fork
from tests.streams.places import eventually, serving, source
from treadle.loop.live import Live
from treadle.records.failpoints import arm

PORTION = 250


def caught_up(live: Live) -> bool:
    """Say whether all messages have come, and all events are in the tables."""
    state = live.consumers["orders"].state
    return state.waiting == 0 and live.flusher.position == live.world.events.end()


def main(job: dict[str, str]) -> None:
    orders = source(job["kind"], job["address"])
    data = Path(job["data"])
    with serving(Path(job["home"]), orders, data=data, portion=PORTION) as live:
        eventually(lambda: caught_up(live))


def perform(job: dict[str, str]) -> dict[str, object]:
    """Do a job in a fork; return how it ended and what it put out."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(write, 1)
            os.dup2(write, 2)
            arm(job["failpoints"])
            main(job)
            code = 0
        except BaseException:  # noqa: BLE001 - shown, and told by the exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as output:
        said = output.read()
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "output": said}


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(perform(json.loads(line))) + "\n")
        sys.stdout.flush()
