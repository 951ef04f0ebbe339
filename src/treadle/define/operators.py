"""The closed set of operators a row feature may use, and which arguments each takes.

This table is the whole language: the tracer makes only these, `from_json` accepts only these, the binder
types them and each lowering implements them. What they mean is in `treadle.stages.features.rows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

ConstantValue: TypeAlias = bool | int | float | str | None

CASTS = ("float", "int", "string", "bool")
PARTS = ("year", "month", "day", "hour", "minute", "second", "weekday", "ordinal_day")
TOTALS = ("total_days", "total_hours", "total_minutes", "total_seconds")


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: how it is written, how many arguments it takes, from which on they are constants."""

    form: str
    least: int
    most: int | None = None
    constants_from: int | None = None

    @property
    def count(self) -> str:
        """How many arguments, in words."""
        if self.most is None:
            return f"at least {self.least}"
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


def _binary(sign: str) -> Operator:
    return Operator(f"a {sign} b", 2, 2)


def _method(name: str, space: str = "") -> Operator:
    return Operator(f"x.{space}{name}()", 1, 1)


OPERATORS: dict[str, Operator] = {
    "add": _binary("+"),
    "sub": _binary("-"),
    "mul": _binary("*"),
    "div": _binary("/"),
    "floordiv": _binary("//"),
    "mod": _binary("%"),
    "power": Operator("x ** 2", 2, 2, 1),
    "neg": Operator("-x", 1, 1),
    "abs": Operator("abs(x)", 1, 1),
    "eq": _binary("=="),
    "ne": _binary("!="),
    "lt": _binary("<"),
    "le": _binary("<="),
    "gt": _binary(">"),
    "ge": _binary(">="),
    "and": _binary("&"),
    "or": _binary("|"),
    "not": Operator("~x", 1, 1),
    "when": Operator("tr.when(condition).then(a).otherwise(b)", 3),
    "coalesce": Operator("tr.coalesce(a, b, …)", 1),
    "minimum": Operator("tr.minimum(a, b)", 2, 2),
    "maximum": Operator("tr.maximum(a, b)", 2, 2),
    "is_null": _method("is_null"),
    "is_in": Operator("x.is_in([…])", 2, None, 1),
    "round": Operator("x.round(n)", 2, 2, 1),
    "floor": _method("floor"),
    "ceil": _method("ceil"),
    "sqrt": _method("sqrt"),
    "log": _method("log"),
    "log1p": _method("log1p"),
    "exp": _method("exp"),
    "sin": _method("sin"),
    "cos": _method("cos"),
    "cast": Operator('x.cast("int")', 2, 2, 1),
    "lookup": Operator("x.lookup({…}, default=None)", 4, None, 1),
    "convert_time_zone": Operator('x.dt.convert_time_zone("Europe/Paris")', 2, 2, 1),
    **{part: _method(part, "dt.") for part in (*PARTS, *TOTALS)},
    "lower": _method("lower", "str."),
    "upper": _method("upper", "str."),
    "strip": _method("strip", "str."),
    "length": _method("length", "str."),
    "slice": Operator("x.str.slice(offset, length)", 3, 3, 1),
    "starts_with": Operator('x.str.starts_with("a")', 2, 2, 1),
    "ends_with": Operator('x.str.ends_with("a")', 2, 2, 1),
    "contains": Operator('x.str.contains("a")', 2, 2, 1),
}


def argument_fault(operator: str, kinds: Sequence[str | None], values: Sequence[ConstantValue]) -> str | None:
    """Return why an operator can't take these arguments, or None when it can.

    Args:
        operator: its name in `OPERATORS`.
        kinds: for each argument, its constant type, or None when it is not a constant.
        values: for each argument, its value when it is a constant.
    """
    known = OPERATORS.get(operator)
    if known is None:
        return f"there is no such operator; operators are {', '.join(OPERATORS)}"
    if len(kinds) < known.least or (known.most is not None and len(kinds) > known.most):
        return f"takes {known.count} arguments, written {known.form}; got {len(kinds)}"
    if all(kind is not None for kind in kinds):
        return "every argument is a constant; a row feature computes from its parameters"
    if operator == "when" and len(kinds) % 2 == 0:
        return "ends with .otherwise(value)"
    start = known.constants_from
    if start is not None:
        if kinds[0] is not None:
            return f"applies to a column, written {known.form}"
        if any(kind is None for kind in kinds[start:]):
            return f"needs constants, written {known.form}"
        check = _CHECKS.get(operator)
        return check([k or "" for k in kinds[start:]], values[start:]) if check else None
    return None


_Check: TypeAlias = Callable[[Sequence[str], Sequence[ConstantValue]], str | None]


def _check_power(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    (exponent,) = values
    if (
        kinds[0] not in ("int", "float")
        or not isinstance(exponent, int | float)
        or not math.isfinite(exponent)
    ):
        return "the exponent is a number"
    if exponent == int(exponent) and not -16 <= exponent <= 16:
        return f"a whole exponent lies between -16 and 16, got {exponent}; write (x.log() * {exponent}).exp()"
    return None


def _check_round(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    (places,) = values
    if kinds[0] != "int" or not isinstance(places, int) or not 0 <= places <= 15:
        return f"decimal places lie between 0 and 15, got {places!r}"
    return None


def _check_cast(_kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    return None if values[0] in CASTS else f"casts go to {', '.join(CASTS)}, got {values[0]!r}"


def _check_zone(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    from zoneinfo import ZoneInfo, available_timezones

    (zone,) = values
    try:
        ZoneInfo(str(zone))
    except (KeyError, ValueError, OSError):  # unknown; not a name; a folder of zones
        import difflib

        near = difflib.get_close_matches(str(zone), sorted(available_timezones()), n=3, cutoff=0.6)
        hint = (
            f"; did you mean {' or '.join(map(repr, near))}?" if near else "; names look like 'Europe/Paris'"
        )
        return f"there is no time zone {zone!r}{hint}"
    return None if kinds[0] == "string" else "a time zone is a name such as 'Europe/Paris'"


def _check_members(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    if not {"int", "float"} >= set(kinds) and len(set(kinds)) > 1:
        return f"the values have several types: {', '.join(sorted(set(kinds)))}"
    if kinds[0] not in ("int", "float", "string", "bool"):
        return f"the values are {kinds[0]}; compare those with == or .is_null()"
    if any(isinstance(value, float) and math.isnan(value) for value in values):
        return "NaN equals nothing, so it can't be a member"
    return None


def _check_lookup(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    keys, found = set(kinds[1::2]), set(kinds[2::2])
    if len(kinds) % 2 == 0:
        return "every key has one value"
    if len(keys) > 1 or not keys <= {"string", "int", "bool"}:
        return f"keys are all text, all integers or all booleans; got {', '.join(sorted(keys))}"
    if not (found <= {"int", "float"} or (len(found) == 1 and found <= {"string", "bool"})):
        return f"values are all numbers, all text or all booleans; got {', '.join(sorted(found))}"
    if len(set(values[1::2])) < len(values[1::2]):
        return "a key stands twice"
    return None


def _check_slice(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    offset, length = values
    if kinds[0] != "int" or not isinstance(offset, int) or abs(offset) > 2**31:
        return f"the offset is a whole number, got {offset!r}"
    if length is not None and (kinds[1] != "int" or not isinstance(length, int) or not 0 <= length <= 2**31):
        return f"the length is a whole number of characters or None, got {length!r}"
    return None


def _check_text(kinds: Sequence[str], values: Sequence[ConstantValue]) -> str | None:
    return None if kinds[0] == "string" else f"looks for text, got {values[0]!r}"


_CHECKS: dict[str, _Check] = {
    "power": _check_power,
    "round": _check_round,
    "cast": _check_cast,
    "convert_time_zone": _check_zone,
    "is_in": _check_members,
    "lookup": _check_lookup,
    "slice": _check_slice,
    "starts_with": _check_text,
    "ends_with": _check_text,
    "contains": _check_text,
}
