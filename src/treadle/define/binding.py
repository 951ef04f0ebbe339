"""Binding: row features and the types of their inputs become one typed graph, or a list of every fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from treadle.define.expressions import Constant, Expression, Field, OpaqueCall, text
from treadle.define.graph import Graph, Misfit, Node, under
from treadle.define.names import TYPE_NAMES
from treadle.define.row_features import RowFeature
from treadle.define.type_rules import RULES
from treadle.records.errors import refuse

BOUND_TYPES = (*TYPE_NAMES, "duration")
"""What an input or a row feature may be: the types of definitions, and durations (microseconds)."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A set of row features over typed inputs, as one graph."""

    inputs: tuple[str, ...]
    """The inputs that are really read, in the order in which the types were given."""
    outputs: Mapping[str, Node]
    """Each feature's node, in the order of the features."""

    def operations(self) -> dict[str, list[Node]]:
        """Return, for each feature, every operation it is made of, those of the features it reads too."""
        return {name: under(root) for name, root in self.outputs.items()}


def bind(features: Sequence[RowFeature], types: Mapping[str, str]) -> Bound:
    """Bind row features to the types of their inputs.

    Args:
        features: what to bind; a feature may read another of them by its name, in any order.
        types: for each request field, view feature and `at`, its type.

    Raises:
        InvalidInput: a name is unknown or stands twice, features read each other in a circle, or types don't
            fit; every fault of every feature is listed.
    """
    return _Binder(features, types).bound()


@dataclass
class _Binder:
    features: Sequence[RowFeature]
    types: Mapping[str, str]
    faults: list[str] = field(default_factory=list)
    graph: Graph = field(default_factory=Graph)
    by_name: dict[str, RowFeature] = field(default_factory=dict)
    finished: dict[str, Node | None] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def bound(self) -> Bound:
        self.faults += [
            f"input {name!r} has type {kind!r}; types are {', '.join(BOUND_TYPES)}"
            for name, kind in self.types.items()
            if kind not in BOUND_TYPES
        ]
        for feature in self.features:
            if feature.name in self.types or feature.name in self.by_name:
                self.faults.append(f"the name {feature.name!r} stands twice")
            self.by_name[feature.name] = feature
        for name in self.by_name:
            self.feature(name)
        refuse("the row features cannot be bound to their inputs", list(dict.fromkeys(self.faults)))
        outputs = {name: node for name, node in self.finished.items() if node is not None}
        read = {node.constants[0] for node in self.graph.interned.values() if node.operator == "field"}
        return Bound(
            tuple(name for name in self.types if name in read), {name: outputs[name] for name in self.by_name}
        )

    def feature(self, name: str) -> Node | None:
        """Return the node of a feature, binding it first if need be."""
        if name in self.finished:
            return self.finished[name]
        if name in self.open:
            circle = [*self.open[self.open.index(name) :], name]
            self.faults.append(f"row features read each other in a circle: {' → '.join(circle)}")
            return None
        self.open.append(name)
        feature = self.by_name[name]
        node = self.node(feature.expression, feature)
        if node is not None and node.type == "null":
            self.faults.append(f"row feature {name!r} is always null, so it has no type")
            node = None
        self.open.pop()
        self.finished[name] = node
        return node

    def node(self, expression: Expression, feature: RowFeature) -> Node | None:
        """Return the typed node of an expression, or None when a fault was found in it."""
        if isinstance(expression, Constant):
            return self.graph.constant(expression.type, expression.value)
        if isinstance(expression, Field):
            return self.field(expression.name, feature)
        arguments = [self.node(argument, feature) for argument in expression.arguments]
        found = [argument for argument in arguments if argument is not None]
        if len(found) < len(arguments):
            return None
        if isinstance(expression, OpaqueCall):
            known = (expression.name, str(expression.source))
            return self.graph.make(
                "opaque", expression.returns, *found, constants=known, function=expression.function
            )
        try:
            return RULES[expression.operator](self.graph, found)
        except Misfit as misfit:
            where = f" ({feature.where})" if feature.where else ""
            self.faults.append(f"row feature {feature.name!r}: `{_short(expression)}` {misfit}{where}")
            return None

    def field(self, name: str, feature: RowFeature) -> Node | None:
        if name in self.types:
            kind = self.types[name]
            return self.graph.make("field", kind, constants=(name,)) if kind in BOUND_TYPES else None
        if name in self.by_name:
            return self.feature(name)
        self.faults.append(
            f"row feature {feature.name!r} reads {name!r}, which is neither an input nor a feature"
        )
        return None


def _short(expression: Expression) -> str:
    written = text(expression)
    return written if len(written) <= 70 else f"{written[:67]}…"
