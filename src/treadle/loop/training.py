"""Training: what a pipeline's verbs do, step by step, with everything recorded."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.context import RunnableStep
from treadle.define.describe import definition_digest
from treadle.define.endpoints import Endpoint
from treadle.define.labels import Labels
from treadle.loop.labelled import LABEL_KNOWN, PREDICTION_ID, find_labels, last_known, saying
from treadle.loop.leaks import empty_features, identifying, refuse_leaks
from treadle.loop.served import served_requests
from treadle.loop.validated import Validating
from treadle.loop.validation import schema_of
from treadle.loop.work import RUN_STEP, Notes, pack_step, unpack_result
from treadle.loop.world import World
from treadle.ports.executor import Task, TaskFailed
from treadle.ports.metadata import Unit
from treadle.records.anomalies import Anomaly
from treadle.records.datasets import DatasetManifest
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.errors import Conflict, InvalidInput, NotFound, TreadleError
from treadle.records.estimates import Window
from treadle.records.evaluation import EvaluationReport
from treadle.records.frames import AT, KNOWN_AT, LABEL, Frame
from treadle.records.instants import DAY, Instant
from treadle.records.models import ModelVersion
from treadle.records.references import Reference
from treadle.records.rows import EVENT_TIME
from treadle.records.runs import TAG_LENGTH, DatasetInput, Metric, ModelOutput, RunStatus
from treadle.records.splits import Split
from treadle.records.trained import Model
from treadle.stages.data.content import content_hash
from treadle.stages.evaluation.report import evaluate
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.monitoring.drift import build_reference
from treadle.stages.pipelines.artifacts import encode, frame_digest
from treadle.stages.pipelines.code import code_digest
from treadle.stages.pipelines.recorder import RunRecorder, StepCall
from treadle.stages.training.opened import open_model
from treadle.stages.training.splits import divide, part_names
from treadle.stages.validation.leaks import find_leaks, find_overlaps

FRAME_LAYOUT = "1"
"""Part of a training set's cache key; changes when the way frames are built does."""


@dataclass(frozen=True)
class Store:
    """The stored rows of one moment: tables by name, their manifests, and the lookups arranged over them."""

    rows: Mapping[str, pl.DataFrame]
    manifests: Mapping[str, DatasetManifest]
    offline: OfflineFeatures

    @classmethod
    def of(cls, rows: Mapping[str, pl.DataFrame], manifests: Mapping[str, DatasetManifest]) -> Store:
        """Arrange stored rows for lookups."""
        return cls(rows, manifests, OfflineFeatures(rows.__getitem__))


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a model learned from."""

    data: Digest
    rows: int
    until: Instant
    since: Instant | None


def known_labels(store: Store, labels: Labels, by: Instant, since: Instant | None = None) -> pl.DataFrame:
    """Return the stored label rows that count at an instant: one a key, none that is null.

    Of several labels for one request the last that became known counts, so a correction replaces what it corrects, and a
    tombstone takes the label back. Rows that became known before `since` are not looked at.
    """
    return last_known(saying(store.rows[labels.source.name], labels, by, since), labels.key)


def labelled_requests(
    store: Store,
    endpoint: Endpoint,
    until: Instant,
    since: Instant | None = None,
    known_from: Instant | None = None,
    served: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return an endpoint's requests whose label was known before `until`, with `__at`, `__known_at` and `__label`.

    Args:
        store: the stored rows.
        endpoint: whose requests and labels.
        until: labels known at or after this instant are left out.
        since: requests asked before this instant are left out.
        known_from: requests that had a label before this instant are left out.
        served: what the endpoint was asked (`served_requests`), where its requests are not in a source.

    Returns:
        One row per labelled request, ordered by T and then by the label's key.
    """
    labels = endpoint.labels
    if served is None:
        served = store.rows[endpoint.requests.stored().name]
    asked = served.with_columns(pl.col(EVENT_TIME).alias(AT))
    rows = store.rows[labels.source.name]
    found = find_labels(asked, rows, labels, by=until - 1)
    labelled = found[LABEL].is_not_null()
    if known_from is not None:
        # A label corrected since has been learned from in its first form.
        labelled &= find_labels(asked, rows, labels, by=known_from - 1)[LABEL].is_null()
    if since is not None:
        labelled &= asked[AT] >= since
    order = [AT, *labels.key, *([PREDICTION_ID] if PREDICTION_ID in asked.columns else [])]
    joined = pl.concat([asked, found], how="horizontal").filter(labelled).sort(order)
    return joined.select(
        *dict.fromkeys([*endpoint.features.request, *labels.key]),
        AT,
        pl.col(LABEL_KNOWN).alias(KNOWN_AT),
        LABEL,
    )


def build_frame(store: Store, endpoint: Endpoint, spine: pl.DataFrame, until: Instant) -> Frame:
    """Return a spine with the features each row had at its T."""
    features = endpoint.features
    vectors = store.offline.vectors(features, spine, spine[AT].to_numpy())
    kept = [name for name in spine.columns if name not in vectors.columns]
    return Frame(
        rows=pl.concat([vectors, spine.select(kept)], how="horizontal"),
        features=features.names,
        categories=features.categories,
        until=until,
    )


class TrainingOperations:
    """The verbs of a running pipeline, in a world, over one state of the stored rows."""

    def __init__(
        self,
        world: World,
        store: Store,
        recorder: RunRecorder,
        at: Instant,
        register_as: Mapping[str, str] | None = None,
    ) -> None:
        self._at = at
        self._register_as = register_as or {}
        self._world = world
        self._store = store
        self._recorder = recorder
        self._digests: dict[int, tuple[object, Digest]] = {}
        self._lineage: dict[int, tuple[object, Lineage]] = {}
        self._references: dict[int, tuple[object, Json]] = {}
        self.registered: list[ModelVersion] = []
        self.fit_seconds = 0.0

    def call(self, step: RunnableStep, args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
        """Run a step in a worker, unless the same step on the same inputs has succeeded before."""
        bound = inspect.signature(step.function).bind(*args, **kwargs)
        bound.apply_defaults()
        params, inputs = self._split_arguments(step.name, bound.arguments)
        call = self._step_call(step.name, code_digest(step.target, step.version), params, inputs, "worker")

        def compute() -> tuple[object, Notes]:
            payload = pack_step(step.target, bound.args, bound.kwargs)  # in the order of the parameters
            task = Task(target=RUN_STEP, payload=payload, name=step.name, paths=self._world.project_paths)
            try:
                return unpack_result(self._world.executor.submit(task).result())
            except TaskFailed as error:
                raise TreadleError(
                    f"step {step.name!r} failed: {error.message}",
                    where=error.where or step.target,
                    fix=error.fix,
                    command=error.command,
                    faults=[*error.faults, *empty_features(bound.arguments.values())],
                ) from error

        outcome = self._recorder.step(call, compute)
        self._remember(outcome.value, outcome.digest)
        if isinstance(outcome.value, Model):
            seconds = outcome.notes.get("seconds", 0.0)
            self.fit_seconds += float(seconds) if isinstance(seconds, int | float) else 0.0
            frames = [value for value in bound.arguments.values() if isinstance(value, Frame)]
            if frames:
                frame = frames[0]
                since = int(frame.rows[AT].min()) if len(frame) else None  # type: ignore[arg-type]  # int64 column
                lineage = Lineage(self._digest(frame), len(frame), frame.until, since)
                self._lineage[id(outcome.value)] = (outcome.value, lineage)
        return outcome.value

    def training_set(
        self, endpoint: str, until: Instant, since: Instant | None, accept: tuple[str, ...] = ()
    ) -> Frame:
        """Build the frame, or find it: the key is the definitions and the content of every table they read."""
        definition = find_endpoint(self._world, endpoint)
        version = digest_value({"layout": FRAME_LAYOUT, "endpoint": definition_digest(definition)})
        params: dict[str, Json] = {"endpoint": endpoint, "until": until, "since": since}
        if accept:
            params["accept"] = list(accept)
        served = served_requests(self._world, definition, until)
        inputs = self._table_contents(definition)
        if served is not None:
            inputs["served requests"] = content_hash(served)
        call = self._step_call("training_set", version, params, inputs, "here")

        def compute() -> tuple[object, Notes]:
            spine = labelled_requests(self._store, definition, until, since, served=served)
            if not spine.height:
                raise InvalidInput(
                    f"endpoint {endpoint!r} has no request whose label was known in the time asked for",
                    where=f"training_set({endpoint!r}, until={until}, since={since})",
                    fix="choose a later `until`, or check that the label source has rows",
                )
            frame = build_frame(self._store, definition, spine, until)
            found = refuse_leaks(find_leaks(frame, accept), f"training_set({endpoint!r})")
            return frame, {"rows": spine.height, "leaks": [one.as_json() for one in found]}

        outcome = self._recorder.step(call, compute)
        assert isinstance(outcome.value, Frame)
        leaks = outcome.notes.get("leaks")  # of a cached one too
        self._tell(
            "training_set", [Anomaly.from_json(one) for one in leaks] if isinstance(leaks, list) else []
        )
        self._remember(outcome.value, outcome.digest)
        return outcome.value

    def split(self, frame: Frame, split: Split) -> tuple[Frame, ...]:
        """Divide the rows; the parts are named after the whole, not stored again."""
        parts = divide(frame, split)
        # In time an entity is on both sides by nature; rows drawn by chance are alike where an entity's rows are.
        drawn = bool(split.shares) and not split.group
        columns = identifying(frame, [*split.group]) if drawn or split.group else []
        for older, newer in pairwise(parts):
            self._tell("split", refuse_leaks(find_overlaps(older, newer, columns), str(split)))
        for part, name in zip(parts, part_names(len(parts)), strict=True):
            digest = digest_value({"of": self._digest(frame), "split": split.as_json(), "part": name})
            self._remember(part, digest)
        return tuple(parts)

    def validated(self, frame: Frame, schema: str, environment: str) -> Frame:
        """Hold the rows against a schema of the project; see `treadle.loop.validated`."""
        store, rehearsal = self._store, bool(self._register_as)
        here = Validating(self._world, store.rows, store.manifests, self._recorder, self._at, rehearsal)
        return here.validated(frame, self._digest(frame), schema_of(self._world, schema), environment)

    def evaluate(self, model: Model, frame: Frame, slices: Sequence[str]) -> EvaluationReport:
        """Score the rows with the packaged model and report."""
        params: dict[str, Json] = {"slices": list(slices)}
        inputs = {"model": self._digest(model), "frame": self._digest(frame)}
        call = self._step_call("evaluate", digest_value("1"), params, inputs, "here")

        def compute() -> tuple[object, Notes]:
            report, reference = judge(model, frame, slices)
            return report, {
                "rows": len(frame),
                "reference": None if reference is None else reference.as_json(),
            }

        outcome = self._recorder.step(call, compute)
        assert isinstance(outcome.value, EvaluationReport)
        self._remember(outcome.value, outcome.digest)
        self._references[id(outcome.value)] = (outcome.value, outcome.notes.get("reference"))
        return outcome.value

    def register(self, name: str, model: Model, report: EvaluationReport) -> ModelVersion:
        """Add the version once per run, with what it learned from and how it was judged."""
        world, run = self._world, self._recorder.run
        name = self._register_as.get(name, name)
        package = world.blobs.put(encode(model))
        judged = world.blobs.put(encode(report))
        kept = self._lineage.get(id(model))
        tags = {"report": judged}
        reference = self._references.get(id(report), (report, None))[1]
        if reference is not None:
            tags["reference"] = world.blobs.put(encode(reference))
        if kept is not None:
            lineage = kept[1]
            tags |= {
                "trained_until": str(lineage.until),
                "trained_since": str(lineage.since),
                "training_rows": str(lineage.rows),
                "training_data": lineage.data,
            }
        with world.metadata.begin() as unit:
            if not any(found.name == name for found in unit.models.list_models(limit=1_000)):
                unit.models.create_model(name, self._at)
            version = unit.models.create_version(
                name, self._at, run_id=run.run_id, package=package, tags=tags, key=f"{run.run_id}:{name}"
            )
            if version.package != package:
                raise Conflict(
                    f"the run has registered another model as {version.ref} already",
                    where=f"tr.register({name!r}, ...)",
                    fix="register one model under a name in a run, or give the second one a name of its own",
                )
            if run.status is RunStatus.RUNNING:
                self._log(unit, version, report, None if kept is None else kept[1])
        self.registered.append(version)
        return version

    def _log(
        self, unit: Unit, version: ModelVersion, report: EvaluationReport, lineage: Lineage | None
    ) -> None:
        """Log what the run measured, read and made, as anyone who compares runs expects it."""
        run_id, at = self._recorder.run.run_id, self._at
        measured = {**report.metrics(), "fit_seconds": self.fit_seconds}
        unit.runs.log_batch(
            run_id, at, metrics=[Metric(key, value, at // 1_000) for key, value in measured.items()]
        )
        if lineage is not None:
            data = DatasetInput(
                name="training_set", digest=lineage.data[:36], context="train", source_type="treadle"
            )
            unit.runs.log_inputs(run_id, [data], at)
        unit.runs.log_outputs(run_id, [ModelOutput(version.ref)], at)

    def _tell(self, where: str, found: Sequence[Anomaly]) -> None:
        """Keep the signs of a leak that stop nothing as a tag of the run, where `treadle runs show` has them."""
        run = self._recorder.run
        if found and run.status is RunStatus.RUNNING:
            said = "; ".join(f"{one.kind}: {one.what}" for one in found)
            with self._world.metadata.begin() as unit:
                unit.runs.log_batch(run.run_id, self._at, tags={f"leaks.{where}": said[:TAG_LENGTH]})

    def _split_arguments(
        self, step: str, values: Mapping[str, object]
    ) -> tuple[dict[str, Json], dict[str, Digest]]:
        params: dict[str, Json] = {}
        inputs: dict[str, Digest] = {}
        for name, value in values.items():
            if isinstance(value, Frame | Model | EvaluationReport):
                inputs[name] = self._digest(value)
            elif value is None or isinstance(value, bool | int | float | str | list | dict):
                params[name] = value
            else:
                raise _unrecordable(step, name, type(value).__name__)
            if name in params:
                try:
                    encode(value)
                except InvalidInput as error:
                    raise _unrecordable(step, name, error.what) from None
        return params, inputs

    def _step_call(
        self,
        name: str,
        version: Digest,
        params: Mapping[str, Json],
        inputs: Mapping[str, Digest],
        executor: str,
    ) -> StepCall:
        return StepCall(name, version, params, inputs, self._world.environment, executor)

    def _table_contents(self, endpoint: Endpoint) -> dict[str, Digest]:
        names = {view.source.name for view in endpoint.features.views}
        names |= {
            rows.name for rows in (endpoint.requests.source, endpoint.labels.source) if rows is not None
        }
        return {name: self._store.manifests[name].content_hash for name in sorted(names)}

    def _remember(self, value: object, digest: Digest) -> None:
        self._digests[id(value)] = (
            value,
            digest,
        )  # the value too: an id is only unique while its object lives

    def _digest(self, value: object) -> Digest:
        known = self._digests.get(id(value))
        if known is None:
            digest = frame_digest(value) if isinstance(value, Frame) else digest_value(encode(value).hex())
            self._remember(value, digest)
            return digest
        return known[1]


def judge(model: Model, frame: Frame, slices: Sequence[str]) -> tuple[EvaluationReport, Reference | None]:
    """Return the report of a packaged model on labelled rows, and the distribution of its scores there.

    Intervals allow for rows of one day being alike.

    Raises:
        NotFound: a slice column is not in the frame.
    """
    columns = slice_columns(frame, slices, "tr.evaluate")
    scores = open_model(model).score(frame.rows) if len(frame) else np.empty(0)
    days = frame.rows[AT].to_numpy() // DAY
    window = Window(int(days[0]) * DAY, frame.until) if len(frame) else None
    report = evaluate(frame.y, scores, slices=columns, groups=days, window=window)
    return report, build_reference(scores) if len(scores) else None


def slice_columns(frame: Frame, names: Sequence[str], where: str) -> dict[str, npt.NDArray[np.object_]]:
    """Return columns of a frame as text to cut slices by, `(none)` where there is no value.

    Raises:
        NotFound: a column is not in the frame; the nearest names are offered.
    """
    for name in names:
        if name not in frame.rows.columns:
            raise NotFound.among("slice column", name, frame.rows.columns, where=where)
    return {name: frame.rows[name].cast(pl.String).fill_null("(none)").to_numpy() for name in names}


def _unrecordable(step: str, name: str, what: str) -> InvalidInput:
    return InvalidInput(
        f"step {step!r} got {name}={what}, which cannot be recorded",
        fix="pass tr.Frame, tr.Model, a report, or values JSON can hold",
    )


def find_endpoint(world: World, name: str) -> Endpoint:
    """Return the project's endpoint of that name.

    Raises:
        NotFound: there is none; the nearest names are offered.
    """
    known = {endpoint.name: endpoint for endpoint in world.project.endpoints}
    if name not in known:
        raise NotFound.among("endpoint", name, known)
    return known[name]
