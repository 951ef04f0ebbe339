"""`tr.validated`: the step that holds a frame against a schema, records what it found, and stops on broken data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from treadle.loop.validation import CHANGED, compares, hold, note_changed, refuse_broken
from treadle.loop.world import World
from treadle.records.anomalies import Severity, Validation
from treadle.records.datasets import DatasetManifest
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.errors import Corrupt
from treadle.records.frames import AT, KNOWN_AT, LABEL, Frame
from treadle.records.instants import Instant
from treadle.records.profiles import Profile
from treadle.records.runs import Run, RunFilter, RunStatus
from treadle.records.schemas import DatasetSchema
from treadle.stages.pipelines.artifacts import decode
from treadle.stages.pipelines.recorder import RunRecorder, StepCall
from treadle.stages.validation.profile.builder import profile_frame

STEP = "validated"
LAYOUT = "1"
"""Part of the step's cache key; changes when what rules mean does."""
NAMES = {"label": LABEL, "at": AT, "label_known_at": KNOWN_AT}
"""What a schema calls the columns of a training frame that are no features: instants, and the label as a float."""

_LOOK_BACK = 50
"""As many finished runs are searched for the profile to compare with."""
_INSTANTS = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Validating:
    """Where a frame is validated: the world, its rows, the run and its instant."""

    world: World
    rows: Mapping[str, pl.DataFrame]
    """The stored rows by name, for references."""
    manifests: Mapping[str, DatasetManifest]
    recorder: RunRecorder
    at: Instant
    rehearsal: bool = False
    """A rehearsal tells nobody that values have changed."""

    def validated(self, frame: Frame, frame_digest: Digest, schema: DatasetSchema, environment: str) -> Frame:
        """Return the frame as it is, once it is known to keep the schema.

        The verdict is the step's artifact, the frame's profile lies beside it, and the run is tagged with it in words.

        Raises:
            InvalidInput: the data are broken; every anomaly that stops them is listed. The step is recorded first.
        """
        previous = self._previous(schema, environment)
        training = self._previous(schema, "training") if environment != "training" else (None, None)
        params: dict[str, Json] = {"schema": schema.name, "environment": environment}
        if schema.time is not None:
            params["at"] = self.at  # freshness depends on when it is asked
        inputs = {"frame": frame_digest}
        others = [r.dataset for r in schema.references if r.dataset in self.rows]
        inputs |= {name: self.manifests[name].content_hash for name in others if name in self.manifests}
        inputs |= {
            name: digest for name, (digest, _) in (("previous", previous), ("training", training)) if digest
        }
        version = digest_value({"layout": LAYOUT, "schema": schema.digest})
        call = StepCall(STEP, version, params, inputs, self.world.environment, "here")

        def compute() -> tuple[object, dict[str, Json]]:
            rows = schema_view(frame, schema)
            profile = profile_frame(rows, schema.name)
            validation = hold(
                rows,
                schema,
                environment,
                now=self.at,
                others={name: self.rows[name] for name in others},
                profile=profile,
                previous=previous[1],
                training=training[1],
            )
            return validation.as_json(), {"profile": self.world.blobs.put(profile.to_bytes())}

        outcome = self.recorder.step(call, compute)
        validation = Validation.from_json(outcome.value)  # type: ignore[arg-type]  # the artifact is JSON
        self._tell(validation)
        refuse_broken(
            validation, f"tr.validated(..., schema={schema.name!r}) in run {self.recorder.run.run_id}"
        )
        return frame

    def _tell(self, validation: Validation) -> None:
        run, subject = self.recorder.run, validation.schema
        counts = {str(s): sum(one.severity is s for one in validation.anomalies) for s in Severity}
        said = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
        word = "broken" if validation.broken else "kept"
        with self.world.metadata.begin() as unit:
            if run.status is RunStatus.RUNNING:
                tag = f"validation.{subject}"
                unit.runs.log_batch(run.run_id, self.at, tags={tag: f"{word}: {said or 'no anomalies'}"})
            if not self.rehearsal:
                note_changed(unit, subject, validation, self.at, key=f"{CHANGED}:{run.run_id}:{subject}")

    def _previous(self, schema: DatasetSchema, environment: str) -> tuple[Digest | None, Profile | None]:
        """Return the profile that the last finished run of the pipeline kept of the same schema's data, and its address."""
        asked = compares(schema, None, None) or any(c.unit for c in schema.columns.values())
        digest = _kept(self.world, self.recorder.run, schema.name, environment) if asked else None
        if digest is None or not self.world.blobs.has(digest):
            return None, None
        try:
            return digest, Profile.from_bytes(self.world.blobs.get(digest))
        except Corrupt:  # of a newer treadle: there is nothing to compare with
            return None, None


def schema_view(frame: Frame, schema: DatasetSchema) -> pl.DataFrame:
    """Return a frame's rows as a schema sees them: features and request fields, and of `NAMES` those that it names."""
    rows = frame.rows
    shown = [
        (pl.col(own).cast(_INSTANTS) if own != LABEL else pl.col(own)).alias(name)
        for name, own in NAMES.items()
        if name in schema.columns and own in rows.columns and name not in rows.columns
    ]
    return rows.with_columns(shown).select(pl.exclude("^__.*$"))


def _kept(world: World, run: Run, schema: str, environment: str) -> Digest | None:
    where = RunFilter(pipeline=run.pipeline, statuses=(RunStatus.FINISHED,))
    with world.metadata.read() as view:
        for other in view.runs.search_runs(where, limit=_LOOK_BACK).items:
            # A run that is gone on with after a crash finds what it found before.
            if other.run_id == run.run_id or other.started > run.started:
                continue
            for step in view.runs.steps(other.run_id):
                same = step.params.get("schema") == schema and step.params.get("environment") == environment
                if step.name == STEP and same and world.blobs.has(step.outputs.get("notes", "")):
                    notes = decode(world.blobs.get(step.outputs["notes"]))
                    return str(notes["profile"]) if isinstance(notes, dict) and "profile" in notes else None
    return None
