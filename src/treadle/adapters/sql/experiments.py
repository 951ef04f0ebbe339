"""Experiments on SQL; a part of the port `runs`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import sqlalchemy as sa

from treadle.adapters.sql.schema import experiment_tags, experiments, runs
from treadle.adapters.sql.session import Query, ReadSession, Session
from treadle.records.errors import Conflict, InvalidInput, NotFound, refuse
from treadle.records.instants import Instant
from treadle.records.runs import DEFAULT_EXPERIMENT, Experiment, Lifecycle

DEFAULT_NAME = "Default"


def number(experiment_id: str) -> int:
    """Return the number an experiment id is, or -1, which none has."""
    return (
        int(experiment_id)
        if experiment_id.isascii() and experiment_id.isdecimal() and len(experiment_id) < 19
        else -1
    )


class SqlExperimentsView:
    """See `ports/runs.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Return an experiment, also a deleted one."""
        found = self._experiments(
            sa.select(experiments).where(experiments.c.experiment_id == number(experiment_id))
        )
        if not found:
            raise NotFound(f"there is no experiment with id {experiment_id!r}")
        return found[0]

    def find_experiment(self, name: str) -> Experiment | None:
        """Return the experiment of that name, also a deleted one."""
        found = self._experiments(sa.select(experiments).where(experiments.c.name == name))
        return found[0] if found else None

    def experiments(self, lifecycle: Lifecycle | None = Lifecycle.ACTIVE) -> tuple[Experiment, ...]:
        """Return all experiments by creation."""
        query = sa.select(experiments).order_by(experiments.c.experiment_id)
        if lifecycle is not None:
            query = query.where(experiments.c.lifecycle == lifecycle.value)
        return self._experiments(query)

    def _experiments(self, query: Query) -> tuple[Experiment, ...]:
        rows = self._ask.rows(query)
        ids = [row.experiment_id for row in rows]
        tags: dict[int, dict[str, str]] = defaultdict(dict)
        tagged = sa.select(experiment_tags).where(experiment_tags.c.experiment_id.in_(ids))
        for experiment_id, key, value in self._ask.rows(tagged):
            tags[experiment_id][key] = value
        return tuple(
            Experiment(
                experiment_id=str(row.experiment_id),
                name=row.name,
                lifecycle=Lifecycle(row.lifecycle),
                tags=tags[row.experiment_id],
                created=row.created,
                updated=row.updated,
            )
            for row in rows
        )


class SqlExperiments(SqlExperimentsView):
    """See `ports/runs.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def create_experiment(
        self, name: str, at: Instant, *, tags: Mapping[str, str] | None = None, key: str | None = None
    ) -> Experiment:
        """Create an experiment with the next number as id."""
        seen = self._do.seen("experiment.created", key)
        if seen is not None:
            return self.get_experiment(seen)
        if not name.strip() or len(name) > 500:
            raise InvalidInput("an experiment's name must have 1 to 500 characters")
        taken = self.find_experiment(name)
        if taken is not None:
            fix = "restore it" if taken.lifecycle is Lifecycle.DELETED else "use it, or take another name"
            raise Conflict(
                f"there is an experiment {name!r} already (id {taken.experiment_id}, {taken.lifecycle})",
                fix=fix,
            )
        highest = self._ask.row(sa.select(sa.func.max(experiments.c.experiment_id)))
        made = 1 if highest is None or highest[0] is None else int(highest[0]) + 1
        change = self._do.change("experiment.created", str(made), at, {"name": name}, key)
        row = {
            "experiment_id": made,
            "name": name,
            "lifecycle": Lifecycle.ACTIVE.value,
            "created": at,
            "updated": at,
        }
        change.run(sa.insert(experiments), row)
        for tag, value in (tags or {}).items():
            change.run(sa.insert(experiment_tags), {"experiment_id": made, "key": tag, "value": value})
        return self.get_experiment(str(made))

    def set_experiment_tag(self, experiment_id: str, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag."""
        if self.get_experiment(experiment_id).lifecycle is Lifecycle.DELETED:
            raise Conflict(f"experiment {experiment_id} is deleted", fix="restore it first")
        refuse("the tag can't be set", [] if tag else ["a tag's key can't be empty"])
        change = self._do.change("experiment.tagged", experiment_id, at, {"key": tag, "value": value})
        statement = change.upsert(experiment_tags).on_conflict_do_update(
            index_elements=["experiment_id", "key"], set_={"value": value}
        )
        change.run(statement, {"experiment_id": number(experiment_id), "key": tag, "value": value})

    def delete_experiment(self, experiment_id: str, at: Instant) -> None:
        """Hide an experiment and its runs."""
        if experiment_id == DEFAULT_EXPERIMENT:
            raise Conflict(f"the experiment {DEFAULT_NAME!r} can't be deleted")
        if self.get_experiment(experiment_id).lifecycle is Lifecycle.ACTIVE:
            self._show(experiment_id, Lifecycle.DELETED, at)

    def restore_experiment(self, experiment_id: str, at: Instant) -> None:
        """Show an experiment again, and the runs that were hidden with it."""
        if self.get_experiment(experiment_id).lifecycle is Lifecycle.DELETED:
            self._show(experiment_id, Lifecycle.ACTIVE, at)

    def _show(self, experiment_id: str, to: Lifecycle, at: Instant) -> None:
        hide = to is Lifecycle.DELETED
        change = self._do.change("experiment.deleted" if hide else "experiment.restored", experiment_id, at)
        of = number(experiment_id)
        values = {"lifecycle": to.value, "updated": at}
        change.run(sa.update(experiments).where(experiments.c.experiment_id == of).values(values))
        # A run deleted by itself before stays deleted when the experiment comes back.
        mine = runs.c.lifecycle == Lifecycle.ACTIVE.value if hide else runs.c.hidden_by_experiment == 1
        change.run(
            sa.update(runs)
            .where(runs.c.experiment_id == of, mine)
            .values(lifecycle=to.value, hidden_by_experiment=int(hide))
        )
