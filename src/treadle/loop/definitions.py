"""What a loop is defined as, on record: every definition by content, a new version when it changed.

A plan says what is new and what has changed since the home last heard of it. What others read stored values of (sources,
tables, entities, views, row features, labels) may not come to mean something else unnoticed: such a change is recorded
only when a person accepts it. What is new, what was added, and words for people need no word from anyone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treadle.define.definitions import GUARDED, Defined, Ref, definitions_of
from treadle.define.project import Project
from treadle.define.similarity import similar_features
from treadle.loop.world import World
from treadle.ports.metadata import Metadata, View
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.errors import Conflict, InvalidInput, near_names
from treadle.records.instants import Instant, short

What: TypeAlias = Literal["new", "words", "extended", "changed"]
_DURATIONS = ("ttl", "over", "known_after", "cooldown", "window", "every", "lookback")
_GROWING = ("columns", "features")
"""Parts of a definition that may grow: what was there still means what it meant."""
_MOST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionChange:
    """One definition that is not as it is on record."""

    ref: Ref
    what: What
    details: tuple[str, ...] = ()
    """What is different, one part each: `ttl: 6h → 7h`."""
    users: tuple[Ref, ...] = ()
    """What uses it, directly or through others: features, feature sets, endpoints, monitors; versions trained on it."""

    @property
    def guarded(self) -> bool:
        """Whether a person has to accept it."""
        return self.what == "changed" and self.ref.partition("/")[0] in GUARDED


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionPlan:
    """What recording a project's definitions would do."""

    changes: tuple[DefinitionChange, ...]
    warnings: tuple[str, ...]
    """Deprecated definitions that are used, and features that exist under another name."""
    definitions: tuple[Defined, ...]

    def unaccepted(self, accept: Collection[str]) -> list[DefinitionChange]:
        """Return the changes that need a person's word and don't have it.

        Raises:
            InvalidInput: something is accepted that is not changed.
        """
        waiting = [change for change in self.changes if change.guarded]
        known = {name for change in waiting for name in (change.ref, change.ref.partition("/")[2])}
        unknown = [name for name in accept if name not in known]
        if unknown:
            hints = [near_names(name, known, 1) for name in unknown]
            raise InvalidInput(
                "what is to be accepted has not changed",
                faults=[
                    f"{name!r}" + (f": did you mean {near[0]!r}?" if near else "")
                    for name, near in zip(unknown, hints, strict=True)
                ],
                fix=f"changes that need it: {', '.join(change.ref for change in waiting) or 'none'}",
                command="treadle apply --explain",
            )
        return [c for c in waiting if not {c.ref, c.ref.partition("/")[2]} & set(accept)]


def plan_definitions(project: Project, view: View) -> DefinitionPlan:
    """Compare a project's definitions with those on record.

    Raises:
        InvalidInput: two definitions of one kind and name say different things.
    """
    defined = definitions_of(project)
    recorded = {f"{one.kind}/{one.name}": one for one in view.definitions.current()}
    used_by = users_of(defined)
    changes = []
    for one in defined:
        before = recorded.get(one.ref)
        body = None if before is None else before.body
        if (
            before is None or not isinstance(body, dict) or "content" not in body
        ):  # noted by an earlier release
            changes.append(DefinitionChange(ref=one.ref, what="new"))
        elif body != _body(one):
            details = tuple(differences(body["content"], one.content))
            what: What = "words" if body["content"] == one.content else "changed"
            if what == "changed" and only_grown(body["content"], one.content):
                what = "extended"
            users = tuple(reached(one.ref, used_by)) + tuple(
                _versions(view, reached(one.ref, used_by), defined, before.at)
            )
            changes.append(DefinitionChange(ref=one.ref, what=what, details=details, users=users))
    return DefinitionPlan(
        changes=tuple(changes),
        warnings=(*_deprecated(defined), *_similar(project), *_idle_schemas(project)),
        definitions=defined,
    )


def record_definitions(world: World, at: Instant, accept: Collection[str] = ()) -> Digest:
    """Record the project's definitions and return the digest of them all.

    A definition that is as it was adds nothing; one that changed becomes the next version under its name.

    Args:
        world: the home's stores and the project.
        at: when.
        accept: changes that a person has accepted, by name or `kind/name`.

    Raises:
        Conflict: a guarded definition says something else than on record, and nobody accepted it; nothing was recorded.
        InvalidInput: something is accepted that is not changed; or definitions contradict one another.
    """
    return digest_value(
        {
            one.ref: digest_value(one.content)
            for one in apply_definitions(world.project, world.metadata, at, accept).definitions
        }
    )


def apply_definitions(
    project: Project, metadata: Metadata, at: Instant, accept: Collection[str] = ()
) -> DefinitionPlan:
    """Record a project's definitions as `record_definitions` does, and return the plan that was carried out."""
    with metadata.begin() as unit:
        plan = plan_definitions(project, unit)
        refuse_unaccepted(plan, accept)
        for one in plan.definitions:
            unit.definitions.record(one.kind, one.name, _body(one), at, allow_change=True)
    return plan


def refuse_unaccepted(plan: DefinitionPlan, accept: Collection[str]) -> None:
    """Refuse a plan with changes that nobody accepted. Pure.

    Raises:
        Conflict: there are some; the error says what changes and who uses it.
    """
    waiting = plan.unaccepted(accept)
    if waiting:
        raise Conflict(
            "definitions under known names say something else than before: "
            + ", ".join(change.ref for change in waiting),
            faults=[said(change) for change in waiting],
            fix="give the new definition a name of its own, or, if those who use it may get other values under the old name, "
            f"accept it: treadle apply {' '.join(f'--accept {change.ref}' for change in waiting)}",
            command="treadle apply --explain",
        )


def said(change: DefinitionChange) -> str:
    """Return a change as a sentence. Pure."""
    parts = list(change.details[:_MOST]) + (["…"] if len(change.details) > _MOST else [])
    detail = f": {'; '.join(parts)}" if parts else ""
    users = f"; used by {_few(change.users)}" if change.users and change.what == "changed" else ""
    words = {"new": "is new", "words": "has other words for people", "extended": "has more than before"}
    return f"{change.ref} {words.get(change.what, 'has changed')}{detail}{users}"


def users_of(defined: Iterable[Defined]) -> Mapping[Ref, tuple[Ref, ...]]:
    """Return for each definition, feature and column who uses it directly. Pure."""
    users: dict[Ref, dict[Ref, None]] = {}

    def note(user: Ref, used: Iterable[Ref]) -> None:
        for one in used:
            users.setdefault(one, {})[user] = None

    for one in defined:
        # A feature set reads features; that it reads their view would make every feature of the view its concern.
        note(
            one.ref,
            (used for used in one.uses if not (one.kind == "feature_set" and used.startswith("view/"))),
        )
        for feature, columns in (one.features or {}).items():
            note(f"feature/{feature}", (one.ref, *columns))
    return {ref: tuple(found) for ref, found in users.items()}


def reached(ref: Ref, users: Mapping[Ref, Sequence[Ref]]) -> list[Ref]:
    """Return everything that uses a definition, directly or through others, the nearest first. Pure."""
    found: dict[Ref, None] = {}
    waiting = [ref]
    while waiting:
        following = [
            user for one in waiting for user in users.get(one, ()) if user not in found and user != ref
        ]
        waiting = list(dict.fromkeys(following))
        found |= dict.fromkeys(waiting)
    return list(found)


def differences(old: Json, new: Json, path: str = "") -> list[str]:
    """Return what differs between two contents, part by part: `ttl: 6h → 7h`. Pure."""
    if old == new:
        return []
    before, after = _named(old), _named(new)
    if before is None or after is None:
        return [f"{path or 'content'}: {_short(path, old)} → {_short(path, new)}"]
    found = []
    for key in dict.fromkeys([*before, *after]):
        here = f"{path}.{key}" if path else str(key)
        if key not in after:
            found.append(f"{here}: removed")
        elif key not in before:
            found.append(f"{here}: added")
        else:
            found += differences(before[key], after[key], here)
    return found


def only_grown(old: Json, new: Json) -> bool:
    """Say whether columns or features were added and nothing else was changed. Pure."""
    if not isinstance(old, dict) or not isinstance(new, dict) or old.keys() != new.keys():
        return False
    for key, value in old.items():
        if value == new[key]:
            continue
        before, after = _named(value), _named(new[key])
        if key not in _GROWING or before is None or after is None:
            return False
        if any(name not in after or after[name] != part for name, part in before.items()):
            return False
    return True


def _body(one: Defined) -> dict[str, Json]:
    return {
        "content": one.content,
        "description": one.description,
        "owner": one.owner,
        "tags": list(one.tags),
        "deprecated": one.deprecated,
    }


def _named(value: Json) -> Mapping[str, Json] | None:
    """Return the parts of a mapping, or of a list of things with names, by name; None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {str(item["name"]): item for item in value if isinstance(item, dict)}
    return None


def _short(path: str, value: Json) -> str:
    if path.rpartition(".")[2] in _DURATIONS and isinstance(value, int):
        return short(value)
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _few(refs: Sequence[Ref]) -> str:
    more = f" and {len(refs) - _MOST} more" if len(refs) > _MOST else ""
    return ", ".join(refs[:_MOST]) + more


def _versions(view: View, users: Iterable[Ref], defined: Iterable[Defined], since: Instant) -> list[Ref]:
    """Return the versions, of models whose endpoints are among the users, that were trained on what is on record."""
    among = set(users)
    models = {
        used.partition("/")[2]
        for one in defined
        if one.kind == "endpoint" and one.ref in among
        for used in one.uses
        if used.startswith("model/")
    }
    return [
        f"version/{version.ref}"
        for model in sorted(models)
        for version in view.models.list_versions(model, limit=10_000)
        if version.created >= since
    ]


def _similar(project: Project) -> Iterable[str]:
    for one in similar_features(project):
        if one.same:
            yield f"{' and '.join(one.refs)} are the same feature: {one.why}"


def _idle_schemas(project: Project) -> Iterable[str]:
    """Yield a sentence for each schema that no source's or table's rows are held to."""
    held = {definition.name for definition in project.sources}
    for schema in project.schemas:
        if schema.name not in held:
            yield (
                f"schema {schema.name!r} has the name of no source or table: no data are held to it unless a pipeline asks, "
                f"by tr.validated(..., schema={schema.name!r})"
            )


def _deprecated(defined: Sequence[Defined]) -> Iterable[str]:
    users = users_of(defined)
    for one in defined:
        names = list(users.get(one.ref, ()))
        for feature in one.features or ():
            names += [user for user in users.get(f"feature/{feature}", ()) if not user.startswith("feature/")]
        if one.deprecated and names:
            outside = [name for name in dict.fromkeys(names) if not name.startswith("feature/")]
            yield f"{one.ref} is deprecated: {one.deprecated}; used by {_few(outside or names)}"
