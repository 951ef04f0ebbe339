"""Row rules as text: `arrival > departure` becomes an expression of the closed set of operators.

The text is parsed, never executed: Python's grammar gives a tree, and this module accepts the nodes it knows and turns
them into the operators of row features. On top of what a row feature may write it knows `and`, `or`, `not`, `in`,
`is None` and chained comparisons, and the functions `when(condition, value, ..., otherwise)`, `coalesce`, `minimum`,
`maximum`, `time("2013-01-01T00:00Z")`, `duration("90m")`, and `col("a name")` for a column whose name is no word.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from treadle.define.columns import Column, Texts, Times, apply, parameter, traced
from treadle.define.expressions import Expression
from treadle.records.errors import InvalidInput
from treadle.records.instants import duration, instant, to_datetime

LONGEST = 2_000
"""Most characters of a rule."""

_BINARY: dict[type[ast.operator], Callable[[object, object], object]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
}
_COMPARE: dict[
    type[ast.cmpop], Callable[[Any, Any], object]
] = {  # Any: what compares is known when it is called
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_METHODS = frozenset(name for name in vars(Column) if not name.startswith("_")) - {"dt", "str"}
_SPACES = {
    "dt": frozenset(name for name in vars(Times) if not name.startswith("_")),
    "str": frozenset(name for name in vars(Texts) if not name.startswith("_")),
}


def parse_rule(text: str) -> Expression:
    """Return the expression a rule says.

    Raises:
        InvalidInput: the text is no expression, or says something outside the closed set; the message quotes the part.
    """
    if len(text) > LONGEST:
        raise InvalidInput(f"the rule has {len(text):,} characters; {LONGEST:,} are allowed")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise InvalidInput(f"{_cut(text)!r} is no expression: {said}") from None
    try:
        value = _Reader(text.strip()).read(tree.body)
    except RecursionError:
        raise InvalidInput("the rule is nested too deeply", fix="split it into several rules") from None
    expression = traced(value)
    if expression is None:
        raise InvalidInput(f"{_cut(text)!r} reads no column")
    return expression


class _Reader:
    """Turns the nodes of one rule's tree into columns and constants."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, node: ast.AST) -> object:
        """Return the column or constant that a node says."""
        try:
            return self._read(node)
        except InvalidInput as error:
            if error.where == "the rule":
                raise
            # Where a row feature is traced the person's line of Python is named; here the part of the rule is.
            raise InvalidInput(
                f"`{_cut(self._part(node))}`: {error.what}", where="the rule", fix=error.fix
            ) from None
        except (TypeError, ValueError, ZeroDivisionError, OverflowError) as error:
            raise InvalidInput(f"`{_cut(self._part(node))}`: {error}", where="the rule") from None

    def _read(self, node: ast.AST) -> object:
        match node:
            case ast.Name(id=name):
                return parameter(name)
            case ast.Constant(value=bool() | int() | float() | str() | None):
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._negated(operand)
            case ast.UnaryOp(op=ast.Invert() | ast.Not(), operand=operand):
                return apply("not", self.read(operand))
            case ast.BoolOp(op=op, values=values):
                return self._joined("and" if isinstance(op, ast.And) else "or", values)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._binary(op, left, right)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._compared(left, ops, others)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._function(name, args)
            case ast.Call(func=ast.Attribute(value=owner, attr=name), args=args, keywords=keywords):
                return self._method(node, owner, name, args, keywords)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._plain(item) for item in items]
            case ast.Dict(keys=keys, values=values) if all(key is not None for key in keys):
                plain = [self._plain(key) for key in keys if key is not None]
                return dict(zip(plain, [self._plain(value) for value in values], strict=True))
        raise InvalidInput("rules are made of columns, constants, operators and methods of columns")

    def _negated(self, operand: ast.expr) -> object:
        value = self.read(operand)
        if not isinstance(value, Column | int | float | timedelta):
            raise InvalidInput("only columns and numbers have a negative")
        return -value

    def _binary(self, op: ast.operator, left: ast.AST, right: ast.AST) -> object:
        sides = self.read(left), self.read(right)
        if not any(isinstance(side, Column) for side in sides) and isinstance(op, ast.Pow | ast.Mult):
            # 9 ** 9 ** 9 and "x" * 10**9 would be computed here, however large they get.
            raise InvalidInput("constants alone are not multiplied: write the product")
        return _BINARY[type(op)](*sides)

    def _joined(self, name: str, values: list[ast.expr]) -> object:
        joined = self.read(values[0])
        for value in values[1:]:
            joined = apply(name, joined, self.read(value))
        return joined

    def _compared(self, left: ast.expr, ops: list[ast.cmpop], others: list[ast.expr]) -> object:
        found = []
        for op, other in zip(ops, others, strict=True):
            found.append(self._comparison(left, op, other))
            left = other
        joined = found[0]
        for part in found[1:]:
            joined = apply("and", joined, part)
        return joined

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> object:
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise InvalidInput("`is` asks for None alone", fix="write == to compare")
            empty = apply("is_null", self.read(left))
            return empty if isinstance(op, ast.Is) else apply("not", empty)
        if isinstance(op, ast.In | ast.NotIn):
            members = self.read(right)
            if not isinstance(members, list) or not members:
                raise InvalidInput("`in` takes a list of constants", fix='write carrier in ["AA", "UA"]')
            inside = apply("is_in", self.read(left), *members)
            return inside if isinstance(op, ast.In) else apply("not", inside)
        sides = self.read(left), self.read(right)
        if not any(isinstance(side, Column) for side in sides):
            raise InvalidInput("it compares constants: one side must be a column")
        return _COMPARE[type(op)](*sides)

    def _function(self, name: str, args: list[ast.expr]) -> object:
        values = [self.read(arg) for arg in args]
        match name, values:
            case ("time", [str(text)]):
                return to_datetime(instant(text))
            case ("duration", [str(text)]):
                return timedelta(microseconds=duration(text))
            case ("col", [str(text)]):
                return parameter(text)
            case ("abs", [Column() as column]):
                return abs(column)
            case ("when" | "coalesce" | "minimum" | "maximum", _):
                return apply(name, *values)
        raise InvalidInput(
            f"there is no function {name}() with such arguments",
            fix='functions are when, coalesce, minimum, maximum, abs, col("..."), time("...") and duration("...")',
        )

    def _method(
        self,
        node: ast.AST,
        owner: ast.expr,
        name: str,
        args: list[ast.expr],
        keywords: list[ast.keyword],
    ) -> object:
        if isinstance(owner, ast.Name) and owner.id == "tr":  # as in Python: tr.when(...)
            return self._function(name, args)
        given = [self.read(arg) for arg in args]
        named = {word.arg: self._plain(word.value) for word in keywords if word.arg is not None}
        if isinstance(owner, ast.Attribute) and owner.attr in _SPACES and name in _SPACES[owner.attr]:
            target: object = getattr(self._column(owner.value), owner.attr)
        elif name in _METHODS:
            target = self._column(owner)
        else:
            known = ", ".join(sorted(_METHODS))
            raise InvalidInput(f"a column has no method {name}()", fix=f"methods are {known}, dt. and str.")
        method: Callable[..., object] = getattr(target, name)
        return method(*given, **named)

    def _column(self, node: ast.expr) -> Column:
        value = self.read(node)
        if not isinstance(value, Column):
            raise InvalidInput(f"`{_cut(self._part(node))}` is no column, so it has no methods")
        return value

    def _plain(self, node: ast.expr) -> object:
        value = self.read(node)
        if isinstance(value, Column | list | dict):
            raise InvalidInput(f"`{_cut(self._part(node))}` is no constant")
        return value

    def _part(self, node: ast.AST) -> str:
        return (ast.get_source_segment(self.text, node) if isinstance(node, ast.expr) else None) or self.text


def _cut(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
