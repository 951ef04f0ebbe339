"""What types each operator takes, and which node of the graph it becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from treadle.define.graph import Graph, Misfit, Node, listed
from treadle.define.operators import PARTS, TOTALS
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND


def _need(nodes: Sequence[Node], *kinds: str, fix: str = "") -> None:
    for node in nodes:
        if node.type not in kinds:
            raise Misfit(f"needs {' or '.join(kinds)}, got {node.type}{f'; {fix}' if fix else ''}")


def _numbers(nodes: Sequence[Node]) -> None:
    fix = ""
    if any(node.type == "bool" for node in nodes):
        fix = 'write x.cast("int")'
    elif any(node.type == "string" for node in nodes):
        fix = 'write x.cast("float")'
    elif any(node.type == "duration" for node in nodes):
        fix = "write x.dt.total_minutes() or the like"
    _need(nodes, "int", "float", fix=fix)


def _add(g: Graph, nodes: list[Node]) -> Node:
    left, right = nodes
    match (left.type, right.type):
        case ("string", "string"):
            return g.make("concat", "string", left, right)
        case ("time", "duration"):
            return g.make("add", "time", left, right, zone=left.zone)
        case ("duration", "time"):
            return g.make("add", "time", right, left, zone=right.zone)
        case ("duration", "duration"):
            return g.make("add", "duration", left, right)
        case ("time", "time"):
            raise Misfit("adds two instants; a difference is a - b")
    if "string" in (left.type, right.type):
        raise Misfit(f'joins {left.type} and {right.type}; write x.cast("string")')
    return _arithmetic("add")(g, nodes)


def _sub(g: Graph, nodes: list[Node]) -> Node:
    left, right = nodes
    match (left.type, right.type):
        case ("time", "time") | ("duration", "duration"):
            return g.make("sub", "duration", left, right)
        case ("time", "duration"):
            return g.make("sub", "time", left, right, zone=left.zone)
    return _arithmetic("sub")(g, nodes)


def _mul(g: Graph, nodes: list[Node]) -> Node:
    if sorted(node.type for node in nodes) == ["duration", "int"]:
        return g.make("mul", "duration", *nodes)
    return _arithmetic("mul")(g, nodes)


def _arithmetic(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        _numbers(nodes)
        nodes = g.alike(nodes)
        return g.make(operator, nodes[0].type, *nodes)

    return rule


def _div(g: Graph, nodes: list[Node]) -> Node:
    _numbers(nodes)
    return g.make("div", "float", *map(g.real, nodes))


def _power(g: Graph, nodes: list[Node]) -> Node:
    """Expand whole powers into one fixed order of multiplications, so that every lowering rounds alike."""
    base, exponent = nodes
    _numbers([base])
    value = exponent.constants[0]
    assert isinstance(value, int | float)  # the operator table lets nothing else through
    if value != int(value):
        base = g.real(base)
        return (
            g.make("sqrt", "float", base)
            if value == 0.5
            else g.make("power", "float", base, constants=(float(value),))
        )
    if exponent.type == "float" or value < 0:
        base = g.real(base)
    one = g.constant(base.type, 1 if base.type == "int" else 1.0)
    # x ** 0 is 1 for every x but null, NaN and the infinities included.
    power = g.make("if_value", base.type, base, one) if value == 0 else _repeated(g, base, abs(int(value)))
    return g.make("div", "float", one, power) if value < 0 else power


def _repeated(g: Graph, base: Node, times: int) -> Node:
    if times == 1:
        return base
    half = _repeated(g, base, times // 2)
    square = g.make("mul", base.type, half, half)
    return g.make("mul", base.type, square, base) if times % 2 else square


def _keeping(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        _need(nodes, "int", "float", "duration")
        return g.make(operator, nodes[0].type, *nodes)

    return rule


def _compare(operator: str) -> Rule:
    ordered = operator not in ("eq", "ne")

    def rule(g: Graph, nodes: list[Node]) -> Node:
        kinds = {node.type for node in nodes}
        if len(kinds) > 1 and kinds != {"int", "float"}:
            raise Misfit(f"compares {listed([node.type for node in nodes])}")
        if ordered and "bool" in kinds:
            raise Misfit('orders booleans; write x.cast("int")')
        if "float" in kinds:
            nodes = [g.real(node) for node in nodes]
        return g.make(operator, "bool", *nodes)

    return rule


def _logic(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        _need(nodes, "bool", fix="compare first, in parentheses: (a > 1) & (b < 2)")
        return g.make(operator, "bool", *nodes)

    return rule


def _when(g: Graph, nodes: list[Node]) -> Node:
    conditions = nodes[:-1:2]
    _need(conditions, "bool", fix="compare: tr.when(x > 0)")
    *values, last = g.alike([*nodes[1:-1:2], nodes[-1]])
    for condition, value in zip(reversed(conditions), reversed(values), strict=True):
        last = g.make("if", last.type, condition, value, last, zone=last.zone)
    return last


def _coalesce(g: Graph, nodes: list[Node]) -> Node:
    first, *others = g.alike(nodes)
    for other in others:
        first = g.make("or_else", first.type, first, other, zone=first.zone)
    return first


def _extreme(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        _need(nodes, "int", "float", "time", "duration")
        nodes = g.alike(nodes)
        return g.make(operator, nodes[0].type, *nodes, zone=nodes[0].zone)

    return rule


def _is_in(g: Graph, nodes: list[Node]) -> Node:
    column, *members = nodes
    kinds = {node.type for node in members}
    if {column.type, *kinds} == {"int", "float"} or kinds == {"int", "float"}:
        _numbers([column])
        column, *members = [g.real(node) for node in nodes]
    elif {column.type} != kinds:
        raise Misfit(f"looks for {listed(sorted(kinds))} in {column.type}")
    # Each member once: 0.0 and -0.0 are one.
    return g.make(
        "is_in", "bool", column, constants=tuple(dict.fromkeys(node.constants[0] for node in members))
    )


def _rounding(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        column, *places = nodes
        _numbers([column])
        if column.type == "int":
            return column
        return g.make(operator, "float", column, constants=tuple(node.constants[0] for node in places))

    return rule


def _function(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        _numbers(nodes)
        return g.make(operator, "float", g.real(nodes[0]))

    return rule


_CASTS = {
    ("int", "float"): "to_float", ("bool", "float"): "bool_to_float", ("string", "float"): "parse_float",
    ("float", "int"): "truncate", ("bool", "int"): "bool_to_int", ("string", "int"): "parse_int",
    ("time", "int"): "as_int", ("duration", "int"): "as_int",
    ("int", "string"): "int_to_text", ("bool", "string"): "bool_to_text",
    ("int", "bool"): "not_zero", ("float", "bool"): "not_zero", ("string", "bool"): "parse_bool",
}  # fmt: skip


def _cast(g: Graph, nodes: list[Node]) -> Node:
    column, to = nodes[0], str(nodes[1].constants[0])
    if column.type == to:
        return column
    operator = _CASTS.get((column.type, to))
    if operator is None:
        fix = {
            ("float", "string"): '; a float has no one text: write x.round().cast("int").cast("string")',
            ("time", "string"): "; take its parts: x.dt.year() …",
        }.get((column.type, to), "")
        raise Misfit(f"casts {column.type} to {to}{fix}")
    return g.make(operator, to, column)


def _lookup(g: Graph, nodes: list[Node]) -> Node:
    column, default, *pairs = nodes
    keys, (default, *values) = pairs[::2], g.alike([default, *pairs[1::2]])
    if column.type != keys[0].type:
        raise Misfit(f"looks up {column.type} among keys of type {keys[0].type}")
    entries = [item.constants[0] for pair in zip(keys, values, strict=True) for item in pair]
    return g.make("lookup", default.type, column, constants=(default.constants[0], *entries))


def _convert(g: Graph, nodes: list[Node]) -> Node:
    column, zone = nodes
    _need([column], "time")
    # An instant is the same in every zone: only what reads its clock needs to know.
    return g.make("in_zone", "time", column, zone=str(zone.constants[0]))


def _part(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        (column,) = nodes
        fix = "a duration has totals: x.dt.total_minutes()" if column.type == "duration" else ""
        _need(nodes, "time", fix=fix)
        local = g.make("local", "int", column, zone=column.zone)
        if operator in ("hour", "minute", "second", "weekday"):
            return g.make(operator, "int", local)
        return g.make(operator, "int", g.make("date", "int", local))

    return rule


_SPANS = dict(zip(TOTALS, (DAY, HOUR, MINUTE, SECOND), strict=True))


def _total(operator: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        _need(nodes, "duration", fix="a duration is the difference of two instants")
        return g.make("total", "int", *nodes, constants=(_SPANS[operator],))

    return rule


def _text(operator: str, kind: str) -> Rule:
    def rule(g: Graph, nodes: list[Node]) -> Node:
        column, *constants = nodes
        _need([column], "string", fix='write x.cast("string")' if column.type == "int" else "")
        return g.make(operator, kind, column, constants=tuple(node.constants[0] for node in constants))

    return rule


def _is_null(g: Graph, nodes: list[Node]) -> Node:
    return g.make("is_null", "bool", *nodes)


Rule: TypeAlias = Callable[[Graph, list[Node]], Node]

RULES: dict[str, Rule] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "power": _power,
    **{name: _arithmetic(name) for name in ("floordiv", "mod")},
    **{name: _keeping(name) for name in ("neg", "abs")},
    **{name: _compare(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: _logic(name) for name in ("and", "or", "not")},
    "when": _when,
    "coalesce": _coalesce,
    **{name: _extreme(name) for name in ("minimum", "maximum")},
    "is_null": _is_null,
    "is_in": _is_in,
    **{name: _rounding(name) for name in ("round", "floor", "ceil")},
    **{name: _function(name) for name in ("sqrt", "log", "log1p", "exp", "sin", "cos")},
    "cast": _cast,
    "lookup": _lookup,
    "convert_time_zone": _convert,
    **{name: _part(name) for name in PARTS},
    **{name: _total(name) for name in TOTALS},
    **{name: _text(name, "string") for name in ("lower", "upper", "strip", "slice")},
    "length": _text("length", "int"),
    **{name: _text(name, "bool") for name in ("starts_with", "ends_with", "contains")},
}
"""One rule per operator of the language: what types it takes, what node it becomes."""
