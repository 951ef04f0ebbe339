"""Dataset manifests on SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from treadle.adapters.sql.schema import dataset_parents, dataset_tags, datasets
from treadle.adapters.sql.session import Query, ReadSession, Session
from treadle.records.datasets import DatasetManifest, DatasetRef
from treadle.records.digests import Digest
from treadle.records.errors import NotFound, refuse
from treadle.records.instants import Instant

_ALL = sa.select(
    datasets.c.name,
    datasets.c.version,
    datasets.c.schema_hash,
    datasets.c.content_hash,
    datasets.c.rows,
    datasets.c.code_digest,
    datasets.c.created,
)


class SqlDatasetsView:
    """See `ports/datasets.py`."""

    def __init__(self, session: ReadSession) -> None:
        self._ask = session

    def get(self, name: str, version: int | None = None) -> DatasetManifest:
        """Return a version, the newest unless one is named."""
        query = _named(name).limit(1)
        if version is not None:
            query = query.where(datasets.c.version == version)
        found = self._load(name, query)
        if found:
            return found[0]
        if version is not None and self.versions(name, limit=1):
            raise NotFound(f"dataset {name!r} has no version {version}")
        raise NotFound.among("dataset", name, self.names())

    def find(self, name: str, content_hash: Digest) -> DatasetManifest | None:
        """Return the newest version of that name with that content."""
        found = self._load(name, _named(name).where(datasets.c.content_hash == content_hash).limit(1))
        return found[0] if found else None

    def names(self) -> tuple[str, ...]:
        """Return the names of all datasets, sorted."""
        return tuple(
            str(row[0]) for row in self._ask.rows(sa.select(datasets.c.name).distinct().order_by("name"))
        )

    def versions(self, name: str, *, limit: int = 1_000) -> tuple[DatasetManifest, ...]:
        """Return the versions of a name, the newest first."""
        return self._load(name, _named(name).limit(limit))

    def children(self, ref: DatasetRef) -> tuple[DatasetRef, ...]:
        """Return what was made from a version directly."""
        table = dataset_parents
        query = (
            sa.select(table.c.name, table.c.version)
            .where(table.c.parent_name == ref.name, table.c.parent_version == ref.version)
            .distinct()
            .order_by(table.c.name, table.c.version)
        )
        return tuple(DatasetRef(row[0], row[1]) for row in self._ask.rows(query))

    def _load(self, name: str, query: Query) -> tuple[DatasetManifest, ...]:
        rows = self._ask.rows(query)
        if not rows:
            return ()
        oldest, newest = rows[-1][1], rows[0][1]
        parents: dict[int, list[DatasetRef]] = defaultdict(list)
        table = dataset_parents
        of = sa.select(table.c.version, table.c.parent_name, table.c.parent_version)
        of = of.where(table.c.name == name, table.c.version.between(oldest, newest))
        for version, parent, parent_version in self._ask.rows(of.order_by(table.c.position)):
            parents[version].append(DatasetRef(parent, parent_version))
        tags: dict[int, dict[str, str]] = defaultdict(dict)
        tagged = sa.select(dataset_tags.c.version, dataset_tags.c.key, dataset_tags.c.value)
        tagged = tagged.where(dataset_tags.c.name == name, dataset_tags.c.version.between(oldest, newest))
        for version, key, value in self._ask.rows(tagged):
            tags[version][key] = value
        return tuple(
            DatasetManifest(
                name=row[0],
                version=row[1],
                schema_hash=row[2],
                content_hash=row[3],
                rows=row[4],
                parents=tuple(parents[row[1]]),
                code_digest=row[5],
                created=row[6],
                tags=tags[row[1]],
            )
            for row in rows
        )


class SqlDatasets(SqlDatasetsView):
    """See `ports/datasets.py`."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._do = session

    def register(
        self,
        name: str,
        at: Instant,
        *,
        schema_hash: Digest,
        content_hash: Digest,
        rows: int,
        parents: Sequence[DatasetRef] = (),
        code_digest: Digest | None = None,
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> DatasetManifest:
        """Add the next version of a dataset."""
        seen = self._do.seen("dataset.created", key)
        if seen is not None:
            before, _, number = seen.rpartition("/")
            return self.get(before, int(number))
        faults = [] if name.strip() and len(name) <= 500 else ["its name must have 1 to 500 characters"]
        refuse(
            "the dataset can't be registered", faults + ([] if rows >= 0 else [f"it can't have {rows} rows"])
        )
        for parent in parents:
            self.get(parent.name, parent.version)
        last = self.versions(name, limit=1)
        version = last[0].version + 1 if last else 1
        ref = {"name": name, "version": version}
        change = self._do.change(
            "dataset.created", f"{name}/{version}", at, {"content": content_hash, "rows": rows}, key
        )
        made = {"schema_hash": schema_hash, "content_hash": content_hash, "code_digest": code_digest}
        change.run(sa.insert(datasets), {**ref, **made, "rows": rows, "created": at})
        for position, parent in enumerate(parents):
            row = {**ref, "position": position, "parent_name": parent.name, "parent_version": parent.version}
            change.run(sa.insert(dataset_parents), row)
        for tag, value in (tags or {}).items():
            change.run(sa.insert(dataset_tags), {**ref, "key": tag, "value": value})
        return self.get(name, version)

    def set_tag(self, name: str, version: int, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag."""
        self.get(name, version)
        change = self._do.change("dataset.tagged", f"{name}/{version}", at, {"key": tag, "value": value})
        statement = change.upsert(dataset_tags).on_conflict_do_update(
            index_elements=["name", "version", "key"], set_={"value": value}
        )
        change.run(statement, {"name": name, "version": version, "key": tag, "value": value})

    def delete_tag(self, name: str, version: int, tag: str, at: Instant) -> None:
        """Remove a tag."""
        if tag not in self.get(name, version).tags:
            return
        change = self._do.change("dataset.untagged", f"{name}/{version}", at, {"key": tag})
        statement = sa.delete(dataset_tags).where(
            dataset_tags.c.name == name, dataset_tags.c.version == version, dataset_tags.c.key == tag
        )
        change.run(statement)


def _named(name: str) -> Query:
    return _ALL.where(datasets.c.name == name).order_by(datasets.c.version.desc())


if TYPE_CHECKING:
    from treadle.ports.datasets import Datasets

    def _proof(session: Session) -> Datasets:
        return SqlDatasets(session)
