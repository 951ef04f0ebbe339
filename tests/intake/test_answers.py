"""An answer at T has used exactly the events that were known by T, however quickly they come."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import polars as pl
import pytest

import treadle as tr
from tests.intake.places import NOW, Taking, lately, newest, opened, readings
from treadle.adapters.clock import ShiftedClock
from treadle.adapters.online import LmdbOnline
from treadle.loop.answering import Answerer
from treadle.loop.training import Store
from treadle.records.instants import HOUR, SECOND, iso
from treadle.records.intake import decode_record
from treadle.records.predictions import decode_prediction
from treadle.stages.data.pushed import event_frame, without_ids
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.features.plan import ServingPlan
from treadle.stages.serving.predictor import Predictor

asks = tr.Source.parquet(
    "asks", path="asks.parquet", columns={"sensor": "string", "at": "time", "bad": "bool"}, event_time="at"
)
SEEN = tr.FeatureSet("seen", request={"sensor": "string"}, features=[newest, lately])
ENDPOINT = tr.Endpoint(
    "bad",
    model="bad@champion",
    features=SEEN,
    requests=tr.Requests(asks),
    labels=tr.Labels("bad", source=asks, key=["sensor"], value="bad"),
)
PLAN = ServingPlan(SEEN)
SENSORS = ("a", "b", "c")


def make_predictor() -> Predictor:
    return Predictor(
        endpoint="bad",
        model="bad",
        version=1,
        vector=PLAN.vector,
        wanted=PLAN.wanted,
        score=lambda values: 0.5,
        names=list(SEEN.names),
        vocabularies={},
    )


def question(number: int) -> bytes:
    tensor = {"name": "sensor", "shape": [1], "datatype": "BYTES", "data": [SENSORS[number % 3]]}
    return json.dumps({"inputs": [tensor]}).encode()


class Traffic:
    """Threads that push and that apply, until told to stop."""

    def __init__(self, taking: Taking, clock: ShiftedClock, pause: float) -> None:
        self.errors: list[BaseException] = []
        self._taking, self._clock, self._pause = taking, clock, pause
        self._stop, self._wake = threading.Event(), threading.Event()
        taking.intake._wake = self._wake.set
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,)) for work in (self._push, self._apply)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        assert self.errors == []

    def _guarded(self, work) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - shown in the main thread
            self.errors.append(error)

    def _push(self) -> None:
        draw = np.random.default_rng(5)
        number = 0
        while not self._stop.is_set():
            rows = []
            for _ in range(int(draw.integers(1, 4))):
                # Some are late, some known a moment later than they come.
                at = self._clock.now() - int(draw.integers(0, 3)) * HOUR + int(draw.integers(0, 2)) * 3_000
                rows.append({"sensor": SENSORS[number % 3], "at": iso(at), "value": float(number)})
                number += 1
            self._taking.intake.offer("readings", rows, ids=[f"{number}-{n}" for n in range(len(rows))])
            self._stop.wait(self._pause)

    def _apply(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(0.01)
            self._wake.clear()
            self._taking.feed.advance(self._clock.now())


@pytest.mark.parametrize("pause", [0.002, 0.0], ids=["with pauses", "without a pause"])
def test_every_answer_is_what_offline_says_for_its_t(home, pause):
    clock = ShiftedClock(NOW)
    online = LmdbOnline(home / "online", durable=False, map_size=1 << 26)
    with opened(home / "home", online=online, clock=clock) as world:
        taking = Taking.of(world)
        answerer = Answerer(ENDPOINT, online=online, feed=taking.feed, log=world.predictions, clock=clock)
        answerer.predictor = make_predictor()
        lags = []
        with Traffic(taking, clock, pause):
            end = time.monotonic() + 1.5
            number = 0
            while time.monotonic() < end:
                before = clock.now()
                answerer.answer(question(number))
                number += 1
                lags.append(before)
        logged = [decode_prediction(data) for _, data in world.predictions.read()]
        events = [(position, decode_record(data)) for position, data in world.events.read()]
        loaded = Store.of({"readings": taking.store.rows["readings"]}, {}).rows["readings"]
    online.close()
    assert len(logged) > 200
    assert len(events) > 200
    rows = pl.concat([loaded, without_ids(event_frame(readings, events))])
    spine = pl.DataFrame({"sensor": [p.fields[0] for p in logged]}, schema={"sensor": pl.String})
    at = np.array([p.at for p in logged])
    wanted = OfflineFeatures({"readings": rows}.__getitem__).vectors(SEEN, spine, at)
    wrong = [
        (p.at, p.features, list(row))
        for p, row in zip(logged, wanted.iter_rows(), strict=True)
        if p.features != list(row)
    ]
    assert wrong == []
    late = [before - p.at for before, p in zip(lags, logged, strict=True)]
    assert max(late) < SECOND  # T is a moment ago at the most


class PushingClock(ShiftedClock):
    """A clock at whose first reading, once armed, an event is pushed and applied, as another thread might at that moment."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.do = lambda: None

    def now(self) -> int:
        do, self.do = self.do, lambda: None
        do()
        return super().now()


def test_an_event_pushed_and_applied_between_snapshot_and_t_is_not_left_out(home):
    clock = PushingClock(NOW)
    with opened(home / "home", clock=clock) as world:
        taking = Taking.of(world)
        answerer = Answerer(
            ENDPOINT, online=world.online, feed=taking.feed, log=world.predictions, clock=clock
        )
        answerer.predictor = make_predictor()

        def push() -> None:
            taking.intake.offer("readings", [{"sensor": "a", "at": iso(NOW), "value": 7.0}])
            taking.apply()

        clock.do = push
        answerer.answer(question(0))
        (answered,) = (decode_prediction(data) for _, data in world.predictions.read())
        (event,) = (decode_record(data) for _, data in world.events.read())
    assert answered.at >= event.received_at
    assert answered.features[0] == 7.0
