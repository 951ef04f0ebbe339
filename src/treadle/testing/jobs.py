"""The contract of the job queue."""

from __future__ import annotations

import pytest

from treadle.ports.metadata import Metadata
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.records.instants import SECOND
from treadle.records.jobs import Job, JobState, Lease
from treadle.testing.metadata import AT

LEASE = 10 * SECOND


class JobsContract:
    """Subclass with a fixture `metadata`: an empty store."""

    @pytest.fixture
    def metadata(self) -> Metadata:
        """Return an empty store."""
        raise NotImplementedError("give the store to be tested as a fixture")

    def test_job_goes_from_queued_to_succeeded(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            queued = unit.jobs.enqueue("train", {"until": AT}, AT)
            assert queued == Job(
                job_id=queued.job_id, kind="train", payload={"until": AT}, state=JobState.QUEUED, created=AT
            )
        with metadata.begin() as unit:
            running = unit.jobs.claim("worker", LEASE, AT + 1, tick=100)
        assert running is not None
        assert running.state is JobState.RUNNING
        assert running.epoch == 1
        assert running.lease == Lease("worker", 100, 100 + LEASE)
        assert running.started == AT + 1
        with metadata.begin() as unit:
            ended = unit.jobs.finish(queued.job_id, 1, AT + 2, result={"version": 3})
        assert (ended.state, ended.result, ended.ended, ended.lease) == (
            JobState.SUCCEEDED,
            {"version": 3},
            AT + 2,
            None,
        )
        with metadata.read() as view:
            assert view.jobs.get(queued.job_id) == ended
            kinds = [event.kind for event in view.journal.read(subject=queued.job_id)]
        assert kinds == ["job.queued", "job.claimed", "job.succeeded"]

    def test_oldest_job_of_the_wanted_kind_is_claimed_first(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            # The clock went back between the two: the order is that of the queue, not of the clock.
            first = unit.jobs.enqueue("train", 1, AT + 5)
            second = unit.jobs.enqueue("train", 2, AT)
            other = unit.jobs.enqueue("score", 3, AT)
            taken = [unit.jobs.claim("w", LEASE, AT, 0, kinds=["train"]) for _ in range(3)]
            assert [job and job.job_id for job in taken] == [first.job_id, second.job_id, None]
            assert unit.jobs.claim("w", LEASE, AT, 0, kinds=[]) is None
            last = unit.jobs.claim("w", LEASE, AT, 0)
            assert last is not None
            assert last.job_id == other.job_id
            assert [job.job_id for job in unit.jobs.list()] == [first.job_id, second.job_id, other.job_id]
            assert unit.jobs.list(states=[JobState.QUEUED]) == ()

    def test_lease_keeps_others_away_until_it_runs_out(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.jobs.enqueue("train", None, AT)
            unit.jobs.claim("first", LEASE, AT, tick=0)
            assert unit.jobs.claim("second", LEASE, AT, tick=LEASE - 1) is None
            taken = unit.jobs.claim("second", LEASE, AT, tick=LEASE)
        assert taken is not None
        assert taken.epoch == 2
        assert taken.lease == Lease("second", LEASE, 2 * LEASE)

    def test_heartbeat_extends_the_lease(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            job = unit.jobs.enqueue("train", None, AT)
            unit.jobs.claim("first", LEASE, AT, tick=0)
            end = unit.journal.end()
            unit.jobs.heartbeat(job.job_id, 1, LEASE, tick=LEASE - 1)
            assert unit.journal.end() == end
            assert unit.jobs.claim("second", LEASE, AT, tick=LEASE) is None
            assert unit.jobs.claim("second", LEASE, AT, tick=2 * LEASE - 1) is not None

    def test_lease_of_a_machine_that_started_again_is_over(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            unit.jobs.enqueue("train", None, AT)
            unit.jobs.claim("before", LEASE, AT, tick=1_000 * SECOND)
            assert unit.jobs.claim("after", LEASE, AT, tick=3 * SECOND) is not None

    def test_worker_with_a_stale_epoch_can_change_nothing(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            job_id = unit.jobs.enqueue("train", None, AT).job_id
            unit.jobs.claim("slept", LEASE, AT, tick=0)
            taken = unit.jobs.claim("awake", LEASE, AT, tick=LEASE)
            end = unit.journal.end()
            with pytest.raises(Conflict):
                unit.jobs.finish(job_id, 1, AT, result="late")
            with pytest.raises(Conflict):
                unit.jobs.heartbeat(job_id, 1, LEASE, tick=LEASE)
            with pytest.raises(Conflict):
                unit.jobs.release(job_id, 1, AT)
            with pytest.raises(Conflict):
                unit.jobs.hold(job_id, 1)
            assert unit.jobs.get(job_id) == taken
            assert unit.journal.end() == end
            unit.jobs.hold(job_id, 2)

    def test_terminal_state_never_changes(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            ids = [unit.jobs.enqueue("train", n, AT).job_id for n in range(3)]
            for _ in ids:
                unit.jobs.claim("w", LEASE, AT, tick=0)
            unit.jobs.finish(ids[0], 1, AT)
            unit.jobs.finish(ids[1], 1, AT, state=JobState.FAILED, error="out of memory")
            unit.jobs.cancel(ids[2], AT)
            before = [unit.jobs.get(job_id) for job_id in ids]
            assert [job.state for job in before] == [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED]
            assert before[1].error == "out of memory"
            for job_id in ids:
                with pytest.raises(Conflict):
                    unit.jobs.finish(job_id, 1, AT, state=JobState.FAILED)
                with pytest.raises(Conflict):
                    unit.jobs.release(job_id, 1, AT)
            for job_id in ids[:2]:
                with pytest.raises(Conflict):
                    unit.jobs.cancel(job_id, AT)
            assert unit.jobs.cancel(ids[2], AT + 1) == before[2]
            assert unit.jobs.claim("w", LEASE, AT, tick=100 * LEASE) is None
            assert [unit.jobs.get(job_id) for job_id in ids] == before

    def test_released_job_is_queued_again_and_fences_its_former_worker(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            job_id = unit.jobs.enqueue("train", None, AT).job_id
            unit.jobs.claim("w", LEASE, AT, tick=0)
            unit.jobs.release(job_id, 1, AT)
            assert unit.jobs.get(job_id).state is JobState.QUEUED
            with pytest.raises(Conflict):
                unit.jobs.finish(job_id, 1, AT)
            again = unit.jobs.claim("w", LEASE, AT, tick=0)
        assert again is not None
        assert again.epoch == 2

    def test_bad_calls_are_refused(self, metadata: Metadata) -> None:
        with metadata.begin() as unit:
            job_id = unit.jobs.enqueue("train", None, AT).job_id
            with pytest.raises(NotFound):
                unit.jobs.get("nothing")
            with pytest.raises(InvalidInput):
                unit.jobs.enqueue(" ", None, AT)
            with pytest.raises(InvalidInput):
                unit.jobs.claim("w", 0, AT, tick=0)
            unit.jobs.claim("w", LEASE, AT, tick=0)
            with pytest.raises(InvalidInput):
                unit.jobs.finish(job_id, 1, AT, state=JobState.CANCELLED)
            with pytest.raises(InvalidInput):
                unit.jobs.finish(job_id, 1, AT, result=float("nan"))
