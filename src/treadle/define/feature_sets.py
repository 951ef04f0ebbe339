"""Feature sets: the ordered inputs of a model, and how each is found from a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.define.names import duplicates, name_fault, type_faults
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
    """Use a text field of the request as a categorical feature."""
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
    """Use a numeric field of the request as a feature."""
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

    Raises:
        InvalidInput: an entity key, category, number or row feature input can't be found; every fault is listed.
    """

    name: str
    request: Mapping[str, str]
    parts: tuple[Selection | RowFeature | Category | Number, ...]
    helpers: tuple[Selection, ...]

    def __init__(
        self,
        name: str,
        *,
        request: Mapping[str, str],
        features: Sequence[Part],
        helpers: Sequence[FeatureView | WindowView | Selection] = (),
    ) -> None:
        parts = tuple(Selection.of(p) if isinstance(p, FeatureView | WindowView) else p for p in features)
        extra = tuple(Selection.of(p) if isinstance(p, FeatureView | WindowView) else p for p in helpers)
        for slot, value in zip(self.__slots__, (name, dict(request), parts, extra), strict=True):
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
        faults = [fault for fault in [name_fault("feature set", self.name)] if fault]
        faults += type_faults(f"feature set {self.name!r}", self.request)
        if "at" in self.request:
            faults.append("request field 'at' is the prediction time; name the field otherwise")
        for view in self.views:
            faults += [
                f"view {view.name!r} needs the key {key!r}, which is not a request field"
                for key in view.entity.keys
                if key not in self.request
            ]
        known = {*self.row_inputs(), *(feature.name for feature in self.row_features)}
        for part in self.parts:
            if isinstance(part, Category) and self.request.get(part.field) not in ("string", "int", "bool"):
                faults.append(f"category {part.field!r} is not a request field of type string, int or bool")
            if isinstance(part, Number) and self.request.get(part.field) not in ("float", "int", "bool"):
                faults.append(f"number {part.field!r} is not a request field of type float, int or bool")
            if isinstance(part, RowFeature):
                faults += [
                    f"row feature {part.name!r} reads {name!r}, which is neither a request field, 'at', nor a feature"
                    for name in part.inputs
                    if name not in known
                ]
        faults += [f"two features are called {name!r}" for name in duplicates(self.names)]
        return faults


def _selection_types(selection: Selection) -> dict[str, str]:
    view = selection.view
    if isinstance(view, WindowView):
        return dict.fromkeys(selection.columns, "float")
    by_name = {feature.name: view.source.columns[feature.column] for feature in view.features}
    return {f"{view.name}_{name}": by_name[name] for name in selection.names}
