"""Rules over several columns, which only rows show: keys, references, lists that belong together, lateness, row rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import polars as pl

from treadle.define.binding import Bound
from treadle.define.schema_faults import bound_rules
from treadle.records.frequent_items import RowId, Value
from treadle.records.schemas import DatasetSchema
from treadle.stages.validation.schema.facts import Breach, TableBreach
from treadle.stages.validation.schema.probes import INSTANTS, column_type, plain

Lower: TypeAlias = Callable[[Bound], Sequence[pl.Expr]]
"""From a typed graph to one Polars expression for each of its outputs, over columns of the types below."""

_FORMS: dict[str, pl.DataType] = {
    "float": pl.Float64(),
    "int": pl.Int64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "time": INSTANTS,
    "duration": pl.Duration("us"),
}
_ROW = "\nrow"


@dataclass(frozen=True, slots=True)
class _Question:
    """A rule over several columns."""

    table: str
    place: int
    kind: str
    broken: pl.Expr
    of: pl.Expr
    """How many rows the rule is about."""
    shown: tuple[str, ...]
    """Columns of the offending rows to show."""


def table_breaches(
    lazy: pl.LazyFrame,
    types: pl.Schema,
    schema: DatasetSchema,
    others: Mapping[str, pl.DataFrame],
    lower: Lower | None,
    row_id: str | None,
    examples: int,
) -> tuple[frozenset[tuple[str, int]], tuple[TableBreach, ...]]:
    """Return which rules over several columns could be checked, and how they were broken.

    Cost: one pass for all row rules, lists and lateness; a hash of the rows for each key and reference.
    """
    formed = _formed(lazy, types, schema, row_id)
    questions = [
        *_key_questions(schema, types),
        *_list_questions(schema, types),
        *_time_questions(schema, types),
    ]
    if lower is not None:
        questions += _rule_questions(schema, types, lower)
    questions += _reference_questions(schema, types, others)
    if not questions:
        return frozenset(), ()
    answers = formed.select(
        *[q.broken.fill_null(False).sum().alias(str(place)) for place, q in enumerate(questions)],
        *[q.of.alias(f"of {place}") for place, q in enumerate(questions)],
    ).collect()
    answer = answers.row(0, named=True)
    found = []
    for place, question in enumerate(questions):
        if answer[str(place)]:
            values, rows = _offenders(formed, question, examples)
            breach = Breach(int(answer[str(place)]), int(answer[f"of {place}"]), True, values, rows)
            found.append(TableBreach(question.table, question.place, question.kind, breach))
    return frozenset((q.table, q.place) for q in questions), tuple(found)


def _formed(lazy: pl.LazyFrame, types: pl.Schema, schema: DatasetSchema, row_id: str | None) -> pl.LazyFrame:
    """Return the columns of the schema in the forms that rules over several columns are asked in."""
    forms = []
    for name, column in schema.columns.items():
        if name in types:
            form = _FORMS.get(column.type)
            fits = form is not None and fitting(column_type(types[name]), column.type)
            forms.append(_cast(name, types[name], column.type) if fits else pl.col(name))
    row = pl.int_range(pl.len()) if row_id is None else pl.col(row_id)
    return lazy.select(*forms, row.alias(_ROW))


def fitting(found: str, wanted: str) -> bool:
    """Return whether a column that holds one type may stand for another: integers serve as floats. Pure."""
    return found == wanted or (found == "int" and wanted == "float")


def _cast(name: str, dtype: pl.DataType, kind: str) -> pl.Expr:
    value = plain(name, dtype)
    if kind == "time":
        return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias(name)
    return value.cast(_FORMS[kind]).alias(name)


def _key_questions(schema: DatasetSchema, types: pl.Schema) -> Iterator[_Question]:
    for place, key in enumerate(schema.keys):
        if all(name in types and not types[name].is_nested() for name in key.columns):
            columns = [pl.col(name) for name in key.columns]
            whole = pl.all_horizontal(column.is_not_null() for column in columns)
            together = pl.struct(columns) if len(columns) > 1 else columns[0]
            repeated = together.is_duplicated() & whole
            yield _Question("keys", place, "key_repeated", repeated, pl.len(), key.columns)
            yield _Question("keys", place, "key_empty", ~whole, pl.len(), key.columns)


def _list_questions(schema: DatasetSchema, types: pl.Schema) -> Iterator[_Question]:
    for place, aligned in enumerate(schema.aligned):
        if all(isinstance(types.get(name), pl.List | pl.Array) for name in aligned.columns):
            sizes = [_size(name, types[name]) for name in aligned.columns]
            unlike = pl.any_horizontal(size != sizes[0] for size in sizes[1:])
            yield _Question("aligned", place, "lists_misaligned", unlike, pl.len(), aligned.columns)


def _size(name: str, dtype: pl.DataType) -> pl.Expr:
    # A list that is not there is one without items: values without their weights are misaligned.
    items = pl.col(name).arr.len() if isinstance(dtype, pl.Array) else pl.col(name).list.len()
    return items.fill_null(0)


def _time_questions(schema: DatasetSchema, types: pl.Schema) -> Iterator[_Question]:
    time = schema.time
    if time is None or time.known is None or time.max_lateness is None:
        return
    if all(name in types and column_type(types[name]) == "time" for name in (time.column, time.known)):
        delay = (pl.col(time.known) - pl.col(time.column)).dt.total_microseconds()
        yield _Question(
            "time", 0, "late", delay > time.max_lateness, delay.count(), (time.column, time.known)
        )


def _rule_questions(schema: DatasetSchema, types: pl.Schema, lower: Lower) -> list[_Question]:
    there = [
        name
        for name, column in schema.columns.items()
        if name in types and fitting(column_type(types[name]), column.type)
    ]
    asked, bound = bound_rules(schema, there)
    places = {rule.name: place for place, rule in enumerate(schema.rules)}
    questions = []
    for rule, expression, node in zip(asked, lower(bound), bound.outputs, strict=True):
        inputs = tuple(bound_inputs(bound, node))
        questions.append(_Question("rules", places[rule.name], "rule_broken", ~expression, pl.len(), inputs))
    return questions


def bound_inputs(bound: Bound, output: str) -> list[str]:
    """Return the columns an output of a graph reads, in the order of the graph's inputs."""
    read: set[str] = set()
    waiting = [bound.outputs[output]]
    while waiting:
        node = waiting.pop()
        if node.operator == "field":
            read.add(str(node.constants[0]))
        waiting += node.arguments
    return [name for name in bound.inputs if name in read]


def _reference_questions(
    schema: DatasetSchema, types: pl.Schema, others: Mapping[str, pl.DataFrame]
) -> Iterator[_Question]:
    for place, reference in enumerate(schema.references):
        other = others.get(reference.dataset)
        there = all(name in types and not types[name].is_nested() for name in reference.columns)
        if other is None or not there or any(name not in other.columns for name in reference.to):
            continue
        known = other.select(reference.to).drop_nulls().unique()
        names = reference.columns
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in names)
        # Compared as text: an id may be an integer on one side and text on the other.
        keys = _key_text([pl.col(name) for name in names])
        held = known.select(_key_text([pl.col(name) for name in reference.to])).to_series()
        missing = whole & ~keys.is_in(held.implode())
        yield _Question("references", place, "reference_missing", missing, whole.sum(), names)


def _key_text(columns: list[pl.Expr]) -> pl.Expr:
    # With lengths, so that ("a", "bc") and ("ab", "c") differ.
    texts = [column.cast(pl.String) for column in columns]
    if len(texts) == 1:
        return texts[0].alias("key")
    parts = [part for text in texts for part in (text.str.len_bytes().cast(pl.String), pl.lit(":"), text)]
    return pl.concat_str(parts).alias("key")


def _shown(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else str(value)


def _offenders(
    formed: pl.LazyFrame, question: _Question, examples: int
) -> tuple[tuple[Value, ...], tuple[RowId, ...]]:
    shown = (
        formed.with_columns(question.broken.fill_null(False).alias("\nbroken"))
        .filter(pl.col("\nbroken"))
        .select(*question.shown, _ROW)
        .head(examples)
        .collect()
    )
    values = [
        ", ".join(f"{name}={_shown(row[name])}" for name in question.shown)
        for row in shown.iter_rows(named=True)
    ]
    return tuple(dict.fromkeys(values)), tuple(shown[_ROW].to_list())
