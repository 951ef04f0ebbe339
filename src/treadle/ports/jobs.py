"""The job queue: leases give liveness, epochs give safety.

Only the holder of a job's newest epoch can change it; a worker that slept through its lease finds that out
here, in the same transaction, and changes nothing. A terminal state never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from treadle.records.digests import Json
from treadle.records.instants import Duration, Instant
from treadle.records.jobs import Job, JobState


class JobsView(Protocol):
    """What can be asked about jobs."""

    def get(self, job_id: str) -> Job:
        """Return a job. `NotFound` if there is none."""
        ...

    def list(
        self,
        *,
        kinds: Sequence[str] | None = None,
        states: Sequence[JobState] | None = None,
        limit: int = 100,
    ) -> tuple[Job, ...]:
        """Return jobs that meet all conditions, in the order they were enqueued."""
        ...


class Jobs(JobsView, Protocol):
    """What can be done to jobs."""

    def enqueue(self, kind: str, payload: Json, at: Instant, *, key: str | None = None) -> Job:
        """Add a job. Event `job.queued`."""
        ...

    def claim(
        self, worker: str, lease: Duration, at: Instant, tick: int, *, kinds: Sequence[str] | None = None
    ) -> Job | None:
        """Take the oldest job that is queued, or running under a lease that has run out. Event `job.claimed`.

        Args:
            worker: who takes it, for people to read.
            lease: how long it holds without a heartbeat, in microseconds, above 0.
            at: when, for the record.
            tick: the steady clock now, see `Metadata.tick`.
            kinds: any of these; None means all.

        Returns:
            The running job with its epoch increased, or None when there is nothing to do.
        """
        ...

    def heartbeat(self, job_id: str, epoch: int, lease: Duration, tick: int) -> None:
        """Extend the lease from now on. No event. `Conflict` if the epoch is stale or the job ended."""
        ...

    def hold(self, job_id: str, epoch: int) -> None:
        """Prove inside a unit that the epoch is the newest, so that the unit's other writes are fenced.

        Raises:
            Conflict: the epoch is stale or the job ended.
        """
        ...

    def release(self, job_id: str, epoch: int, at: Instant) -> None:
        """Put a job back into the queue, e.g. on an orderly stop. `job.released`; `Conflict` as `hold`."""
        ...

    def finish(
        self,
        job_id: str,
        epoch: int,
        at: Instant,
        *,
        state: JobState = JobState.SUCCEEDED,
        result: Json = None,
        error: str | None = None,
    ) -> Job:
        """End a job. Event `job.succeeded` or `job.failed`. `Conflict` as for `hold`.

        Raises:
            InvalidInput: the state is not succeeded or failed.
        """
        ...

    def cancel(self, job_id: str, at: Instant) -> Job:
        """End a queued or running job and fence its worker. Event `job.cancelled`; again does nothing.

        Raises:
            Conflict: the job has succeeded or failed.
        """
        ...
