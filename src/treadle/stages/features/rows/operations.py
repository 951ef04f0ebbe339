"""How each operation of the graph is written in Python.

Operands of strict operations arrive without None: the pieces they come from say which variables must be tested.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND
from treadle.stages.features.rows.pieces import (
    INT64,
    Bounds,
    Builder,
    Lowering,
    Piece,
    guarded,
    invoke,
    load,
    number,
    within,
)
from treadle.stages.features.rows.zones import EARLIEST, LATEST, offsets_of

# Exact integers of the ring operations grow unwrapped up to this size; then they are wrapped.
_LARGEST = (-(2**256), 2**256)

# Up to here an integer and its float are the same number.
_SAFE = (-(2**53), 2**53)

_EPOCH_DAY = 719_163  # 1970-01-01 counted from 0001-01-01 as day 1


def _strict(code: ast.expr, *operands: Piece, bounds: Bounds | None = None, none: bool = False) -> Piece:
    """Return a piece that is null when an operand is, or, with `none`, when the code says so."""
    nulls = frozenset().union(*(operand.nulls for operand in operands))
    depth = 1 + max(operand.depth for operand in operands)
    return Piece(code, nulls, may_be_none=none, bounds=bounds, depth=depth)


def _binary(operator: ast.operator, a: Piece, b: Piece) -> ast.expr:
    return ast.BinOp(a.code, operator, b.code)


def _constant(build: Builder, node: Node) -> Piece:
    value = node.constants[0]
    whole = isinstance(value, int) and not isinstance(value, bool)
    bounds = (value, value) if whole and isinstance(value, int) else None
    endless = isinstance(value, float) and not math.isfinite(value)
    code = build.shared(value) if endless else number(value)  # NaN and the infinities have no literal
    return Piece(code, may_be_none=value is None, bounds=bounds, atom=True)


def _ring(operator: ast.operator, reach: Callable[[Bounds, Bounds], Bounds]) -> Lowering:
    """Addition, subtraction, multiplication: integers may grow past 64 bits and are wrapped at the end."""

    def lowering(build: Builder, node: Node) -> Piece:
        a, b = (build.of(argument) for argument in node.arguments)
        if node.type == "float":
            if a.whole and b.whole:
                a = build.settled(a)  # one real float is enough: Python converts the other, rounding alike
            return _strict(_binary(operator, a, b), a, b)
        bounds = reach(_known(a), _known(b))
        if not within(bounds, _LARGEST):
            a, b = build.settled(a), build.settled(b)
            bounds = reach(_known(a), _known(b))
        return _strict(_binary(operator, a, b), a, b, bounds=bounds)

    return lowering


def _known(piece: Piece) -> Bounds:
    return piece.bounds or INT64


def _sums(a: Bounds, b: Bounds) -> Bounds:
    return a[0] + b[0], a[1] + b[1]


def _differences(a: Bounds, b: Bounds) -> Bounds:
    return a[0] - b[1], a[1] - b[0]


def _products(a: Bounds, b: Bounds) -> Bounds:
    corners = [x * y for x, y in product(a, b)]
    return min(corners), max(corners)


def _neg(build: Builder, node: Node) -> Piece:
    x = build.of(node.arguments[0])
    if node.type == "float":
        x = build.settled(x)
        return _strict(ast.UnaryOp(ast.USub(), x.code), x)
    low, high = _known(x)
    return _strict(ast.UnaryOp(ast.USub(), x.code), x, bounds=(-high, -low))


def _abs(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    if node.type == "float":
        return _strict(invoke("abs", x.code), x)
    low, high = _known(x)
    return _strict(invoke("abs", x.code), x, bounds=(0, max(abs(low), abs(high))))


def _div(build: Builder, node: Node) -> Piece:
    a, b = (build.of(argument) for argument in node.arguments)
    # Integers that floats hold exactly divide as floats would; larger ones would be rounded once too few.
    if a.whole and not within(_known(a), _SAFE):
        a = build.settled(a)
    if b.whole and not within(_known(b), _SAFE):
        b = build.settled(b)
    if isinstance(b.code, ast.Constant) and b.code.value:
        return _strict(_binary(ast.Div(), a, b), a, b)
    a, b = _held(build, a), _held(build, b)
    code = ast.IfExp(b.code, _binary(ast.Div(), a, b), invoke("divide", a.code, b.code))
    return _strict(code, a, b)


def _held(build: Builder, piece: Piece) -> Piece:
    """Return a piece that may be written down twice; an integer beside a float may stay one."""
    if piece.whole:
        return replace(build.variable(replace(piece, whole=False)), whole=True)
    return build.variable(piece)


def _floordiv(build: Builder, node: Node) -> Piece:
    if node.type == "float":
        return _helper("floor_divide")(build, node)
    a, b = build.plain(node.arguments[0]), build.atom(node.arguments[1])
    low, high = _known(a)
    divisor = _divisor(node)
    if divisor:
        corners = (low // divisor, high // divisor)
        return _strict(_binary(ast.FloorDiv(), a, b), a, b, bounds=(min(corners), max(corners)))
    span = max(abs(low), abs(high))
    quotient = build.settled(_strict(_binary(ast.FloorDiv(), a, b), a, b, bounds=(-span - 1, span)))
    code = ast.IfExp(b.code, quotient.code, number(None))
    return _strict(code, a, b, bounds=INT64, none=True)


def _mod(build: Builder, node: Node) -> Piece:
    if node.type == "float":
        return _helper("modulo")(build, node)
    a, b = build.plain(node.arguments[0]), build.atom(node.arguments[1])
    divisor = _divisor(node)
    if divisor:
        bounds = (0, divisor - 1) if divisor > 0 else (divisor + 1, 0)
        return _strict(_binary(ast.Mod(), a, b), a, b, bounds=bounds)
    code = ast.IfExp(b.code, _binary(ast.Mod(), a, b), number(None))
    return _strict(code, a, b, bounds=INT64, none=True)


def _divisor(node: Node) -> int | None:
    """Return an integer division's divisor when it is a constant."""
    divisor = node.arguments[1]
    value = divisor.constants[0] if divisor.operator == "constant" else None
    return value if isinstance(value, int) else None


def _compare(operator: ast.cmpop) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        a, b = (build.of(argument) for argument in node.arguments)
        # Python compares an integer with a float exactly; the semantics compare floats.
        a = a if a.whole and not b.whole and within(_known(a), _SAFE) else build.settled(a)
        b = b if b.whole and not a.whole and within(_known(b), _SAFE) else build.settled(b)
        return _strict(ast.Compare(a.code, [operator], [b.code]), a, b)

    return lowering


def _and(build: Builder, node: Node) -> Piece:
    a, b = (build.atom(argument) for argument in node.arguments)
    if not a.nullable and not b.nullable:
        return _strict(ast.BoolOp(ast.And(), [a.code, b.code]), a, b)
    # a true → b; a false → false; a null → false if b is, else null
    otherwise = ast.IfExp(_is(b, False), number(False), number(None)) if a.nullable else number(False)
    rest = ast.IfExp(_is(a, False), number(False), otherwise) if a.nullable else number(False)
    return _loose(ast.IfExp(a.code, b.code, rest), a, b)


def _or(build: Builder, node: Node) -> Piece:
    a, b = (build.atom(argument) for argument in node.arguments)
    if not a.nullable and not b.nullable:
        return _strict(ast.BoolOp(ast.Or(), [a.code, b.code]), a, b)
    # a true → true; a false → b; a null → true if b is, else null
    otherwise = ast.IfExp(_is(a, False), b.code, ast.IfExp(b.code, number(True), number(None)))
    return _loose(ast.IfExp(a.code, number(True), otherwise if a.nullable else b.code), a, b)


def _is(piece: Piece, value: bool | None) -> ast.expr:
    return ast.Compare(piece.code, [ast.Is()], [number(value)])


def _loose(code: ast.expr, *operands: Piece, bounds: Bounds | None = None) -> Piece:
    """Return a piece whose code deals with None itself."""
    none = any(operand.nullable for operand in operands)
    return Piece(code, may_be_none=none, bounds=bounds, depth=2 + max(operand.depth for operand in operands))


def _not(build: Builder, node: Node) -> Piece:
    x = build.of(node.arguments[0])
    return _strict(ast.UnaryOp(ast.Not(), x.code), x)


def _if(build: Builder, node: Node) -> Piece:
    condition = build.plain(node.arguments[0])
    test = guarded(condition)  # None counts as not true, as in Python
    a, b = (build.plain(argument) for argument in node.arguments[1:])
    bounds = _either(a, b, node.type)
    code = ast.IfExp(test, guarded(a), guarded(b))
    none = a.nullable or b.nullable
    depth = 2 + max(condition.depth, a.depth, b.depth)
    return Piece(code, may_be_none=none, bounds=bounds, depth=depth)


def _either(a: Piece, b: Piece, kind: str) -> Bounds | None:
    if kind not in ("int", "time", "duration"):
        return None
    found = [piece.bounds for piece in (a, b) if piece.bounds is not None]
    return (min(low for low, _ in found), max(high for _, high in found)) if found else INT64


def _or_else(build: Builder, node: Node) -> Piece:
    a, b = build.atom(node.arguments[0]), build.plain(node.arguments[1])
    if not a.nullable:
        return a
    test = ast.Compare(a.code, [ast.IsNot()], [number(None)])
    bounds = _either(a, b, node.type)
    code = ast.IfExp(test, a.code, guarded(b))
    return Piece(code, may_be_none=b.nullable, bounds=bounds, depth=2 + b.depth)


def _if_value(build: Builder, node: Node) -> Piece:
    x, value = (build.plain(argument) for argument in node.arguments)
    return replace(value, nulls=x.nulls, atom=False)


def _is_null(build: Builder, node: Node) -> Piece:
    x = build.atom(node.arguments[0])
    return Piece(_is(x, None) if x.nullable else number(False), depth=1)


def _extreme(operator: ast.cmpop) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        a, b = (build.atom(argument) for argument in node.arguments)
        test: ast.expr = ast.Compare(a.code, [operator], [b.code])
        if node.type == "float" and not isinstance(a.code, ast.Constant):
            test = ast.BoolOp(ast.Or(), [test, ast.Compare(a.code, [ast.NotEq()], [a.code])])
        bounds = None if node.type == "float" else _either(a, b, node.type)
        return _strict(ast.IfExp(test, a.code, b.code), a, b, bounds=bounds)

    return lowering


def _is_in(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    members = build.shared(frozenset(node.constants))
    return _strict(ast.Compare(x.code, [ast.In()], [members]), x)


def _round(build: Builder, node: Node) -> Piece:
    x, places = build.plain(node.arguments[0]), node.constants[0]
    assert isinstance(places, int)  # the operator table lets nothing else through
    return _strict(invoke("round_half_even", x.code, number(10.0**places)), x)


def _helper(name: str, *, none: bool = False, bounds: Bounds | None = None) -> Lowering:
    """A call of a helper with the operands, then the constants."""

    def lowering(build: Builder, node: Node) -> Piece:
        operands = [build.plain(argument) for argument in node.arguments]
        code = invoke(name, *(operand.code for operand in operands), *map(number, node.constants))
        return _strict(code, *operands, none=none, bounds=bounds)

    return lowering


def _method(name: str, *arguments: str) -> Lowering:
    """A call of a method of text with the constants, or the given arguments."""

    def lowering(build: Builder, node: Node) -> Piece:
        x = build.plain(node.arguments[0])
        code = ast.Call(
            ast.Attribute(x.code, name, ast.Load()), [number(v) for v in arguments or node.constants], []
        )
        return _strict(code, x)

    return lowering


def _sqrt(build: Builder, node: Node) -> Piece:
    x = build.atom(node.arguments[0])
    test = ast.Compare(x.code, [ast.GtE()], [number(0.0)])
    return _strict(ast.IfExp(test, invoke("sqrt", x.code), build.shared(float("nan"))), x)


def _to_float(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    return replace(x, whole=True, bounds=_known(x), atom=False)


def _choice(true: ConstantValue, false: ConstantValue, bounds: Bounds | None = None) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        x = build.plain(node.arguments[0])
        return _strict(ast.IfExp(x.code, number(true), number(false)), x, bounds=bounds)

    return lowering


def _not_zero(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    return _strict(ast.Compare(x.code, [ast.NotEq()], [number(0)]), x)


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
    return _strict(ast.Call(get, [x.code, number(default)], []), x, none=default is None, bounds=bounds)


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
    return _strict(ast.IfExp(inside, local, number(None)), instant, none=True, bounds=(EARLIEST, LATEST))


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
        return _strict(code, local, bounds=(first, first + length - 1))

    return lowering


def _date(build: Builder, node: Node) -> Piece:
    local = build.plain(node.arguments[0])
    days = ast.BinOp(local.code, ast.FloorDiv(), number(DAY))
    return _strict(invoke("date_of", ast.BinOp(days, ast.Add(), number(_EPOCH_DAY))), local)


def _attribute(name: str, bounds: Bounds) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        day = build.of(node.arguments[0])
        return _strict(ast.Attribute(day.code, name, ast.Load()), day, bounds=bounds)

    return lowering


def _total(build: Builder, node: Node) -> Piece:
    span = build.atom(node.arguments[0])
    unit = node.constants[0]
    assert isinstance(unit, int)  # the binder puts a span there
    down = ast.BinOp(span.code, ast.FloorDiv(), number(unit))
    up = ast.UnaryOp(ast.USub(), ast.BinOp(ast.UnaryOp(ast.USub(), span.code), ast.FloorDiv(), number(unit)))
    low, high = _known(span)
    code = ast.IfExp(ast.Compare(span.code, [ast.GtE()], [number(0)]), down, up)
    return _strict(code, span, bounds=(min(-(-low // unit), 0), max(high // unit, 0)))


def _concat(build: Builder, node: Node) -> Piece:
    a, b = (build.plain(argument) for argument in node.arguments)
    return _strict(_binary(ast.Add(), a, b), a, b)


def _slice(build: Builder, node: Node) -> Piece:
    offset, length = node.constants
    assert isinstance(offset, int)  # the operator table lets nothing else through
    if offset < 0:
        return _helper("part")(build, node)
    x = build.plain(node.arguments[0])
    end = None if not isinstance(length, int) else number(offset + length)
    return _strict(ast.Subscript(x.code, ast.Slice(number(offset), end), ast.Load()), x)


def _contains(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    return _strict(ast.Compare(number(node.constants[0]), [ast.In()], [x.code]), x)


LOWERINGS: dict[str, Lowering] = {
    "constant": _constant,
    "add": _ring(ast.Add(), _sums),
    "sub": _ring(ast.Sub(), _differences),
    "mul": _ring(ast.Mult(), _products),
    "div": _div,
    "floordiv": _floordiv,
    "mod": _mod,
    "power": _helper("power"),
    "if_value": _if_value,
    "neg": _neg,
    "abs": _abs,
    "eq": _compare(ast.Eq()),
    "ne": _compare(ast.NotEq()),
    "lt": _compare(ast.Lt()),
    "le": _compare(ast.LtE()),
    "gt": _compare(ast.Gt()),
    "ge": _compare(ast.GtE()),
    "and": _and,
    "or": _or,
    "not": _not,
    "if": _if,
    "or_else": _or_else,
    "minimum": _extreme(ast.LtE()),
    "maximum": _extreme(ast.GtE()),
    "is_null": _is_null,
    "is_in": _is_in,
    "round": _round,
    **{name: _helper(name) for name in ("floor", "ceil", "log", "log1p", "exp", "sin", "cos")},
    "sqrt": _sqrt,
    "to_float": _to_float,
    "bool_to_float": _choice(1.0, 0.0),
    "bool_to_int": _choice(1, 0, (0, 1)),
    "bool_to_text": _choice("true", "false"),
    "as_int": _same,
    "in_zone": _same,
    "truncate": _helper("truncate", none=True, bounds=INT64),
    "not_zero": _not_zero,
    "parse_float": _helper("parse_float", none=True),
    "parse_int": _helper("parse_int", none=True, bounds=INT64),
    "parse_bool": _helper("parse_bool", none=True),
    "int_to_text": _helper("str"),
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
    "ordinal_day": _helper("ordinal_day", bounds=(1, 366)),
    "total": _total,
    "concat": _concat,
    "lower": _method("lower"),
    "upper": _method("upper"),
    "strip": _method("strip", " \t\n\r\x0b\x0c"),
    "length": _helper("len", bounds=(0, 2**62)),
    "slice": _slice,
    "starts_with": _method("startswith"),
    "ends_with": _method("endswith"),
    "contains": _contains,
}
"""One lowering per operation of the graph."""
