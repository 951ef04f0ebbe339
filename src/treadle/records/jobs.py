"""Jobs: work that is queued durably, claimed under a lease and finished once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from treadle.records.digests import Json
from treadle.records.instants import Instant


class JobState(StrEnum):
    """Where a job is; the last three never change again."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether the job has reached an end that never changes."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a running job, and until when.

    Ticks are microseconds of a steady clock that all claimers share (see `Metadata.tick`), never wall time.
    """

    owner: str
    granted: int
    expires: int

    def held(self, tick: int) -> bool:
        """Whether the lease holds at a tick.

        A tick before the grant means that the steady clock started again, so the machine did, and the owner
        is gone.
        """
        return self.granted <= tick < self.expires


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A piece of work and how far it has come."""

    job_id: str
    kind: str
    payload: Json
    key: str | None = None
    state: JobState
    epoch: int = 0
    """Fencing token: how many times the job was claimed. Only the holder of the newest may write."""
    lease: Lease | None = None
    created: Instant
    started: Instant | None = None
    """When it was claimed last."""
    ended: Instant | None = None
    result: Json = None
    error: str | None = None
