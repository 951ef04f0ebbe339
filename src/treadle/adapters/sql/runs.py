"""Runs on SQL: the whole port, from its four parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.experiments import SqlExperiments, SqlExperimentsView, number
from treadle.adapters.sql.run_log import Logged, SqlRunLog, SqlRunLogView, set_tag
from treadle.adapters.sql.schema import params as params_table
from treadle.adapters.sql.schema import run_tags, runs
from treadle.adapters.sql.session import Query, ReadSession, Row, Session
from treadle.adapters.sql.steps import SqlSteps, SqlStepsView
from treadle.records.digests import Digest, Json
from treadle.records.errors import Conflict, InvalidInput, NotFound, refuse
from treadle.records.ids import derived_id, make_id
from treadle.records.instants import Instant
from treadle.records.pages import Page
from treadle.records.runs import (
    ALL_RUNS,
    DEFAULT_EXPERIMENT,
    Lifecycle,
    Run,
    RunFilter,
    RunStatus,
    StepRef,
    StepRun,
    batch_faults,
)

MOST_RUNS = 50_000


_STATUS = {status.value: status for status in RunStatus}
_LIFECYCLE = {lifecycle.value: lifecycle for lifecycle in Lifecycle}


def _run(row: Row, logged: Logged) -> Run:
    # By position, in the order of the table: a listing makes very many of these.
    (
        run_id,
        experiment,
        name,
        status,
        started,
        ended,
        lifecycle,
        _,
        user,
        pipeline,
        version,
        commit,
        environment,
    ) = row
    return Run(
        run_id=run_id,
        experiment_id=str(experiment),
        name=name,
        status=_STATUS[status],
        started=started,
        ended=ended,
        lifecycle=_LIFECYCLE[lifecycle],
        user=user,
        pipeline=pipeline,
        pipeline_version=version,
        code_commit=commit,
        environment=environment,
        params=logged.params,
        metrics=logged.metrics,
        tags=logged.tags,
        datasets=tuple(logged.datasets),
        models=tuple(logged.models),
    )


class SqlRunsView(SqlExperimentsView, SqlRunLogView, SqlStepsView):
    """See `ports/runs.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get_run(self, run_id: str) -> Run:
        """Return a run, also a deleted one."""
        row = self._ask.row(sa.select(runs).where(runs.c.run_id == run_id))
        if row is None:
            raise NotFound(f"there is no run {run_id!r}", command="treadle runs")
        return _run(row, self._logged([run_id]).get(run_id, Logged()))

    def search_runs(
        self,
        where: RunFilter = ALL_RUNS,
        *,
        limit: int = 100,
        after: str | None = None,
        newest_first: bool = True,
    ) -> Page[Run]:
        """List runs ordered by start (ties by run id)."""
        if not 1 <= limit <= MOST_RUNS:
            raise InvalidInput(f"the limit {limit} is not between 1 and {MOST_RUNS}")
        query = _matching(where).limit(limit + 1)
        query = query.order_by(runs.c.started.desc() if newest_first else runs.c.started, runs.c.run_id)
        if after is not None:
            started, run_id = _place(after)
            # The first condition alone lets the index start at the right row; the second settles ties.
            before = runs.c.started <= started if newest_first else runs.c.started >= started
            query = query.where(before, sa.or_(runs.c.started != started, runs.c.run_id > run_id))
        rows = self._ask.rows(query)
        shown = rows[:limit]
        logged = self._logged([row.run_id for row in shown])
        empty = Logged()
        more = f"{shown[-1].started}:{shown[-1].run_id}" if len(rows) > limit else None
        return Page(tuple(_run(row, logged.get(row.run_id, empty)) for row in shown), more)


class SqlRuns(SqlRunsView, SqlExperiments, SqlRunLog, SqlSteps):
    """See `ports/runs.py`."""

    def __init__(self, session: Session) -> None:
        self._ask = session
        self._do = session

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
        """Create a run."""
        seen = self._do.seen("run.created", key)
        if seen is not None:
            return self.get_run(seen)
        refuse("the run can't be created", batch_faults((), params or {}, tags or {}))
        if run_id is None:
            run_id = (
                make_id(at, os.urandom(10)) if key is None else derived_id(at, "run", self._do.world, key)
            )
        self._check_new(run_id, experiment_id, status)
        data: dict[str, Json] = {"experiment": experiment_id, "name": name, "pipeline": pipeline}
        change = self._do.change("run.created", run_id, at, data, key)
        row: dict[str, object] = {"run_id": run_id, "experiment_id": number(experiment_id), "name": name}
        row |= {"status": status.value, "started": at if started is None else started, "user_name": user}
        row |= {"lifecycle": Lifecycle.ACTIVE.value, "hidden_by_experiment": 0, "code_commit": code_commit}
        row |= {"pipeline": pipeline, "pipeline_version": pipeline_version, "environment": environment}
        change.run(sa.insert(runs), row)
        for param, value in (params or {}).items():
            change.run(sa.insert(params_table), {"run_id": run_id, "key": param, "value": value})
        for tag, value in (tags or {}).items():
            set_tag(change, run_id, tag, value)
        return self.get_run(run_id)

    def set_status(self, run_id: str, status: RunStatus, at: Instant, *, ended: Instant | None = None) -> Run:
        """Move a run to a status; a terminal one records the end."""
        self._active(run_id)
        run = self.get_run(run_id)
        if run.status is status:
            return run
        if run.status.terminal:
            raise Conflict(
                f"run {run_id} has {run.status} already",
                fix="a terminal state never changes: start another run",
            )
        values: dict[str, object] = {"status": status.value}
        if status.terminal:
            values["ended"] = at if ended is None else ended
        change = self._do.change(
            "run.updated", run_id, at, {"status": status.value, "before": run.status.value}
        )
        change.run(sa.update(runs).where(runs.c.run_id == run_id).values(values))
        return self.get_run(run_id)

    def rename_run(self, run_id: str, name: str, at: Instant) -> None:
        """Give a run another name."""
        self._active(run_id)
        change = self._do.change("run.renamed", run_id, at, {"name": name})
        change.run(sa.update(runs).where(runs.c.run_id == run_id).values(name=name))

    def delete_run(self, run_id: str, at: Instant) -> None:
        """Hide a run."""
        if self._lifecycle(run_id) is Lifecycle.ACTIVE:
            self._move(run_id, Lifecycle.DELETED, "run.deleted", at)

    def restore_run(self, run_id: str, at: Instant) -> None:
        """Show a hidden run again."""
        if self._lifecycle(run_id) is Lifecycle.DELETED:
            self._move(run_id, Lifecycle.ACTIVE, "run.restored", at)

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
        """Begin a step, or begin it again."""
        self._active(run_id)
        row = self._ask.row(sa.select(runs.c.status).where(runs.c.run_id == run_id))
        if row is not None and RunStatus(row[0]).terminal:
            raise Conflict(
                f"run {run_id} has {row[0]} already, so no step of it can start", fix="start another run"
            )
        return self._start(run_id, index, name, version, at, cache_key, executor, params or {}, inputs or {})

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
        """End a step."""
        self._active(run_id)
        return self._finish(run_id, index, attempt, at, status, outputs or {}, error, cached_from)

    def _check_new(self, run_id: str, experiment_id: str, status: RunStatus) -> None:
        if self.get_experiment(experiment_id).lifecycle is Lifecycle.DELETED:
            raise Conflict(f"experiment {experiment_id} is deleted", fix="restore it, or take another")
        if status.terminal:
            raise Conflict(f"a run can't begin as {status}", fix="create it RUNNING or SCHEDULED")
        if self._ask.row(sa.select(runs.c.run_id).where(runs.c.run_id == run_id)) is not None:
            raise Conflict(f"there is a run {run_id!r} already")

    def _move(self, run_id: str, to: Lifecycle, event: str, at: Instant) -> None:
        change = self._do.change(event, run_id, at)
        values = {"lifecycle": to.value, "hidden_by_experiment": 0}
        change.run(sa.update(runs).where(runs.c.run_id == run_id).values(values))


def _matching(where: RunFilter) -> Query:
    query: Query = sa.select(runs)
    if where.lifecycle is not None:
        query = query.where(runs.c.lifecycle == where.lifecycle.value)
    if where.experiments:
        query = query.where(runs.c.experiment_id.in_([number(given) for given in where.experiments]))
    if where.statuses:
        query = query.where(runs.c.status.in_([status.value for status in where.statuses]))
    if where.pipeline is not None:
        query = query.where(runs.c.pipeline == where.pipeline)
    if where.name is not None:
        query = query.where(runs.c.name == where.name)
    for key, value in where.tags.items():
        tag = run_tags.alias()
        query = query.where(
            sa.exists().where(tag.c.run_id == runs.c.run_id, tag.c.key == key, tag.c.value == value)
        )
    return query


def _place(after: str) -> tuple[int, str]:
    started, colon, run_id = after.partition(":")
    try:
        if colon and len(started) < 20:
            return int(started), run_id
    except ValueError:
        pass  # refused below, with every other malformed token
    raise InvalidInput(f"{after!r} is not a page token", fix="pass on `after` of the page before, unchanged")


if TYPE_CHECKING:
    from treadle.ports.runs import Runs, RunsView

    def _proof(session: Session) -> tuple[RunsView, Runs]:
        return SqlRunsView(session), SqlRuns(session)
