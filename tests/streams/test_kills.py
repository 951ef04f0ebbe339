"""Killed with signal 9 at any step, on each broker: each event is in the table once, and the dead letters are the garbage."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.streams.brokers import BROKERS
from tests.streams.dying import PORTION, caught_up
from tests.streams.places import dead_letters, eventually, orders_and_garbage, serving, source, table_rows

ROOT = Path(__file__).parents[2]
ORDERS = 10_000
POINTS = [
    "streams.after_poll",
    "streams.after_take",
    "streams.before_commit",
    "streams.after_commit",
    "intake.after_append",
    "intake.before_online",
    "intake.after_tables",
    "intake.before_dead_letters",
]
MANY = {"streams.after_poll", "streams.after_take", "intake.after_append"}
"""Points that are passed with each portion; the others only now and then."""

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def run() -> Iterator[Callable[..., dict[str, object]]]:
    command = [sys.executable, "-m", "tests.streams.dying"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:

        def do(**job: str) -> dict[str, object]:
            nursery.stdin.write(json.dumps(job) + "\n")
            nursery.stdin.flush()
            return json.loads(nursery.stdout.readline())

        yield do
        nursery.stdin.close()


@pytest.mark.parametrize("kind", sorted(BROKERS))
def test_each_event_counts_once_however_often_the_consumer_is_killed(tmp_path, run, kind):
    messages, garbage = orders_and_garbage(ORDERS, seed=7)
    chance = random.Random(kind)
    home, data = tmp_path / "home", tmp_path / "data"
    data.mkdir()
    with BROKERS[kind](data) as (address, publish):
        # A part before each run, so that each has something to do when it is killed.
        parts = [messages[n :: len(POINTS) + 1] for n in range(len(POINTS) + 1)]
        for point, part in zip(chance.sample(POINTS, len(POINTS)), parts, strict=False):
            publish(part)
            hit = chance.randint(1, 3) if point in MANY else 1
            ended = run(
                kind=kind, address=address, home=str(home), data=str(data), failpoints=f"{point}:kill@{hit}"
            )
            assert ended["code"] == -signal.SIGKILL, (point, hit, ended["output"])
        publish(parts[-1])
        with serving(home, source(kind, address), data=data, portion=PORTION) as live:
            eventually(lambda: caught_up(live), f"{live.threads['stream orders'].fault}")
            rows, letters = table_rows(live), dead_letters(live)
    assert sorted(rows["order"]) == list(range(ORDERS))
    assert rows["__event_id"].n_unique() == ORDERS
    assert (letters.height, letters.select("partition", "offset").n_unique()) == (garbage, garbage)
