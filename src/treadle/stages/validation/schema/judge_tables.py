"""Judging what concerns rows as a whole, several columns together, and time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from treadle.define.schema_writer import rules_text, written
from treadle.records.anomalies import Anomaly
from treadle.records.instants import iso, short
from treadle.records.schemas import (
    AlignedSchema,
    DatasetSchema,
    KeySchema,
    ReferenceSchema,
    RowRule,
    TimeSchema,
)
from treadle.stages.validation.schema.facts import Breach, Facts
from treadle.stages.validation.schema.findings import Rules, anomaly, unknown
from treadle.stages.validation.schema.words import amount, floor_share


def judge_rows(facts: Facts, schema: DatasetSchema) -> Iterator[Anomaly]:
    """Yield the anomalies of the number of rows, and of rows that repeat one another."""
    rows = schema.rows
    if rows.min is not None and facts.rows < rows.min:
        yield anomaly(
            "too_few_rows", "rows", f"{facts.rows:,} rows, fewer than {rows.min:,}",
            rules=rows, rule="min", table="rows", accept=[("min", str(facts.rows))],
        )  # fmt: skip
    if rows.max is not None and facts.rows > rows.max:
        yield anomaly(
            "too_many_rows", "rows", f"{facts.rows:,} rows, more than {rows.max:,}",
            rules=rows, rule="max", table="rows", accept=[("max", str(facts.rows))],
        )  # fmt: skip
    if rows.max_duplicates is None:
        return
    if facts.duplicates is None:
        yield unknown("rows", "rows", "max_duplicates", rows)
    elif facts.duplicates > round(rows.max_duplicates * facts.rows, 6):
        breach = Breach(facts.duplicates, facts.rows)
        yield anomaly(
            "rows_repeated", "rows", f"{amount(breach, 'rows')} repeat another row whole",
            rules=rows, rule="max_duplicates", table="rows", breach=breach,
            accept=[("max_duplicates", written(floor_share(facts.duplicates / facts.rows) + 0.0001))],
        )  # fmt: skip


def judge_tables(facts: Facts, schema: DatasetSchema, rows_given: bool) -> Iterator[Anomaly]:
    """Yield the anomalies of rules over several columns, and of those that could not be checked."""
    tables: dict[str, Sequence[Rules]] = {
        "time": [schema.time] if schema.time is not None and schema.time.max_lateness is not None else [],
        "keys": schema.keys,
        "references": schema.references,
        "aligned": schema.aligned,
        "rules": schema.rules,
    }
    for found in facts.breaches:
        rules = tables[found.table][found.place]
        rule = {"rules": "rule", "time": "max_lateness"}.get(found.table, "columns")
        breach, least = found.breach, rules.mostly_of(rule)
        if breach.count is not None and breach.count <= round((1.0 - least) * breach.of, 6):
            continue
        heading = found.table if found.table == "time" else f"{found.table}[{found.place}]"
        kept = 1.0 - (breach.count or 0) / breach.of if breach.of else 0.0
        tolerance = rules_text({**rules.mostly, rule: floor_share(kept)})
        yield anomaly(
            found.kind,
            _place(rules),
            f"{amount(breach, 'rows')} {_table_words(found.kind, rules)}",
            rules=rules,
            rule=rule,
            table=heading,
            breach=breach,
            accept=[("mostly", tolerance)] if kept > 0.0001 else (),
        )
    for table, items in tables.items():
        for place, rules in enumerate(items):
            rule = {"rules": "rule", "time": "max_lateness"}.get(table, "columns")
            if (table, place) not in facts.checked:
                heading = table if table == "time" else f"{table}[{place}]"
                why = (
                    "its columns, or what it refers to, are not there" if rows_given else "only rows show it"
                )
                yield unknown(heading, _place(rules), rule, rules, why)


def _place(rules: Rules) -> str:
    match rules:
        case RowRule():
            return rules.name
        case TimeSchema():
            return rules.column
        case KeySchema() | ReferenceSchema() | AlignedSchema():
            return ", ".join(rules.columns)
    return "rows"


def _table_words(kind: str, rules: Rules) -> str:
    match kind, rules:
        case "key_repeated", _:
            return "share their key with another row"
        case "key_empty", _:
            return "have no value in a column of their key"
        case "reference_missing", ReferenceSchema():
            return f"refer to nothing in {rules.dataset} ({', '.join(rules.to)})"
        case "lists_misaligned", _:
            return "have lists of different lengths"
        case "late", TimeSchema() if rules.max_lateness is not None:
            return f"became known more than {short(rules.max_lateness)} after they happened"
        case "rule_broken", RowRule():
            return f"break the rule `{rules.rule}`"
    raise AssertionError(kind)


def judge_times(newest: int, time: TimeSchema, now: int) -> Iterator[Anomaly]:
    """Yield the anomalies of the newest row's age."""
    age = short(now - newest)
    if time.max_age is not None and now - newest > time.max_age:
        yield anomaly(
            "stale", time.column, f"the newest row is {age} old ({iso(newest)}), older than {short(time.max_age)}",
            rules=time, rule="max_age", table="time", accept=[("max_age", written(age))],
        )  # fmt: skip
    if not time.future and newest > now:
        yield anomaly(
            "from_the_future", time.column, f"the newest row is of {iso(newest)}, {short(newest - now)} from now",
            rules=time, rule="future", table="time", accept=[("future", "true")],
        )  # fmt: skip
