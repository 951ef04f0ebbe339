"""How casts, look-ups, time and text are written in Python; the rest is in `operations`."""

from __future__ import annotations

import ast

from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND
from treadle.stages.features.rows.opaque import runner
from treadle.stages.features.rows.pieces import (
    INT64,
    Bounds,
    Builder,
    Lowering,
    Piece,
    guarded,
    helper,
    invoke,
    known,
    load,
    number,
    strict,
)
from treadle.stages.features.rows.zones import EARLIEST, LATEST, offsets_of

_EPOCH_DAY = 719_163  # 1970-01-01 counted from 0001-01-01 as day 1


def _method(name: str, *arguments: str) -> Lowering:
    """A call of a method of text with the constants, or the given arguments."""

    def lowering(build: Builder, node: Node) -> Piece:
        x = build.plain(node.arguments[0])
        code = ast.Call(
            ast.Attribute(x.code, name, ast.Load()), [number(v) for v in arguments or node.constants], []
        )
        return strict(code, x)

    return lowering


def _choice(true: ConstantValue, false: ConstantValue, bounds: Bounds | None = None) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        x = build.plain(node.arguments[0])
        return strict(ast.IfExp(x.code, number(true), number(false)), x, bounds=bounds)

    return lowering


def _not_zero(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    return strict(ast.Compare(x.code, [ast.NotEq()], [number(0)]), x)


def _same(build: Builder, node: Node) -> Piece:
    return build.of(node.arguments[0])


def _lookup(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    default, *entries = node.constants
    table = dict(zip(entries[::2], entries[1::2], strict=True))
    get = build.shared(table.get)
    bounds = None
    if node.type == "int":
        values = [v for v in (default, *table.values()) if isinstance(v, int)]
        bounds = (min(values), max(values))
    return strict(ast.Call(get, [x.code, number(default)], []), x, none=default is None, bounds=bounds)


def _local(build: Builder, node: Node) -> Piece:
    instant = build.atom(node.arguments[0])
    local = instant.code
    test = local
    if node.zone is not None:
        zone = offsets_of(node.zone)
        changes, offsets = build.shared(zone.changes), build.shared(zone.offsets)
        offset = ast.Subscript(offsets, invoke("bisect_right", changes, instant.code), ast.Load())
        held = build.fresh("t")
        test = ast.NamedExpr(ast.Name(held, ast.Store()), ast.BinOp(instant.code, ast.Add(), offset))
        local = load(held)
    inside = ast.Compare(number(EARLIEST), [ast.LtE(), ast.LtE()], [test, number(LATEST)])
    return strict(ast.IfExp(inside, local, number(None)), instant, none=True, bounds=(EARLIEST, LATEST))


def _cycle(unit: int, length: int, start: int = 0, first: int = 0) -> Lowering:
    """A part of the clock that comes round: `(local // unit + start) % length + first`."""

    def lowering(build: Builder, node: Node) -> Piece:
        local = build.plain(node.arguments[0])
        code: ast.expr = ast.BinOp(local.code, ast.FloorDiv(), number(unit))
        if start:
            code = ast.BinOp(code, ast.Add(), number(start))
        code = ast.BinOp(code, ast.Mod(), number(length))
        if first:
            code = ast.BinOp(code, ast.Add(), number(first))
        return strict(code, local, bounds=(first, first + length - 1))

    return lowering


def _date(build: Builder, node: Node) -> Piece:
    local = build.plain(node.arguments[0])
    days = ast.BinOp(local.code, ast.FloorDiv(), number(DAY))
    return strict(invoke("date_of", ast.BinOp(days, ast.Add(), number(_EPOCH_DAY))), local)


def _attribute(name: str, bounds: Bounds) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        day = build.of(node.arguments[0])
        return strict(ast.Attribute(day.code, name, ast.Load()), day, bounds=bounds)

    return lowering


def _total(build: Builder, node: Node) -> Piece:
    span = build.atom(node.arguments[0])
    unit = node.constants[0]
    assert isinstance(unit, int)  # the binder puts a span there
    down = ast.BinOp(span.code, ast.FloorDiv(), number(unit))
    up = ast.UnaryOp(ast.USub(), ast.BinOp(ast.UnaryOp(ast.USub(), span.code), ast.FloorDiv(), number(unit)))
    low, high = known(span)
    code = ast.IfExp(ast.Compare(span.code, [ast.GtE()], [number(0)]), down, up)
    return strict(code, span, bounds=(min(-(-low // unit), 0), max(high // unit, 0)))


def _concat(build: Builder, node: Node) -> Piece:
    a, b = (build.plain(argument) for argument in node.arguments)
    return strict(ast.BinOp(a.code, ast.Add(), b.code), a, b)


def _slice(build: Builder, node: Node) -> Piece:
    offset, length = node.constants
    assert isinstance(offset, int)  # the operator table lets nothing else through
    if offset < 0:
        return helper("part")(build, node)
    x = build.plain(node.arguments[0])
    end = None if not isinstance(length, int) else number(offset + length)
    return strict(ast.Subscript(x.code, ast.Slice(number(offset), end), ast.Load()), x)


def _opaque(build: Builder, node: Node) -> Piece:
    operands = [build.plain(argument) for argument in node.arguments]
    code = ast.Call(build.shared(runner(node)), [guarded(operand) for operand in operands], [])
    bounds = INT64 if node.type in ("int", "time", "duration") else None
    return Piece(code, may_be_none=True, bounds=bounds, depth=1 + max(o.depth for o in operands))


def _contains(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    return strict(ast.Compare(number(node.constants[0]), [ast.In()], [x.code]), x)


CONVERSIONS: dict[str, Lowering] = {
    "opaque": _opaque,
    "bool_to_float": _choice(1.0, 0.0),
    "bool_to_int": _choice(1, 0, (0, 1)),
    "bool_to_text": _choice("true", "false"),
    "as_int": _same,
    "in_zone": _same,
    "truncate": helper("truncate", none=True, bounds=INT64),
    "not_zero": _not_zero,
    "parse_float": helper("parse_float", none=True),
    "parse_int": helper("parse_int", none=True, bounds=INT64),
    "parse_bool": helper("parse_bool", none=True),
    "int_to_text": helper("str"),
    "lookup": _lookup,
    "local": _local,
    "hour": _cycle(HOUR, 24),
    "minute": _cycle(MINUTE, 60),
    "second": _cycle(SECOND, 60),
    "weekday": _cycle(DAY, 7, start=3, first=1),  # 1970-01-01 was a Thursday
    "date": _date,
    "year": _attribute("year", (1, 9999)),
    "month": _attribute("month", (1, 12)),
    "day": _attribute("day", (1, 31)),
    "ordinal_day": helper("ordinal_day", bounds=(1, 366)),
    "total": _total,
    "concat": _concat,
    "lower": _method("lower"),
    "upper": _method("upper"),
    "strip": _method("strip", " \t\n\r\x0b\x0c"),
    "length": helper("len", bounds=(0, 2**62)),
    "slice": _slice,
    "starts_with": _method("startswith"),
    "ends_with": _method("endswith"),
    "contains": _contains,
}
"""One lowering per operation of casts, look-ups, time and text."""
