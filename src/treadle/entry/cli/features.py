"""`treadle features`: what is defined, which keys are known, and what the online store holds of one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.define.aggregates import Aggregate
from treadle.define.entities import Entity
from treadle.define.expressions import text
from treadle.define.project import Project as DefinedProject
from treadle.define.row_features import RowFeature
from treadle.define.views import View, WindowView
from treadle.entry.cli._homes import (
    existing_home,
    for_people,
    now,
    open_home,
    open_project,
    opened_online,
    when,
)
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    cut,
    emit,
    emit_heading,
    emit_json,
    emit_record,
    group_app,
    note,
)
from treadle.entry.cli.features_freshness import freshness
from treadle.entry.cli.features_lint import lint
from treadle.entry.cli.features_materialise import materialise
from treadle.entry.cli.features_similar import similar
from treadle.entry.cli.features_skew import skew
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import DAY, SECOND, Instant, instant, iso, short

if TYPE_CHECKING:
    from treadle.ports.online import Online
    from treadle.stages.features.inspection import KeyValue

LIST = ("view", "kind", "entity", "source", "window", "owner", "description", "features")
COLUMNS = ("feature", "column", "type", "window")
VALUES = ("view", "feature", "value", "status", "age", "event_time")
FAR_BEHIND = DAY

At = Annotated[
    str | None,
    typer.Option(
        metavar="INSTANT",
        help="Read them as of this instant, or `now`; otherwise as of what the online store has reached.",
    ),
]

app = group_app("list")
app.command("skew")(skew)
app.command("similar")(similar)
app.command("lint")(lint)
app.command("materialise")(materialise)
app.command("freshness")(freshness)


@app.command("list")
def list_views(
    project: Project = DEFAULT_PROJECT, home: Home = DEFAULT_HOME, as_json: AsJson = False
) -> None:
    """List the feature views and row features of a project; `treadle features` alone does this."""
    defined = find_project(project, home)
    rows = [view_row(view) for view in defined.views]
    rows += [row_feature_row(feature) for feature in row_features(defined)]
    shown = rows if as_json else [cut(for_people(row), "description", "features") for row in rows]
    emit(shown, LIST, as_json=as_json, empty="the project defines no feature")


@app.command("show")
def show_view(
    name: Annotated[str, typer.Argument(metavar="VIEW", help="A feature view or a row feature.")],
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show one feature view: its columns, types and windows, its source, and when its rows are known."""
    defined = find_project(project, home)
    views = {view.name: view for view in defined.views}
    on_rows = {feature.name: feature for feature in row_features(defined)}
    if name in on_rows and name not in views:
        emit_record(row_feature_row(on_rows[name]), as_json=as_json)
        return
    if name not in views:
        raise NotFound.among("feature view", name, [*views, *on_rows], command="treadle features")
    view = views[name]
    head = view_row(view) | {"timing": timing(view), "used_by": users(defined, view)}
    del head["features"]
    columns = column_rows(view)
    if as_json:
        emit_json({**head, "features": columns})
        return
    emit_record(for_people(head), as_json=False)
    emit_heading("features")
    emit(columns, COLUMNS, as_json=False)


@app.command("get")
def get_values(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="The entity.")],
    key: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE...", help="Its key, one part a word.")
    ] = None,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show the online values of one entity, with their ages: ok, expired or absent."""
    from treadle.stages.features.inspection import held_values, parse_key

    opened = open_home(home)
    defined = find_project(project, home)
    found = find_entity(defined, entity)
    views = views_of(defined, found)
    values = parse_key(found, views[0].source.columns, _pairs(key or []))
    with opened_online(opened) as online:
        moment = _moment(at, online)
        with online.read() as reader:
            held = [one for view in views for one in held_values(view, reader, values, moment)]
        if all(one.status == "absent" for one in held):
            raise _unknown_key(found, values, views, online)
    rows: list[dict[str, Plain]] = [
        {
            "view": one.view,
            "feature": one.feature,
            "value": one.value,
            "status": one.status,
            "age": None if one.age is None else short(one.age // SECOND * SECOND),
            "age_seconds": None if one.age is None else one.age / SECOND,
            "event_time": when(one.event_time),
        }
        for one in held
    ]
    if as_json:
        shown: dict[str, Plain] = dict(zip(found.keys, values, strict=True))
        emit_json({"entity": entity, "key": shown, "at": iso(moment), "values": rows})
        return
    note(f"as of {iso(moment)}")
    emit([for_people(row) for row in rows], VALUES, as_json=False)


@app.command("keys")
def list_keys(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="The entity.")],
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the keys of an entity that the online store knows, and which views hold them."""
    from treadle.stages.features.inspection import known_keys

    opened = open_home(home)
    defined = find_project(project, home)
    found = find_entity(defined, entity)
    with opened_online(opened) as online:
        every = list(known_keys(views_of(defined, found), online))
    rows: list[dict[str, Plain]] = [
        dict(zip(found.keys, values, strict=True)) | {"views": names} for values, names in every[:limit]
    ]
    emit(rows, (*found.keys, "views"), as_json=as_json, empty=f"no {entity} is known online yet")
    if len(every) > limit:
        note(f"{len(every) - limit:,} more; --limit {len(every)} lists them all")


def find_project(folder: Project, home: Home) -> DefinedProject:
    """Return the project in a folder, or the one that the home says it belongs to."""
    return open_project(folder, existing_home(home)).project


def find_entity(project: DefinedProject, name: str) -> Entity:
    """Return the entity of that name that some view describes.

    Raises:
        NotFound: there is none; the nearest names are offered.
    """
    known = {view.entity.name: view.entity for view in project.views}
    if name not in known:
        raise NotFound.among(
            "entity", name, known, where=f"project {project.name!r}", command="treadle features"
        )
    return known[name]


def views_of(project: DefinedProject, entity: Entity) -> list[View]:
    """Return the views that describe an entity."""
    return [view for view in project.views if view.entity == entity]


def row_features(project: DefinedProject) -> list[RowFeature]:
    """Return the row features that the endpoints use, each once."""
    features = [feature for endpoint in project.endpoints for feature in endpoint.features.row_features]
    return list({feature.name: feature for feature in features}.values())


def users(project: DefinedProject, view: View) -> list[str]:
    """Return the endpoints that use a view."""
    return [endpoint.name for endpoint in project.endpoints if view in endpoint.features.views]


def view_row(view: View) -> dict[str, Plain]:
    """Return a view as a row. Pure."""
    if isinstance(view, WindowView):
        kind = "window" if view.accuracy == "exact" else "window, tiled"
        spans = [short(over) for over in sorted({feature.over for feature in view.features})]
    else:
        kind, spans = "latest", [f"ttl {short(view.ttl)}" if view.ttl else "no ttl"]
    return {
        "view": view.name,
        "kind": kind,
        "entity": view.entity.name,
        "keys": list(view.entity.keys),
        "source": view.source.name,
        "window": spans,
        "features": list(view.columns),
        "owner": view.owner or None,
        "description": view.description or None,
    }


def row_feature_row(feature: RowFeature) -> dict[str, Plain]:
    """Return a row feature as a row. Pure."""
    return {
        "view": feature.name,
        "kind": "row" if feature.portable else "row, opaque",
        "entity": None,
        "keys": [],
        "source": "request",
        "window": [],
        "features": list(feature.inputs),
        "owner": feature.owner or None,
        "description": feature.description or None,
    }


def column_rows(view: View) -> list[dict[str, Plain]]:
    """Return a view's features as rows. Pure."""
    if isinstance(view, WindowView):
        return [
            {
                "feature": f"{view.name}_{feature.name}",
                "column": _computed(feature),
                "type": "float",
                "window": short(feature.over),
            }
            for feature in view.features
        ]
    ttl = short(view.ttl) if view.ttl else None
    return [
        {
            "feature": f"{view.name}_{feature.name}",
            "column": feature.column,
            "type": view.source.columns[feature.column],
            "window": ttl,
        }
        for feature in view.features
    ]


def _computed(feature: Aggregate) -> str:
    """Return an aggregate in words: what of which column, and of which rows."""
    level = "" if feature.level is None else f" {feature.level:g}"
    kept = "" if feature.where is None else f" where {text(feature.where.expression)}"
    return f"{feature.function}{level} of {feature.column or 'rows'}{kept}"


def timing(view: View) -> dict[str, Plain]:
    """Return when a view's rows are true and known. Pure."""
    stated = view.source.timing
    if stated.event_time is None:
        return {"rows": "always true, always known"}
    return {
        "event_time": stated.event_time,
        "known_after": short(stated.known_after),
        "known_at": stated.known_at,
        "created_time": stated.created_time,
    }


def _moment(asked: str | None, online: Online) -> Instant:
    from treadle.loop.feed import stands_at

    if asked == "now":
        return now()
    if asked is not None:
        return instant(asked)
    stands = stands_at(online)
    assert stands is not None  # an empty store is not opened
    if now() - stands > FAR_BEHIND:
        note(f"the online store stands at {iso(stands)}; --at now reads it as of this moment")
    return stands


def _pairs(words: Sequence[str]) -> dict[str, str]:
    broken = [word for word in words if "=" not in word.strip("=")]
    if broken:
        raise InvalidInput(
            "a key is written name=value",
            faults=[f"{word!r} is not" for word in broken],
            fix="e.g. origin=JFK",
        )
    return dict(word.split("=", 1) for word in words)


def _unknown_key(
    entity: Entity, values: Sequence[KeyValue], views: Sequence[View], online: Online
) -> NotFound:
    from treadle.stages.features.inspection import known_keys

    def written(key: Sequence[KeyValue]) -> str:
        return " ".join(f"{name}={value}" for name, value in zip(entity.keys, key, strict=True))

    known = [written(key) for key, _ in known_keys(views, online)]
    near = difflib.get_close_matches(written(values), known, n=3, cutoff=0.5) or known[:3]
    return NotFound(
        f"no {entity.name} with {written(values)} is known online",
        fix=f"did you mean {' or '.join(near)}?" if near else "its rows have not been ingested yet",
        command=f"treadle features keys {entity.name}",
    )
