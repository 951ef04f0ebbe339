"""The controller: at every tick it brings the tables up to date, reads the monitors, asks the triggers, and turns the wheel.

Decisions are recorded before they are acted on. A tick's readings, its trigger evaluations and the jobs they cause commit in
one transaction under the tick's key; the jobs are then performed, and every effect of theirs carries a key. So a tick that
was cut off is repeated whole, decides what it had decided, and changes nothing twice. Live and replay use the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from treadle.define.endpoints import Endpoint
from treadle.define.monitors import Monitor
from treadle.loop.readings import read_monitor
from treadle.loop.requests import pending_request
from treadle.loop.skew import SkewAudits
from treadle.loop.source_watch import SourceWatch
from treadle.loop.stopwatch import Stopwatch
from treadle.loop.training import Store
from treadle.loop.triggers import decide
from treadle.loop.turn import Train, TurnResult, find_pipeline, perform, plan_turn
from treadle.loop.world import World
from treadle.ports.metadata import Unit, View
from treadle.records.decisions import Firing, PipelineHistory, TriggerDecision
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput
from treadle.records.events import Event
from treadle.records.failpoints import failpoint
from treadle.records.instants import DAY, Duration, Instant
from treadle.records.jobs import JobState
from treadle.records.readings import MonitorReading
from treadle.records.rows import KNOWN_AT
from treadle.stages.monitoring.windows import is_due
from treadle.stages.serving.prediction_log import PredictionFlusher

TURN = "loop.turn"
LEASE: Duration = 1
"""The shortest there is: the home's lock keeps other controllers out, so a job that is still running belongs to a dead one."""
PAGE = 1_000
AT_ONCE = 64
"""So many measured windows of sources go to their tables together."""
KEPT_READINGS = 60 * DAY
"""How far back readings are given to the triggers."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A turn that a tick performed, and why."""

    reason: str
    result: TurnResult


class Controller:
    """Watches a project's endpoints and turns the wheel.

    Args:
        world: the project and its ports.
        store: the stored rows; replaced by `use` when new data has been stored.
        watch: where the time goes.
        try_again: whether a turn that failed is tried again when the same instant ticks again, as a replay wants it; live, it
            has failed, and the triggers decide about the next one.
    """

    def __init__(self, world: World, store: Store, watch: Stopwatch, *, try_again: bool = False) -> None:
        self._try_again = try_again
        self._world = world
        self._store = store
        self._watch = watch
        self._flusher = PredictionFlusher(world.project.endpoints, world.predictions, world.tables)
        self._readings: dict[str, _Readings] = {}
        self.skew = SkewAudits(world)
        self.sources = SourceWatch(world)

    def use(self, store: Store) -> None:
        """Go on with newly stored rows."""
        self._store = store

    def tick(self, at: Instant) -> list[Turned]:
        """Do everything that is due at an instant; returns the turns that were performed.

        A tick of the same instant, begun before and cut off, is finished.
        """
        with self._watch.measure("prediction log"):
            self._flusher.flush()
        turned = self._drain(at)  # what a former tick was cut off from comes before anything new is decided
        with self._watch.measure("monitoring"):
            self._observe(at)
            self.sources.flush(AT_ONCE)
        return [*turned, *self._drain(at)]

    def pipeline_for(self, endpoint: Endpoint) -> str:
        """Return the pipeline that trains an endpoint's model: the triggers' one, or the project's only one.

        Raises:
            InvalidInput: there is none, or it cannot be told which.
        """
        named = {trigger.pipeline for trigger in self._world.project.triggers}
        known = named or {pipeline.name for pipeline in self._world.project.pipelines}
        if len(known) != 1:
            raise InvalidInput(
                f"it cannot be told which pipeline trains endpoint {endpoint.name!r}: there are {len(known)}",
                fix="name one pipeline in the project's triggers",
            )
        return known.pop()

    def _observe(self, at: Instant) -> None:
        """Read the monitors that are due, ask the triggers, and queue what they want, all in one transaction."""
        key = f"tick:{at}"
        with self._world.metadata.read() as view:
            if view.journal.latest("loop.ticked", subject=key) is not None:
                return
            due = [monitor for monitor in self._world.project.monitors if self._is_due(view, monitor, at)]
            watching = self.sources.due(view, at)
            earlier = self._recent_readings(view, at)
            self.skew.follow(view)
        readings = [reading for monitor in due for reading in self._read(monitor, at)]
        audited = self.skew.read(self._store, at)
        watched = self.sources.read(watching, self._store, [*earlier, *readings], at)
        if not readings and not audited and not watched and not self._world.project.triggers:
            return
        with self._world.metadata.begin() as unit:
            self._record_readings(unit, readings, earlier, at)
            self.skew.record(unit, audited)
            self.sources.record(unit, watched, at)
            known = [*earlier, *readings, *(reading for one in watched for reading in one.readings)]
            decision = decide(self._world.project.triggers, known, self._histories(unit, at), at)
            judged = bool(due) or any(one.measured for one in watched)
            self._record_decision(unit, decision, judged, at)
            unit.journal.append("loop.ticked", key, at, {"readings": len(readings)}, key=key)
        self.skew.accept(audited)
        failpoint("controller.after_decision")

    def _is_due(self, view: View, monitor: Monitor, at: Instant) -> bool:
        last = view.journal.latest("monitor.read", subject=monitor.name)
        return is_due(monitor, None if last is None else last.at, at)

    def _recent_readings(self, view: View, at: Instant) -> list[MonitorReading]:
        """Return the readings of late, monitor by monitor; the journal is read from where the last tick left it."""
        project = self._world.project
        names = [one.name for one in project.monitors] + [one.name for one in project.source_monitors]
        for name in names:
            kept = self._readings.setdefault(name, _Readings())
            kept.follow(view, name)
            kept.forget(at - KEPT_READINGS)
        return [reading for name in names for reading in self._readings[name].newest]

    def _read(self, monitor: Monitor, at: Instant) -> list[MonitorReading]:
        endpoint = next(e for e in self._world.project.endpoints if e.name == monitor.endpoint)
        with self._world.metadata.read() as view:
            champion = view.models.find_by_alias(endpoint.model_name, endpoint.alias, at=at)
        if champion is None:
            return []
        return read_monitor(self._world, self._store, endpoint, monitor, champion, at)

    def _record_readings(
        self, unit: Unit, readings: Sequence[MonitorReading], earlier: Sequence[MonitorReading], at: Instant
    ) -> None:
        for reading in readings:
            key = f"{reading.name}:{reading.kind}:{at}"
            unit.journal.append("monitor.read", reading.name, at, reading.as_json(), key=key)
            if reading.state == "alert" and not _alerting(earlier, reading):
                unit.journal.append(
                    "alert.raised",
                    reading.name,
                    at,
                    {"monitor": reading.name, "kind": reading.kind, "message": reading.sentence},
                    key=key,
                )

    def _record_decision(
        self, unit: Unit, decision: TriggerDecision, worth_keeping: bool, at: Instant
    ) -> None:
        for evaluation in decision.evaluations:
            if worth_keeping or evaluation.outcome == "fired":
                unit.journal.append(
                    "trigger.evaluated",
                    evaluation.trigger,
                    at,
                    evaluation.as_json(),
                    key=f"{evaluation.trigger}:{at}",
                )
        for firing in decision.firings:
            unit.journal.append("trigger.fired", firing.pipeline, at, firing.as_json(), key=firing.id)
            unit.jobs.enqueue(TURN, firing.as_json(), at, key=firing.id)

    def _histories(self, unit: Unit, at: Instant) -> dict[str, PipelineHistory]:
        histories = {}
        for trigger in self._world.project.triggers:
            started = unit.journal.latest("turn.started", subject=trigger.pipeline)
            last = None if started is None else started.at
            endpoint = self._trained_endpoint(unit, started)
            asked = pending_request(unit, trigger.pipeline)
            if endpoint is None:
                histories[trigger.pipeline] = PipelineHistory(
                    pipeline=trigger.pipeline, last_started=last, requested_by=asked
                )
                continue
            moves = unit.models.alias_history(endpoint.model_name, endpoint.alias)
            verdicts = unit.models.verdicts(endpoint.model_name, limit=10)
            histories[trigger.pipeline] = PipelineHistory(
                pipeline=trigger.pipeline,
                last_started=last,
                last_promoted=moves[0].at if moves else None,
                new_labels=self._labels_since(endpoint, last, at),
                verdicts=tuple(record.verdict for record in reversed(verdicts)),
                requested_by=asked,
            )
        return histories

    def _trained_endpoint(self, unit: Unit, started: Event | None) -> Endpoint | None:
        """Return the endpoint whose model a pipeline's newest run registered; with none of them, the project's first."""
        run_id = str(started.data["run"]) if started is not None and isinstance(started.data, dict) else None
        made = {version.model for version in unit.models.list_versions(run_id=run_id)} if run_id else set()
        endpoints = self._world.project.endpoints
        of_the_run = [endpoint for endpoint in endpoints if endpoint.model_name in made]
        return next(iter([*of_the_run, *endpoints]), None)

    def _labels_since(self, endpoint: Endpoint, since: Instant | None, at: Instant) -> int:
        labels = self._store.rows[endpoint.labels.source.name]
        known = labels[KNOWN_AT]
        new = (known <= at) & labels[endpoint.labels.value].is_not_null()
        return int((new if since is None else new & (known > since)).sum())

    def _drain(self, at: Instant) -> list[Turned]:
        """Perform every queued turn, those first that a killed controller had begun."""
        turned: list[Turned] = []
        while True:
            tick = self._world.metadata.tick() + DAY  # past every lease, whoever gave it
            with self._world.metadata.begin() as unit:
                job = unit.jobs.claim("controller", LEASE, at, tick, kinds=[TURN])
            if job is None:
                return turned
            firing = Firing.from_json(job.payload)
            try:
                result = self._turn(firing)
            except Exception as error:
                with self._world.metadata.begin() as unit:
                    if self._try_again:
                        unit.jobs.release(job.job_id, job.epoch, at)
                    else:
                        unit.jobs.finish(job.job_id, job.epoch, at, state=JobState.FAILED, error=str(error))
                raise
            with self._world.metadata.begin() as unit:
                unit.jobs.finish(job.job_id, job.epoch, at)
            turned.append(Turned("; ".join(firing.reasons), result))

    def _turn(self, firing: Firing) -> TurnResult:
        pipeline = find_pipeline(self._world, firing.pipeline)
        params: dict[str, Json] = {"until": firing.at} if "until" in pipeline.parameters else {}
        train = Train(pipeline.name, params, key=firing.id, reason="; ".join(firing.reasons))
        plan = plan_turn(train, [endpoint.name for endpoint in self._world.project.endpoints])
        with self._watch.measure("training and gates"):
            return perform(self._world, self._store, plan, firing.at)


@dataclass
class _Readings:
    """A monitor's readings as far as the journal has been followed."""

    newest: list[MonitorReading] = field(default_factory=list)
    after: int = 0

    def follow(self, view: View, monitor: str) -> None:
        """Take up what the journal has got since."""
        while True:
            events = view.journal.read(self.after, kinds=["monitor.read"], subject=monitor, limit=PAGE)
            self.newest += [MonitorReading.from_json(event.data) for event in events]
            self.after = events[-1].cursor if events else self.after
            if len(events) < PAGE:
                return

    def forget(self, before: Instant) -> None:
        """Drop what was read up to an instant."""
        if self.newest and self.newest[0].at <= before:
            self.newest = [reading for reading in self.newest if reading.at > before]


def _alerting(earlier: Sequence[MonitorReading], reading: MonitorReading) -> bool:
    """Whether the newest earlier reading of the same kind and version was an alert already."""
    same = [
        r
        for r in earlier
        if r.name == reading.name and r.kind == reading.kind and r.model_version == reading.model_version
    ]
    return bool(same) and same[-1].state == "alert"
