"""Feature sets: the ordered inputs of a model, and how each is found from a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.define.binding import bind
from treadle.define.names import duplicates, kind_fault, listed, name_fault, type_faults, words_faults
from treadle.define.row_features import RowFeature
from treadle.define.views import FeatureView, Selection, View, WindowView
from treadle.records.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Category:
    """A request field given to the model as a category."""

    field: str

    @property
    def name(self) -> str:
        """The feature's name: the field's."""
        return self.field


def category(field: str) -> Category:
    """Use a field of the request (string, int or bool) as a categorical feature."""
    return Category(field)


@dataclass(frozen=True, slots=True)
class Number:
    """A request field given to the model as a number."""

    field: str

    @property
    def name(self) -> str:
        """The feature's name: the field's."""
        return self.field


def number(field: str) -> Number:
    """Use a field of the request (float, int or bool) as a number."""
    return Number(field)


Part: TypeAlias = FeatureView | WindowView | Selection | RowFeature | Category | Number


@dataclass(frozen=True, slots=True, init=False)
class FeatureSet:
    """The inputs of a model, in order, and the request fields they are found from.

    Args:
        name: the set's name.
        request: the fields of a request and their types; entity keys are among them.
        features: views (all their features), `view.select(...)`, row features, `category(...)` and `number(...)`.
        helpers: views whose features only feed row features and don't reach the model.
        owner, description, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: an entity key, category, number or row feature input can't be found; every fault is listed.
    """

    name: str
    request: Mapping[str, str]
    parts: tuple[Selection | RowFeature | Category | Number, ...]
    helpers: tuple[Selection, ...]
    owner: str
    description: str
    tags: tuple[str, ...]
    deprecated: str

    def __init__(
        self,
        name: str,
        *,
        request: Mapping[str, str],
        features: Sequence[Part],
        helpers: Sequence[FeatureView | WindowView | Selection] = (),
        owner: str = "",
        description: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        parts = tuple(Selection.of(p) if isinstance(p, FeatureView | WindowView) else p for p in features)
        extra = tuple(Selection.of(p) if isinstance(p, FeatureView | WindowView) else p for p in helpers)
        faults = _kind_faults(f"feature set {name!r}", request, parts, extra)
        faults += words_faults(f"feature set {name!r}", owner, tags, deprecated)
        if not faults:
            values = (name, dict(request), parts, extra, owner, description, listed(tags), deprecated)
            for slot, value in zip(self.__slots__, values, strict=True):
                object.__setattr__(self, slot, value)
            faults = self._faults()
        if faults:
            raise InvalidInput(f"the feature set {name!r} cannot be defined", faults=faults)

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The view selections, helpers last."""
        return tuple(p for p in self.parts if isinstance(p, Selection)) + self.helpers

    @property
    def views(self) -> tuple[View, ...]:
        """The views it reads, each once."""
        return tuple({selection.view.name: selection.view for selection in self.selections}.values())

    @property
    def row_features(self) -> tuple[RowFeature, ...]:
        """The request-time row features, in order."""
        return tuple(p for p in self.parts if isinstance(p, RowFeature))

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names in the order the model gets them."""
        return tuple(
            name
            for part in self.parts
            for name in (part.columns if isinstance(part, Selection) else (part.name,))
        )

    @property
    def categories(self) -> tuple[str, ...]:
        """The names of the categorical features."""
        return tuple(part.name for part in self.parts if isinstance(part, Category))

    def row_inputs(self) -> dict[str, str]:
        """Everything a row feature may name, with its type: request fields, `at`, and view features."""
        types: dict[str, str] = {**self.request, "at": "time"}
        for selection in self.selections:
            types.update(_selection_types(selection))
        return types

    def _faults(self) -> list[str]:
        owner = f"feature set {self.name!r}"
        faults = [fault for fault in [name_fault("feature set", self.name)] if fault]
        faults += type_faults(owner, self.request, "request field")
        if "at" in self.request:
            faults.append(f"{owner}: request field 'at' is the prediction time; name the field otherwise")
        if not self.parts:
            faults.append(f"{owner} has no features")
        found: dict[str, View] = {}
        for selection in self.selections:
            view = found.setdefault(selection.view.name, selection.view)
            if view != selection.view:
                faults.append(f"{owner}: two views are called {view.name!r}")
        for view in found.values():
            faults += [
                f"{owner}: view {view.name!r} needs the key {key!r}, which is not a request field"
                for key in view.entity.keys
                if key not in self.request
            ]
            faults += [
                f"{owner}: view {view.name!r} needs the key {key!r} as {view.source.columns[key]}, "
                f"but the request field is {self.request[key]}"
                for key in view.entity.keys
                if self.request.get(key, view.source.columns[key]) != view.source.columns[key]
            ]
        for part in self.parts:
            faults += [f"{owner}: {fault}" for fault in self._part_faults(part)]
        faults += [f"{owner}: {fault}" for fault in self._clashes()]
        return faults or [f"{owner}: {fault}" for fault in self._type_faults()]

    def _type_faults(self) -> list[str]:
        """Return which features are no numbers, and what of the row features' types does not fit."""
        numbers = ("float", "int", "bool")
        try:
            bound = bind(self.row_features, self.row_inputs())
        except InvalidInput as error:
            return list(error.faults) or [error.what]
        kinds = {name: str(node.type) for name, node in bound.outputs.items()}
        for part in self.parts:
            if isinstance(part, Selection):
                kinds.update(_selection_types(part))
        return [
            f"feature {name!r} is of type {kind}, which a model can't learn from; make it a number by a row feature, "
            "or leave it out with view.select(...)"
            for name, kind in kinds.items()
            if kind not in numbers
        ]

    def _part_faults(self, part: Selection | RowFeature | Category | Number) -> list[str]:
        """Return what a part needs and the request does not have."""
        if isinstance(part, RowFeature):
            known = {*self.row_inputs(), *(feature.name for feature in self.row_features)}
            return [
                f"row feature {part.name!r} reads {name!r}, which is neither a request field, 'at', nor a feature"
                for name in part.inputs
                if name not in known
            ]
        if isinstance(part, Selection):
            return []
        role, kinds = (
            ("category", ("string", "int", "bool"))
            if isinstance(part, Category)
            else ("number", ("float", "int", "bool"))
        )
        kind = self.request.get(part.field)
        if kind in kinds:
            return []
        said = "is not a request field" if kind is None else f"is a request field of type {kind}"
        return [f"{role} {part.field!r} {said}; it must be one of type {', '.join(kinds)}"]

    def _clashes(self) -> list[str]:
        """Return the names that mean two things: features, helpers and request fields share one row."""
        faults = [f"two features are called {name!r}" for name in duplicates(self.names)]
        looked_up = {
            (selection.view.name, name): f"{selection.view.name}_{name}"
            for selection in self.selections
            for name in selection.names
        }
        derived = [*looked_up.values(), *dict.fromkeys(feature.name for feature in self.row_features)]
        taken = {*self.request, "at"}
        faults += [f"feature {name!r} has the name of a request field" for name in derived if name in taken]
        faults += [
            f"{name!r} names two features, one of them a helper's"
            for name in duplicates(derived)
            if name not in duplicates(self.names)
        ]
        return faults


def _kind_faults(
    owner: str, request: object, parts: Sequence[object], helpers: Sequence[object]
) -> list[str]:
    """Return what is of the wrong kind, so that nothing else can be said about it."""
    usual = "a view, view.select(...), a row feature, tr.category(...) or tr.number(...)"
    kinds = (Selection, RowFeature, Category, Number)
    faults = [kind_fault(owner, "a feature", part, kinds, usual) for part in parts]
    faults += [
        kind_fault(owner, "a helper", part, Selection, "a view or view.select(...)") for part in helpers
    ]
    found = [fault for fault in faults if fault]
    return found if isinstance(request, Mapping) else [*type_faults(owner, request, "request field"), *found]


def _selection_types(selection: Selection) -> dict[str, str]:
    view = selection.view
    if isinstance(view, WindowView):
        return dict.fromkeys(selection.columns, "float")
    by_name = {feature.name: view.source.columns[feature.column] for feature in view.features}
    return {f"{view.name}_{name}": by_name[name] for name in selection.names}
