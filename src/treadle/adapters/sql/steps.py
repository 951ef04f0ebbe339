"""Steps of runs on SQL; a part of the port `runs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa

from treadle.adapters.sql.schema import steps
from treadle.adapters.sql.session import Query, ReadSession, Row, Session, dump, load
from treadle.records.digests import Digest, Json
from treadle.records.errors import Conflict, InvalidInput, NotFound
from treadle.records.instants import Instant
from treadle.records.runs import RunStatus, StepRef, StepRun

_EVENTS = {
    RunStatus.FINISHED: "step.finished",
    RunStatus.FAILED: "step.failed",
    RunStatus.KILLED: "step.killed",
}
ABANDONED = "abandoned: the step was started again"


def _step(row: Row) -> StepRun:
    return StepRun(
        run_id=row.run_id,
        index=row.step_index,
        attempt=row.attempt,
        name=row.name,
        version=row.version,
        cache_key=row.cache_key,
        status=RunStatus(row.status),
        started=row.started,
        ended=row.ended,
        executor=row.executor,
        params=_object(row.params),
        inputs=_object(row.inputs),
        outputs=_object(row.outputs),
        error=row.error,
        cached_from=None if row.cached_run is None else StepRef(row.cached_run, row.cached_index),
    )


def _object(text: str) -> dict[str, Any]:
    # Any: written by `dump` from a typed mapping, and the field's own type says what comes back.
    return cast("dict[str, Any]", load(text))


class SqlStepsView:
    """See `ports/runs.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def steps(self, run_id: str, *, all_attempts: bool = False) -> tuple[StepRun, ...]:
        """Return the steps by index, each in its newest attempt unless all are asked for."""
        query = sa.select(steps).where(steps.c.run_id == run_id).order_by(steps.c.step_index, steps.c.attempt)
        found = tuple(_step(row) for row in self._ask.rows(query))
        if all_attempts:
            return found
        return tuple({step.index: step for step in found}.values())

    def find_cached(self, cache_key: Digest) -> StepRun | None:
        """Return the step that finished last with that cache key and was itself executed."""
        query = (
            sa.select(steps)
            .where(
                steps.c.cache_key == cache_key,
                steps.c.status == RunStatus.FINISHED.value,
                steps.c.cached_run.is_(None),
            )
            .order_by(steps.c.ended.desc(), steps.c.run_id.desc(), steps.c.step_index.desc())
            .limit(1)
        )
        row = self._ask.row(query)
        return None if row is None else _step(row)

    def _attempts(self, run_id: str, index: int) -> tuple[StepRun, ...]:
        query: Query = sa.select(steps).where(steps.c.run_id == run_id, steps.c.step_index == index)
        return tuple(_step(row) for row in self._ask.rows(query.order_by(steps.c.attempt.desc())))


class SqlSteps(SqlStepsView):
    """See `ports/runs.py`; `SqlRuns` checks the run first."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def _start(
        self,
        run_id: str,
        index: int,
        name: str,
        version: Digest,
        at: Instant,
        cache_key: Digest | None,
        executor: str,
        params: Mapping[str, Json],
        inputs: Mapping[str, Digest],
    ) -> StepRun:
        before = self._attempts(run_id, index)
        if before and before[0].status is RunStatus.FINISHED:
            raise Conflict(
                f"step {index} ({name}) of run {run_id} has finished already", fix="use its outputs"
            )
        row: dict[str, object] = {"run_id": run_id, "step_index": index, "attempt": len(before) + 1}
        row |= {"name": name, "version": version, "cache_key": cache_key, "executor": executor}
        row |= {
            "params": dump(params, f"parameters of step {name!r}"),
            "inputs": dump(inputs),
            "outputs": "{}",
        }
        row |= {"status": RunStatus.RUNNING.value, "started": at}
        data: dict[str, Json] = {"name": name, "attempt": len(before) + 1, "cache_key": cache_key}
        change = self._do.change("step.started", f"{run_id}/{index}", at, data)
        if before and not before[0].status.terminal:
            abandoned = {"status": RunStatus.FAILED.value, "ended": at, "error": ABANDONED}
            change.run(_attempt(run_id, index, before[0].attempt).values(abandoned))
        change.run(sa.insert(steps), row)
        return self._attempts(run_id, index)[0]

    def _finish(
        self,
        run_id: str,
        index: int,
        attempt: int,
        at: Instant,
        status: RunStatus,
        outputs: Mapping[str, Digest],
        error: str | None,
        cached_from: StepRef | None,
    ) -> StepRun:
        if status not in _EVENTS:
            raise InvalidInput(f"a step can't end as {status}", fix="FINISHED, FAILED or KILLED")
        attempts = {step.attempt: step for step in self._attempts(run_id, index)}
        if attempt not in attempts:
            raise NotFound(f"attempt {attempt} at step {index} of run {run_id} was never started")
        step = attempts[attempt]
        if step.status.terminal:
            newest = max(attempts)
            why = "it was started again" if attempt < newest else f"it has {step.status} already"
            raise Conflict(
                f"attempt {attempt} at step {index} ({step.name}) of run {run_id} can't end now: {why}",
                fix="a terminal state never changes: this worker is late, drop its result",
            )
        values: dict[str, object] = {
            "status": status.value,
            "ended": at,
            "error": error,
            "outputs": dump(outputs),
        }
        if cached_from is not None:
            values |= {"cached_run": cached_from.run_id, "cached_index": cached_from.index}
        data: dict[str, Json] = {"name": step.name, "attempt": attempt, "error": error}
        data["cached_from"] = None if cached_from is None else str(cached_from)
        change = self._do.change(_EVENTS[status], f"{run_id}/{index}", at, data)
        change.run(_attempt(run_id, index, attempt).values(values))
        return next(step for step in self._attempts(run_id, index) if step.attempt == attempt)


def _attempt(run_id: str, index: int, attempt: int) -> sa.Update:
    return sa.update(steps).where(
        steps.c.run_id == run_id, steps.c.step_index == index, steps.c.attempt == attempt
    )
