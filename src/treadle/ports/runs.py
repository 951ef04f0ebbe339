"""Experiments, runs, their parameters, metrics and tags, and their steps.

Errors: an unknown id is `NotFound`; a change that contradicts what is recorded is `Conflict`; bad keys or
values are `InvalidInput` with every fault listed. Whatever is raised, nothing was changed.

A deleted run can be read and restored; every other change to it is a `Conflict`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from treadle.records.digests import Digest, Json
from treadle.records.instants import Instant
from treadle.records.pages import Page
from treadle.records.runs import (
    ALL_RUNS,
    DEFAULT_EXPERIMENT,
    DatasetInput,
    Experiment,
    Lifecycle,
    Metric,
    ModelOutput,
    Run,
    RunFilter,
    RunStatus,
    StepRef,
    StepRun,
)


class RunsView(Protocol):
    """What can be asked about runs."""

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment, also a deleted one. `NotFound` if there is none."""
        ...

    def find_experiment(self, name: str) -> Experiment | None:
        """Return the experiment of that name, also a deleted one."""
        ...

    def experiments(self, lifecycle: Lifecycle | None = Lifecycle.ACTIVE) -> tuple[Experiment, ...]:
        """Return all experiments by creation; None lists deleted ones too."""
        ...

    def get_run(self, run_id: str) -> Run:
        """Return a run, also a deleted one. `NotFound` if there is none."""
        ...

    def search_runs(
        self,
        where: RunFilter = ALL_RUNS,
        *,
        limit: int = 100,
        after: str | None = None,
        newest_first: bool = True,
    ) -> Page[Run]:
        """List runs ordered by start (ties by run id).

        Args:
            where: conditions, all of which must hold.
            limit: 1 to 50,000.
            after: the token of the page before; rows added meanwhile never make a page skip or repeat one.
            newest_first: False lists the oldest first.

        Cost: a fixed number of queries whatever the limit.
        """
        ...

    def metric_history(self, run_id: str, key: str) -> tuple[Metric, ...]:
        """Return every distinct point logged, ordered by (step, timestamp, value); () for an unknown key."""
        ...

    def steps(self, run_id: str, *, all_attempts: bool = False) -> tuple[StepRun, ...]:
        """Return the steps by index, each in its newest attempt unless all are asked for."""
        ...

    def find_cached(self, cache_key: Digest) -> StepRun | None:
        """Return the step that finished last with that cache key and was itself executed, not cached."""
        ...


class Runs(RunsView, Protocol):
    """What can be done to runs."""

    def create_experiment(
        self, name: str, at: Instant, *, tags: Mapping[str, str] | None = None, key: str | None = None
    ) -> Experiment:
        """Create an experiment with the next number as id. Event `experiment.created`.

        Raises:
            Conflict: the name is taken, be it by a deleted experiment.
        """
        ...

    def set_experiment_tag(self, experiment_id: str, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag. Event `experiment.tagged`."""
        ...

    def delete_experiment(self, experiment_id: str, at: Instant) -> None:
        """Hide an experiment and its runs. Event `experiment.deleted`. Deleting again does nothing."""
        ...

    def restore_experiment(self, experiment_id: str, at: Instant) -> None:
        """Show an experiment again, and the runs that were hidden with it. Event `experiment.restored`."""
        ...

    def create_run(
        self,
        at: Instant,
        *,
        experiment_id: str = DEFAULT_EXPERIMENT,
        run_id: str | None = None,
        name: str = "",
        status: RunStatus = RunStatus.RUNNING,
        started: Instant | None = None,
        user: str = "",
        pipeline: str | None = None,
        pipeline_version: Digest | None = None,
        code_commit: str | None = None,
        environment: Digest | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Run:
        """Create a run. Event `run.created`.

        Without `run_id` one is derived from `at` and `key`, or made at random when there is no key. Without
        `started` the run starts at `at`.

        Raises:
            Conflict: the experiment is deleted, the run id exists, or the status is terminal.
        """
        ...

    def set_status(self, run_id: str, status: RunStatus, at: Instant, *, ended: Instant | None = None) -> Run:
        """Move a run to a status; a terminal one records the end (`ended` or `at`). Event `run.updated`.

        The status it already has changes nothing and writes no event.

        Raises:
            Conflict: the run has another, terminal status.
        """
        ...

    def rename_run(self, run_id: str, name: str, at: Instant) -> None:
        """Give a run another name. Event `run.renamed`."""
        ...

    def log_batch(
        self,
        run_id: str,
        at: Instant,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log all of it or nothing. Event `run.logged`.

        A parameter is written once: the same value again is fine. Metric history is a set: a point logged
        twice is one point. A tag overwrites. A finished run still takes metrics, as evaluations come later
        than training.

        Raises:
            Conflict: a parameter has another value already; all of those are listed.
        """
        ...

    def delete_tag(self, run_id: str, tag: str, at: Instant) -> None:
        """Remove a tag. Event `run.untagged`. `NotFound` if the run has no such tag."""
        ...

    def log_inputs(self, run_id: str, datasets: Sequence[DatasetInput], at: Instant) -> None:
        """Record datasets the run read; (name, digest, context) again overwrites. `run.inputs_logged`."""
        ...

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput], at: Instant) -> None:
        """Record models the run produced; the same again is one. Event `run.outputs_logged`."""
        ...

    def delete_run(self, run_id: str, at: Instant) -> None:
        """Hide a run. Event `run.deleted`. Deleting again does nothing."""
        ...

    def restore_run(self, run_id: str, at: Instant) -> None:
        """Show a hidden run again. Event `run.restored`. Restoring an active run does nothing."""
        ...

    def start_step(
        self,
        run_id: str,
        index: int,
        name: str,
        version: Digest,
        at: Instant,
        *,
        cache_key: Digest | None = None,
        executor: str = "",
        params: Mapping[str, Json] | None = None,
        inputs: Mapping[str, Digest] | None = None,
    ) -> StepRun:
        """Begin a step. Event `step.started`.

        A step that was begun before and did not finish gets a new attempt; a former attempt still marked
        running is failed as abandoned, so that its worker, if it lives, can finish nothing.

        Raises:
            Conflict: the step finished already, or the run has ended.
        """
        ...

    def finish_step(
        self,
        run_id: str,
        index: int,
        attempt: int,
        at: Instant,
        *,
        status: RunStatus = RunStatus.FINISHED,
        outputs: Mapping[str, Digest] | None = None,
        error: str | None = None,
        cached_from: StepRef | None = None,
    ) -> StepRun:
        """End a step. Event `step.finished`, `step.failed` or `step.killed`.

        Raises:
            NotFound: that attempt was never started.
            Conflict: the attempt has ended already, or a newer one was started.
            InvalidInput: the status is not terminal.
        """
        ...
