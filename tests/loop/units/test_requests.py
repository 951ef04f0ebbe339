"""A person's request starts a pipeline once, at the next tick, past every cooldown."""

from __future__ import annotations

import pytest

import treadle as tr
from tests.loop.units.conftest import FIRST
from tests.loop.units.shop.model import train_returns
from tests.loop.units.shops import with_project
from tests.loop.units.test_controller import controller, events
from treadle.loop.requests import listens, pending_request, record_request
from treadle.records.instants import DAY, HOUR

HEARD = tr.on(tr.every("300d") | tr.manual(), run=train_returns, cooldown="200d", name="by hand")
DEAF = tr.on(tr.every("300d"), run=train_returns, cooldown="200d", name="by hand")


def ask(world, at, key="one"):
    with world.metadata.begin() as unit:
        record_request(unit, "train_returns", by="ada", reason="new prices", at=at, key=key)


def test_it_starts_the_pipeline_once_and_gives_its_reason(world, store):
    ticking = controller(with_project(world, triggers=[HEARD]), store)
    ticking.tick(FIRST + DAY)
    ticking.tick(FIRST + 2 * DAY)
    before = len(events(world, "trigger.fired"))
    ask(world, FIRST + 2 * DAY + HOUR)
    (turned,) = ticking.tick(FIRST + 3 * DAY)
    assert turned.reason == "a person asks: ada (new prices) asked"
    assert ticking.tick(FIRST + 4 * DAY) == []
    assert len(events(world, "trigger.fired")) == before + 1
    with world.metadata.read() as view:
        assert pending_request(view, "train_returns") is None


def test_a_trigger_without_manual_does_not_hear_it(world, store):
    ticking = controller(with_project(world, triggers=[DEAF]), store)
    ticking.tick(FIRST + DAY)
    ask(world, FIRST + DAY + HOUR)
    assert ticking.tick(FIRST + 2 * DAY) == []


@pytest.mark.parametrize(
    ("condition", "heard"),
    [
        (tr.manual(), True),
        (tr.every("1d"), False),
        (tr.every("1d") | (tr.new_labels(5) & tr.manual()), True),
        (tr.every("1d") | tr.new_labels(5), False),
    ],
)
def test_a_condition_listens_when_manual_is_among_its_parts(condition, heard):
    assert listens(condition) is heard


def test_a_tick_reads_only_the_readings_that_are_new(world, store):
    watched = with_project(world, triggers=[])
    ticking = controller(watched, store)
    asked = []
    journal = type(watched.metadata.read().__enter__().journal)
    read = journal.read

    def counting(self, after=0, **more):
        if more.get("kinds") == ["monitor.read"]:
            asked.append(after)
        return read(self, after, **more)

    journal.read = counting
    try:
        for day in range(4):
            ticking.tick(FIRST + day * DAY)
    finally:
        journal.read = read
    assert len(asked) == 4
    assert asked[0] == 0
    assert 0 < asked[2] < asked[3]
