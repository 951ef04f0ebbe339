"""The model registry on SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.decisions import SqlDecisions, SqlDecisionsView
from treadle.adapters.sql.schema import (
    aliases,
    model_tags,
    model_versions,
    models,
    version_tags,
)
from treadle.adapters.sql.session import Query, ReadSession, Session
from treadle.records.digests import Digest, Json
from treadle.records.errors import Conflict, NotFound, refuse
from treadle.records.instants import Instant
from treadle.records.models import (
    ModelStage,
    ModelVersion,
    RegisteredModel,
    VersionStatus,
    model_name_faults,
)

_VERSIONS = sa.select(
    model_versions.c.model,
    model_versions.c.version,
    model_versions.c.run_id,
    model_versions.c.package,
    model_versions.c.source,
    model_versions.c.description,
    model_versions.c.status,
    model_versions.c.stage,
    model_versions.c.created,
    model_versions.c.updated,
)


class SqlModelsView(SqlDecisionsView):
    """See `ports/models.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get_model(self, name: str) -> RegisteredModel:
        """Return a model."""
        found = self._models(sa.select(models).where(models.c.name == name))
        if not found:
            known = self._ask.rows(sa.select(models.c.name))
            raise NotFound.among("model", name, (str(row[0]) for row in known), command="treadle models")
        return found[0]

    def list_models(
        self, *, tags: Mapping[str, str] | None = None, limit: int = 100, after: str | None = None
    ) -> tuple[RegisteredModel, ...]:
        """Return models by name, those after the name `after`, that carry all the tags."""
        query = sa.select(models).order_by(models.c.name).limit(limit)
        if after is not None:
            query = query.where(models.c.name > after)
        for key, value in (tags or {}).items():
            table = model_tags.alias()
            query = query.where(
                sa.exists().where(table.c.model == models.c.name, table.c.key == key, table.c.value == value)
            )
        return self._models(query)

    def get_version(self, model: str, version: int) -> ModelVersion:
        """Return one version."""
        query = _VERSIONS.where(model_versions.c.model == model, model_versions.c.version == version)
        found = self._versions(query)
        if found:
            return found[0]
        latest = self.get_model(model).latest
        raise NotFound(
            f"model {model!r} has no version {version}",
            fix=f"its newest is {latest}" if latest else "it has no version yet",
            command="treadle models",
        )

    def list_versions(
        self,
        model: str | None = None,
        *,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 1_000,
    ) -> tuple[ModelVersion, ...]:
        """Return versions, the newest of each model first, that meet all conditions."""
        query = _VERSIONS.order_by(model_versions.c.model, model_versions.c.version.desc()).limit(limit)
        if model is not None:
            query = query.where(model_versions.c.model == model)
        if run_id is not None:
            query = query.where(model_versions.c.run_id == run_id)
        for key, value in (tags or {}).items():
            table = version_tags.alias()
            same = (table.c.model == model_versions.c.model, table.c.version == model_versions.c.version)
            query = query.where(sa.exists().where(*same, table.c.key == key, table.c.value == value))
        return self._versions(query)

    def _models(self, query: Query) -> tuple[RegisteredModel, ...]:
        rows = self._ask.rows(query)
        names = [row.name for row in rows]
        tags: dict[str, dict[str, str]] = defaultdict(dict)
        for model, key, value in self._ask.rows(sa.select(model_tags).where(model_tags.c.model.in_(names))):
            tags[model][key] = value
        named: dict[str, dict[str, int]] = defaultdict(dict)
        query = sa.select(aliases.c.model, aliases.c.alias, aliases.c.version).where(
            aliases.c.model.in_(names)
        )
        for model, alias, version in self._ask.rows(query.order_by(aliases.c.alias)):
            named[model][alias] = version
        newest = sa.select(model_versions.c.model, sa.func.max(model_versions.c.version))
        newest = newest.where(model_versions.c.model.in_(names)).group_by(model_versions.c.model)
        latest = {str(model): int(version) for model, version in self._ask.rows(newest)}
        return tuple(
            RegisteredModel(
                name=row.name,
                description=row.description,
                tags=tags[row.name],
                aliases=named[row.name],
                latest=latest.get(row.name, 0),
                created=row.created,
                updated=row.updated,
            )
            for row in rows
        )

    def _versions(self, query: Query) -> tuple[ModelVersion, ...]:
        rows = self._ask.rows(query)
        # By model, not by (model, version): its few tags and aliases cost less than pairs as parameters.
        names = list(dict.fromkeys(row.model for row in rows))
        numbers = (
            min((row.version for row in rows), default=0),
            max((row.version for row in rows), default=0),
        )
        tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
        tagged = sa.select(version_tags).where(
            version_tags.c.model.in_(names), version_tags.c.version.between(*numbers)
        )
        for model, version, key, value in self._ask.rows(tagged):
            tags[model, version][key] = value
        named: dict[tuple[str, int], list[str]] = defaultdict(list)
        pointing = sa.select(aliases.c.model, aliases.c.version, aliases.c.alias).where(
            aliases.c.model.in_(names)
        )
        for model, version, alias in self._ask.rows(pointing.order_by(aliases.c.alias)):
            named[model, version].append(alias)
        return tuple(
            ModelVersion(
                model=row.model,
                version=row.version,
                run_id=row.run_id,
                package=row.package,
                source=row.source,
                description=row.description,
                tags=tags[row.model, row.version],
                aliases=tuple(named[row.model, row.version]),
                status=VersionStatus(row.status),
                stage=ModelStage(row.stage),
                created=row.created,
                updated=row.updated,
            )
            for row in rows
        )


class SqlModels(SqlModelsView, SqlDecisions):
    """See `ports/models.py`."""

    def __init__(self, session: Session) -> None:
        self._ask = session
        self._do = session

    def create_model(
        self,
        name: str,
        at: Instant,
        *,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> RegisteredModel:
        """Register a name."""
        seen = self._do.seen("model.created", key)
        if seen is not None:
            return self.get_model(seen)
        refuse("the model can't be registered", model_name_faults(name))
        if self._ask.row(sa.select(models.c.name).where(models.c.name == name)) is not None:
            raise Conflict(
                f"there is a model {name!r} already", fix="add a version to it, or take another name"
            )
        change = self._do.change("model.created", name, at, None, key)
        change.run(
            sa.insert(models), {"name": name, "description": description, "created": at, "updated": at}
        )
        for tag, value in (tags or {}).items():
            change.run(sa.insert(model_tags), {"model": name, "key": tag, "value": value})
        return self.get_model(name)

    def describe_model(self, name: str, description: str, at: Instant) -> None:
        """Set a model's description."""
        self.get_model(name)
        change = self._do.change("model.described", name, at)
        change.run(sa.update(models).where(models.c.name == name).values(description=description, updated=at))

    def set_model_tag(self, name: str, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag."""
        self.get_model(name)
        change = self._do.change("model.tagged", name, at, {"key": tag, "value": value})
        statement = change.upsert(model_tags).on_conflict_do_update(
            index_elements=["model", "key"], set_={"value": value}
        )
        change.run(statement, {"model": name, "key": tag, "value": value})

    def delete_model_tag(self, name: str, tag: str, at: Instant) -> None:
        """Remove a tag."""
        self.get_model(name)
        change = self._do.change("model.untagged", name, at, {"key": tag})
        change.run(sa.delete(model_tags).where(model_tags.c.model == name, model_tags.c.key == tag))

    def create_version(
        self,
        model: str,
        at: Instant,
        *,
        run_id: str | None = None,
        package: Digest | None = None,
        source: str = "",
        description: str = "",
        tags: Mapping[str, str] | None = None,
        status: VersionStatus = VersionStatus.READY,
        key: str | None = None,
    ) -> ModelVersion:
        """Add a model's next version."""
        seen = self._do.seen("version.created", key)
        if seen is not None:
            before, _, number = seen.rpartition("/")
            return self.get_version(before, int(number))
        version = self.get_model(model).latest + 1
        data: dict[str, Json] = {"run": run_id, "package": package}
        change = self._do.change("version.created", f"{model}/{version}", at, data, key)
        row: dict[str, object] = {"model": model, "version": version, "run_id": run_id, "package": package}
        row |= {
            "source": source,
            "description": description,
            "status": status.value,
            "stage": ModelStage.NONE.value,
        }
        change.run(sa.insert(model_versions), {**row, "created": at, "updated": at})
        change.run(sa.update(models).where(models.c.name == model).values(updated=at))
        for tag, value in (tags or {}).items():
            change.run(
                sa.insert(version_tags), {"model": model, "version": version, "key": tag, "value": value}
            )
        return self.get_version(model, version)

    def update_version(
        self,
        model: str,
        version: int,
        at: Instant,
        *,
        description: str | None = None,
        status: VersionStatus | None = None,
        stage: ModelStage | None = None,
    ) -> ModelVersion:
        """Change what is given."""
        self.get_version(model, version)
        given = {
            "description": description,
            "status": status and status.value,
            "stage": stage and stage.value,
        }
        changed: dict[str, Json] = {name: value for name, value in given.items() if value is not None}
        change = self._do.change("version.updated", f"{model}/{version}", at, changed)
        change.run(_of(sa.update(model_versions), model, version).values(**changed, updated=at))
        return self.get_version(model, version)

    def set_version_tag(self, model: str, version: int, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag."""
        self.get_version(model, version)
        change = self._do.change("version.tagged", f"{model}/{version}", at, {"key": tag, "value": value})
        statement = change.upsert(version_tags).on_conflict_do_update(
            index_elements=["model", "version", "key"], set_={"value": value}
        )
        change.run(statement, {"model": model, "version": version, "key": tag, "value": value})

    def delete_version_tag(self, model: str, version: int, tag: str, at: Instant) -> None:
        """Remove a tag."""
        self.get_version(model, version)
        change = self._do.change("version.untagged", f"{model}/{version}", at, {"key": tag})
        table = version_tags
        change.run(
            sa.delete(table).where(table.c.model == model, table.c.version == version, table.c.key == tag)
        )


def _of(statement: sa.Update, model: str, version: int) -> sa.Update:
    return statement.where(model_versions.c.model == model, model_versions.c.version == version)


if TYPE_CHECKING:
    from treadle.ports.models import Models

    def _proof(session: Session) -> Models:
        return SqlModels(session)
