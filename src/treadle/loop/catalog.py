"""The catalog of a project and its home: entries for everything that has a name, who uses what, and what a change touches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from treadle.define.aggregates import Aggregate
from treadle.define.definitions import Defined, Ref, definitions_of, reference
from treadle.define.project import Project
from treadle.define.sources import Rows, Table
from treadle.define.views import View, WindowView
from treadle.loop.catalog_search import CatalogIndex
from treadle.loop.definitions import reached, users_of
from treadle.loop.validation import CHANGED, REFUSED
from treadle.ports.metadata import View as MetadataView
from treadle.records.catalog import CATALOG_KINDS, CatalogAnswer, CatalogEntry, CatalogQuery, Quality
from treadle.records.datasets import DatasetManifest
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import short

_EVERY = 1_000_000

Users = Mapping[Ref, tuple[Ref, ...]]


class Catalog:
    """What there is, found by words and shown with its neighbours; as of the moment it was made.

    Args:
        entries: what there is.
        users: for each entry, who uses it directly.
    """

    def __init__(self, entries: Sequence[CatalogEntry], users: Users) -> None:
        self.entries = tuple(entries)
        self._users = users
        self._by_ref = {entry.ref: entry for entry in self.entries}

    @cached_property
    def index(self) -> CatalogIndex:
        """The words in it; made at the first search."""
        return CatalogIndex(self.entries)

    def search(
        self,
        words: str = "",
        *,
        kind: str | Sequence[str] = (),
        owner: str | Sequence[str] = (),
        tag: str | Sequence[str] = (),
        empty: str | Sequence[str] = (),
        unused: bool = False,
        limit: int = 50,
    ) -> CatalogAnswer:
        """Return entries whose words begin with each of the words asked for, the best first, and counts by facet.

        Args:
            words: plain text; signs separate words. Without any, everything is found.
            kind: only entries of these kinds.
            owner: only those that one of these answers for.
            tag: only those with one of these tags.
            empty: only those in which `owner`, `description`, `tags` or `entity` is empty; several: all of them.
            unused: only those that nothing uses.
            limit: at most this many.

        Raises:
            InvalidInput: a kind or field is none; every fault is listed.
        """
        return self.index.search(
            CatalogQuery(
                words=words,
                kinds=_listed(kind),
                owners=_listed(owner),
                tags=_listed(tag),
                empty=_listed(empty),
                unused=unused,
                limit=limit,
            )
        )

    def get(self, name: str) -> CatalogEntry:
        """Return the entry of a name, or of `kind/name` where a name means several things.

        Raises:
            NotFound: there is none; near ones are named.
            InvalidInput: the name means several things.
        """
        if name in self._by_ref:
            return self._by_ref[name]
        found = [entry for entry in self.entries if entry.name == name]
        if not found:
            raise NotFound.among(
                "entry", name, (entry.name for entry in self.entries), command="treadle catalog"
            )
        if len(found) > 1:
            raise InvalidInput(
                f"{name!r} names {len(found)} entries",
                faults=[entry.ref for entry in found],
                fix="write KIND/NAME",
                command=f"treadle catalog show {found[0].ref}",
            )
        return found[0]

    def impact(self, name: str) -> dict[str, list[str]]:
        """Return what a change of an entry would touch, directly or through others, by kind; the nearest first."""
        found: dict[str, list[str]] = {}
        for ref in reached(self.get(name).ref, self._users):
            kind, _, called = ref.partition("/")
            found.setdefault(kind, []).append(called)
        return {kind: found[kind] for kind in CATALOG_KINDS if kind in found}

    def upstream(self, name: str) -> dict[str, list[str]]:
        """Return what an entry is made of, directly or through others, by kind; the nearest first."""
        used = {entry.ref: entry.uses for entry in self.entries}
        found: dict[str, list[str]] = {}
        for ref in reached(self.get(name).ref, used):
            kind, _, called = ref.partition("/")
            found.setdefault(kind, []).append(called)
        return {kind: found[kind] for kind in CATALOG_KINDS if kind in found}

    def unused(self) -> tuple[CatalogEntry, ...]:
        """Return what is defined or stored and used by nothing, though it is meant to be used."""
        return tuple(entry for entry in self.entries if entry.unused)


def build_catalog(project: Project, view: MetadataView | None = None) -> Catalog:
    """Return the catalog of a project, with what a home knows about it.

    Args:
        project: whose definitions.
        view: the home's metadata; without one, freshness, quality, models and stored datasets are not known.

    Cost: two queries a dataset and one a model.
    """
    defined = definitions_of(project)
    users: dict[Ref, dict[Ref, None]] = {used: dict.fromkeys(by) for used, by in users_of(defined).items()}
    for used, user in _column_uses(project):
        users.setdefault(used, {})[user] = None
    versions = [] if view is None else list(_versions(project, view))
    for entry in versions:
        for used in entry.uses:
            users.setdefault(used, {})[entry.ref] = None
    plain = {ref: tuple(found) for ref, found in users.items()}
    uses: dict[Ref, list[Ref]] = {}
    for used, by in plain.items():
        for user in by:
            uses.setdefault(user, []).append(used)
    stored = {} if view is None else {name: view.datasets.get(name) for name in view.datasets.names()}
    entries = [
        *(_of_definition(one, project, view, stored) for one in defined),
        *(entry for rows in project.sources for entry in _columns(rows)),
        *_features(project),
        *_left_over(project, stored),
        *_models(project, view),
        *versions,
    ]
    made = {
        entry.ref: _with_uses(entry, tuple(uses.get(entry.ref, ())), plain.get(entry.ref, ()))
        for entry in entries
    }
    return Catalog(tuple(made.values()), plain)


def _with_uses(entry: CatalogEntry, uses: tuple[Ref, ...], used_by: tuple[Ref, ...]) -> CatalogEntry:
    return replace(entry, uses=uses, used_by=used_by)


def _column_uses(project: Project) -> Iterator[tuple[Ref, Ref]]:
    """Yield (column, who reads it) beside what features read: keys, times, request fields, and tables of its source."""
    for rows in project.sources:
        timing = rows.timing
        for column in (
            timing.event_time,
            timing.known_at,
            timing.created_time,
            timing.tombstone,
            *rows.unique,
        ):
            if column is not None:
                yield f"column/{rows.name}.{column}", reference(rows)
        for table in project.sources:
            if isinstance(table, Table) and rows.name in table.inputs:
                for column in rows.columns:  # which of them it reads is its own affair
                    yield f"column/{rows.name}.{column}", reference(table)
    for view in project.views:
        for key in view.entity.keys:
            yield f"column/{view.source.name}.{key}", f"view/{view.name}"
    for endpoint in project.endpoints:
        asked = endpoint.requests.source
        if asked is not None:
            for column in endpoint.features.request:
                yield f"column/{asked.name}.{column}", f"endpoint/{endpoint.name}"


def _of_definition(
    one: Defined, project: Project, view: MetadataView | None, stored: Mapping[str, DatasetManifest]
) -> CatalogEntry:
    facts: dict[str, str | int] = {}
    columns: tuple[str, ...] = ()
    updated, quality, entity = None, _UNKNOWN, ""
    recorded = None if view is None else view.definitions.find(one.kind, one.name)
    if recorded is not None:
        facts["version"], updated = recorded.version, recorded.at
    if one.kind in ("source", "table"):
        rows = next(rows for rows in project.sources if rows.name == one.name)
        columns = tuple(rows.columns)
        if not isinstance(rows, Table) and isinstance(rows.path, str):
            facts["from"] = type(rows.origin).__name__.lower()
        manifest = stored.get(one.name)
        if manifest is not None:
            facts |= {"rows": manifest.rows, "data_version": manifest.version}
            updated = manifest.created
            schemas = {schema.name for schema in project.schemas}
            quality = _quality(view, manifest, checked=one.name in schemas)
    elif one.features is not None:
        columns = tuple(one.features)
        entity = next(v.entity.name for v in project.views if v.name == one.name)
    elif one.kind == "entity":
        entity = one.name
    elif one.kind == "feature_set":
        columns = next(e.features.names for e in project.endpoints if e.features.name == one.name)
    elif one.kind == "row_feature" and isinstance(one.content, dict):
        value = one.content.get("value")
        inputs = value.get("inputs") if isinstance(value, dict) else None
        columns = tuple(str(name) for name in inputs) if isinstance(inputs, list) else ()
    return CatalogEntry(
        kind=one.kind,
        name=one.name,
        description=one.description,
        owner=one.owner,
        tags=one.tags,
        deprecated=one.deprecated,
        entity=entity,
        columns=columns,
        updated=updated,
        quality=quality,
        facts=facts,
    )


_UNKNOWN: Quality = ""


def _quality(view: MetadataView | None, manifest: DatasetManifest, *, checked: bool) -> Quality:
    """Return what the newest validation said; nothing where no schema holds the rows."""
    if view is None:
        return ""
    refused = view.journal.latest(REFUSED, subject=manifest.name)
    changed = view.journal.latest(CHANGED, subject=manifest.name)
    if refused is not None and refused.at >= manifest.created:
        return "refused"
    if changed is not None and changed.at >= manifest.created:
        return "changed"
    return "ok" if checked else ""


def _columns(rows: Rows) -> Iterator[CatalogEntry]:
    for column, kind in rows.columns.items():
        yield CatalogEntry(
            kind="column",
            name=f"{rows.name}.{column}",
            owner=rows.owner,
            tags=rows.tags,
            deprecated=rows.deprecated,
            facts={"type": kind},
        )


def _features(project: Project) -> Iterator[CatalogEntry]:
    for view in project.views:
        for feature in view.features:
            facts: dict[str, str | int] = {"view": view.name}
            if isinstance(feature, Aggregate):
                facts |= {"function": feature.function, "window": short(feature.over)}
            else:
                facts |= _latest_facts(view)
            yield CatalogEntry(
                kind="feature",
                name=f"{view.name}_{feature.name}",
                description=view.description,
                owner=view.owner,
                tags=view.tags,
                deprecated=view.deprecated,
                entity=view.entity.name,
                columns=() if feature.column is None else (feature.column,),
                facts=facts,
            )


def _latest_facts(view: View) -> dict[str, str | int]:
    return {} if isinstance(view, WindowView) or view.ttl is None else {"ttl": short(view.ttl)}


def _left_over(project: Project, stored: Mapping[str, DatasetManifest]) -> Iterator[CatalogEntry]:
    """Yield datasets that are stored and that no definition fills any more."""
    known = {rows.name for rows in project.sources}
    for name, manifest in stored.items():
        if name not in known:
            facts = {"rows": manifest.rows, "data_version": manifest.version}
            yield CatalogEntry(kind="dataset", name=name, updated=manifest.created, facts=facts)


def _models(project: Project, view: MetadataView | None) -> Iterator[CatalogEntry]:
    known = () if view is None else view.models.list_models(limit=_EVERY)
    for model in known:
        aliases = {f"@{alias}": version for alias, version in model.aliases.items()}
        yield CatalogEntry(
            kind="model",
            name=model.name,
            description=model.description,
            owner=model.tags.get("owner", ""),
            tags=_plain_tags(model.tags),
            updated=model.updated,
            facts={"versions": model.latest, **aliases},
        )
    for name in dict.fromkeys(endpoint.model_name for endpoint in project.endpoints):
        if name not in {model.name for model in known}:
            yield CatalogEntry(kind="model", name=name, facts={"versions": 0})


def _versions(project: Project, view: MetadataView) -> Iterator[CatalogEntry]:
    """Yield every version of every model; it uses the feature sets of the endpoints it can answer for."""
    sets: dict[str, dict[Ref, None]] = {}
    for endpoint in project.endpoints:
        used = [f"feature_set/{endpoint.features.name}", f"labels/{endpoint.labels.name}"]
        sets.setdefault(endpoint.model_name, {}).update(dict.fromkeys(used))
    for version in view.models.list_versions(limit=_EVERY):
        facts: dict[str, str | int] = {"run": version.run_id or ""}
        rows = version.tags.get("training_rows", "")
        if rows.isdigit():
            facts["training_rows"] = int(rows)
        yield CatalogEntry(
            kind="version",
            name=version.ref,
            description=version.description,
            owner=version.tags.get("owner", ""),
            tags=tuple(f"@{alias}" for alias in version.aliases),
            updated=version.created,
            facts={name: value for name, value in facts.items() if value != ""},
            uses=tuple(sets.get(version.model, ())),
        )


def _plain_tags(tags: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name}:{value}" if value else name for name, value in sorted(tags.items()) if name != "owner"
    )


def _listed(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
