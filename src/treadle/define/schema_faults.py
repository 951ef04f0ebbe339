"""What is wrong with a schema in itself: rules that contradict one another, or that a column's type cannot keep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from treadle.define.binding import BOUND_TYPES, Bound, bind
from treadle.define.expressions import fields
from treadle.define.names import duplicates
from treadle.define.row_features import RowFeature
from treadle.define.rule_text import parse_rule
from treadle.define.schema_lines import Path
from treadle.records.errors import InvalidInput
from treadle.records.schemas import (
    EVERY_RULE,
    AlignedSchema,
    ColumnSchema,
    DatasetSchema,
    KeySchema,
    ReferenceSchema,
    RowRule,
)

Fault: TypeAlias = tuple[Path, str]
"""Where in the schema, and what is wrong."""

_NUMBERS = ("float", "int")
_ORDERED = ("float", "int", "time", "duration")
_PLAIN = ("float", "int", "string", "bool", "time", "duration")

RULE_TYPES: dict[str, tuple[str, ...]] = {
    "min": _ORDERED,
    "max": _ORDERED,
    "nan": ("float",),
    "infinite": ("float",),
    "values": ("int", "string", "bool"),
    "min_domain_mass": ("int", "string", "bool"),
    "min_length": ("string",),
    "max_length": ("string",),
    "pattern": ("string",),
    "as_text": ("float", "int", "bool"),
    "utf8": ("binary",),
    "min_items": ("list",),
    "max_items": ("list",),
    "min_distinct": _PLAIN,
    "max_distinct": _PLAIN,
    "max_run": _PLAIN,
    "hours": ("time",),
    "drift": _PLAIN,
    "skew": _PLAIN,
    "unit": _NUMBERS,
}
"""The types of column that can keep each rule; rules not listed hold for any."""

COLUMN_RULES = ("type", "min_fraction", "min_count", "not_in_environments", *RULE_TYPES)
"""What tolerances and severities of a column may be named after, besides `all`."""
TOLERANT = (
    "min", "max", "values", "min_length", "max_length", "pattern", "as_text", "utf8", "min_items", "max_items",
)  # fmt: skip
"""Rules of a column that hold for each value, so that a share of values may break them."""

_TABLE_RULES: dict[str, tuple[str, ...]] = {
    "rows": ("min", "max", "min_ratio", "max_ratio", "max_duplicates", "new_columns"),
    "time": ("max_age", "max_lateness", "future"),
    "keys": ("columns",),
    "references": ("columns",),
    "aligned": ("columns",),
    "rules": ("rule",),
}


def schema_faults(schema: DatasetSchema) -> list[Fault]:
    """Return everything that is wrong with a schema, in the order of its parts. Pure."""
    faults: list[Fault] = []
    if not schema.name:
        faults.append((("name",), "the schema has no name"))
    for name, column in schema.columns.items():
        found = [] if name else ["the column has no name"]
        faults += [(("columns", name), fault) for fault in found]
        faults += [(("columns", name, key), fault) for key, fault in _column_faults(column)]
    faults += _rows_faults(schema)
    faults += _table_faults(schema)
    faults += _rule_faults(schema)
    return faults


def bound_rules(schema: DatasetSchema, present: Iterable[str] | None = None) -> tuple[list[RowRule], Bound]:
    """Return the row rules that can be asked and their typed graph; outputs stand in the order of the rules.

    Args:
        schema: one without faults.
        present: the columns there are; a rule that reads another one is left out. None: all of the schema.
    """
    there = set(schema.columns if present is None else present)
    features, asked = [], []
    for rule in schema.rules:
        feature = _feature(rule)
        if there.issuperset(feature.inputs):
            asked.append(rule)
            features.append(feature)
    types = {name: c.type for name, c in schema.columns.items() if c.type in BOUND_TYPES and name in there}
    return asked, bind(features, types)


def _feature(rule: RowRule) -> RowFeature:
    expression = parse_rule(rule.rule)
    # The name cannot be a column's: it has a blank and a colon.
    return RowFeature(f"rule: {rule.name}", fields(expression), expression)


def _column_faults(column: ColumnSchema) -> Iterator[tuple[str, str]]:
    for rule, types in RULE_TYPES.items():
        if _said(column, rule) and column.type not in types:
            yield rule, f"a column of type {column.type!r} cannot keep {rule!r}; {_kinds(types)} can"
    for key in ("min_fraction", "min_domain_mass"):
        yield from _share_faults(key, getattr(column, key))
    for low, high in (
        ("min", "max"),
        ("min_length", "max_length"),
        ("min_items", "max_items"),
        ("min_distinct", "max_distinct"),
    ):
        below, above = getattr(column, low), getattr(column, high)
        if below is not None and above is not None and below > above:
            yield low, f"{low} is above {high}: no value keeps both"
    for key in ("min_count", "min_length", "min_items", "min_distinct", "max_run"):
        value = getattr(column, key)
        if value is not None and value < (1 if key == "max_run" else 0):
            yield key, f"{key} = {value} says nothing; leave it out or give a larger number"
    yield from ((key, f"{key} is NaN") for key in ("min", "max") if _is_nan(getattr(column, key)))
    yield from _values_faults(column)
    if column.pattern is not None:
        yield from _pattern_faults(column.pattern)
    yield from _hours_faults(column.hours)
    for key in ("drift", "skew"):
        comparison = getattr(column, key)
        if comparison is not None:
            yield from _share_faults(key, comparison.distance)
            yield from _share_faults(key, comparison.chance)
    both = sorted({*(column.in_environments or ())} & {*column.not_in_environments})
    if both:
        yield "not_in_environments", f"{', '.join(both)} stands in in_environments as well"
    yield from _tolerance_faults(column.mostly, column.severity, COLUMN_RULES, TOLERANT)


def _said(column: ColumnSchema, rule: str) -> bool:
    """Return whether a column says a rule that is not meant anyway."""
    value = getattr(column, rule)
    return value is not None and value is not (rule in ("nan", "infinite", "unit"))


def _values_faults(column: ColumnSchema) -> Iterator[tuple[str, str]]:
    if column.values is None:
        if column.min_domain_mass is not None:
            yield "min_domain_mass", "min_domain_mass is a share of `values`, and there are none"
        return
    if not column.values:
        yield "values", "the list is empty: no value keeps it"
    kinds = {"int": int, "string": str, "bool": bool}
    wanted = kinds.get(column.type)
    if wanted is not None:
        wrong = [
            v
            for v in column.values
            if not isinstance(v, wanted) or (wanted is int and v in (True, False) and isinstance(v, bool))
        ]
        if wrong:
            yield "values", f"{wrong[0]!r} is no {column.type}"
    for value in duplicates([f"{type(v).__name__} {v!r}" for v in column.values]):
        yield "values", f"{value} stands twice"


def _pattern_faults(pattern: str) -> Iterator[tuple[str, str]]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        yield "pattern", f"{pattern[:60]!r} is no regular expression: {error}"
        return
    if re.search(r"\\[1-9]|\(\?(=|!|<=|<!|P=|\()", pattern):
        yield (
            "pattern",
            "look-around and references to groups are not supported: rows are matched in linear time",
        )


def _hours_faults(hours: Sequence[float] | None) -> Iterator[tuple[str, str]]:
    if hours is None:
        return
    if len(hours) != 24 or any(not 0.0 <= share <= 1.0 for share in hours) or abs(sum(hours) - 1.0) > 0.01:
        yield "hours", "hours are 24 shares that add up to 1, the first of midnight to 1:00 UTC"


def _share_faults(key: str, value: float | None) -> Iterator[tuple[str, str]]:
    if value is not None and not 0.0 <= value <= 1.0:
        yield key, f"{key} is a share from 0 to 1, got {value}"


def _tolerance_faults(
    mostly: Mapping[str, float], severity: Mapping[str, object], rules: Sequence[str], tolerant: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for rule, share in mostly.items():
        if rule != EVERY_RULE and rule not in tolerant:
            more = " holds for the column as a whole" if rule in rules else " is no rule here"
            yield "mostly", f"{rule!r}{more}; tolerances are for {', '.join(tolerant) or 'no rule here'}"
        if not 0.0 < share <= 1.0:
            yield "mostly", f"the share of values that keep {rule!r} lies above 0 and up to 1, got {share}"
    for rule in severity:
        if rule != EVERY_RULE and rule not in rules:
            yield "severity", f"{rule!r} is no rule here; rules are {', '.join(rules)}"


def _rows_faults(schema: DatasetSchema) -> Iterator[Fault]:
    rows = schema.rows
    for low, high in (("min", "max"), ("min_ratio", "max_ratio")):
        below, above = getattr(rows, low), getattr(rows, high)
        if below is not None and above is not None and below > above:
            yield ("rows", low), f"{low} is above {high}"
    for key in ("min", "max", "min_ratio", "max_ratio"):
        value = getattr(rows, key)
        if value is not None and not (0 <= value < math.inf):
            yield ("rows", key), f"{key} is a number from 0 on, got {value}"
    yield from ((("rows", key), fault) for key, fault in _share_faults("max_duplicates", rows.max_duplicates))
    yield from (
        (("rows", key), fault)
        for key, fault in _tolerance_faults(rows.mostly, rows.severity, _TABLE_RULES["rows"], ())
    )


def _table_faults(schema: DatasetSchema) -> Iterator[Fault]:
    if schema.time is not None:
        for key in ("column", "known"):
            name = getattr(schema.time, key)
            if name is not None and (name not in schema.columns or schema.columns[name].type != "time"):
                yield ("time", key), f"{name!r} is no column of type 'time' in this schema"
        if schema.time.max_lateness is not None and schema.time.known is None:
            yield ("time", "max_lateness"), "name the column that says when rows became known: known = ..."
        tolerant = ("max_lateness", "future")
        yield from (
            (("time", key), fault)
            for key, fault in _tolerance_faults(
                schema.time.mostly, schema.time.severity, _TABLE_RULES["time"], tolerant
            )
        )
    lists: dict[str, Sequence[KeySchema | ReferenceSchema | AlignedSchema]] = {
        "keys": schema.keys,
        "references": schema.references,
        "aligned": schema.aligned,
    }
    for table, items in lists.items():
        for place, item in enumerate(items):
            where = (table, str(place))
            yield from (((*where, "columns"), fault) for fault in _list_faults(item.columns, schema))
            rules = _TABLE_RULES[table]
            yield from (
                ((*where, key), fault)
                for key, fault in _tolerance_faults(item.mostly, item.severity, rules, rules)
            )
    for place, reference in enumerate(schema.references):
        if len(reference.to) != len(reference.columns):
            yield (
                ("references", str(place), "to"),
                "to names as many columns as columns does, in the same order",
            )
    for place, aligned in enumerate(schema.aligned):
        others = [c for c in aligned.columns if c in schema.columns and schema.columns[c].type != "list"]
        if others or len(aligned.columns) < 2:
            yield ("aligned", str(place), "columns"), "name two or more columns of type 'list'"


def _list_faults(columns: Sequence[str], schema: DatasetSchema) -> list[str]:
    faults = [f"{name!r} is no column of this schema" for name in columns if name not in schema.columns]
    faults += [f"{name!r} stands twice" for name in duplicates(columns)]
    return faults or ([] if columns else ["no column is named"])


def _rule_faults(schema: DatasetSchema) -> Iterator[Fault]:
    types = {name: column.type for name, column in schema.columns.items()}
    seen: set[str] = set()
    for place, rule in enumerate(schema.rules):
        where = ("rules", str(place))
        if not rule.name or rule.name in seen:
            yield (
                (*where, "name"),
                f"two rules are called {rule.name!r}" if rule.name else "the rule has no name",
            )
        seen.add(rule.name)
        yield from (((*where, "rule"), fault) for fault in _expression_faults(rule, types))
        yield from (
            ((*where, key), fault)
            for key, fault in _tolerance_faults(rule.mostly, rule.severity, ("rule",), ("rule",))
        )


def _expression_faults(rule: RowRule, types: Mapping[str, str]) -> list[str]:
    try:
        feature = _feature(rule)
    except InvalidInput as error:
        return [error.what + (f"; {error.fix}" if error.fix else "")]
    unknown = [name for name in feature.inputs if name not in types]
    if unknown:
        return [f"it reads {name!r}, which is no column of this schema" for name in unknown]
    nested = [name for name in feature.inputs if types[name] not in BOUND_TYPES]
    if nested:
        return [f"it reads {name!r}, a {types[name]}; rules are about plain values" for name in nested]
    try:
        bound = bind([feature], {name: types[name] for name in feature.inputs})
    except InvalidInput as error:
        return [fault.removeprefix(f"row feature {feature.name!r}: ") for fault in error.faults]
    kind = bound.outputs[feature.name].type
    return [] if kind == "bool" else [f"it gives {kind}; a rule is a condition, such as a > b"]


def _is_nan(value: float | None) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _kinds(types: Sequence[str]) -> str:
    return " and ".join(types) if len(types) < 3 else f"{', '.join(types[:-1])} and {types[-1]}"
