"""The Polars lowering: each row feature as one expression over a frame of its inputs.

Instants and durations are 64-bit integers inside, as in the other lowering, and Polars' own types at both ends.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from treadle.define.binding import Bound
from treadle.define.graph import Node
from treadle.define.operators import ConstantValue
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND
from treadle.stages.features.rows.opaque import runner
from treadle.stages.features.rows.zones import EARLIEST, LATEST, offsets_of

DTYPES: dict[str, pl.DataType] = {
    "float": pl.Float64(),
    "int": pl.Int64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "time": pl.Datetime("us", "UTC"),
    "duration": pl.Duration("us"),
}
"""The Polars type of each type of a row feature."""

LARGEST = 50_000
"""Most operations one expression may have: Polars plans a tree, so what is shared counts each time it is used."""

_WHOLE = 2.0**52
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_WHOLE_NUMBER = r"^[+-]?[0-9]+$"


def expressions(bound: Bound) -> list[pl.Expr]:
    """Return one expression per feature, named as it is; all read the inputs alone, so they run side by side.

    Raises:
        InvalidInput: an expression grew beyond `LARGEST` operations.
    """
    lowered = _Frame()
    out = []
    for name, node in bound.outputs.items():
        expression = lowered.of(node)
        if lowered.sizes[id(node)] > LARGEST:
            raise InvalidInput(
                f"the row feature {name!r} is too large: {lowered.sizes[id(node)]} operations, {LARGEST} allowed",
                fix="use fewer features of features, or compute the inner ones as columns of a table",
            )
        out.append(expression.cast(DTYPES[node.type]).alias(name))
    return out


class _Frame:
    """Expressions of nodes, each made once."""

    def __init__(self) -> None:
        self.made: dict[int, pl.Expr] = {}
        self.sizes: dict[int, int] = {}

    def of(self, node: Node) -> pl.Expr:
        key = id(node)
        if key not in self.made:
            arguments = [self.of(argument) for argument in node.arguments]
            self.sizes[key] = 1 + _USES.get(node.operator, 1) * sum(self.sizes[id(a)] for a in node.arguments)
            too_large = self.sizes[key] > LARGEST
            made = pl.lit(None) if too_large else LOWERINGS[node.operator](node, *arguments)
            self.made[key] = made * _ONES if node.type == "float" and node.operator in _ORIGINS else made
        return self.made[key]


# Polars takes short cuts when one side is a single value (a literal, a column of one repeated value): it divides
# by multiplying with the rounded reciprocal, and x + 0.0 keeps -0.0. Floats therefore start out as full columns.
_ONES = pl.int_range(pl.len()).cast(pl.Float64) * 0.0 + 1.0
_ORIGINS = frozenset({"field", "constant", "to_float", "bool_to_float", "parse_float", "lookup"})


# How often a lowering uses its operands when it is more than once.
_USES = {
    **dict.fromkeys(("eq", "ne", "lt", "le", "gt", "ge"), 4),
    **dict.fromkeys(("minimum", "maximum"), 9),
    **dict.fromkeys(("local", "round"), 4),
    **dict.fromkeys(("if_value", "or_else", "mod", "lookup", "parse_float", "parse_int"), 2),
}


def _literal(value: ConstantValue, kind: str) -> pl.Expr:
    return pl.lit(value, dtype=_physical(kind))


def _physical(kind: str) -> pl.DataType:
    return DTYPES["int"] if kind in ("time", "duration") else DTYPES[kind]


def _field(node: Node) -> pl.Expr:
    column = pl.col(str(node.constants[0])).cast(DTYPES[node.type])
    return column.cast(pl.Int64) if node.type in ("time", "duration") else column


def _floordiv(node: Node, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return (a / b).floor() if node.type == "float" else a // b


def _mod(node: Node, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return a - b * (a / b).floor() if node.type == "float" else a % b


def _compare(operator: str) -> Lowering:
    apply: Callable[[pl.Expr, pl.Expr], pl.Expr] = getattr(pl.Expr, operator)
    mirrored: Callable[[pl.Expr, pl.Expr], pl.Expr] = getattr(pl.Expr, _MIRRORED.get(operator, operator))

    def lowering(node: Node, a: pl.Expr, b: pl.Expr) -> pl.Expr:
        # Polars gives one row for a literal compared with a column of one repeated value, not so the other way.
        found = mirrored(b, a) if node.arguments[0].operator == "constant" else apply(a, b)
        if node.arguments[0].type != "float":
            return found
        # Polars orders NaN above all and equal to itself; IEEE has it unordered.
        ordered = a.is_not_nan() & b.is_not_nan()
        answer = found | ~ordered if operator == "ne" else found & ordered
        # Kleene's false & null is false, but a comparison with null is null.
        return pl.when(a.is_not_null() & b.is_not_null()).then(answer)

    return lowering


_MIRRORED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}


def _minimum(node: Node, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return _first_of(node, a, b, a <= b)


def _maximum(node: Node, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    return _first_of(node, a, b, a >= b)


def _first_of(node: Node, a: pl.Expr, b: pl.Expr, a_wins: pl.Expr) -> pl.Expr:
    if node.type == "float":
        a_wins = a.is_nan() | (a_wins & b.is_not_nan())
    return pl.when(a.is_not_null() & b.is_not_null()).then(pl.when(a_wins).then(a).otherwise(b))


def _round(node: Node, x: pl.Expr) -> pl.Expr:
    places = node.constants[0]
    assert isinstance(places, int)  # the operator table lets nothing else through
    scale = 10.0**places
    rounded = (x * scale).round(0, mode="half_to_even") / (pl.lit(scale) * _ONES)
    return pl.when(x.abs() < _WHOLE).then(rounded).otherwise(x)


def _local(node: Node, instants: pl.Expr) -> pl.Expr:
    local = instants
    if node.zone is not None:
        zone = offsets_of(node.zone)
        changes = pl.Series(zone.changes, dtype=pl.Int64)
        offsets = pl.Series(zone.offsets, dtype=pl.Int64)
        local = instants + pl.lit(offsets).gather(pl.lit(changes).search_sorted(instants, side="right"))
    return pl.when(local.is_between(EARLIEST, LATEST)).then(local)


def _date(_node: Node, local: pl.Expr) -> pl.Expr:
    return (local // DAY).cast(pl.Int32).cast(pl.Date)


def _lookup(node: Node, x: pl.Expr) -> pl.Expr:
    default, *entries = node.constants
    keys = pl.Series(entries[::2], dtype=_physical(node.arguments[0].type))
    values = pl.Series(entries[1::2], dtype=_physical(node.type))
    found = x.replace_strict(keys, values, default=default, return_dtype=_physical(node.type))
    return pl.when(x.is_not_null()).then(found)


def _is_in(node: Node, x: pl.Expr) -> pl.Expr:
    return x.is_in(pl.Series(node.constants, dtype=_physical(node.arguments[0].type)).implode())


def _total(node: Node, span: pl.Expr) -> pl.Expr:
    # Floor division, one up where it went below a fraction of a negative duration.
    unit = node.constants[0]
    return span // unit + ((span < 0) & (span % unit != 0)).cast(pl.Int64)


def _parse_bool(_node: Node, x: pl.Expr) -> pl.Expr:
    return x.replace_strict(["true", "false"], [True, False], default=None, return_dtype=pl.Boolean)


def _slice(node: Node, x: pl.Expr) -> pl.Expr:
    offset, length = node.constants
    return x.str.slice(
        pl.lit(offset, dtype=pl.Int64), None if length is None else pl.lit(length, dtype=pl.UInt64)
    )


def _opaque(node: Node, *arguments: pl.Expr) -> pl.Expr:
    run, names = runner(node), [str(position) for position in range(len(arguments))]

    def over(rows: pl.Series) -> pl.Series:
        columns = [rows.struct.field(name) for name in names]
        return pl.Series([run(*row) for row in zip(*columns, strict=True)], dtype=_physical(node.type))

    held = pl.struct(argument.alias(name) for name, argument in zip(names, arguments, strict=True))
    return held.map_batches(over, return_dtype=_physical(node.type), is_elementwise=True)


def _text_of(node: Node) -> pl.Expr:
    return pl.lit(str(node.constants[0]))


Lowering = Callable[..., pl.Expr]
"""Takes a node and the expressions of its arguments."""

LOWERINGS: dict[str, Lowering] = {
    "field": _field,
    "constant": lambda node: _literal(node.constants[0], node.type),
    "add": lambda _, a, b: a + b,
    "sub": lambda _, a, b: a - b,
    "mul": lambda _, a, b: a * b,
    "div": lambda _, a, b: a / b,
    "floordiv": _floordiv,
    "mod": _mod,
    "power": lambda node, x: x ** pl.lit(node.constants[0], dtype=pl.Float64),
    "if_value": lambda _, x, value: pl.when(x.is_not_null()).then(value),
    "opaque": _opaque,
    "neg": lambda _, x: -x,
    "abs": lambda _, x: x.abs(),
    **{operator: _compare(operator) for operator in ("eq", "ne", "lt", "le", "gt", "ge")},
    "and": lambda _, a, b: a & b,
    "or": lambda _, a, b: a | b,
    "not": lambda _, x: ~x,
    "if": lambda _, condition, a, b: pl.when(condition).then(a).otherwise(b),
    "or_else": lambda _, a, b: pl.coalesce(a, b),
    "minimum": _minimum,
    "maximum": _maximum,
    "is_null": lambda _, x: x.is_null(),
    "is_in": _is_in,
    "round": _round,
    "floor": lambda _, x: x.floor(),
    "ceil": lambda _, x: x.ceil(),
    "sqrt": lambda _, x: x.sqrt(),
    "log": lambda _, x: x.log(),
    "log1p": lambda _, x: x.log1p(),
    "exp": lambda _, x: x.exp(),
    "sin": lambda _, x: x.sin(),
    "cos": lambda _, x: x.cos(),
    "to_float": lambda _, x: x.cast(pl.Float64),
    "bool_to_float": lambda _, x: x.cast(pl.Float64),
    "bool_to_int": lambda _, x: x.cast(pl.Int64),
    "as_int": lambda _, x: x,
    "truncate": lambda _, x: x.cast(pl.Int64, strict=False),
    "not_zero": lambda _, x: x != 0,
    "parse_float": lambda _, x: pl.when(x.str.contains(_NUMBER)).then(x.cast(pl.Float64, strict=False)),
    "parse_int": lambda _, x: pl.when(x.str.contains(_WHOLE_NUMBER)).then(x.cast(pl.Int64, strict=False)),
    "parse_bool": _parse_bool,
    "int_to_text": lambda _, x: x.cast(pl.String),
    "bool_to_text": lambda _, x: pl.when(x).then(pl.lit("true")).when(~x).then(pl.lit("false")),
    "lookup": _lookup,
    "in_zone": lambda _, x: x,
    "local": _local,
    "hour": lambda _, local: local // HOUR % 24,
    "minute": lambda _, local: local // MINUTE % 60,
    "second": lambda _, local: local // SECOND % 60,
    "weekday": lambda _, local: (local // DAY + 3) % 7 + 1,  # 1970-01-01 was a Thursday
    "date": _date,
    "year": lambda _, date: date.dt.year().cast(pl.Int64),
    "month": lambda _, date: date.dt.month().cast(pl.Int64),
    "day": lambda _, date: date.dt.day().cast(pl.Int64),
    "ordinal_day": lambda _, date: date.dt.ordinal_day().cast(pl.Int64),
    "total": _total,
    "concat": lambda _, a, b: a + b,
    "lower": lambda _, x: x.str.to_lowercase(),
    "upper": lambda _, x: x.str.to_uppercase(),
    "strip": lambda _, x: x.str.strip_chars(" \t\n\r\x0b\x0c"),
    "length": lambda _, x: x.str.len_chars().cast(pl.Int64),
    "slice": _slice,
    "starts_with": lambda node, x: x.str.starts_with(_text_of(node)),
    "ends_with": lambda node, x: x.str.ends_with(_text_of(node)),
    "contains": lambda node, x: x.str.contains(_text_of(node), literal=True),
}
"""One lowering per operation of the graph."""
