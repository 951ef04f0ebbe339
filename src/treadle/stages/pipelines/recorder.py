"""The recorder of one run: every step with its inputs, outputs, cache key and duration; resumes where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from treadle.ports.blobs import Blobs
from treadle.ports.clock import Clock
from treadle.ports.metadata import Metadata
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.errors import Conflict, Corrupt, NotFound, TreadleError
from treadle.records.failpoints import failpoint
from treadle.records.runs import Run, RunStatus, StepRun
from treadle.stages.pipelines.artifacts import decode, encode


@dataclass(frozen=True, slots=True)
class StepCall:
    """One call of a step: what decides its result."""

    name: str
    version: Digest
    params: Mapping[str, Json]
    inputs: Mapping[str, Digest]
    environment: Digest
    executor: str = "here"

    @property
    def cache_key(self) -> Digest:
        """The key under which the result is found again: code, parameters, content of inputs, environment."""
        return digest_value(
            {
                "name": self.name,
                "version": self.version,
                "params": dict(self.params),
                "inputs": dict(self.inputs),
                "environment": self.environment,
            }
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step gave: its value, where its bytes are, and what it measured."""

    value: object
    digest: Digest
    cached: bool
    notes: Mapping[str, Json]


class RunRecorder:
    """Records the steps of one run in order.

    A step whose cache key has succeeded before, in any run, and whose artifact is still there and whole, is answered from it. A
    run that was cut off is simply run again under the same id: finished steps are found, the unfinished one gets a new attempt.
    """

    def __init__(self, run: Run, metadata: Metadata, blobs: Blobs, clock: Clock) -> None:
        self.run = run
        self._metadata = metadata
        self._blobs = blobs
        self._clock = clock
        self._index = 0

    def step(self, call: StepCall, compute: Callable[[], tuple[object, Mapping[str, Json]]]) -> Outcome:
        """Return a step's outcome, computed now or found.

        Args:
            call: what decides the result.
            compute: gives the value and notes about it, such as seconds; only called on a cache miss.

        Raises:
            TreadleError: the step failed; it is recorded as failed with its error first.
            Conflict: the run finished this step before, with other code, parameters or inputs.
        """
        index, self._index = self._index, self._index + 1
        done = self._finished(index)
        if done is not None:
            return self._again(done, call, compute)
        attempt, source = self._start(index, call)
        outcome = None if source is None else self._found(source, cached=True)
        if source is not None and outcome is not None:
            self._finish(index, attempt, source.outputs, cached_from=source)
            return outcome
        try:
            value, notes = compute()
            artifact = encode(value)
            note_bytes = encode(dict(notes))
        except Exception as error:  # an interruption leaves the step begun, to be begun again
            self._fail(index, attempt, error)
            raise
        failpoint("step.before_artifact")
        outputs = {"value": self._blobs.put(artifact), "notes": self._blobs.put(note_bytes)}
        failpoint("step.before_finish")
        self._finish(index, attempt, outputs)
        return Outcome(value, outputs["value"], False, notes)

    def _finished(self, index: int) -> StepRun | None:
        with self._metadata.read() as view:
            steps = view.runs.steps(self.run.run_id)
        for step in steps:
            if step.index == index and step.status is RunStatus.FINISHED:
                return step
        return None

    def _again(
        self, done: StepRun, call: StepCall, compute: Callable[[], tuple[object, Mapping[str, Json]]]
    ) -> Outcome:
        """Return the outcome of a step that this run has finished; one whose bytes are gone is made again."""
        if done.cache_key != call.cache_key:
            raise Conflict(
                f"run {done.run_id} cannot go on: its step {done.index} ({done.name}) finished with other code, parameters, "
                "inputs or installed packages than it would have now",
                fix="start a new run, or restore what has changed",
            )
        found = self._found(done, cached=done.cached_from is not None)
        if found is not None:
            return found
        value, notes = compute()
        digest = self._blobs.put(encode(value))
        if digest != done.outputs["value"]:
            raise Corrupt(
                f"the artifact of step {done.index} ({done.name}) of run {done.run_id} is gone, and running the step again "
                "gives another one",
                fix="start a new run: what this one has recorded cannot be restored",
            )
        return Outcome(value, digest, False, notes)

    def _start(self, index: int, call: StepCall) -> tuple[int, StepRun | None]:
        with self._metadata.begin() as unit:
            found = unit.runs.find_cached(call.cache_key)
            started = unit.runs.start_step(
                self.run.run_id,
                index,
                call.name,
                call.version,
                self._clock.now(),
                cache_key=call.cache_key,
                executor=call.executor,
                params=call.params,
                inputs=call.inputs,
            )
        return started.attempt, found

    def _found(self, step: StepRun, *, cached: bool) -> Outcome | None:
        """Return the outcome of a finished step; None where its bytes are gone or damaged: they are made again then."""
        if not step.outputs:
            return None
        try:
            value = decode(self._blobs.get(step.outputs["value"]))
            notes = decode(self._blobs.get(step.outputs["notes"]))
        except (NotFound, Corrupt):
            return None
        assert isinstance(notes, dict)
        return Outcome(value, step.outputs["value"], cached, notes)

    def _finish(
        self, index: int, attempt: int, outputs: Mapping[str, Digest], cached_from: StepRun | None = None
    ) -> None:
        with self._metadata.begin() as unit:
            unit.runs.finish_step(
                self.run.run_id,
                index,
                attempt,
                self._clock.now(),
                outputs=outputs,
                cached_from=cached_from.ref if cached_from else None,
            )

    def _fail(self, index: int, attempt: int, error: Exception) -> None:
        text = str(error) if isinstance(error, TreadleError) else f"{type(error).__name__}: {error}"
        with self._metadata.begin() as unit:
            unit.runs.finish_step(
                self.run.run_id,
                index,
                attempt,
                self._clock.now(),
                status=RunStatus.FAILED,
                error=text[:6_000],
            )
