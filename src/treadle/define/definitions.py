"""All that a project defines, one by one: what each says itself, whom it uses, and the words for people about it.

A definition is referred to as `kind/name`, e.g. `view/weather`. What it says itself names the definitions it uses and
doesn't repeat them: when a source changes, the source has changed, and its users are concerned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from treadle.define.describe import meaning
from treadle.define.endpoints import Endpoint
from treadle.define.feature_sets import FeatureSet
from treadle.define.labels import Labels
from treadle.define.project import Project
from treadle.define.row_features import RowFeature
from treadle.define.sources import Rows, Table
from treadle.define.triggers import AllOf, AnyOf, Condition
from treadle.define.views import FeatureView, Selection, View
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput

Ref = str
"""`kind/name`."""

GUARDED = frozenset({"source", "table", "entity", "view", "row_feature", "labels"})
"""Kinds that others read stored values of: one under a known name may not say something else unnoticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defined:
    """One definition of a project."""

    kind: str
    name: str
    content: Json
    """What it says itself, without words for people; the definitions it uses are named."""
    uses: tuple[Ref, ...] = ()
    features: Mapping[str, tuple[Ref, ...]] | None = None
    """Of a view: its features and the columns each reads."""
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    deprecated: str = ""

    @property
    def ref(self) -> Ref:
        """`kind/name`."""
        return f"{self.kind}/{self.name}"


def definitions_of(project: Project) -> tuple[Defined, ...]:
    """Return what a project defines, each definition once, those that are used before those that use them. Pure.

    Raises:
        InvalidInput: two definitions of one kind and name say different things; all of them are listed.
    """
    found: dict[Ref, Defined] = {}
    faults: dict[str, None] = {}
    for one in _every(project):
        before = found.setdefault(one.ref, one)
        if before.content != one.content:
            faults[f"{one.kind.replace('_', ' ')} {one.name!r} is defined twice, with different content"] = (
                None
            )
    if faults:
        raise InvalidInput(
            f"the definitions of {project.name!r} contradict one another",
            faults=list(faults),
            fix="give one of the two another name: a name means one thing in the whole project",
        )
    return tuple(found.values())


def reference(rows: Rows) -> Ref:
    """Return how a source or table is referred to."""
    return f"{'table' if isinstance(rows, Table) else 'source'}/{rows.name}"


def _every(project: Project) -> Iterable[Defined]:
    kinds = {rows.name: reference(rows) for rows in project.sources}
    for rows in project.sources:
        reads = tuple(kinds[name] for name in rows.inputs) if isinstance(rows, Table) else ()
        yield _said(reference(rows), rows, meaning(rows), reads)
    for endpoint in project.endpoints:
        for view in endpoint.features.views:
            yield _said(f"entity/{view.entity.name}", view.entity, meaning(view.entity))
            yield _view(view)
        for feature in endpoint.features.row_features:
            yield _row_feature(feature, endpoint.features)
        yield _feature_set(endpoint.features)
        yield _labels(endpoint.labels)
        yield _endpoint(endpoint)
    for pipeline in project.pipelines:
        yield _said(f"pipeline/{pipeline.name}", pipeline, meaning(pipeline))
    for monitor in project.monitors:
        yield _said(f"monitor/{monitor.name}", monitor, meaning(monitor), (f"endpoint/{monitor.endpoint}",))
    for watch in project.source_monitors:
        reads = () if watch.source not in kinds else (kinds[watch.source],)
        yield _said(f"monitor/{watch.name}", watch, meaning(watch), reads)
    for trigger in project.triggers:
        heeded = tuple(f"monitor/{name}" for name in _heeded(trigger.condition))
        yield _said(
            f"trigger/{trigger.name}", trigger, meaning(trigger), (f"pipeline/{trigger.pipeline}", *heeded)
        )
    for alias, gates in project.gates.items():
        yield Defined(kind="gate", name=alias, content=meaning(list(gates)))


def _view(view: View) -> Defined:
    source, entity = reference(view.source), f"entity/{view.entity.name}"
    content: dict[str, Json] = {"entity": entity, "source": source, "features": meaning(view.features)}
    if isinstance(view, FeatureView):
        content |= {"is": "FeatureView", "ttl": view.ttl}
        reads: dict[str, tuple[str, ...]] = {f.name: (f.column,) for f in view.features}
    else:
        content |= {"is": "WindowView", "accuracy": view.accuracy}
        reads = {
            f.name: tuple(c for c in (f.column, *(f.where.inputs if f.where else ())) if c is not None)
            for f in view.features
        }
    columns = {
        f"{view.name}_{name}": tuple(f"column/{view.source.name}.{column}" for column in dict.fromkeys(read))
        for name, read in reads.items()
    }
    return _said(f"view/{view.name}", view, content, (entity, source), columns)


def _row_feature(feature: RowFeature, within: FeatureSet) -> Defined:
    rows = {one.name for one in within.row_features}
    looked_up = {name for selection in within.selections for name in selection.columns}
    uses = [
        f"row_feature/{name}" if name in rows else f"feature/{name}"
        for name in feature.inputs
        if name in rows or name in looked_up
    ]
    return _said(f"row_feature/{feature.name}", feature, meaning(feature), tuple(uses))


def _feature_set(features: FeatureSet) -> Defined:
    parts: list[Json] = []
    uses: dict[Ref, None] = {}
    for part in features.parts:
        if isinstance(part, Selection):
            parts += [f"feature/{name}" for name in part.columns]
            uses |= dict.fromkeys([f"view/{part.view.name}", *(f"feature/{name}" for name in part.columns)])
        elif isinstance(part, RowFeature):
            parts.append(f"row_feature/{part.name}")
            uses[f"row_feature/{part.name}"] = None
        else:
            parts.append(meaning(part))
    helpers: list[Json] = [f"feature/{name}" for helper in features.helpers for name in helper.columns]
    uses |= dict.fromkeys(f"view/{helper.view.name}" for helper in features.helpers)
    uses |= dict.fromkeys(str(helper) for helper in helpers)
    content: Json = {"request": dict(features.request), "parts": parts, "helpers": helpers}
    return _said(f"feature_set/{features.name}", features, content, tuple(uses))


def _labels(labels: Labels) -> Defined:
    source = reference(labels.source)
    whole = meaning(labels)
    assert isinstance(whole, dict)  # labels are described by their parts
    content: Json = {**whole, "source": source}
    read = [f"column/{labels.source.name}.{column}" for column in dict.fromkeys((*labels.key, labels.value))]
    return _said(f"labels/{labels.name}", labels, content, (source, *read))


def _endpoint(endpoint: Endpoint) -> Defined:
    asked = endpoint.requests.source
    uses = (
        f"feature_set/{endpoint.features.name}",
        f"labels/{endpoint.labels.name}",
        *([] if asked is None else [reference(asked)]),
    )
    content: Json = {"model": endpoint.model, "uses": list(uses)}
    uses = (*uses, f"model/{endpoint.model_name}")
    return _said(f"endpoint/{endpoint.name}", endpoint, content, uses)


def _said(
    ref: Ref,
    value: object,
    content: Json,
    uses: tuple[Ref, ...] = (),
    features: Mapping[str, tuple[Ref, ...]] | None = None,
) -> Defined:
    kind, _, name = ref.partition("/")
    words: dict[str, str] = {
        role: str(getattr(value, role, "") or "") for role in ("description", "owner", "deprecated")
    }
    return Defined(
        kind=kind,
        name=name,
        content=content,
        uses=uses,
        features=features,
        tags=tuple(getattr(value, "tags", ())),
        **words,
    )


def _heeded(condition: Condition) -> list[str]:
    if isinstance(condition, AnyOf | AllOf):
        return [name for part in condition.parts for name in _heeded(part)]
    name = getattr(condition, "monitor", None)
    return [] if name is None else [name]
