"""Probes: for each rule of a column, a cheap question over all rows, and a mask of the rows that break it.

The questions of all rules run in one pass; masks are only made for rules whose answer was no.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl

from treadle.records.schemas import ColumnSchema
from treadle.stages.validation.schema.facts import NULLS, type_of

Asked: TypeAlias = Any  # the value of the rule's field: a number, texts, a pattern; the field's name tells
INSTANTS = pl.Datetime("us", "UTC")

_TEXTS_OF_BOOL = ("true", "false", "1", "0")


@dataclass(frozen=True, slots=True)
class Probe:
    """One rule of one column."""

    rule: str
    kept: pl.Expr
    """One boolean: whether every row keeps the rule. It may say no too often, never yes."""
    broken: pl.Expr
    """Per row, whether it breaks the rule; null counts as not."""
    value: pl.Expr
    """Per row, the value to show."""
    of: pl.Expr
    """How many values the rule is about."""
    worst: str = "frequent"
    """Which offending values are shown first: `frequent`, `low` or `high`."""


def column_type(dtype: pl.DataType) -> str:
    """Return the schema's type of a Polars type. Pure."""
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype.is_integer():
        return "int"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    if dtype == pl.Boolean:
        return "bool"
    if dtype in (pl.Datetime, pl.Date):
        return "time"
    return NULLS if dtype == pl.Null else type_of("other", str(dtype))


def plain(name: str, dtype: pl.DataType, kind: str | None = None) -> pl.Expr:
    """Return a column in the one form that rules are asked in.

    Text as String; instants and durations as integers of microseconds, times without a zone read as UTC. Everything else
    stays as it is.

    Args:
        name: the column.
        dtype: its type.
        kind: the type that text is read as; text that does not read so becomes null.
    """
    column = pl.col(name)
    if dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if isinstance(dtype, pl.Datetime) or dtype == pl.Date:
        return column.cast(pl.Datetime("us")).to_physical()
    if isinstance(dtype, pl.Duration):
        return column.dt.cast_time_unit("us").to_physical()
    if dtype == pl.Time:
        return column.to_physical() // 1_000
    if dtype == pl.String and kind in ("float", "int"):
        return column.cast(pl.Float64 if kind == "float" else pl.Int64, strict=False)
    if kind == "bool" and dtype == pl.String:
        return column.str.to_lowercase().is_in(["true", "1"])
    return column


def probes(name: str, dtype: pl.DataType, schema: ColumnSchema) -> Iterator[Probe]:
    """Yield a probe for every rule of a column that its type can be asked."""
    found = column_type(dtype)
    read_as = schema.type if schema.as_text and found == "string" else None
    value = plain(name, dtype, read_as)
    kind = read_as or found
    if schema.as_text and schema.type != found:
        yield from _reading(name, found, schema.type)
    for rule, make in _PROBES.items():
        asked = getattr(schema, rule)
        if asked is not None and asked is not (rule in ("nan", "infinite")) and kind in _KINDS[rule]:
            yield make(rule, value, kind, asked)
    if schema.utf8 and found == "binary":
        broken = pl.col(name).map_batches(_undecodable, return_dtype=pl.Boolean)
        shown = pl.col(name).bin.encode("hex").str.slice(0, 16)
        yield Probe("utf8", ~broken.any(), broken, shown, pl.col(name).count())
    elif schema.utf8 and found == "string":
        yield Probe("utf8", pl.lit(True), pl.lit(False), value, value.count())


def _undecodable(values: pl.Series) -> pl.Series:
    """Return where bytes are not UTF-8. One by one: the engine's own cast ends the query at the first."""
    return pl.Series(values.name, [value is not None and not _decodes(value) for value in values], pl.Boolean)


def _decodes(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _reading(name: str, found: str, wanted: str) -> Iterator[Probe]:
    """Yield the probe of whether values read as the type that is wanted."""
    column = pl.col(name)
    if found == "string" and wanted in ("float", "int"):
        text = column.cast(pl.String)
        broken = (
            text.cast(pl.Float64 if wanted == "float" else pl.Int64, strict=False).is_null()
            & text.is_not_null()
        )
    elif found == "string":
        broken = ~column.cast(pl.String).str.to_lowercase().is_in(_TEXTS_OF_BOOL)
    elif found in ("int", "float") and wanted == "bool":
        broken = (column != 0) & (column != 1)
    else:
        return
    yield Probe("as_text", ~broken.any(), broken, column, column.count())


def _lowest(rule: str, value: pl.Expr, kind: str, asked: Asked) -> Probe:
    return Probe(
        rule, value.min() >= asked, _finite(value, kind) & (value < asked), value, _there(value, kind), "low"
    )


def _highest(rule: str, value: pl.Expr, kind: str, asked: Asked) -> Probe:
    return Probe(
        rule, value.max() <= asked, _finite(value, kind) & (value > asked), value, _there(value, kind), "high"
    )


def _finite(value: pl.Expr, kind: str) -> pl.Expr:
    # Infinities and NaN have rules of their own; a limit is about the numbers.
    return value.is_finite() if kind == "float" else value.is_not_null()


def _there(value: pl.Expr, kind: str) -> pl.Expr:
    return value.drop_nans().count() if kind == "float" else value.count()


def _nan(rule: str, value: pl.Expr, _kind: str, _asked: Asked) -> Probe:
    return Probe(rule, ~value.is_nan().any(), value.is_nan(), value, value.count())


def _infinite(rule: str, value: pl.Expr, _kind: str, _asked: Asked) -> Probe:
    # The extremes are asked for anyway, by most schemas.
    kept = (value.min() > float("-inf")) & (value.max() < float("inf"))
    return Probe(rule, kept, value.is_infinite(), value, value.count())


def _members(rule: str, value: pl.Expr, _kind: str, asked: Asked) -> Probe:
    assert isinstance(asked, tuple)
    inside = value.is_in(list(asked))
    return Probe(rule, inside.all(), ~inside, value, value.count())


def _shortest(rule: str, value: pl.Expr, _kind: str, asked: Asked) -> Probe:
    length = value.str.len_chars()
    return Probe(rule, length.min() >= asked, length < asked, value, value.count())


def _longest(rule: str, value: pl.Expr, _kind: str, asked: Asked) -> Probe:
    length = value.str.len_chars()
    return Probe(rule, length.max() <= asked, length > asked, value, value.count())


def _matching(rule: str, value: pl.Expr, _kind: str, asked: Asked) -> Probe:
    fits = value.str.contains(rf"\A(?:{asked})\z")
    return Probe(rule, fits.all(), ~fits, value, value.count())


def _fewest(rule: str, value: pl.Expr, _kind: str, asked: Asked) -> Probe:
    return Probe(
        rule, _items(value).min() >= asked, _items(value) < asked, _items(value), value.count(), "low"
    )


def _most(rule: str, value: pl.Expr, _kind: str, asked: Asked) -> Probe:
    return Probe(
        rule, _items(value).max() <= asked, _items(value) > asked, _items(value), value.count(), "high"
    )


def _items(value: pl.Expr) -> pl.Expr:
    return value.list.len()


_NUMBERS = ("float", "int", "time", "duration")
_KINDS: dict[str, tuple[str, ...]] = {
    "min": _NUMBERS,
    "max": _NUMBERS,
    "nan": ("float",),
    "infinite": ("float",),
    "values": ("int", "string", "bool"),
    "min_length": ("string",),
    "max_length": ("string",),
    "pattern": ("string",),
    "min_items": ("list",),
    "max_items": ("list",),
}
_PROBES: dict[str, Callable[[str, pl.Expr, str, Asked], Probe]] = {
    "min": _lowest,
    "max": _highest,
    "nan": _nan,
    "infinite": _infinite,
    "values": _members,
    "min_length": _shortest,
    "max_length": _longest,
    "pattern": _matching,
    "min_items": _fewest,
    "max_items": _most,
}
