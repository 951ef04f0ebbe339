"""How each operation of the graph is written in Narwhals, for any engine; `narwhals` runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import narwhals.stable.v2 as nw

from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND
from treadle.stages.features.rows.zones import EARLIEST, LATEST, offsets_of

MOST_MEMBERS = 5_000
"""Most entries of `lookup` and members of `is_in`: each is one comparison in the query."""

_MAX, _MIN = 2**63 - 1, -(2**63)
_WHOLE = 2.0**52
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_NUMBER = r"^[+-]?0*[0-9]{1,19}$"

DTYPES: dict[str, nw.dtypes.DType] = {
    "float": nw.Float64(),
    "int": nw.Int64(),
    "string": nw.String(),
    "bool": nw.Boolean(),
    "time": nw.Int64(),
    "duration": nw.Int64(),
}
"""The type of each type of a row feature: instants and durations are integers of microseconds."""


def literal(value: ConstantValue, kind: str) -> nw.Expr:
    """Return a constant of a type."""
    return nw.lit(value, dtype=DTYPES[kind])


def spread(value: nw.Expr, over: nw.Expr) -> nw.Expr:
    """Return a single float as a full column, as long as another."""
    ones = over.is_null().cast(nw.Int64).cast(nw.Float64) * nw.lit(0.0) + nw.lit(1.0)
    return ones * value


def _wide(x: nw.Expr) -> nw.Expr:
    return x.cast(nw.Int128)


def _int(value: int) -> nw.Expr:
    return nw.lit(value, dtype=nw.Int64)


def _huge(value: int) -> nw.Expr:
    return nw.lit(value, dtype=nw.Int128)


def _wrapped(exact: nw.Expr) -> nw.Expr:
    """Fold 128 bits back to 64, as two's complement does."""
    rest = exact % _huge(2**64)
    return nw.when(rest > _huge(_MAX)).then(rest - _huge(2**64)).otherwise(rest).cast(nw.Int64)


def _ring(apply: Callable[[nw.Expr, nw.Expr], nw.Expr]) -> Lowering:
    def lowering(node: Node, a: nw.Expr, b: nw.Expr) -> nw.Expr:
        return apply(a, b) if node.type == "float" else _wrapped(apply(_wide(a), _wide(b)))

    return lowering


def _neg(node: Node, x: nw.Expr) -> nw.Expr:
    return x * nw.lit(-1.0) if node.type == "float" else _wrapped(_huge(0) - _wide(x))


def _abs(node: Node, x: nw.Expr) -> nw.Expr:
    if node.type == "float":
        return x.abs()
    return nw.when(x < 0).then(_neg(node, x)).otherwise(x)


def _floordiv(node: Node, a: nw.Expr, b: nw.Expr) -> nw.Expr:
    if node.type == "float":
        return (a / b).floor()
    divisor = _wide(nw.when(b == 0).then(_int(1)).otherwise(b))
    whole = _wide(a) - _wide(a) % divisor
    return nw.when(b != 0).then(_wrapped(whole // divisor))


def _mod(node: Node, a: nw.Expr, b: nw.Expr) -> nw.Expr:
    if node.type == "float":
        return a - b * (a / b).floor()
    divisor = _wide(nw.when(b == 0).then(_int(1)).otherwise(b))
    return nw.when(b != 0).then((_wide(a) % divisor).cast(nw.Int64))


def _compare(operator: str) -> Lowering:
    apply: Callable[[nw.Expr, nw.Expr], nw.Expr] = getattr(nw.Expr, operator)

    def lowering(node: Node, a: nw.Expr, b: nw.Expr) -> nw.Expr:
        found = apply(a, b)
        if node.arguments[0].type != "float":
            return found
        # Engines order NaN above all and equal to itself; IEEE has it unordered. A null operand stays null.
        unordered = a.is_nan() | b.is_nan()
        given = ~(a.is_null() | b.is_null())
        return nw.when(given).then(nw.when(unordered).then(nw.lit(operator == "__ne__")).otherwise(found))

    return lowering


def _extreme(operator: str) -> Lowering:
    apply: Callable[[nw.Expr, nw.Expr], nw.Expr] = getattr(nw.Expr, operator)

    def lowering(node: Node, a: nw.Expr, b: nw.Expr) -> nw.Expr:
        first = apply(a, b)
        if node.type == "float":
            first = a.is_nan() | (first & ~b.is_nan())
        return nw.when(~(a.is_null() | b.is_null())).then(nw.when(first).then(a).otherwise(b))

    return lowering


def _round(node: Node, x: nw.Expr) -> nw.Expr:
    places = node.constants[0]
    assert isinstance(places, int)  # the operator table lets nothing else through
    scale = 10.0**places
    scaled = x * nw.lit(scale)
    size = scaled.abs()
    # Adding 2**52 leaves no bits for a fraction: the addition itself rounds, halves to even.
    whole = nw.when(size < _WHOLE).then((size + nw.lit(_WHOLE)) - nw.lit(_WHOLE)).otherwise(size)
    signed = nw.when(scaled < 0.0).then(whole * nw.lit(-1.0)).otherwise(whole)
    # A single value as divisor becomes its rounded reciprocal in Polars, so each row gets one of its own.
    rounded = signed / spread(nw.lit(scale), x)
    moved = (x.abs() < _WHOLE) & (x != 0.0)  # zero keeps its sign
    return nw.when(moved & ~x.is_nan()).then(rounded).otherwise(x)


def _inside(x: nw.Expr, inside: nw.Expr, apply: Callable[[nw.Expr], nw.Expr]) -> nw.Expr:
    """Apply a function where its operand lies inside its domain; elsewhere it sees 1 and NaN comes out."""
    safe = apply(nw.when(inside).then(x).otherwise(nw.lit(1.0)))
    return (
        nw.when(x.is_null())
        .then(nw.lit(None, dtype=nw.Float64))
        .otherwise(nw.when(inside).then(safe).otherwise(nw.lit(float("nan"))))
    )


def _sqrt(_node: Node, x: nw.Expr) -> nw.Expr:
    return _inside(x, (x >= 0.0) & ~x.is_nan(), lambda safe: safe.sqrt())


def _log(_node: Node, x: nw.Expr) -> nw.Expr:
    found = _inside(x, (x > 0.0) & ~x.is_nan(), lambda safe: safe.log())
    return nw.when(x == 0.0).then(nw.lit(float("-inf"))).otherwise(found)


def _log1p(node: Node, x: nw.Expr) -> nw.Expr:
    """Log(1 + x) corrected by what rounding 1 + x lost, after Kahan."""
    one = nw.lit(1.0)
    up = x + one
    endless = nw.lit(float("inf"))
    tame = (up > 0.0) & (up < endless) & (up != one)
    lost = nw.when(tame).then(up - one).otherwise(one)
    corrected = _log(node, up) * (x / lost)
    return nw.when(tame).then(corrected).otherwise(nw.when(up == one).then(x).otherwise(_log(node, up)))


def _exp(_node: Node, x: nw.Expr) -> nw.Expr:
    return x.exp()


def _wave(name: str) -> Lowering:
    apply: Callable[[nw.Expr], nw.Expr] = getattr(nw.Expr, name)

    def lowering(_node: Node, x: nw.Expr) -> nw.Expr:
        return _inside(x, (x.abs() < float("inf")) & ~x.is_nan(), apply)

    return lowering


def _power(node: Node, x: nw.Expr) -> nw.Expr:
    exponent = node.constants[0]
    assert isinstance(exponent, float)  # the type rules put one there
    return x ** nw.lit(exponent)


def _truncate(_node: Node, x: nw.Expr) -> nw.Expr:
    held = (x >= float(_MIN)) & (x < 2.0**63) & ~x.is_nan()
    safe = nw.when(held).then(x).otherwise(nw.lit(0.0))
    whole = nw.when(safe < 0.0).then(safe.ceil()).otherwise(safe.floor())
    return nw.when(held).then(whole.cast(nw.Int64))


def _parse_float(_node: Node, x: nw.Expr) -> nw.Expr:
    number = x.str.contains(_NUMBER)
    return nw.when(number).then(nw.when(number).then(x).otherwise(nw.lit("0")).cast(nw.Float64))


def _parse_int(_node: Node, x: nw.Expr) -> nw.Expr:
    number = x.str.contains(_WHOLE_NUMBER)
    # The sign of a positive number is dropped: not every engine reads it.
    digits = nw.when(number).then(x).otherwise(nw.lit("0")).str.strip_chars_start("+").cast(nw.Int128)
    held = (digits >= _huge(_MIN)) & (digits <= _huge(_MAX))
    return nw.when(number & held).then(nw.when(held).then(digits).otherwise(_huge(0)).cast(nw.Int64))


def _parse_bool(_node: Node, x: nw.Expr) -> nw.Expr:
    return nw.when(x.is_in(["true", "false"])).then(x == "true")


def _local(node: Node, instants: nw.Expr) -> nw.Expr:
    local = _wide(instants)
    if node.zone is not None:
        zone = offsets_of(node.zone)
        local = local + _wide(_searched(instants, zone.changes, zone.offsets))
    inside = (local >= _huge(EARLIEST)) & (local <= _huge(LATEST))
    return nw.when(inside).then(nw.when(inside).then(local).otherwise(_huge(0)).cast(nw.Int64))


def _searched(x: nw.Expr, changes: Sequence[int], values: Sequence[int]) -> nw.Expr:
    """Search by halves, as a tree of conditions: `values[i]` holds from `changes[i - 1]` to `changes[i]`."""
    if not changes:
        return _int(values[0])
    middle = len(changes) // 2
    earlier = _searched(x, changes[:middle], values[: middle + 1])
    later = _searched(x, changes[middle + 1 :], values[middle + 1 :])
    return nw.when(x >= _int(changes[middle])).then(later).otherwise(earlier)


def _cycle(unit: int, length: int, start: int = 0, first: int = 0) -> Lowering:
    def lowering(_node: Node, local: nw.Expr) -> nw.Expr:
        return (_units(local, unit) + _int(start)) % _int(length) + _int(first)

    return lowering


def _units(x: nw.Expr, unit: int) -> nw.Expr:
    """Whole units in an integer, rounded down. What is divided is divisible, so that no engine's way shows."""
    return (x - x % _int(unit)) // _int(unit)


def _date(_node: Node, local: nw.Expr) -> nw.Expr:
    return nw.lit(date(1970, 1, 1)) + _units(local, DAY).cast(nw.Int32)


def _total(node: Node, span: nw.Expr) -> nw.Expr:
    unit = node.constants[0]
    assert isinstance(unit, int)  # the type rules put one there
    wide = _wide(span)
    down = (wide - wide % _huge(unit)) // _huge(unit)
    fraction = (span < 0) & (wide % _huge(unit) != _huge(0))
    return nw.when(fraction).then(down + _huge(1)).otherwise(down).cast(nw.Int64)


def _lookup(node: Node, x: nw.Expr) -> nw.Expr:
    default, *entries = node.constants
    keys, values = entries[::2], entries[1::2]
    _countable(len(keys), "lookup")
    of = node.arguments[0].type
    cases = [
        nw.when(x == literal(key, of)).then(literal(value, node.type))
        for key, value in zip(keys, values, strict=True)
    ]
    found = nw.coalesce(*cases, literal(default, node.type))
    return nw.when(~x.is_null()).then(found)


def _is_in(node: Node, x: nw.Expr) -> nw.Expr:
    of = node.arguments[0].type
    _countable(len(node.constants), "is_in")
    tests = [x == literal(value, of) for value in node.constants]
    while len(tests) > 1:  # in pairs: a chain would be as deep as it is long
        pairs = [tests[i] | tests[i + 1] for i in range(0, len(tests) - 1, 2)]
        tests = [*pairs, *tests[len(pairs) * 2 :]]
    return tests[0]


def _countable(count: int, operator: str) -> None:
    if count > MOST_MEMBERS:
        raise InvalidInput(
            f"{operator} has {count:,} entries; a query takes {MOST_MEMBERS:,}",
            fix="put the entries into a table and join it",
        )


def _slice(node: Node, x: nw.Expr) -> nw.Expr:
    offset, length = node.constants
    assert isinstance(offset, int)  # the operator table lets nothing else through
    return x.str.slice(offset, length if isinstance(length, int) else None)


def _text_of(node: Node) -> str:
    return str(node.constants[0])


Lowering = Callable[..., nw.Expr]
"""Takes a node and the expressions of its arguments."""

LOWERINGS: dict[str, Lowering] = {
    "add": _ring(lambda a, b: a + b),
    "sub": _ring(lambda a, b: a - b),
    "mul": _ring(lambda a, b: a * b),
    "div": lambda _, a, b: a / b,
    "floordiv": _floordiv,
    "mod": _mod,
    "power": _power,
    "if_value": lambda _, x, value: nw.when(~x.is_null()).then(value),
    "neg": _neg,
    "abs": _abs,
    **{operator: _compare(f"__{operator}__") for operator in ("eq", "ne", "lt", "le", "gt", "ge")},
    "and": lambda _, a, b: a & b,
    "or": lambda _, a, b: a | b,
    "not": lambda _, x: ~x,
    "if": lambda _, condition, a, b: nw.when(condition).then(a).otherwise(b),
    "or_else": lambda _, a, b: nw.coalesce(a, b),
    "minimum": _extreme("__le__"),
    "maximum": _extreme("__ge__"),
    "is_null": lambda _, x: x.is_null(),
    "is_in": _is_in,
    "round": _round,
    "floor": lambda _, x: x.floor(),
    "ceil": lambda _, x: x.ceil(),
    "sqrt": _sqrt,
    "log": _log,
    "log1p": _log1p,
    "exp": _exp,
    "sin": _wave("sin"),
    "cos": _wave("cos"),
    "to_float": lambda _, x: x.cast(nw.Float64),
    "bool_to_float": lambda _, x: x.cast(nw.Int64).cast(nw.Float64),
    "bool_to_int": lambda _, x: x.cast(nw.Int64),
    "as_int": lambda _, x: x,
    "truncate": _truncate,
    "not_zero": lambda _, x: x != 0,
    "parse_float": _parse_float,
    "parse_int": _parse_int,
    "parse_bool": _parse_bool,
    "int_to_text": lambda _, x: x.cast(nw.String),
    "bool_to_text": lambda _, x: nw.when(x).then(nw.lit("true")).otherwise(nw.when(~x).then(nw.lit("false"))),
    "lookup": _lookup,
    "in_zone": lambda _, x: x,
    "local": _local,
    "hour": _cycle(HOUR, 24),
    "minute": _cycle(MINUTE, 60),
    "second": _cycle(SECOND, 60),
    "weekday": _cycle(DAY, 7, start=3, first=1),  # 1970-01-01 was a Thursday
    "date": _date,
    "year": lambda _, day: day.dt.year().cast(nw.Int64),
    "month": lambda _, day: day.dt.month().cast(nw.Int64),
    "day": lambda _, day: day.dt.day().cast(nw.Int64),
    "ordinal_day": lambda _, day: day.dt.ordinal_day().cast(nw.Int64),
    "total": _total,
    "concat": lambda _, a, b: nw.concat_str([a, b]),
    "lower": lambda _, x: x.str.to_lowercase(),
    "upper": lambda _, x: x.str.to_uppercase(),
    "strip": lambda _, x: x.str.strip_chars(" \t\n\r\x0b\x0c"),
    "length": lambda _, x: x.str.len_chars().cast(nw.Int64),
    "slice": _slice,
    "starts_with": lambda node, x: x.str.starts_with(_text_of(node)),
    "ends_with": lambda node, x: x.str.ends_with(_text_of(node)),
    "contains": lambda node, x: x.str.contains(_text_of(node), literal=True),
}
"""One lowering per operation of the graph."""
