"""Processes that take in events until they are killed: `python -m tests.intake.dying`.

It reads a job a line (JSON: home, run, batches, again, failpoints), does each in a fork of its own, and answers with the fork's
exit code and output. What has to be loaded is loaded once, before the first fork; nothing is opened before it.

A job pushes batches of new events, repeats some, and offers faulty ones; two threads apply and flush meanwhile. After each
acknowledgement a line of JSON with the ids is put out.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from pathlib import Path

from tests.intake.places import NOW, Taking, opened, reading
from treadle.adapters.clock import ShiftedClock
from treadle.adapters.online import LmdbOnline
from treadle.loop.pushed_tables import EventFlusher
from treadle.records.failpoints import arm

SENSORS = "abc"


def value_of(event_id: str) -> float:
    """The value of an event, told by its id, so that what is found can be checked without asking who made it."""
    run, number = event_id.split("-")
    return float(int(run) * 1_000 + int(number))


def sensor_of(event_id: str) -> str:
    return SENSORS[int(event_id.split("-")[1]) % len(SENSORS)]


def row_of(event_id: str) -> dict[str, object]:
    return reading(0, value=value_of(event_id), sensor=sensor_of(event_id))


def main(home: Path, run: int, batches: int, again: list[str]) -> None:
    clock = ShiftedClock(NOW + run * 60_000_000)
    online = LmdbOnline(home / "online", durable=False, map_size=1 << 24)
    with opened(home, online=online, clock=clock, segment_bytes=600) as world:
        taking = Taking.of(world)
        flusher = EventFlusher(world.project.sources, world.events, world.tables, keep=0)
        wake, stop = threading.Event(), threading.Event()
        taking.intake._wake = wake.set

        def apply() -> None:
            while not stop.is_set():
                wake.wait(0.02)
                wake.clear()
                taking.feed.advance(clock.now())

        def flush() -> None:
            while not stop.is_set():
                flusher.flush()
                flusher.drop(taking.feed.log_position(), clock.now())
                stop.wait(0.002)

        threads = [threading.Thread(target=work, daemon=True) for work in (apply, flush)]
        for thread in threads:
            thread.start()
        offer(taking, again)
        for batch in range(batches):
            ids = [f"{run}-{batch * 4 + n}" for n in range(4)]
            offer(taking, [*ids, *ids[:1], *again[:2]])
        stop.set()
        wake.set()
        for thread in threads:
            thread.join()
        taking.feed.advance(clock.now())
        flusher.flush()
    online.close()


def offer(taking: Taking, ids: list[str]) -> None:
    if not ids:
        return
    rows = [row_of(event_id) for event_id in ids]
    taking.intake.offer("readings", [*rows, {"sensor": ids[0]}], ids=[*ids, f"bad {ids[0]}"], whole=False)
    os.write(1, json.dumps(ids).encode() + b"\n")


def perform(job: dict) -> dict[str, object]:
    """Do a job in a fork; return how it ended and what it put out."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.dup2(write, 1)
            arm(job["failpoints"])
            main(Path(job["home"]), job["run"], job["batches"], job["again"])
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
