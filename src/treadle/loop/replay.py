"""Replay: the whole loop over history on a simulated clock, through the same parts that serve live.

Time goes in days of the project's calendar. Within a day every row reaches the online store when it becomes known and every
request is answered at its T, in one order. At the end of the day the controller ticks, as it does live. Then the day is
recorded as done. Killed at any moment, a replay goes on after its last whole day and ends with the same digests: within a
day everything is computed again from what stood at its beginning, and every effect carries a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.calendar import next_midnight
from treadle.loop.controller import Controller
from treadle.loop.feed import Change, Feed, read_cursor, stands_at, write_cursor
from treadle.loop.policies import SidePolicies
from treadle.loop.predictors import load_predictor
from treadle.loop.replay_inputs import FIRST, PROGRESS
from treadle.loop.span import WARM_UP_MONTHS, plan_span
from treadle.loop.stopwatch import Stopwatch
from treadle.loop.summary import ServedMonth
from treadle.loop.training import Store
from treadle.loop.turn import Train, TurnResult, find_pipeline, perform, plan_turn
from treadle.loop.world import World
from treadle.ports.clock import SimulatedTime
from treadle.ports.online import Batch
from treadle.records.decisions import GateDecision
from treadle.records.digests import Json
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.failpoints import failpoint
from treadle.records.instants import Instant, iso
from treadle.records.models import ModelVersion, Verdict
from treadle.records.predictions import Value, encode_prediction
from treadle.records.replays import Decided, Training
from treadle.records.rows import EVENT_TIME
from treadle.stages.serving.predictor import Predictor


@dataclass(frozen=True, slots=True)
class DayDone:
    """Where a replay stands: every day up to `through` is whole."""

    through: Instant
    log_position: int


@dataclass
class Requests:
    """An endpoint's requests in order of T, as the values a predictor takes."""

    at: np.ndarray[tuple[int], np.dtype[np.int64]]
    fields: pl.DataFrame
    ids: pl.DataFrame = field(repr=False)

    @classmethod
    def of(cls, store: Store, endpoint: Endpoint) -> Requests:
        """Take the requests of an endpoint out of the stored rows."""
        rows = store.rows[endpoint.requests.stored().name].sort(EVENT_TIME, "__row")
        return cls(
            rows[EVENT_TIME].to_numpy(),
            _physical(rows.select(list(endpoint.features.request))),
            _physical(rows.select(endpoint.labels.key)),
        )

    def between(
        self, after: Instant, until: Instant, name: str
    ) -> Iterator[tuple[Instant, str, Sequence[Value]]]:
        """Yield (T, prediction id, fields) of the requests with after < T <= until."""
        first, last = (int(i) for i in np.searchsorted(self.at, [after, until], "right"))
        size = last - first
        keys = self.ids.slice(first, size).iter_rows()
        for at, key, values in zip(
            self.at[first:last].tolist(), keys, self.fields.slice(first, size).iter_rows(), strict=True
        ):
            yield at, prediction_id(name, key, at), values


def prediction_id(endpoint: str, key: Sequence[Value], at: Instant) -> str:
    """Return the id of a replayed prediction: the same request has the same id every time."""
    return hashlib.blake2b(f"{endpoint}\x1f{key}\x1f{at}".encode(), digest_size=16).hexdigest()


class Replay:
    """One replay of one endpoint's history.

    Args:
        world: the project and its ports; its clock is simulated.
        store: the stored rows.
        clock: the world's clock, to be moved.
        until: where to stop, or None for the end of the data.
        turn_done: called with what was trained and why, and what the gates made of it.
        day_done: called with the last instant of every replayed day.
        month_done: called when a month's labels are in.
        resuming: called with the instant from which an interrupted or extended replay goes on, if it does.
    """

    def __init__(
        self,
        world: World,
        store: Store,
        clock: SimulatedTime,
        *,
        until: Instant | None = None,
        turn_done: Callable[[Training, Decided | None], None] = lambda training, decided: None,
        day_done: Callable[[Instant], None] = lambda through: None,
        month_done: Callable[[str], None] = lambda month: None,
        resuming: Callable[[Instant], None] = lambda start: None,
    ) -> None:
        self.world = world
        self.store = store
        self.endpoint = world.project.endpoints[0]
        self.zone = world.project.timezone
        self.span = plan_span(store.rows, self.endpoint, self.zone, until)
        self.watch = Stopwatch()
        self._clock = clock
        self._turn_done = turn_done
        self._day_done = day_done
        self._month_done = month_done
        self._resuming = resuming
        self.resumed_from: Instant | None = None
        self._feed = Feed(world.project.views, store.rows)
        self._requests = Requests.of(store, self.endpoint)
        self._controller = Controller(world, store, self.watch, try_again=True)
        self.pipeline = self._controller.pipeline_for(self.endpoint)
        self.policies = SidePolicies(world, store, self.endpoint, self.span, self.zone, self.pipeline)
        self.scored: dict[str, ServedMonth] = {}
        self._predictors: dict[int, Predictor] = {}

    def run(self) -> None:
        """Replay from wherever the home stands to the end."""
        done = self._resume()
        with self.watch.measure("first model"):
            self._first_model()
        if done is None:
            done = self._begin()
        with self.watch.measure("online store"):
            self._feed.advance(self.world.online, done.through)
        while done.through < self.span.end - 1:
            self.policies.start_due(done.through)
            done = self._day(done)
            self._day_done(done.through)
            self._close_months(done.through)
        self.policies.start_due(done.through)  # a replay that was whole already has not been through the days
        self._close_months(None)

    def now(self) -> Instant:
        """Return the simulated instant the replay has reached."""
        return self._clock.now()

    def first_version(self) -> ModelVersion:
        """Return the first champion: what a frozen model would have been."""
        with self.world.metadata.read() as view:
            moves = view.models.alias_history(self.endpoint.model_name, self.endpoint.alias)
            first = moves[-1].version
            assert first is not None
            return view.models.get_version(self.endpoint.model_name, first)

    def _resume(self) -> DayDone | None:
        with self.world.metadata.read() as view:
            saved = view.checkpoints.get(PROGRESS)
        if saved is None:
            self._clock.advance_to(self.span.start)
            return None
        assert isinstance(saved.value, dict)
        done = DayDone(int(str(saved.value["through"])), int(str(saved.value["log"])))
        stands = stands_at(self.world.online)
        if stands is not None and stands > done.through:  # before anything is cut from the log
            raise self._elsewhere(stands, done.through)
        if done.through >= self.span.start:
            self.resumed_from = done.through + 1
            self._resuming(self.resumed_from)
        self.world.predictions.truncate(done.log_position)
        self._clock.advance_to(max(done.through, self.span.start))
        return done

    def _first_model(self) -> None:
        with self.world.metadata.read() as view:
            champion = view.models.find_by_alias(self.endpoint.model_name, self.endpoint.alias)
        if champion is not None:
            return
        wanted: dict[str, Json] = {"until": self.span.start, "refit": True}
        takes = find_pipeline(self.world, self.pipeline).parameters
        first = Train(
            self.pipeline,
            {name: value for name, value in wanted.items() if name in takes},
            key=f"replay:first:{self.span.start}",
            reason=f"{FIRST}, on the first {WARM_UP_MONTHS} months",
        )
        result = perform(self.world, self.store, plan_turn(first, [self.endpoint.name]), self.span.start)
        self._report(result, first.reason, "first")
        if result.decision is None or result.decision.verdict is not Verdict.PROMOTED:
            raise _unanswerable(result.decision)

    def _begin(self) -> DayDone:
        done = DayDone(self.span.start - 1, self.world.predictions.end())
        self._save(done)
        return done

    def _day(self, done: DayDone) -> DayDone:
        """Replay one day of the project's calendar, from the instant it begins to the last one before it ends."""
        end = min(next_midnight(done.through + 1, self.zone), self.span.end) - 1
        with self.world.online.begin() as batch:
            self._check_online(batch, done.through)
            with self.watch.measure("serving"):
                records = self._serve(batch, done.through, end)
            with self.watch.measure("prediction log"):
                position = self.world.predictions.append_many(records)
                self.world.predictions.sync()
            failpoint("replay.after_log")
            self._clock.advance_to(end)
            for turned in self._controller.tick(end):
                self._report(turned.result, turned.reason, "loop")
            failpoint("replay.before_checkpoint")
            finished = DayDone(end, position)
            self._save(finished)
            failpoint("replay.before_online")
            write_cursor(batch, end)
        return finished

    def _serve(self, batch: Batch, after: Instant, until: Instant) -> list[bytes]:
        """Answer every request of (after, until], each with what was known at its T."""
        predictor = self._predictor(after)
        changes = self._feed.changes(after, until)
        pending: Change | None = next(changes, None)
        apply = self._feed.apply
        records = []
        for at, identity, values in self._requests.between(after, until, self.endpoint.name):
            while pending is not None and pending[0] <= at:
                apply(batch, pending)
                pending = next(changes, None)
            records.append(encode_prediction(predictor.predict(batch, values, at, identity)))
        while pending is not None:
            apply(batch, pending)
            pending = next(changes, None)
        return records

    def _predictor(self, at: Instant) -> Predictor:
        """Return the champion as of the day's beginning, so that a repeated day is answered by the same version."""
        with self.world.metadata.read() as view:
            version = view.models.get_by_alias(
                self.endpoint.model_name, self.endpoint.alias, at=max(at, self.span.start)
            )
        if version.version not in self._predictors:
            self._predictors = {version.version: load_predictor(self.world, self.endpoint, version)}
        return self._predictors[version.version]

    def _check_online(self, batch: Batch, through: Instant) -> None:
        stands = read_cursor(batch)
        if stands != through:
            raise self._elsewhere(stands, through)

    def _elsewhere(self, stands: Instant | None, through: Instant) -> Conflict:
        return Conflict(
            f"the online store stands at {'nothing' if stands is None else iso(stands)}, the replay at {iso(through)}: "
            "the home was served meanwhile",
            fix="replay into a new home; nothing was changed",
            command="treadle replay … --home NEW_DIR",
        )

    def _save(self, done: DayDone) -> None:
        with self.world.metadata.begin() as unit:
            unit.checkpoints.put(
                PROGRESS,
                {"through": done.through, "log": done.log_position, "first": self.span.start - 1},
                self._clock.now(),
            )

    def _close_months(self, through: Instant | None) -> None:
        for month in self.policies.closed_months(through):
            with self.watch.measure("report"):
                self._month_done(month)

    def _report(self, result: TurnResult, reason: str, policy: str) -> None:
        trained, decision = result.trained, result.decision
        version = trained.versions[-1].version if trained.versions else 0
        training = Training(
            at=self._clock.now(),
            policy=policy,
            reason=reason,
            model_version=version,
            rows=trained.rows,
            seconds=trained.fit_seconds,
            run_id=trained.run.run_id,
        )
        decided = None
        if decision is not None:
            decided = Decided(
                at=self._clock.now(),
                model_version=version,
                verdict=decision.verdict,
                reasons=decision.reasons,
            )
        self._turn_done(training, decided)


def _unanswerable(decision: GateDecision | None) -> InvalidInput:
    """Return the error of a replay whose first model may not serve: nobody could answer its requests."""
    verdict = "no gate judged it" if decision is None else f"the gates' verdict is {decision.verdict.value}"
    return InvalidInput(
        f"the first model was not promoted, so there is nobody to answer the requests: {verdict}",
        faults=[] if decision is None else decision.reasons,
        fix=f"give data whose first {WARM_UP_MONTHS} months have labels of both classes, or ask less of the first model; "
        "then run the same command again: no day was answered yet, so it begins anew",
    )


def _physical(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        pl.col(name).to_physical() if dtype.is_temporal() else pl.col(name)
        for name, dtype in rows.schema.items()
    )
