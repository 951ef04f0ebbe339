"""The typed graph of row features: what lowerings read.

Its operators are few and typed: integers become floats through an explicit `to_float`, zones sit on the nodes
that read clocks, `is_in` and `lookup` hold their constants, several forms of the language share one node.
Equal parts of all features are one node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from treadle.define.operators import ConstantValue


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One typed operation; nodes of one graph are the same operation only if they are the same object.

    `type` is float, int, string, bool, time or duration; instants and durations are 64-bit integers of
    microseconds. `zone` says on which clocks an instant's parts are read.
    """

    operator: str
    type: str
    arguments: tuple[Node, ...] = ()
    constants: tuple[ConstantValue, ...] = ()
    zone: str | None = None
    function: Callable[..., object] | None = None
    """Of an opaque call: the Python function."""


class Misfit(Exception):
    """The types of one call don't fit; becomes one line of the faults."""


@dataclass
class Graph:
    """Makes nodes, each operation once."""

    interned: dict[tuple[object, ...], Node] = field(default_factory=dict)

    def constant(self, kind: str, value: ConstantValue) -> Node:
        """Return the node of a constant."""
        return self.make("constant", kind, constants=(value,))

    def make(
        self,
        operator: str,
        kind: str,
        *arguments: Node,
        constants: tuple[ConstantValue, ...] = (),
        zone: str | None = None,
        function: Callable[..., object] | None = None,
    ) -> Node:
        """Return the one node of this operation, making it if there is none yet."""
        # repr keeps 0.0 from -0.0, 1 from True, and NaN equal to itself.
        key = (operator, kind, *map(id, arguments), repr(constants), zone)
        node = self.interned.get(key)
        if node is None:
            node = self.interned[key] = Node(operator, kind, arguments, constants, zone, function)
        return node

    def real(self, node: Node) -> Node:
        """Return a number as a float."""
        if node.type == "float":
            return node
        if node.operator == "constant":
            value = node.constants[0]
            return self.constant("float", None if value is None else float(value))
        return self.make("to_float", "float", node)

    def alike(self, nodes: Sequence[Node]) -> list[Node]:
        """Return nodes as one common type: integers beside floats become floats, a bare null any type."""
        kinds = list(dict.fromkeys(node.type for node in nodes if node.type != "null"))
        if set(kinds) == {"int", "float"}:
            kinds = ["float"]
        if len(kinds) > 1:
            raise Misfit(f"mixes {listed(kinds)}")
        kind = kinds[0] if kinds else "null"
        zones = {node.zone for node in nodes if node.type == "time"}
        if len(zones) > 1:
            named = " and ".join(sorted(zone or "UTC" for zone in zones))
            raise Misfit(f"mixes instants read in {named}; convert them to one zone")
        out = [self.constant(kind, None) if node.type == "null" else node for node in nodes]
        return [self.real(node) for node in out] if kind == "float" else out


def listed(kinds: Sequence[str]) -> str:
    """Return the names of types as words."""
    return " and ".join(kinds)


def under(root: Node) -> list[Node]:
    """Return a node and everything it is made of, each once."""
    found: dict[int, Node] = {}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            waiting += node.arguments
    return list(found.values())
