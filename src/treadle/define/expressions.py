"""Expressions of row features: small trees of fields, constants and calls of a closed set of operators.

A tree is a value: it compares, hashes, has one JSON form and one digest, and can execute nothing. What the
operators mean is written in `treadle.stages.features.rows`; which there are, in `treadle.define.operators`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from treadle.define.operators import OPERATORS, ConstantValue, argument_fault
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.errors import InvalidInput
from treadle.records.instants import instant

LARGEST = 2_000
"""Most nodes one expression may have, shared parts counted each time they are used."""

DEEPEST = 100
"""Most calls one inside another."""

CONSTANT_TYPES = ("null", "bool", "int", "float", "string", "duration", "time")

_INT64 = (-(2**63), 2**63 - 1)


@dataclass(frozen=True, slots=True)
class Field:
    """The value of a request field, of the prediction time `at`, or of another feature."""

    name: str
    size: int = field(default=1, init=False, repr=False, compare=False)
    depth: int = field(default=0, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known when the feature was defined; times and durations are integers of microseconds."""

    type: str
    value: ConstantValue
    size: int = field(default=1, init=False, repr=False, compare=False)
    depth: int = field(default=0, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """An operator applied to expressions. Make it with `call`, which checks it."""

    operator: str
    arguments: tuple[Expression, ...]
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", 1 + sum(argument.size for argument in self.arguments))
        object.__setattr__(self, "depth", 1 + max((argument.depth for argument in self.arguments), default=0))


@dataclass(frozen=True, slots=True)
class OpaqueCall(Call):
    """A Python function applied to values: what it does is not in the tree, only which code it is.

    Two are equal when name, type, code and arguments are. It has a JSON form, but none can be built from JSON.
    """

    name: str
    returns: str
    source: Digest
    function: Callable[..., object] = field(compare=False, repr=False)


Expression: TypeAlias = Field | Constant | Call


def call(operator: str, *arguments: Expression) -> Call:
    """Apply an operator of the closed set.

    Raises:
        InvalidInput: the operator is unknown, an argument is not allowed, or the tree grew too large.
    """
    values = tuple(a.value if isinstance(a, Constant) else None for a in arguments)
    kinds = tuple(a.type if isinstance(a, Constant) else None for a in arguments)
    fault = argument_fault(operator, kinds, values)
    if fault:
        raise InvalidInput(f"{operator}: {fault}")
    made = Call(operator, arguments)
    if made.size > LARGEST or made.depth > DEEPEST:
        raise InvalidInput(
            f"the expression has {made.size} nodes, {made.depth} deep; {LARGEST} and {DEEPEST} are allowed",
            fix="split it into several row features: one may use another by naming it as a parameter",
        )
    return made


def constant(kind: str, value: ConstantValue) -> Constant:
    """Make a constant of a type.

    Raises:
        InvalidInput: the value is not of that type, has more than 64 bits, or is text UTF-8 cannot hold.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    fits = {
        "null": value is None,
        "bool": isinstance(value, bool),
        "int": whole,
        "duration": whole,
        "time": whole,
        "float": isinstance(value, float),
        "string": isinstance(value, str),
    }
    if not fits.get(kind, False):
        raise InvalidInput(
            f"{value!r} is not a constant of type {kind!r}; types are {', '.join(CONSTANT_TYPES)}"
        )
    if whole and isinstance(value, int) and not _INT64[0] <= value <= _INT64[1]:
        raise InvalidInput(f"{value} does not fit in 64 bits", fix="write it as a float, e.g. 1e20")
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidInput(f"{value!r} is not text that UTF-8 can hold")
    return Constant(kind, value)


def constant_of(value: object) -> Constant:
    """Make a constant of a Python value: a number, text, boolean, None, aware datetime or timedelta.

    Raises:
        InvalidInput: there is no such constant.
    """
    if value is None:
        return constant("null", None)
    if isinstance(value, bool):
        return constant("bool", value)
    if isinstance(value, numbers.Integral):
        return constant("int", int(value))
    if isinstance(value, numbers.Real):
        return constant("float", float(value))
    if isinstance(value, str):
        return constant("string", str(value))
    if isinstance(value, datetime):
        return constant("time", instant(value))
    if isinstance(value, timedelta):
        return constant("duration", value // timedelta(microseconds=1))
    unfinished = getattr(value, "unfinished", None)
    if unfinished:
        raise InvalidInput(str(unfinished), fix="finish it with .otherwise(value)")
    if callable(value):
        raise InvalidInput("a method was not called", fix="write its parentheses: x.dt.year()")
    raise InvalidInput(
        f"a {type(value).__name__} cannot be a constant of a row feature",
        fix="use numbers, text, booleans, None, aware datetimes and timedeltas",
    )


def fields(expression: Expression) -> tuple[str, ...]:
    """Return the names of the fields an expression reads, each once, in order of first use."""
    return tuple(dict.fromkeys(node.name for node in walk(expression) if isinstance(node, Field)))


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and everything in it, outermost first."""
    yield expression
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from walk(argument)


def as_json(expression: Expression) -> Json:
    """Return the one JSON form of an expression.

    A field is `{"field": name}`, a constant `{type: value}` (a float that is not finite as text), a call
    `{"call": operator, "arguments": [...]}`.
    """
    if isinstance(expression, Field):
        return {"field": expression.name}
    if isinstance(expression, Constant):
        value = expression.value
        return {
            expression.type: repr(value) if isinstance(value, float) and not math.isfinite(value) else value
        }
    found: dict[str, Json] = {
        "call": expression.operator,
        "arguments": [as_json(argument) for argument in expression.arguments],
    }
    if isinstance(expression, OpaqueCall):
        found["opaque"] = {
            "name": expression.name,
            "returns": expression.returns,
            "source": expression.source,
        }
    return found


def from_json(value: object) -> Expression:
    """Build an expression from its JSON form; only the closed set can come out.

    Raises:
        InvalidInput: the value is not an expression; the message says which part.
    """
    return _from_json(value, 0)


def _from_json(value: object, depth: int) -> Expression:
    if depth > DEEPEST:
        raise InvalidInput(f"the expression is more than {DEEPEST} calls deep")
    if isinstance(value, Mapping):
        if set(value) == {"call", "arguments"} and isinstance(value["arguments"], list):
            operator = value["call"]
            if not isinstance(operator, str) or operator not in OPERATORS:
                raise InvalidInput(
                    f"{operator!r} is no operator", fix=f"operators are {', '.join(OPERATORS)}"
                )
            return call(operator, *(_from_json(argument, depth + 1) for argument in value["arguments"]))
        if len(value) == 1:
            (kind, held), *_ = value.items()
            if kind == "field" and isinstance(held, str) and held:
                return Field(held)
            if kind == "float":
                return constant("float", _json_float(held))
            if kind in CONSTANT_TYPES and (held is None or isinstance(held, bool | int | str)):
                return constant(kind, held)
    raise InvalidInput(
        f"{str(value)[:80]!r} is not an expression",
        fix='write {"field": name}, {type: value} or {"call": operator, "arguments": [...]}',
    )


def _json_float(value: object) -> float:
    if value in ("nan", "inf", "-inf"):
        return float(str(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise InvalidInput(f"{value!r} is not a float constant")


def digest(expression: Expression) -> Digest:
    """Return the content address of an expression: equal trees, and only those, have equal digests."""
    return digest_value(as_json(expression))


_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%", "power": "**",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|",
}  # fmt: skip


def text(expression: Expression) -> str:
    """Return an expression much as a person would write it, for messages."""
    if isinstance(expression, Field):
        return expression.name
    if isinstance(expression, Constant):
        return repr(expression.value)
    if isinstance(expression, OpaqueCall):
        return f"{expression.name}({', '.join(map(text, expression.arguments))})"
    parts = [text(a) if a.depth == 0 or not _is_infix(a) else f"({text(a)})" for a in expression.arguments]
    if expression.operator in _INFIX:
        return f" {_INFIX[expression.operator]} ".join(parts)
    if expression.operator in ("neg", "not"):
        return ("-" if expression.operator == "neg" else "~") + parts[0]
    if OPERATORS[expression.operator].form.startswith("tr."):
        return f"tr.{expression.operator}({', '.join(parts)})"
    space = next((s for s in ("dt.", "str.") if f".{s}" in OPERATORS[expression.operator].form), "")
    return f"{parts[0]}.{space}{expression.operator}({', '.join(parts[1:])})"


def _is_infix(expression: Expression) -> bool:
    return isinstance(expression, Call) and expression.operator in _INFIX
