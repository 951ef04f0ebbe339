"""The Python lowering: one generated function for a whole set of row features.

The function is built as an `ast` module from the typed graph and compiled; no text is parsed. Operations whose
result is null exactly when an operand is fuse into one Python expression behind one test for None; what is used
twice becomes a local variable; 64-bit wrap-around is tested only where the ranges of the operands let it happen.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from math import sqrt
from types import CodeType, FunctionType

from treadle.define.binding import Bound
from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.stages.features.rows import runtime
from treadle.stages.features.rows.operations import LOWERINGS
from treadle.stages.features.rows.pieces import INT64, Builder, Piece, guarded, load

HELPERS: dict[str, object] = {
    **{
        name: getattr(runtime, name)
        for name in (
            "wrap", "divide", "floor_divide", "modulo", "floor", "ceil", "round_half_even", "log", "log1p", "exp", "sin",
            "cos", "power", "truncate", "parse_float", "parse_int", "parse_bool", "ordinal_day", "part",
        )
    },
    "bisect_right": bisect_right,
    "date_of": date.fromordinal,
    "float": float,
    "sqrt": sqrt,
    "str": str,
    "len": len,
    "abs": abs,
}  # fmt: skip
"""The only names a generated function can reach, besides the constants of its own program."""


def function(bound: Bound, inputs: Sequence[str]) -> tuple[Callable[..., tuple[ConstantValue, ...]], str]:
    """Generate the function of a graph.

    Args:
        bound: the features.
        inputs: the order of the function's positional arguments.

    Returns:
        The function, from input values to a tuple of the features' values, and its source for people to read.
    """
    roots = list(bound.outputs.values())
    build = Builder(LOWERINGS, _uses(roots))
    build.names = dict(HELPERS)
    arguments = {name: f"x{position}" for position, name in enumerate(inputs)}
    for node in _all_nodes(roots):
        if node.operator == "field":
            name = arguments[str(node.constants[0])]
            bounds = INT64 if node.type in ("int", "time", "duration") else None
            build.pieces[id(node)] = Piece(load(name), frozenset({name}), bounds=bounds, atom=True)
    results = [guarded(build.plain(node)) for node in roots]
    build.body.append(ast.Return(ast.Tuple(results, ast.Load())))
    signature = ast.arguments([ast.arg(name) for name in arguments.values()], [], None, [], [], None, [])
    definition = ast.FunctionDef("row", signature, build.body, [])
    module = ast.fix_missing_locations(ast.Module([definition], []))
    code = compile(module, "<row features>", "exec")
    (inner,) = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    made: Callable[..., tuple[ConstantValue, ...]] = FunctionType(
        inner, {**build.names, "__builtins__": {}}, "row"
    )
    return made, ast.unparse(module)


def _all_nodes(roots: Iterable[Node]) -> list[Node]:
    found: dict[int, Node] = {}
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        if id(node) not in found:
            found[id(node)] = node
            waiting += node.arguments
    return list(found.values())


def _uses(roots: Sequence[Node]) -> Counter[int]:
    uses = Counter(id(argument) for node in _all_nodes(roots) for argument in node.arguments)
    uses.update(map(id, roots))
    return uses
