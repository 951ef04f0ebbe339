"""Killed at each step of the write path, again and again: what was acknowledged is everywhere, once; nothing is invented."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.intake.dying import SENSORS, row_of, sensor_of, value_of
from tests.intake.places import NOW, Taking, opened, table_ids, write_orders
from treadle.adapters.clock import ShiftedClock
from treadle.adapters.online import LmdbOnline
from treadle.loop.pushed_store import make_flusher
from treadle.loop.pushed_tables import DEAD_LETTERS
from treadle.loop.stored import ingest
from treadle.records.instants import DAY

ROOT = Path(__file__).parents[2]
POINTS = [
    "intake.after_append",
    "intake.before_online",
    "intake.after_online",
    "intake.before_tables",
    "intake.after_tables",
    "intake.before_dead_letters",
    "intake.after_dead_letters",
    "intake.before_drop",
]
BATCHES = 400


@pytest.fixture(scope="module")
def nursery():
    """A process that does jobs in forks of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.intake.dying"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


class Producer:
    """Pushes to a process that dies, and pushes again what was not acknowledged; keeps account of both."""

    def __init__(self, folder: Path, nursery) -> None:
        self.folder = folder
        self.acknowledged: set[str] = set()
        self.letters: set[str] = set()
        self.offered: set[str] = set()
        self.runs = 0
        self._nursery = nursery
        write_orders(folder / "data", [])
        with opened(folder / "home") as world:
            ingest(world, folder / "data", NOW)

    def push(self, failpoints: str, batches: int = BATCHES) -> int:
        """Have a process push once; returns its exit code."""
        self.runs += 1
        again = sorted(self.offered - self.acknowledged)[:8]
        job = {
            "home": str(self.folder / "home"),
            "run": self.runs,
            "batches": batches,
            "again": again,
            "failpoints": failpoints,
        }
        self._nursery.stdin.write(json.dumps(job) + "\n")
        self._nursery.stdin.flush()
        done = json.loads(self._nursery.stdout.readline())
        for line in done["output"].splitlines():
            ids = json.loads(line)
            self.acknowledged.update(ids)
            self.letters.add(f"bad {ids[0]}")
        self.offered |= {f"{self.runs}-{n}" for n in range(4 * batches)} | set(again)
        assert done["code"] in (0, -signal.SIGKILL)
        return done["code"]

    def check(self) -> None:
        """Open the home and look at every store."""
        clock = ShiftedClock(NOW + DAY // 2)
        online = LmdbOnline(self.folder / "home" / "online", durable=False, map_size=1 << 24)
        with opened(self.folder / "home", online=online, clock=clock) as world:
            taking = Taking.of(world)
            flusher = make_flusher(world)
            assert flusher is not None
            flusher.flush()
            counted = Counter(table_ids(world, "readings"))
            assert set(counted.values()) <= {1}
            assert counted.keys() >= self.acknowledged
            assert counted.keys() <= self.offered
            rows = world.tables.read("readings").collect()
            found = zip(rows["__event_id"], rows["sensor"], rows["value"], strict=True)
            assert all((sensor_of(one), value_of(one)) == (sensor, value) for one, sensor, value in found)
            for sensor in SENSORS:
                values = [value_of(one) for one in counted if sensor_of(one) == sensor]
                vector = taking.vector(sensor=sensor)
                assert (vector["lately_count_1d"], vector["lately_value_sum_1d"]) == (
                    len(values),
                    sum(values),
                )
            known = taking.intake.offer("readings", [row_of(one) for one in counted], ids=list(counted))
            assert known.duplicates == len(counted)
            letters = world.tables.read(DEAD_LETTERS).collect()
            assert letters["position"].is_unique().all()
            assert set(letters["event_id"]) >= self.letters
        online.close()


def test_killed_at_one_step_after_the_other_nothing_is_lost_doubled_or_invented(tmp_path, nursery):
    producer = Producer(tmp_path, nursery)
    for kill, point in enumerate(POINTS[::2]):
        assert producer.push(f"{point}:kill@{2 + kill}") == -signal.SIGKILL
    producer.check()
    assert producer.acknowledged


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_killed_there_fifty_times_nothing_is_lost_doubled_or_invented(tmp_path, nursery, point):
    producer = Producer(tmp_path, nursery)
    for kill in range(50):
        assert producer.push(f"{point}:kill@{1 + kill * 7 % 11}") == -signal.SIGKILL
        if kill % 10 == 9:
            producer.check()
    assert producer.push("", batches=5) == 0
    producer.check()
    assert len(producer.acknowledged) > 50


@pytest.mark.faults
def test_killed_inside_log_online_store_and_table_nothing_is_lost_doubled_or_invented(tmp_path, nursery):
    producer = Producer(tmp_path, nursery)
    for point in ("log.after_write:kill@4", "online.before_commit:kill@3", "tables.after_commit:kill@2"):
        assert producer.push(point) == -signal.SIGKILL
    assert producer.push("", batches=5) == 0
    producer.check()
