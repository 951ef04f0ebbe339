"""The job queue on SQL."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.schema import jobs
from treadle.adapters.sql.session import ReadSession, Row, Session, dump, load
from treadle.records.digests import Json
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.records.ids import derived_id, make_id
from treadle.records.instants import Duration, Instant
from treadle.records.jobs import Job, JobState, Lease

_ALL = sa.select(
    jobs.c.job_id,
    jobs.c.kind,
    jobs.c.payload,
    jobs.c.key,
    jobs.c.state,
    jobs.c.epoch,
    jobs.c.owner,
    jobs.c.granted,
    jobs.c.expires,
    jobs.c.created,
    jobs.c.started,
    jobs.c.ended,
    jobs.c.result,
    jobs.c.error,
)
_NO_LEASE: dict[str, object] = {"owner": None, "granted": None, "expires": None}


def _job(row: Row) -> Job:
    (
        job_id,
        kind,
        payload,
        key,
        state,
        epoch,
        owner,
        granted,
        expires,
        created,
        started,
        ended,
        result,
        error,
    ) = row
    return Job(
        job_id=job_id,
        kind=kind,
        payload=load(payload),
        key=key,
        state=JobState(state),
        epoch=epoch,
        lease=None if owner is None else Lease(owner, granted, expires),
        created=created,
        started=started,
        ended=ended,
        result=load(result),
        error=error,
    )


class SqlJobsView:
    """See `ports/jobs.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get(self, job_id: str) -> Job:
        """Return a job."""
        row = self._ask.row(_ALL.where(jobs.c.job_id == job_id))
        if row is None:
            raise NotFound(f"there is no job {job_id!r}")
        return _job(row)

    def list(
        self,
        *,
        kinds: Sequence[str] | None = None,
        states: Sequence[JobState] | None = None,
        limit: int = 100,
    ) -> tuple[Job, ...]:
        """Return jobs that meet all conditions, in the order they were enqueued."""
        query = _ALL.order_by(jobs.c.queued).limit(limit)
        if kinds is not None:
            query = query.where(jobs.c.kind.in_(kinds))
        if states is not None:
            query = query.where(jobs.c.state.in_([str(state) for state in states]))
        return tuple(_job(row) for row in self._ask.rows(query))


class SqlJobs(SqlJobsView):
    """See `ports/jobs.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def enqueue(self, kind: str, payload: Json, at: Instant, *, key: str | None = None) -> Job:
        """Add a job."""
        seen = self._do.seen("job.queued", key)
        if seen is not None:
            return self.get(seen)
        if not kind.strip():
            raise InvalidInput("a job's kind can't be empty")
        text = dump(payload, "the job's payload")
        job_id = (
            make_id(at, os.urandom(10)) if key is None else derived_id(at, "job", self._do.world, kind, key)
        )
        change = self._do.change("job.queued", job_id, at, {"kind": kind}, key)
        row: dict[str, object] = {
            "job_id": job_id,
            "queued": change.cursor,
            "kind": kind,
            "payload": text,
            "key": key,
        }
        row |= {"state": JobState.QUEUED.value, "epoch": 0, "created": at, "result": "null"}
        change.run(sa.insert(jobs), row)
        return self.get(job_id)

    def claim(
        self, worker: str, lease: Duration, at: Instant, tick: int, *, kinds: Sequence[str] | None = None
    ) -> Job | None:
        """Take the oldest job that is queued, or running under a lease that has run out."""
        _check_lease(lease)
        # The same rule as Lease.held: a tick before the grant means that the machine started again.
        expired = sa.or_(jobs.c.expires <= tick, jobs.c.granted > tick)
        free = sa.or_(
            jobs.c.state == JobState.QUEUED.value, sa.and_(jobs.c.state == JobState.RUNNING.value, expired)
        )
        query = sa.select(jobs.c.job_id, jobs.c.epoch).where(free).order_by(jobs.c.queued).limit(1)
        if kinds is not None:
            query = query.where(jobs.c.kind.in_(kinds))
        row = self._ask.row(query)
        if row is None:
            return None
        job_id, epoch = str(row[0]), int(row[1]) + 1
        held: dict[str, object] = {"owner": worker, "granted": tick, "expires": tick + lease, "epoch": epoch}
        self._move(
            "job.claimed", job_id, at, {"worker": worker, "epoch": epoch}, held, JobState.RUNNING, started=at
        )
        return self.get(job_id)

    def heartbeat(self, job_id: str, epoch: int, lease: Duration, tick: int) -> None:
        """Extend the lease from now on."""
        _check_lease(lease)
        self.hold(job_id, epoch)
        change = self._do.keep_position("lease")
        change.run(sa.update(jobs).where(jobs.c.job_id == job_id).values(granted=tick, expires=tick + lease))

    def hold(self, job_id: str, epoch: int) -> None:
        """Prove inside a unit that the epoch is the newest."""
        job = self.get(job_id)
        if job.state is not JobState.RUNNING or job.epoch != epoch:
            raise Conflict(
                f"job {job_id} is {job.state} at epoch {job.epoch}; epoch {epoch} may not change it",
                fix="this worker lost its lease or the job ended: stop, and write nothing",
            )

    def release(self, job_id: str, epoch: int, at: Instant) -> None:
        """Put a job back into the queue."""
        self.hold(job_id, epoch)
        self._move("job.released", job_id, at, {"epoch": epoch}, _NO_LEASE, JobState.QUEUED)

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
        """End a job."""
        if state not in (JobState.SUCCEEDED, JobState.FAILED):
            raise InvalidInput(f"a worker can't finish a job as {state}", fix="succeeded or failed")
        text = dump(result, "the job's result")
        self.hold(job_id, epoch)
        ends: dict[str, object] = {**_NO_LEASE, "result": text, "error": error}
        data: dict[str, Json] = {"epoch": epoch, "error": error}
        self._move(f"job.{state}", job_id, at, data, ends, state, ended=at)
        return self.get(job_id)

    def cancel(self, job_id: str, at: Instant) -> Job:
        """End a queued or running job and fence its worker."""
        job = self.get(job_id)
        if job.state is JobState.CANCELLED:
            return job
        if job.state.terminal:
            raise Conflict(f"job {job_id} has {job.state} already", fix="a terminal state never changes")
        self._move("job.cancelled", job_id, at, None, _NO_LEASE, JobState.CANCELLED, ended=at)
        return self.get(job_id)

    def _move(
        self,
        event: str,
        job_id: str,
        at: Instant,
        data: Json,
        values: dict[str, object],
        state: JobState,
        **times: Instant,
    ) -> None:
        change = self._do.change(event, job_id, at, data)
        change.run(
            sa.update(jobs).where(jobs.c.job_id == job_id).values(state=state.value, **values, **times)
        )


def _check_lease(lease: Duration) -> None:
    if lease <= 0:
        raise InvalidInput(
            f"a lease of {lease} microseconds holds nothing", fix="give a positive duration, e.g. 30s"
        )


if TYPE_CHECKING:
    from treadle.ports.jobs import Jobs

    def _proof(session: Session) -> Jobs:
        return SqlJobs(session)
