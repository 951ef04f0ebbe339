"""The order in which an engine of columns computes a graph: each operation once, in a column of its own.

Engines that plan trees (SQL, Spark) would repeat what is used twice as often as it is used, and a tree grows
exponentially with its depth. Here every operation becomes one column that reads only columns of earlier steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from treadle.define.binding import Bound
from treadle.define.graph import Node

LEAVES = frozenset({"field", "constant"})
"""What is no operation: it is read or written down where it is used."""


@dataclass(frozen=True, slots=True)
class Steps:
    """A graph in layers: `layers[i]` reads the columns of the layers before it, and leaves."""

    layers: tuple[tuple[Node, ...], ...]
    names: Mapping[int, str]
    """For each operation (by `id`), the column that holds its value."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the steps add, in order."""
        return tuple(self.names[id(node)] for layer in self.layers for node in layer)


def steps_of(bound: Bound, taken: Iterable[str]) -> Steps:
    """Return the layers of a graph.

    Args:
        bound: the features.
        taken: the names that no step's column may have: those of the frame and of the features.
    """
    depths: dict[int, int] = {}
    order: list[Node] = []
    for root in bound.outputs.values():
        for node in _children_first(root, set(depths)):
            if id(node) not in depths:
                depths[id(node)] = 1 + max((depths[id(a)] for a in node.arguments), default=-1)
                order.append(node)
    operations = [node for node in order if node.operator not in LEAVES]
    prefix = "treadle_"
    held = {*taken}
    while any(name.startswith(prefix) for name in held):
        prefix += "_"
    names = {id(node): f"{prefix}{position}" for position, node in enumerate(operations)}
    deepest = max((depths[id(node)] for node in operations), default=0)
    layers = tuple(
        tuple(node for node in operations if depths[id(node)] == depth) for depth in range(1, deepest + 1)
    )
    return Steps(tuple(layer for layer in layers if layer), names)


def _children_first(root: Node, known: set[int]) -> Iterator[Node]:
    """Yield a node's operations, each after what it reads; a graph may be deeper than Python's stack."""
    waiting = [(root, False)]
    seen: set[int] = set()
    while waiting:
        node, ready = waiting.pop()
        if ready:
            yield node
        elif id(node) not in seen and id(node) not in known:
            seen.add(id(node))
            waiting.append((node, True))
            waiting += [(argument, False) for argument in node.arguments]
