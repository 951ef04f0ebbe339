"""Facts from the rows: one pass asks every rule; only rules that were broken are looked into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from treadle.records.frequent_items import RowId, Value
from treadle.records.schemas import ColumnSchema, DatasetSchema
from treadle.stages.validation.schema.facts import EXAMPLES, Breach, ColumnFacts, Facts
from treadle.stages.validation.schema.probes import Probe, column_type, plain, probes
from treadle.stages.validation.schema.table_rules import Lower, table_breaches

Frame = pl.DataFrame | pl.LazyFrame


@dataclass(frozen=True, slots=True)
class Around:
    """What the rows alone do not say."""

    others: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Other data sets that references point into, by name."""
    lower: Lower | None = None
    """Turns the typed graph of row rules into Polars expressions; without it they are not checked."""
    row_id: str | None = None
    """The column that example rows are named by; None: their positions, from 0."""
    examples: int = EXAMPLES


ALONE = Around()
"""Nothing but the rows."""


def facts_of_rows(rows: Frame, schema: DatasetSchema, around: Around = ALONE) -> Facts:
    """Return what rows show of the rules of a schema.

    Cost: one pass over the columns that have rules; a second one over those whose rules are broken; a sort or a hash of
    the rows for each key, reference and `max_duplicates`. 1M rows × 20 columns of ranges and value lists: as long as
    Polars takes to ask for them by hand.
    """
    lazy = rows.lazy()
    types = lazy.collect_schema()
    held = {name: column for name, column in schema.columns.items() if name in types and column.held}
    asked = {name: list(probes(name, types[name], column)) for name, column in held.items()}
    answers = lazy.select(_questions(types, schema, held, asked)).collect()
    answer = answers.row(0, named=True)
    broken = {
        (name, probe.rule): probe
        for name, found in asked.items()
        for probe in found
        if answer[f"{name}\nrule {probe.rule}"] is False
    }
    height = int(answer["rows"])
    breaches = _breaches(lazy, broken, around)
    columns = {
        name: _column(name, dtype, held.get(name), asked.get(name, []), answer, height, breaches)
        for name, dtype in types.items()
    }
    checked, found = table_breaches(
        lazy, types, schema, around.others, around.lower, around.row_id, around.examples
    )
    newest = answer.get("newest")
    unlike = answer.get("unlike")
    return Facts(
        rows=height,
        columns=columns,
        checked=checked,
        breaches=found,
        newest=newest,
        duplicates=None if unlike is None else height - int(unlike),
    )


def _questions(
    types: pl.Schema,
    schema: DatasetSchema,
    held: Mapping[str, ColumnSchema],
    asked: Mapping[str, Sequence[Probe]],
) -> list[pl.Expr]:
    """Return every question of the pass; the name of an answer is `column newline question`."""
    questions = [pl.len().alias("rows")]
    for name, column in held.items():
        value = plain(name, types[name])
        questions.append(value.null_count().alias(f"{name}\nnulls"))
        if types[name].is_float() and (column.min_fraction is not None or column.min_count is not None):
            questions.append(value.is_nan().sum().alias(f"{name}\nnan"))
        if column.min_distinct is not None or column.max_distinct is not None:
            there = value.drop_nulls()
            there = there.filter(there.is_finite()) if types[name].is_float() else there
            questions.append(there.n_unique().alias(f"{name}\ndistinct"))
        if column.max_run is not None:
            runs = value.rle()
            questions.append(
                pl.when(runs.struct.field("value").is_not_null())
                .then(runs.struct.field("len"))
                .max()
                .alias(f"{name}\nrun")
            )
        if column.hours is not None and column_type(types[name]) == "time":
            hour = pl.col(name).cast(pl.Datetime("us")).dt.hour().drop_nulls()
            questions.append(hour.value_counts().implode().alias(f"{name}\nhours"))
        questions += [
            probe.kept.fill_null(True).alias(f"{name}\nrule {probe.rule}") for probe in asked.get(name, ())
        ]
    if schema.time is not None and column_type(types.get(schema.time.column, pl.Null())) == "time":
        questions.append(plain(schema.time.column, types[schema.time.column]).max().alias("newest"))
    if schema.rows.max_duplicates is not None and not any(dtype.is_nested() for dtype in types.values()):
        questions.append(pl.struct(pl.all()).n_unique().alias("unlike"))
    return questions


def _breaches(
    lazy: pl.LazyFrame, broken: Mapping[tuple[str, str], Probe], around: Around
) -> dict[tuple[str, str], Breach]:
    if not broken:
        return {}
    counts = lazy.select(
        *[
            probe.broken.fill_null(False).sum().alias(f"{place}")
            for place, probe in enumerate(broken.values())
        ],
        *[probe.of.alias(f"of {place}") for place, probe in enumerate(broken.values())],
    ).collect()
    count = counts.row(0, named=True)
    found = {}
    for place, (key, probe) in enumerate(broken.items()):
        if count[f"{place}"]:
            values, examples = _offenders(lazy, probe, around)
            of = max(int(count[f"of {place}"]), int(count[f"{place}"]))
            found[key] = Breach(int(count[f"{place}"]), of, True, values, examples)
    return found


def _offenders(
    lazy: pl.LazyFrame, probe: Probe, around: Around
) -> tuple[tuple[Value, ...], tuple[RowId, ...]]:
    """Return the values that break a rule, the worst first, and rows that have them."""
    wrong = lazy.select(
        probe.value.alias("value"),
        (pl.int_range(pl.len()) if around.row_id is None else pl.col(around.row_id)).alias("row"),
        probe.broken.fill_null(False).alias("broken"),
    ).filter("broken")
    if probe.worst == "frequent":
        order = wrong.group_by("value").agg(pl.len().alias("count"), pl.col("row").first())
        # Equal counts in the order of the rows, so that the same data always show the same values.
        shown = (
            order.sort(["count", "row"], descending=[True, False])
            .head(max(around.examples, _SHOWN))
            .collect()
        )
    else:
        high = probe.worst == "high"
        shown = wrong.sort(["value", "row"], descending=[high, False]).head(around.examples).collect()
    return tuple(shown["value"].to_list()), tuple(shown["row"].head(around.examples).to_list())


_SHOWN = 50
"""Unexpected values that are kept: they may be taken into the schema's list."""


def _column(
    name: str,
    dtype: pl.DataType,
    schema: ColumnSchema | None,
    asked: Sequence[Probe],
    answer: Mapping[str, object],
    height: int,
    breaches: Mapping[tuple[str, str], Breach],
) -> ColumnFacts:
    def number(question: str) -> int | None:
        value = answer.get(f"{name}\n{question}")
        return value if isinstance(value, int) else None

    distinct, run = number("distinct"), number("run")
    hours = answer.get(f"{name}\nhours")
    return ColumnFacts(
        type=column_type(dtype),
        dtype=str(dtype),
        rows=height,
        present=height - (number("nulls") or 0) - (number("nan") or 0),
        checked=frozenset(probe.rule for probe in asked),
        breaches={}
        if schema is None
        else {rule: b for (column, rule), b in breaches.items() if column == name},
        distinct=None if distinct is None else float(distinct),
        longest_run=None if run is None else (run, "", None),
        hours=_hours(name, hours) if isinstance(hours, list) else None,
    )


def _hours(name: str, counts: Sequence[Mapping[str, int]]) -> tuple[int, ...]:
    by_hour = {int(one[name]): int(one["count"]) for one in counts}
    return tuple(by_hour.get(hour, 0) for hour in range(24))
