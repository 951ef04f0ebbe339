"""Judging: facts and a schema become anomalies. The same rules for facts of profiles and of rows. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from treadle.define.schema_writer import bound_text, column_text, key_text, written
from treadle.records.anomalies import Anomaly
from treadle.records.frequent_items import RowId, Value
from treadle.records.instants import iso, short
from treadle.records.schemas import ColumnSchema, DatasetSchema, Scalar
from treadle.stages.validation.schema.clock_shift import shifted_hours
from treadle.stages.validation.schema.facts import NULLS, Breach, ColumnFacts, Facts
from treadle.stages.validation.schema.findings import anomaly, unknown
from treadle.stages.validation.schema.judge_tables import judge_rows, judge_tables, judge_times
from treadle.stages.validation.schema.table_rules import fitting
from treadle.stages.validation.schema.words import amount, floor_share, share

_NESTED = ("list", "struct")
_READ_FAULTS = {"bool": "not_a_bool", "int": "not_an_int", "float": "not_a_float"}
_COLUMN_KINDS = {
    "min": "below_min",
    "max": "above_max",
    "nan": "nan_found",
    "infinite": "infinity_found",
    "values": "value_unexpected",
    "min_length": "text_too_short",
    "max_length": "text_too_long",
    "pattern": "pattern_missed",
    "utf8": "not_utf8",
    "min_items": "too_few_items",
    "max_items": "too_many_items",
}
_SAID = {
    "min": "below the minimum {limit}",
    "max": "above the maximum {limit}",
    "nan": "NaN",
    "infinite": "infinite",
    "values": "not among the {limit} listed",
    "min_length": "shorter than {limit} characters",
    "max_length": "longer than {limit} characters",
    "pattern": "unlike the pattern {limit}",
    "utf8": "not UTF-8",
    "min_items": "lists of fewer than {limit} items",
    "max_items": "lists of more than {limit} items",
    "as_text": "not readable as {limit}",
}
_LONGEST_LIST = 20
"""As many values as an accepting line adds to a list."""


def judge(
    facts: Facts, schema: DatasetSchema, environment: str, *, now: int | None, rows_given: bool
) -> Iterator[Anomaly]:
    """Yield every anomaly that facts show, the columns in the order of the schema.

    Args:
        facts: what is known.
        schema: what is expected.
        environment: where the data are used; decides which columns are expected.
        now: the instant to measure freshness and future from; None: the rules about them are passed over.
        rows_given: whether rules that only rows show should have been checked.
    """
    expected = schema.expected(environment)
    for name, column in schema.columns.items():
        found = facts.columns.get(name)
        if name in expected and found is None:
            yield _missing(name, column, facts, schema)
        elif name in expected and found is not None:
            yield from judge_column(name, column, found)
        elif found is not None and environment in column.not_in_environments:
            yield _out_of_place(name, column, environment, found)
    for name, found in facts.columns.items():
        if name not in schema.columns and not schema.rows.new_columns:
            yield _new(name, found, schema)
    yield from judge_rows(facts, schema)
    yield from judge_tables(facts, schema, rows_given)
    if schema.time is not None and now is not None and facts.newest is not None:
        yield from judge_times(facts.newest, schema.time, now)


def judge_column(name: str, schema: ColumnSchema, facts: ColumnFacts) -> Iterator[Anomaly]:
    """Yield the anomalies of one column that is there."""
    reads = schema.as_text and schema.type != facts.type and facts.type in ("string", "int", "float")
    if facts.type not in (NULLS, schema.type) and not fitting(facts.type, schema.type) and not reads:
        yield _other_type(name, schema, facts)
        return  # what it holds instead is not held to rules of another type
    yield from _presence(name, schema, facts)
    if facts.type == NULLS:
        return
    yield from _distinct(name, schema, facts)
    for rule in ("as_text", *_COLUMN_KINDS):
        breach = facts.breaches.get(rule)
        if breach is not None:
            yield from _breach(name, schema, rule, breach)
        elif rule not in facts.checked and _said(schema, rule, facts.type):
            yield unknown(f"columns.{key_text(name)}", name, rule, schema)
    yield from _run(name, schema, facts)
    yield from _hours(name, schema, facts)


def _said(schema: ColumnSchema, rule: str, found: str) -> bool:
    value = getattr(schema, rule)
    if rule in ("nan", "infinite"):
        return value is False and found == "float"
    if rule == "as_text":
        return bool(value) and found != schema.type
    return value is not None and value is not False  # by identity: 0 is a limit


def _missing(name: str, schema: ColumnSchema, facts: Facts, whole: DatasetSchema) -> Anomaly:
    spare = [column for column in facts.columns if column not in whole.columns]
    near = difflib.get_close_matches(name.lower(), [s.lower() for s in spare], n=1, cutoff=0.6)
    hint = f"; was it renamed to {next(s for s in spare if s.lower() == near[0])!r}?" if near else ""
    return anomaly(
        "column_missing",
        name,
        f"the column is missing{hint}",
        rules=schema,
        rule="type",
        table=f"columns.{key_text(name)}",
        accept=[("lifecycle", '"deprecated"')],
    )


def _out_of_place(name: str, schema: ColumnSchema, environment: str, facts: ColumnFacts) -> Anomaly:
    others = [e for e in schema.not_in_environments if e != environment]
    return anomaly(
        "column_out_of_place",
        name,
        f"the column is there in {environment!r}, where it must not be known",
        rules=schema,
        rule="not_in_environments",
        breach=Breach(facts.present, facts.rows),
        table=f"columns.{key_text(name)}",
        accept=[("not_in_environments", written(others))],
    )


def _new(name: str, facts: ColumnFacts, schema: DatasetSchema) -> Anomaly:
    near = difflib.get_close_matches(name.lower(), [c.lower() for c in schema.columns], n=1, cutoff=0.8)
    hint = f"; is it {near[0]!r}?" if near else ""
    kind = facts.type if facts.type != NULLS else "string"
    addition = column_text(name, ColumnSchema(type=kind)).splitlines()[1]  # type: ignore[arg-type]  # a ColumnType
    key, _, value = addition.partition(" = ")
    return anomaly(
        "column_new",
        name,
        f"the schema does not name this column of type {facts.type}{hint}",
        rules=schema.rows,
        rule="new_columns",
        breach=Breach(facts.present, facts.rows) if facts.present else None,
        table=f"columns.{key_text(name)}",
        accept=[(key, value)],
    )


def _other_type(name: str, schema: ColumnSchema, facts: ColumnFacts) -> Anomaly:
    nested = (schema.type in _NESTED) != (facts.type in _NESTED)
    return anomaly(
        "nesting_changed" if nested else "type_changed",
        name,
        f"the column holds {facts.type} ({facts.dtype}), not {schema.type}",
        rules=schema,
        rule="type",
        breach=Breach(facts.present, facts.rows),
        table=f"columns.{key_text(name)}",
        accept=[("type", written(facts.type))],
    )


def _presence(name: str, schema: ColumnSchema, facts: ColumnFacts) -> Iterator[Anomaly]:
    table = f"columns.{key_text(name)}"
    absent = Breach(facts.rows - facts.present, facts.rows)
    least, fraction = schema.min_count, schema.min_fraction
    if facts.rows and not facts.present and (least or fraction):
        rule = "min_count" if least else "min_fraction"
        accept = [("min_count", "0")] if least else []
        accept += [("min_fraction", "0.0")] if fraction else []
        yield anomaly(
            "column_empty", name, f"none of the {facts.rows:,} rows has a value",
            rules=schema, rule=rule, breach=absent, table=table, accept=accept,
        )  # fmt: skip
        return
    if fraction is not None and facts.rows and facts.present < fraction * facts.rows:
        there = facts.present / facts.rows
        yield anomaly(
            "too_few_present", name, f"{share(facts.present, facts.rows)} of rows have a value, fewer than {fraction:.6g}",
            rules=schema, rule="min_fraction", breach=absent, table=table,
            accept=[("min_fraction", written(floor_share(there)))],
        )  # fmt: skip
    if least is not None and facts.present < least:
        yield anomaly(
            "too_few_values", name, f"{facts.present:,} rows have a value, fewer than {least:,}",
            rules=schema, rule="min_count", breach=absent, table=table, accept=[("min_count", str(facts.present))],
        )  # fmt: skip


def _distinct(name: str, schema: ColumnSchema, facts: ColumnFacts) -> Iterator[Anomaly]:
    table = f"columns.{key_text(name)}"
    for rule, kind, sign in (
        ("min_distinct", "too_few_distinct", -1),
        ("max_distinct", "too_many_distinct", 1),
    ):
        limit = getattr(schema, rule)
        if limit is None:
            continue
        if facts.distinct is None:
            yield unknown(table, name, rule, schema)
            continue
        slack = 1.0 if facts.distinct_exact else 1.03  # what the sketch's estimate may be off by
        beyond = facts.distinct > limit * slack if sign > 0 else facts.distinct * slack < limit
        if beyond:
            about = "" if facts.distinct_exact else "about "
            yield anomaly(
                kind, name, f"{about}{facts.distinct:,.0f} different values, {'more' if sign > 0 else 'fewer'} than {limit:,}",
                rules=schema, rule=rule, table=table, exact=facts.distinct_exact,
                accept=[(rule, str(round(facts.distinct * (slack if sign > 0 else 1 / slack))))],
            )  # fmt: skip


def _breach(name: str, schema: ColumnSchema, rule: str, breach: Breach) -> Iterator[Anomaly]:
    least = schema.mostly_of(rule)
    if rule == "values" and schema.min_domain_mass is not None:
        least = schema.min_domain_mass
    table = f"columns.{key_text(name)}"
    if breach.count is None and least < 1.0:
        yield unknown(table, name, rule, schema, "how many values break it was not counted")
        return
    # In whole values: 1 % of 100 rows is one row, whatever floating point makes of it.
    if breach.count is not None and breach.count <= round((1.0 - least) * breach.of, 6):
        return
    kind = _READ_FAULTS[schema.type] if rule == "as_text" else _COLUMN_KINDS[rule]
    said = _SAID[rule].format(limit=_limit_text(schema, rule))
    tolerated = "" if least == 1.0 else f"; {1.0 - least:.6g} are tolerated"
    shown = Breach(
        breach.count, breach.of, breach.exact, _readable(schema, rule, breach.values), breach.examples
    )
    yield anomaly(
        kind,
        name,
        f"{amount(breach)} {said}{tolerated}",
        rules=schema,
        rule=rule,
        breach=shown,
        table=table,
        accept=_accepting(schema, rule, breach),
    )


def _readable(schema: ColumnSchema, rule: str, values: Sequence[Value]) -> tuple[Value, ...]:
    if rule in ("min", "max") and schema.type in ("time", "duration"):
        text = iso if schema.type == "time" else short
        return tuple(text(v) if isinstance(v, int) else v for v in values)
    return tuple(values)


def _limit_text(schema: ColumnSchema, rule: str) -> str:
    value = getattr(schema, rule)
    if rule == "as_text":
        return schema.type
    if rule in ("min", "max"):
        return bound_text(value, schema.type)
    return f"{len(value)}" if rule == "values" else written(value)


def _accepting(schema: ColumnSchema, rule: str, breach: Breach) -> list[tuple[str, str]]:
    """Return the key and value that would let the values pass."""
    first = breach.values[0] if breach.values else None
    match rule:
        case "min" | "max" if isinstance(first, int | float):
            return [(rule, bound_text(first, schema.type))]
        case "nan" | "infinite":
            return [(rule, "true")]
        case "values" if (
            schema.values is not None and 0 < len(breach.values) <= _LONGEST_LIST and breach.exact
        ):
            return [("values", written([*schema.values, *_new_members(schema, breach.values)]))]
        case "values" if breach.count is not None:
            return [("min_domain_mass", written(floor_share(1.0 - breach.count / breach.of)))]
        case "min_items" | "max_items" if isinstance(first, int):
            return [(rule, str(first))]
        case "min_length" | "max_length" if breach.values:
            lengths = [len(str(value)) for value in breach.values]
            return [(rule, str(min(lengths) if rule == "min_length" else max(lengths)))]
    if rule == "as_text":
        return [("type", '"string"'), ("as_text", "false")]
    return []


def _new_members(schema: ColumnSchema, values: Iterable[Value]) -> list[Scalar]:
    return [bool(value) if schema.type == "bool" else value for value in values]


def _run(name: str, schema: ColumnSchema, facts: ColumnFacts) -> Iterator[Anomaly]:
    if schema.max_run is None:
        return
    table = f"columns.{key_text(name)}"
    if facts.longest_run is None:
        if facts.present:
            yield unknown(table, name, "max_run", schema)
        return
    length, value, row = facts.longest_run
    if length > schema.max_run:
        rows: tuple[RowId, ...] = () if row is None else (row,)
        yield anomaly(
            "stuck", name, f"one value stands in {length:,} neighbouring rows, more than {schema.max_run:,}",
            rules=schema, rule="max_run", table=table, accept=[("max_run", str(length))],
            breach=Breach(length, facts.rows, values=() if value == "" else (value,), examples=rows),
        )  # fmt: skip


def _hours(name: str, schema: ColumnSchema, facts: ColumnFacts) -> Iterator[Anomaly]:
    if schema.hours is None:
        return
    table = f"columns.{key_text(name)}"
    if facts.hours is None:
        yield unknown(table, name, "hours", schema)
        return
    hours = shifted_hours(facts.hours, schema.hours)
    if hours:
        total = sum(facts.hours)
        shares = [round(count / total, 4) for count in facts.hours]
        yield anomaly(
            "zone_shifted", name, f"times have moved by {hours:+d} h round the clock, as if read in another zone",
            rules=schema, rule="hours", table=table, breach=Breach(total, total), accept=[("hours", written(shares))],
        )  # fmt: skip
