"""Similar features: those that compute the same under another name, found by their definitions.

Two features of views are the same when they take the same column of the same rows for the same key, in the same way. Two
row features are when their expressions are equal up to the names of what they read, the order of the operands of
commutative operators, and the direction of a comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from treadle.define.definitions import Ref, reference
from treadle.define.expressions import Constant, Expression, Field
from treadle.define.feature_sets import FeatureSet
from treadle.define.project import Project
from treadle.define.row_features import RowFeature
from treadle.define.views import FeatureView, View
from treadle.records.digests import Digest, Json, canonical, digest_value
from treadle.records.instants import short

COMMUTATIVE = frozenset({"add", "mul", "eq", "ne", "and", "or", "minimum", "maximum"})
_TURNED = {"gt": "lt", "ge": "le"}


@dataclass(frozen=True, slots=True)
class Similar:
    """Features that compute the same, or nearly."""

    refs: tuple[Ref, ...]
    """`feature/{view}_{feature}` or `row_feature/{name}`, in the order of their definition."""
    why: str
    same: bool
    """Whether nothing but the name differs; otherwise `why` says what does."""


def similar_features(project: Project) -> tuple[Similar, ...]:
    """Return groups of features that compute the same under several names. Pure; linear in the number of features."""
    same: dict[str, dict[Ref, str]] = {}
    near: dict[str, dict[Ref, tuple[str, str]]] = {}
    for view in project.views:
        for name, core, rest, words in _view_features(view):
            ref = f"feature/{view.name}_{name}"
            same.setdefault(digest_value([core, rest]), {})[ref] = words
            near.setdefault(digest_value(core), {})[ref] = (words, _difference(view, rest))
    for endpoint in project.endpoints:
        for feature, print_ in _row_prints(endpoint.features).items():
            ref = f"row_feature/{feature.name}"
            same.setdefault(print_, {})[ref] = "the same expression"
    found = [
        Similar(tuple(group), f"both are {next(iter(group.values()))}", True)
        for group in same.values()
        if len(group) > 1
    ]
    for others in near.values():
        kinds = {difference: ref for ref, (_, difference) in reversed(others.items())}
        if len(kinds) > 1:
            words = next(iter(others.values()))[0]
            apart = " or ".join(reversed(kinds))
            found.append(Similar(tuple(reversed(kinds.values())), f"both are {words}, {apart}", False))
    return tuple(found)


def canonical_expression(expression: Expression, names: dict[str, Json]) -> Json:
    """Return an expression in a form that is equal for expressions that mean the same up to order and names. Pure.

    Args:
        expression: what is computed.
        names: what a field stands for, where that is known to have several names.
    """
    if isinstance(expression, Field):
        return {"field": names.get(expression.name, expression.name)}
    if isinstance(expression, Constant):
        return {"constant": [expression.type, repr(expression.value)]}
    operator = expression.operator
    arguments = [canonical_expression(argument, names) for argument in expression.arguments]
    if operator in _TURNED:
        operator, arguments = _TURNED[operator], arguments[::-1]
    if operator in COMMUTATIVE:
        arguments = sorted(arguments, key=canonical)
    return {"call": operator, "arguments": arguments}


def _view_features(view: View) -> Iterator[tuple[str, Json, Json, str]]:
    """Yield (name, what it is, what else sets it apart, in words) for each feature."""
    keys: Json = [list(view.entity.keys), reference(view.source)]
    rows = f"of {view.source.name} by {', '.join(view.entity.keys) or 'nothing'}"
    if isinstance(view, FeatureView):
        for column in view.features:
            words = f"the newest {column.column} {rows}"
            yield column.name, [keys, "latest", column.column, column.fill], view.ttl, words
        return
    for one in view.features:
        where: Json = None if one.where is None else canonical_expression(one.where.expression, {})
        core: Json = [keys, one.function, one.column, one.level, one.over, where]
        yield (
            one.name,
            core,
            view.accuracy,
            f"the {one.function} of {one.column or 'rows'} {rows} over {short(one.over)}",
        )


def _difference(view: View, rest: Json) -> str:
    if isinstance(view, FeatureView):
        return f"with ttl {short(rest)}" if isinstance(rest, int) else "without a ttl"
    return f"in {rest} windows"


def _row_prints(features: FeatureSet) -> dict[RowFeature, Digest]:
    """Return a digest for each row feature that is the same for those that compute the same."""
    names: dict[str, Json] = {}
    for selection in features.selections:
        prints = {name: digest_value([core, rest]) for name, core, rest, _ in _view_features(selection.view)}
        names |= {f"{selection.view.name}_{name}": prints[name] for name in selection.names}
    found: dict[RowFeature, Digest] = {}
    for feature in in_order(features.row_features):
        found[feature] = digest_value(canonical_expression(feature.expression, names))
        names[feature.name] = found[feature]
    return found


def in_order(features: Sequence[RowFeature]) -> Iterable[RowFeature]:
    """Yield row features after those they read. Pure."""
    waiting = {feature.name: feature for feature in features}
    while waiting:
        ready = [f for f in waiting.values() if not set(f.inputs) & (waiting.keys() - {f.name})]
        if not ready:
            return  # they read one another in a circle, which a feature set refuses
        for feature in ready:
            yield waiting.pop(feature.name)
