"""One turn of the wheel: train a challenger, judge it, promote it or say why not. Planned as data, then explained or done."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from treadle.define.context import ACTIVE
from treadle.define.endpoints import Endpoint
from treadle.define.steps import Pipeline
from treadle.loop.served import served_requests
from treadle.loop.stopwatch import RunClock
from treadle.loop.training import (
    Store,
    TrainingOperations,
    build_frame,
    find_endpoint,
    labelled_requests,
    slice_columns,
)
from treadle.loop.work import VERIFY_MODEL
from treadle.loop.world import World
from treadle.ports.executor import Task
from treadle.records.decisions import Evidence, GateDecision, LoadCheck
from treadle.records.digests import Json
from treadle.records.errors import NotFound, TreadleError
from treadle.records.estimates import Window
from treadle.records.evaluation import Comparison, EvaluationReport
from treadle.records.failpoints import failpoint
from treadle.records.frames import AT, Frame
from treadle.records.ids import derived_id
from treadle.records.instants import DAY, Instant, iso
from treadle.records.models import ModelVersion, Verdict
from treadle.records.references import Reference
from treadle.records.runs import Run, RunStatus
from treadle.records.trained import Model
from treadle.stages.evaluation.comparison import compare
from treadle.stages.pipelines.artifacts import decode
from treadle.stages.pipelines.code import code_commit
from treadle.stages.pipelines.recorder import RunRecorder
from treadle.stages.registry.gate import decide
from treadle.stages.training.opened import open_model


@dataclass(frozen=True, slots=True)
class Train:
    """Run a pipeline once under a key; doing it again finds what was done."""

    pipeline: str
    params: Mapping[str, Json]
    key: str
    reason: str
    register_as: Mapping[str, str] = field(default_factory=dict)
    """Registered model names to replace, so that a rehearsal keeps out of the real model's versions."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Hold the versions the run registered against the gates."""

    endpoint: str


@dataclass(frozen=True, slots=True)
class Promote:
    """Point the endpoint's alias at the version, if the verdict is promoted."""

    endpoint: str


Stage: TypeAlias = Train | Judge | Promote


@dataclass(frozen=True, slots=True)
class Trained:
    """What a pipeline run left."""

    run: Run
    versions: tuple[ModelVersion, ...]
    fit_seconds: float
    rows: int


@dataclass(frozen=True, slots=True)
class TurnResult:
    """What came of a turn."""

    trained: Trained
    decision: GateDecision | None


def plan_turn(train: Train, endpoints: Sequence[str]) -> tuple[Stage, ...]:
    """Return the stages of a turn; without endpoints the model is trained and registered, nothing more."""
    settling = [stage for endpoint in endpoints for stage in (Judge(endpoint), Promote(endpoint))]
    return (train, *settling)


def explain(plan: Sequence[Stage]) -> list[str]:
    """Say what performing a plan would do, a sentence a stage."""
    said = []
    for stage in plan:
        if isinstance(stage, Train):
            given = ", ".join(f"{name}={value}" for name, value in stage.params.items())
            said.append(f"run the pipeline {stage.pipeline}({given}) because {stage.reason}")
        elif isinstance(stage, Judge):
            said.append(f"hold the new version against the gates of endpoint {stage.endpoint}")
        else:
            said.append(f"if all gates pass, let endpoint {stage.endpoint} answer with the new version")
    return said


def perform(world: World, store: Store, plan: Sequence[Stage], at: Instant) -> TurnResult:
    """Do a plan. Every effect carries a key, so that performing it again after a crash changes nothing twice."""
    trained: Trained | None = None
    challenger: ModelVersion | None = None
    decision: GateDecision | None = None
    for stage in plan:
        if isinstance(stage, Train):
            trained = train(world, store, stage, at)
            _require_version(world, trained, [other.endpoint for other in plan if isinstance(other, Judge)])
        elif isinstance(stage, Judge):
            assert trained is not None
            endpoint = find_endpoint(world, stage.endpoint)
            challenger = _registered(trained, endpoint)
            if challenger is not None:
                decision = judge_version(world, store, endpoint, challenger, at)
        else:
            endpoint = find_endpoint(world, stage.endpoint)
            while challenger is not None and decision is not None:
                if settle(world, endpoint, decision, at):
                    break
                decision = judge_version(world, store, endpoint, challenger, at)
    assert trained is not None
    return TurnResult(trained, decision)


def train(world: World, store: Store, stage: Train, at: Instant) -> Trained:
    """Run a pipeline, recording it; an interrupted run of the same key goes on where it stopped, a finished one is found.

    Raises:
        NotFound: the project has no such pipeline.
        TreadleError: a step failed; the run is recorded as failed.
    """
    pipeline = find_pipeline(world, stage.pipeline)
    run = _begin(world, pipeline, stage, at)
    if run.status is RunStatus.FINISHED:
        return _found(world, run)
    clock = RunClock(at)
    operations = TrainingOperations(
        world, store, RunRecorder(run, world.metadata, world.blobs, clock), at, stage.register_as
    )
    token = ACTIVE.set(operations)
    try:
        pipeline.function(**stage.params)
    except Exception:
        _end(world, run, RunStatus.FAILED, clock)
        raise
    finally:
        ACTIVE.reset(token)  # an interruption (Ctrl-C) leaves the run running, to be gone on with
    _end(world, run, RunStatus.FINISHED, clock)
    return Trained(run, tuple(operations.registered), operations.fit_seconds, _rows(operations.registered))


def _found(world: World, run: Run) -> Trained:
    """Return what a finished run left, from its records."""
    with world.metadata.read() as view:
        versions = view.models.list_versions(run_id=run.run_id)
    fitted = run.metrics.get("fit_seconds")
    return Trained(run, versions, 0.0 if fitted is None else fitted.value, _rows(versions))


def _rows(versions: Sequence[ModelVersion]) -> int:
    return int(versions[-1].tags.get("training_rows", 0)) if versions else 0


def judge_version(
    world: World, store: Store, endpoint: Endpoint, version: ModelVersion, at: Instant
) -> GateDecision:
    """Gather the evidence about a version and let the gates decide; a version already judged keeps its verdict."""
    with world.metadata.read() as view:
        champion = view.models.find_by_alias(endpoint.model_name, endpoint.alias)
        judged = view.models.verdicts(version.model, version.version, limit=1)
    if judged:
        return GateDecision.from_json(judged[0].evidence)
    evidence = _evidence(world, store, endpoint, version, champion, at)
    return decide(world.project.gates_of(endpoint), evidence)


def settle(world: World, endpoint: Endpoint, decision: GateDecision, at: Instant) -> bool:
    """Record the verdict and, when it is promoted, move the alias; both in one transaction, both once.

    Returns:
        Whether the verdict stands. False when somebody moved the alias since the version was judged: nothing was changed,
        and the version has to be held against the new champion.
    """
    model, version = endpoint.model_name, decision.challenger_version
    key = f"gate:{model}/{version}"
    failpoint("turn.before_verdict")
    with world.metadata.begin() as unit:
        if unit.models.verdicts(model, version, limit=1):
            return True
        champion = unit.models.find_by_alias(model, endpoint.alias)
        if (None if champion is None else champion.version) != decision.champion_version:
            return False
        unit.models.record_verdict(
            model,
            version,
            decision.verdict,
            at,
            reasons=decision.reasons,
            evidence=decision.as_json(),
            key=key,
        )
        if decision.verdict is Verdict.PROMOTED:
            reason = f"gate: {decision.reasons[0]}" if decision.reasons else "gate passed"
            unit.models.set_alias(model, endpoint.alias, version, at, reason=reason, key=key)
    failpoint("turn.after_verdict")
    return True


def load_model(world: World, version: ModelVersion) -> Model:
    """Return a registered version's packaged model, its digest checked.

    Raises:
        NotFound: the version has no package.
        Corrupt: the package's bytes are damaged.
    """
    if version.package is None:
        raise NotFound(
            f"{version.ref} has no package", fix="register a version by a pipeline, or promote another one"
        )
    model = decode(world.blobs.get(version.package))
    if not isinstance(model, Model):
        raise TreadleError(f"the package of {version.ref} is not a model", where=f"blob {version.package}")
    return model


def load_report(world: World, version: ModelVersion) -> EvaluationReport | None:
    """Return how a version was judged when it was registered, if that was kept."""
    digest = version.tags.get("report")
    report = decode(world.blobs.get(digest)) if digest else None
    return report if isinstance(report, EvaluationReport) else None


def load_reference(world: World, version: ModelVersion) -> Reference | None:
    """Return the score distribution a version had when it was judged, if it was kept."""
    digest = version.tags.get("reference")
    kept = decode(world.blobs.get(digest)) if digest else None
    return Reference.from_json(kept) if isinstance(kept, dict) else None


def find_pipeline(world: World, name: str) -> Pipeline[..., object]:
    """Return the project's pipeline of that name.

    Raises:
        NotFound: there is none; the nearest names are offered.
    """
    known = {pipeline.name: pipeline for pipeline in world.project.pipelines}
    if name not in known:
        raise NotFound.among("pipeline", name, known, where=f"project {world.project.name!r}")
    return known[name]


def _evidence(
    world: World,
    store: Store,
    endpoint: Endpoint,
    version: ModelVersion,
    champion: ModelVersion | None,
    at: Instant,
) -> Evidence:
    check = _load_check(world, version)
    if champion is None:
        report = load_report(world, version)
        return Evidence(
            comparison=_alone(report),
            challenger_version=version.version,
            champion_version=None,
            load_check=check,
        )
    border = max(_trained_until(version), _trained_until(champion))
    served = served_requests(world, endpoint, at)
    spine = labelled_requests(store, endpoint, at, known_from=border, served=served)
    frame = build_frame(store, endpoint, spine, at)
    comparison = compare(
        frame.y,
        _scores(world, champion, endpoint, frame),
        _scores(world, version, endpoint, frame),
        slice_columns(frame, world.project.slices_of(endpoint), f"the gates of {endpoint.alias!r}"),
        groups=(frame.rows[AT] // DAY).to_numpy() if len(frame) else np.empty(0, np.int64),
        window=Window(min(border, at), at),
    )
    return Evidence(
        comparison=comparison,
        challenger_version=version.version,
        champion_version=champion.version,
        load_check=check,
        trained_until=border,
    )


def _scores(world: World, version: ModelVersion, endpoint: Endpoint, frame: Frame) -> npt.NDArray[np.float64]:
    model = open_model(load_model(world, version))
    missing = [name for name in model.names if name not in frame.features]
    if missing:
        raise TreadleError(
            f"{version.ref} cannot be judged: it needs features that endpoint {endpoint.name!r} no longer looks up",
            faults=[f"{name!r} is not among them" for name in missing],
            fix="restore the features, or let a person decide that the new version serves",
            command=f"treadle models promote {version.model}/VERSION --reason TEXT",
        )
    return model.score(frame.rows)


def _alone(report: EvaluationReport | None) -> Comparison:
    """Return the comparison of a version that has no champion to be compared with: its own report."""
    if report is None:
        return Comparison(n=0, positives=0)
    return Comparison(
        n=report.n,
        positives=report.positives,
        window=report.window,
        clusters=report.clusters,
        challenger=report.metrics(),
        challenger_auc=report.auc,
    )


def _load_check(world: World, version: ModelVersion) -> LoadCheck:
    if version.package is None:
        return LoadCheck(ok=False, detail="the version has no package")
    task = Task(target=VERIFY_MODEL, payload=world.blobs.get(version.package), name=f"verify {version.ref}")
    try:
        answer = decode(world.executor.submit(task).result())
    except TreadleError as error:
        return LoadCheck(ok=False, detail=error.what)
    assert isinstance(answer, dict)
    return LoadCheck(ok=bool(answer["ok"]), detail=str(answer["detail"]))


def _trained_until(version: ModelVersion) -> Instant:
    return int(version.tags.get("trained_until", version.created))


def _registered(trained: Trained, endpoint: Endpoint) -> ModelVersion | None:
    made = [version for version in trained.versions if version.model == endpoint.model_name]
    return made[0] if made else None


def _require_version(world: World, trained: Trained, judged: Sequence[str]) -> None:
    """Refuse a run that registered no model of any endpoint it was to be judged for.

    Raises:
        TreadleError: it did not; the error names the line that is missing.
    """
    endpoints = [find_endpoint(world, name) for name in judged]
    if endpoints and not any(_registered(trained, endpoint) for endpoint in endpoints):
        first = endpoints[0]
        raise TreadleError(
            f"the run registered no version of {first.model_name!r}, which endpoint {first.name!r} serves",
            where=f"run {trained.run.run_id}",
            fix=f"end the pipeline with tr.register({first.model_name!r}, model, report)",
        )


def _begin(world: World, pipeline: Pipeline[..., object], stage: Train, at: Instant) -> Run:
    """Return the stage's run: the one that was begun before, unless that failed, or a new one."""
    given = inspect.signature(pipeline.function).bind(**stage.params)
    given.apply_defaults()
    attempt = 0
    while True:
        key = f"{stage.key}#{attempt}" if attempt else stage.key
        run_id = derived_id(at, "run", key)
        with world.metadata.begin() as unit:
            run = unit.runs.create_run(
                at,
                run_id=run_id,
                name=f"{pipeline.name} {iso(at)}",
                pipeline=pipeline.name,
                pipeline_version=pipeline.version,
                code_commit=code_commit(world.code_folder) if world.code_folder else None,
                environment=world.environment,
                params={name: str(value) for name, value in given.arguments.items()},
                tags={"reason": stage.reason[:8_000]},
                key=key,
            )
            if not stage.register_as:
                unit.journal.append("turn.started", pipeline.name, at, {"run": run_id}, key=key)
        if run.status not in (RunStatus.FAILED, RunStatus.KILLED):
            return run
        attempt += 1


def _end(world: World, run: Run, status: RunStatus, clock: RunClock) -> None:
    ended = clock.now()
    with world.metadata.begin() as unit:
        unit.runs.set_status(run.run_id, status, ended, ended=ended)
