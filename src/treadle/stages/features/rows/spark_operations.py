"""How each operation of the graph is written for Spark; `spark` runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 - the name all of Spark's users know

from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND
from treadle.stages.features.rows.zones import EARLIEST, LATEST, offsets_of

_MAX, _MIN = 2**63 - 1, -(2**63)
_WHOLE = 2.0**52
_INFINITY = float("inf")
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\z"
_WHOLE_NUMBER = r"^[+-]?0*[0-9]{1,19}\z"
_WIDE = "decimal(38,0)"

TYPES = {
    "float": "double",
    "int": "bigint",
    "string": "string",
    "bool": "boolean",
    "time": "bigint",
    "duration": "bigint",
}
"""The type of each type of a row feature: instants and durations are integers of microseconds."""


def literal(value: ConstantValue, kind: str) -> Column:
    """Return a constant of a type."""
    return F.lit(value).cast(TYPES[kind])


def _int(value: int) -> Column:
    return F.lit(value).cast("bigint")


def _wide(x: Column) -> Column:
    return x.cast(_WIDE)


def _huge(value: int) -> Column:
    return F.lit(Decimal(value)).cast(_WIDE)


def _wrapped(exact: Column) -> Column:
    """Fold 38 digits back to 64 bits, as two's complement does."""
    rest = _wide(exact) % _huge(2**64)
    low = F.when(rest > _huge(_MAX), rest - _huge(2**64))
    return low.when(rest < _huge(_MIN), rest + _huge(2**64)).otherwise(rest).cast("bigint")


def _ring(apply: Callable[[Column, Column], Column]) -> Lowering:
    def lowering(node: Node, a: Column, b: Column) -> Column:
        return apply(a, b) if node.type == "float" else _wrapped(apply(_wide(a), _wide(b)))

    return lowering


def _neg(node: Node, x: Column) -> Column:
    return x * F.lit(-1.0) if node.type == "float" else _wrapped(_huge(0) - _wide(x))


def _abs(node: Node, x: Column) -> Column:
    return F.abs(x) if node.type == "float" else F.when(x < 0, _neg(node, x)).otherwise(x)


def _given(a: Column, b: Column) -> Column:
    return a.isNotNull() & b.isNotNull()


def _quotient(a: Column, b: Column) -> Column:
    """IEEE division: Spark itself gives null or an error for a divisor of zero."""
    nothing = b == F.lit(0.0)
    safe = a / F.when(nothing, F.lit(1.0)).otherwise(b)
    # Only as text do 0.0 and -0.0 differ: comparisons, signum and atan2 take them for one.
    turned = (a < F.lit(0.0)) != b.cast("string").startswith("-")
    endless = F.when(turned, F.lit(-_INFINITY)).otherwise(F.lit(_INFINITY))
    unknown = F.isnan(a) | (a == F.lit(0.0))
    by_zero = F.when(unknown, F.lit(float("nan"))).otherwise(endless)
    return F.when(_given(a, b), F.when(nothing, by_zero).otherwise(safe))


def _floor(x: Column) -> Column:
    """The floor as a float: Spark's own gives a 64-bit integer."""
    nearest = F.rint(x)
    return F.when((nearest > x) & ~F.isnan(x), nearest - F.lit(1.0)).otherwise(nearest)


def _ceil(x: Column) -> Column:
    return _floor(x * F.lit(-1.0)) * F.lit(-1.0)


def _floordiv(node: Node, a: Column, b: Column) -> Column:
    if node.type == "float":
        return _floor(_quotient(a, b))
    # The least integer divided by -1 does not fit: -1 negates instead.
    divisor = F.when((b == 0) | (b == -1), _int(1)).otherwise(b)
    rest = a % divisor
    down = (rest != 0) & ((rest < 0) != (divisor < 0))
    whole = F.call_function("div", a, divisor)
    floored = F.when(down, whole - _int(1)).otherwise(whole)
    return F.when(b == -1, _neg(node, a)).when(b != 0, floored)


def _mod(node: Node, a: Column, b: Column) -> Column:
    if node.type == "float":
        return a - b * _floor(_quotient(a, b))
    divisor = F.when(b == 0, _int(1)).otherwise(b)
    rest = a % divisor
    down = (rest != 0) & ((rest < 0) != (divisor < 0))
    return F.when(b != 0, F.when(down, rest + divisor).otherwise(rest))


def _compare(operator: str) -> Lowering:
    apply: Callable[[Column, Column], Column] = getattr(Column, operator)

    def lowering(node: Node, a: Column, b: Column) -> Column:
        if node.arguments[0].type != "float":
            return apply(a, b)
        # Spark orders NaN above all and equal to itself; IEEE has it unordered. A null operand stays null.
        unordered = F.isnan(a) | F.isnan(b)
        found = F.when(unordered, F.lit(operator == "__ne__")).otherwise(apply(a, b))
        return F.when(_given(a, b), found)

    return lowering


def _extreme(operator: str) -> Lowering:
    apply: Callable[[Column, Column], Column] = getattr(Column, operator)

    def lowering(node: Node, a: Column, b: Column) -> Column:
        first = apply(a, b)
        if node.type == "float":
            first = F.isnan(a) | (first & ~F.isnan(b))
        return F.when(_given(a, b), F.when(first, a).otherwise(b))

    return lowering


def _round(node: Node, x: Column) -> Column:
    places = node.constants[0]
    assert isinstance(places, int)  # the operator table lets nothing else through
    scale = F.lit(10.0**places)
    small = (F.abs(x) < F.lit(_WHOLE)) & ~F.isnan(x)
    return F.when(small, F.rint(x * scale) / scale).otherwise(x)


def _inside(x: Column, inside: Column, apply: Callable[[Column], Column]) -> Column:
    """Apply a function where its operand lies inside its domain; elsewhere it sees 1 and NaN comes out."""
    safe = apply(F.when(inside, x).otherwise(F.lit(1.0)))
    return F.when(x.isNotNull(), F.when(inside, safe).otherwise(F.lit(float("nan"))))


def _logarithm(apply: Callable[[Column], Column], edge: float) -> Lowering:
    def lowering(_node: Node, x: Column) -> Column:
        found = _inside(x, (x > F.lit(edge)) & ~F.isnan(x), apply)
        return F.when(x == F.lit(edge), F.lit(-_INFINITY)).otherwise(found)

    return lowering


def _power(node: Node, x: Column) -> Column:
    exponent = node.constants[0]
    assert isinstance(exponent, float)  # the type rules put one there
    return F.pow(x, F.lit(exponent))


def _truncate(_node: Node, x: Column) -> Column:
    held = (x >= F.lit(float(_MIN))) & (x < F.lit(2.0**63)) & ~F.isnan(x)
    return F.when(held, F.when(held, x).otherwise(F.lit(0.0)).cast("bigint"))


def _parse_float(_node: Node, x: Column) -> Column:
    number = x.rlike(_NUMBER)
    return F.when(number, F.when(number, x).otherwise(F.lit("0")).cast("double"))


def _parse_int(_node: Node, x: Column) -> Column:
    number = x.rlike(_WHOLE_NUMBER)
    digits = F.when(number, x).otherwise(F.lit("0")).cast(_WIDE)
    held = number & (digits >= _huge(_MIN)) & (digits <= _huge(_MAX))
    return F.when(held, F.when(held, digits).otherwise(_huge(0)).cast("bigint"))


def _parse_bool(_node: Node, x: Column) -> Column:
    return F.when(x == F.lit("true"), F.lit(True)).when(x == F.lit("false"), F.lit(False))


def _local(node: Node, instants: Column) -> Column:
    # No zone is two days off, so nothing that counts is cut off here, and nothing overflows below.
    near = (instants >= _int(EARLIEST - 2 * DAY)) & (instants <= _int(LATEST + 2 * DAY))
    local = F.when(near, instants)
    if node.zone is not None:
        zone = offsets_of(node.zone)
        local = local + _searched(instants, zone.changes, zone.offsets)
    return F.when((local >= _int(EARLIEST)) & (local <= _int(LATEST)), local)


def _searched(x: Column, changes: Sequence[int], values: Sequence[int]) -> Column:
    """Search by halves, as a tree of conditions: `values[i]` holds from `changes[i - 1]` to `changes[i]`."""
    if not changes:
        return _int(values[0])
    middle = len(changes) // 2
    earlier = _searched(x, changes[:middle], values[: middle + 1])
    later = _searched(x, changes[middle + 1 :], values[middle + 1 :])
    return F.when(x >= _int(changes[middle]), later).otherwise(earlier)


def _units(x: Column, unit: int) -> Column:
    """Whole units in an integer, rounded down."""
    return F.call_function("div", x - F.pmod(x, _int(unit)), _int(unit))


def _cycle(unit: int, length: int, start: int = 0, first: int = 0) -> Lowering:
    def lowering(_node: Node, local: Column) -> Column:
        return F.pmod(_units(local, unit) + _int(start), _int(length)) + _int(first)

    return lowering


def _part(apply: Callable[[Column], Column]) -> Lowering:
    return lambda _node, day: apply(day).cast("bigint")


def _total(node: Node, span: Column) -> Column:
    unit = node.constants[0]
    assert isinstance(unit, int)  # the type rules put one there
    return F.call_function("div", span, _int(unit))  # Spark's drops the fraction


def _lookup(node: Node, x: Column) -> Column:
    default, *entries = node.constants
    of = node.arguments[0].type
    found = F.when(x.isNull(), F.lit(None).cast(TYPES[node.type]))
    for key, value in zip(entries[::2], entries[1::2], strict=True):
        found = found.when(x == literal(key, of), literal(value, node.type))
    return found.otherwise(literal(default, node.type))


def _is_in(node: Node, x: Column) -> Column:
    # Not `isin`: for many members it asks a hash table, in which 0.0 and -0.0 are two.
    of = node.arguments[0].type
    found = F.when(x.isNull(), F.lit(None).cast("boolean"))
    for value in node.constants:
        found = found.when(x == literal(value, of), F.lit(True))
    return found.otherwise(F.lit(False))


def _slice(node: Node, x: Column) -> Column:
    offset, length = node.constants
    assert isinstance(offset, int)  # the operator table lets nothing else through
    start = min(offset + 1, 2**31 - 1) if offset >= 0 else max(offset, -(2**31) + 1)
    return F.substring(x, start, min(length, 2**31 - 1) if isinstance(length, int) else 2**31 - 1)


def _text_of(node: Node) -> Column:
    return F.lit(str(node.constants[0]))


Lowering = Callable[..., Column]
"""Takes a node and the columns of its arguments."""

LOWERINGS: dict[str, Lowering] = {
    "add": _ring(lambda a, b: a + b),
    "sub": _ring(lambda a, b: a - b),
    "mul": _ring(lambda a, b: a * b),
    "div": lambda _, a, b: _quotient(a, b),
    "floordiv": _floordiv,
    "mod": _mod,
    "power": _power,
    "if_value": lambda _, x, value: F.when(x.isNotNull(), value),
    "neg": _neg,
    "abs": _abs,
    **{operator: _compare(f"__{operator}__") for operator in ("eq", "ne", "lt", "le", "gt", "ge")},
    "and": lambda _, a, b: a & b,
    "or": lambda _, a, b: a | b,
    "not": lambda _, x: ~x,
    "if": lambda _, condition, a, b: F.when(condition, a).otherwise(b),
    "or_else": lambda _, a, b: F.coalesce(a, b),
    "minimum": _extreme("__le__"),
    "maximum": _extreme("__ge__"),
    "is_null": lambda _, x: x.isNull(),
    "is_in": _is_in,
    "round": _round,
    "floor": lambda _, x: _floor(x),
    "ceil": lambda _, x: _ceil(x),
    "sqrt": lambda _, x: F.sqrt(x),
    "log": _logarithm(F.log, 0.0),
    "log1p": _logarithm(F.log1p, -1.0),
    "exp": lambda _, x: F.exp(x),
    "sin": lambda _, x: F.sin(x),
    "cos": lambda _, x: F.cos(x),
    "to_float": lambda _, x: x.cast("double"),
    "bool_to_float": lambda _, x: x.cast("double"),
    "bool_to_int": lambda _, x: x.cast("bigint"),
    "as_int": lambda _, x: x,
    "truncate": _truncate,
    "not_zero": lambda _, x: x != 0,
    "parse_float": _parse_float,
    "parse_int": _parse_int,
    "parse_bool": _parse_bool,
    "int_to_text": lambda _, x: x.cast("string"),
    "bool_to_text": lambda _, x: x.cast("string"),
    "lookup": _lookup,
    "in_zone": lambda _, x: x,
    "local": _local,
    "hour": _cycle(HOUR, 24),
    "minute": _cycle(MINUTE, 60),
    "second": _cycle(SECOND, 60),
    "weekday": _cycle(DAY, 7, start=3, first=1),  # 1970-01-01 was a Thursday
    "date": lambda _, local: F.date_from_unix_date(_units(local, DAY).cast("int")),
    "year": _part(F.year),
    "month": _part(F.month),
    "day": _part(F.dayofmonth),
    "ordinal_day": _part(F.dayofyear),
    "total": _total,
    "concat": lambda _, a, b: F.concat(a, b),
    "lower": lambda _, x: F.lower(x),
    "upper": lambda _, x: F.upper(x),
    "strip": lambda _, x: F.btrim(x, F.lit(" \t\n\r\x0b\x0c")),
    "length": lambda _, x: F.length(x).cast("bigint"),
    "slice": _slice,
    "starts_with": lambda node, x: x.startswith(_text_of(node)),
    "ends_with": lambda node, x: x.endswith(_text_of(node)),
    "contains": lambda node, x: x.contains(_text_of(node)),
}
"""One lowering per operation of the graph."""
