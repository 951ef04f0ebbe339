"""What a run logs — metrics, parameters, tags, inputs, outputs — on SQL; a part of the port `runs`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import sqlalchemy as sa

from treadle.adapters.sql.schema import (
    dataset_inputs,
    latest_metrics,
    metrics,
    model_outputs,
    params,
    run_tags,
    runs,
)
from treadle.adapters.sql.session import (
    DIALECTS,
    Change,
    ReadSession,
    Row,
    Session,
    Upsert,
    among,
    dump,
    id_list,
    load,
    upsert,
)
from treadle.records.digests import Json
from treadle.records.errors import Conflict, NotFound, refuse
from treadle.records.instants import Instant
from treadle.records.runs import DatasetInput, Lifecycle, Metric, ModelOutput, batch_faults, newest

_LIFECYCLE = sa.select(runs.c.lifecycle).where(runs.c.run_id == sa.bindparam("run"))


def _keep_newest(dialect: str) -> Upsert:
    insert = upsert(latest_metrics, dialect)
    new, old = insert.excluded, latest_metrics.c
    columns = ("step", "timestamp", "value", "is_nan")
    newer = sa.tuple_(*(new[name] for name in columns)) > sa.tuple_(*(old[name] for name in columns))
    return insert.on_conflict_do_update(
        index_elements=["run_id", "key"], set_={name: new[name] for name in columns}, where=newer
    )


_ADD_POINT = {name: upsert(metrics, name).on_conflict_do_nothing() for name in DIALECTS}
_KEEP_NEWEST = {name: _keep_newest(name) for name in DIALECTS}
_ADD_PARAM = sa.insert(params)
_OF = {
    (dialect, table.name): sa.select(table)
    .where(among(table.c.run_id, dialect))
    .order_by(*table.primary_key.columns)
    for table in (params, run_tags, latest_metrics, dataset_inputs, model_outputs)
    for dialect in DIALECTS
}
_INPUT = ("name", "digest", "context", "source_type", "source", "schema", "profile")


@dataclass(slots=True)
class Logged:
    """What one run has logged, as `Run` shows it."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[DatasetInput] = field(default_factory=list)
    models: list[ModelOutput] = field(default_factory=list)


class SqlRunLogView:
    """See `ports/runs.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def metric_history(self, run_id: str, key: str) -> tuple[Metric, ...]:
        """Return every distinct point logged, ordered by (step, timestamp, value)."""
        self._lifecycle(run_id)
        query = sa.select(metrics.c.value, metrics.c.timestamp, metrics.c.step, metrics.c.is_nan)
        query = query.where(metrics.c.run_id == run_id, metrics.c.key == key)
        query = query.order_by(metrics.c.step, metrics.c.timestamp, metrics.c.value, metrics.c.is_nan)
        return tuple(
            Metric(key, _value(value, is_nan), timestamp, step)
            for value, timestamp, step, is_nan in self._ask.rows(query)
        )

    def _lifecycle(self, run_id: str) -> Lifecycle:
        row = self._ask.row(_LIFECYCLE, {"run": run_id})
        if row is None:
            raise NotFound(f"there is no run {run_id!r}", command="treadle runs")
        return Lifecycle(row[0])

    def _logged(self, run_ids: Sequence[str]) -> Mapping[str, Logged]:
        """Return what these runs have logged: five queries, however many runs."""
        found: dict[str, Logged] = defaultdict(Logged)
        for run_id, key, value in self._of(params, run_ids):
            found[run_id].params[key] = value
        for run_id, key, value in self._of(run_tags, run_ids):
            found[run_id].tags[key] = value
        for run_id, key, step, timestamp, value, is_nan in self._of(latest_metrics, run_ids):
            found[run_id].metrics[key] = Metric(key, _value(value, is_nan), timestamp, step)
        for run_id, *columns, tags in self._of(dataset_inputs, run_ids):
            given = dict(zip(_INPUT, columns, strict=True))
            found[run_id].datasets.append(DatasetInput(**given, tags=cast("dict[str, str]", load(tags))))
        for run_id, model_id, step in self._of(model_outputs, run_ids):
            found[run_id].models.append(ModelOutput(model_id, step))
        return found

    def _of(self, table: sa.Table, run_ids: Sequence[str]) -> Sequence[Row]:
        dialect = self._ask.dialect
        return self._ask.rows(_OF[dialect, table.name], {"ids": id_list(run_ids, dialect)})


class SqlRunLog(SqlRunLogView):
    """See `ports/runs.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def log_batch(
        self,
        run_id: str,
        at: Instant,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log all of it or nothing."""
        params, tags = params or {}, tags or {}
        refuse(f"the batch for run {run_id} can't be logged", batch_faults(metrics, params, tags))
        self._active(run_id)
        new = self._new_params(run_id, params)
        if not (metrics or params or tags):
            return
        data: dict[str, Json] = {"metrics": len(metrics), "params": len(params), "tags": len(tags)}
        change = self._do.change("run.logged", run_id, at, data)
        if new:
            change.run(
                _ADD_PARAM, [{"run_id": run_id, "key": key, "value": value} for key, value in new.items()]
            )
        if metrics:
            _add_metrics(change, self._do.dialect, run_id, metrics)
        for key, value in tags.items():
            set_tag(change, run_id, key, value)

    def delete_tag(self, run_id: str, tag: str, at: Instant) -> None:
        """Remove a tag."""
        self._active(run_id)
        this = (run_tags.c.run_id == run_id, run_tags.c.key == tag)
        if self._ask.row(sa.select(run_tags.c.key).where(*this)) is None:
            raise NotFound(f"run {run_id} has no tag {tag!r}")
        self._do.change("run.untagged", run_id, at, {"key": tag}).run(sa.delete(run_tags).where(*this))

    def log_inputs(self, run_id: str, datasets: Sequence[DatasetInput], at: Instant) -> None:
        """Record datasets the run read."""
        self._active(run_id)
        if not datasets:
            return
        named: list[Json] = [
            {"name": item.name, "digest": item.digest, "context": item.context} for item in datasets
        ]
        change = self._do.change("run.inputs_logged", run_id, at, named)
        for item in datasets:
            row = {"run_id": run_id, "name": item.name, "digest": item.digest, "context": item.context}
            rest = {"source_type": item.source_type, "source": item.source, "schema": item.schema}
            rest |= {"profile": item.profile, "tags": dump(dict(item.tags))}
            statement = change.upsert(dataset_inputs).on_conflict_do_update(
                index_elements=list(row), set_=rest
            )
            change.run(statement, {**row, **rest})

    def log_outputs(self, run_id: str, models: Sequence[ModelOutput], at: Instant) -> None:
        """Record models the run produced."""
        self._active(run_id)
        if not models:
            return
        named: list[Json] = [{"model": item.model_id, "step": item.step} for item in models]
        change = self._do.change("run.outputs_logged", run_id, at, named)
        rows = [{"run_id": run_id, "model_id": item.model_id, "step": item.step} for item in models]
        change.run(change.upsert(model_outputs).on_conflict_do_nothing(), rows)

    def _active(self, run_id: str) -> None:
        if self._lifecycle(run_id) is not Lifecycle.ACTIVE:
            raise Conflict(
                f"the run {run_id} must be in the 'active' state, and it is deleted", fix="restore it first"
            )

    def _new_params(self, run_id: str, given: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters that are not there yet, or refuse those that have another value."""
        if not given:
            return {}
        query = sa.select(params.c.key, params.c.value).where(params.c.run_id == run_id)
        there = {str(key): str(value) for key, value in self._ask.rows(query)}
        changed = [
            f"param {key!r} is {there[key]!r} already, not {value!r}"
            for key, value in given.items()
            if there.get(key, value) != value
        ]
        if changed:
            raise Conflict(
                f"parameters of run {run_id} are written once",
                faults=changed,
                fix="start another run for other values",
            )
        return {key: value for key, value in given.items() if key not in there}


def set_tag(change: Change, run_id: str, key: str, value: str) -> None:
    """Set or overwrite one tag of a run."""
    statement = change.upsert(run_tags).on_conflict_do_update(
        index_elements=["run_id", "key"], set_={"value": value}
    )
    change.run(statement, {"run_id": run_id, "key": key, "value": value})


def _add_metrics(change: Change, dialect: str, run_id: str, points: Sequence[Metric]) -> None:
    # SQLite stores NaN as NULL, which no key can hold: it is kept as 0 with a mark, which also orders it.
    latest: dict[str, tuple[int, int, float, int]] = {}
    rows: list[tuple[object, ...]] = []
    for point in points:
        key, order = point.key, newest(point)
        rows.append((run_id, key, *order))
        if key not in latest or order > latest[key]:
            latest[key] = order
    change.run_many(_ADD_POINT[dialect], rows)
    change.run_many(_KEEP_NEWEST[dialect], [(run_id, key, *order) for key, order in latest.items()])


def _value(value: float, is_nan: int) -> float:
    return float("nan") if is_nan else value
