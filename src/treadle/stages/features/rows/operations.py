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
from treadle.stages.features.rows.conversions import CONVERSIONS
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
    number,
    strict,
    within,
)

# Exact integers of the ring operations grow unwrapped up to this size; then they are wrapped.
_LARGEST = (-(2**256), 2**256)

# Up to here an integer and its float are the same number.
_SAFE = (-(2**53), 2**53)


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
            return strict(_binary(operator, a, b), a, b)
        bounds = reach(known(a), known(b))
        if not within(bounds, _LARGEST):
            a, b = build.settled(a), build.settled(b)
            bounds = reach(known(a), known(b))
        return strict(_binary(operator, a, b), a, b, bounds=bounds)

    return lowering


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
        return strict(ast.UnaryOp(ast.USub(), x.code), x)
    low, high = known(x)
    return strict(ast.UnaryOp(ast.USub(), x.code), x, bounds=(-high, -low))


def _abs(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    if node.type == "float":
        return strict(invoke("abs", x.code), x)
    low, high = known(x)
    return strict(invoke("abs", x.code), x, bounds=(0, max(abs(low), abs(high))))


def _div(build: Builder, node: Node) -> Piece:
    a, b = (build.of(argument) for argument in node.arguments)
    # Integers that floats hold exactly divide as floats would; larger ones would be rounded once too few.
    if a.whole and not within(known(a), _SAFE):
        a = build.settled(a)
    if b.whole and not within(known(b), _SAFE):
        b = build.settled(b)
    if isinstance(b.code, ast.Constant) and b.code.value:
        return strict(_binary(ast.Div(), a, b), a, b)
    a, b = _held(build, a), _held(build, b)
    code = ast.IfExp(b.code, _binary(ast.Div(), a, b), invoke("divide", a.code, b.code))
    return strict(code, a, b)


def _held(build: Builder, piece: Piece) -> Piece:
    """Return a piece that may be written down twice; an integer beside a float may stay one."""
    if piece.whole:
        return replace(build.variable(replace(piece, whole=False)), whole=True)
    return build.variable(piece)


def _floordiv(build: Builder, node: Node) -> Piece:
    if node.type == "float":
        return helper("floor_divide")(build, node)
    a, b = build.plain(node.arguments[0]), build.atom(node.arguments[1])
    low, high = known(a)
    divisor = _divisor(node)
    if divisor:
        corners = (low // divisor, high // divisor)
        return strict(_binary(ast.FloorDiv(), a, b), a, b, bounds=(min(corners), max(corners)))
    span = max(abs(low), abs(high))
    quotient = build.settled(strict(_binary(ast.FloorDiv(), a, b), a, b, bounds=(-span - 1, span)))
    code = ast.IfExp(b.code, quotient.code, number(None))
    return strict(code, a, b, bounds=INT64, none=True)


def _mod(build: Builder, node: Node) -> Piece:
    if node.type == "float":
        return helper("modulo")(build, node)
    a, b = build.plain(node.arguments[0]), build.atom(node.arguments[1])
    divisor = _divisor(node)
    if divisor:
        bounds = (0, divisor - 1) if divisor > 0 else (divisor + 1, 0)
        return strict(_binary(ast.Mod(), a, b), a, b, bounds=bounds)
    code = ast.IfExp(b.code, _binary(ast.Mod(), a, b), number(None))
    return strict(code, a, b, bounds=INT64, none=True)


def _divisor(node: Node) -> int | None:
    """Return an integer division's divisor when it is a constant."""
    divisor = node.arguments[1]
    value = divisor.constants[0] if divisor.operator == "constant" else None
    return value if isinstance(value, int) else None


def _compare(operator: ast.cmpop) -> Lowering:
    def lowering(build: Builder, node: Node) -> Piece:
        a, b = (build.of(argument) for argument in node.arguments)
        # Python compares an integer with a float exactly; the semantics compare floats.
        a = a if a.whole and not b.whole and within(known(a), _SAFE) else build.settled(a)
        b = b if b.whole and not a.whole and within(known(b), _SAFE) else build.settled(b)
        return strict(ast.Compare(a.code, [operator], [b.code]), a, b)

    return lowering


def _and(build: Builder, node: Node) -> Piece:
    a, b = (build.atom(argument) for argument in node.arguments)
    if not a.nullable and not b.nullable:
        return strict(ast.BoolOp(ast.And(), [a.code, b.code]), a, b)
    # a true → b; a false → false; a null → false if b is, else null
    otherwise = ast.IfExp(_is(b, False), number(False), number(None)) if a.nullable else number(False)
    rest = ast.IfExp(_is(a, False), number(False), otherwise) if a.nullable else number(False)
    return _loose(ast.IfExp(a.code, b.code, rest), a, b)


def _or(build: Builder, node: Node) -> Piece:
    a, b = (build.atom(argument) for argument in node.arguments)
    if not a.nullable and not b.nullable:
        return strict(ast.BoolOp(ast.Or(), [a.code, b.code]), a, b)
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
    return strict(ast.UnaryOp(ast.Not(), x.code), x)


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
        return strict(ast.IfExp(test, a.code, b.code), a, b, bounds=bounds)

    return lowering


def _is_in(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    members = build.shared(frozenset(node.constants))
    return strict(ast.Compare(x.code, [ast.In()], [members]), x)


def _round(build: Builder, node: Node) -> Piece:
    x, places = build.plain(node.arguments[0]), node.constants[0]
    assert isinstance(places, int)  # the operator table lets nothing else through
    return strict(invoke("round_half_even", x.code, number(10.0**places)), x)


def _sqrt(build: Builder, node: Node) -> Piece:
    x = build.atom(node.arguments[0])
    test = ast.Compare(x.code, [ast.GtE()], [number(0.0)])
    return strict(ast.IfExp(test, invoke("sqrt", x.code), build.shared(float("nan"))), x)


def _to_float(build: Builder, node: Node) -> Piece:
    x = build.plain(node.arguments[0])
    return replace(x, whole=True, bounds=known(x), atom=False)


LOWERINGS: dict[str, Lowering] = {
    "constant": _constant,
    "add": _ring(ast.Add(), _sums),
    "sub": _ring(ast.Sub(), _differences),
    "mul": _ring(ast.Mult(), _products),
    "div": _div,
    "floordiv": _floordiv,
    "mod": _mod,
    "power": helper("power"),
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
    **{name: helper(name) for name in ("floor", "ceil", "log", "log1p", "exp", "sin", "cos")},
    "sqrt": _sqrt,
    "to_float": _to_float,
    **CONVERSIONS,
}
"""One lowering per operation of the graph."""
