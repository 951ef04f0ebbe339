"""Making anomalies: severity from the schema, words from the finding, and the lines that would accept it."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.define.schema_writer import rules_text
from treadle.records.anomalies import Amendment, Anomaly, Severity
from treadle.records.anomaly_kinds import KINDS
from treadle.records.schemas import (
    AlignedSchema,
    ColumnSchema,
    KeySchema,
    ReferenceSchema,
    RowRule,
    RowsSchema,
    TimeSchema,
)
from treadle.stages.validation.schema.facts import EXAMPLES, Breach
from treadle.stages.validation.schema.words import value_text

Rules = ColumnSchema | RowsSchema | TimeSchema | KeySchema | ReferenceSchema | AlignedSchema | RowRule


def anomaly(
    kind: str,
    where: str,
    what: str,
    *,
    rules: Rules | None = None,
    rule: str = "",
    breach: Breach | None = None,
    table: str = "",
    accept: Sequence[tuple[str, str]] = (),
    against: str | None = None,
    exact: bool = True,
) -> Anomaly:
    """Return an anomaly of a kind, with the severity that its schema gives the rule.

    Args:
        kind: a name of the catalogue.
        where: the column or rule it is about.
        what: a sentence.
        rules: the table of the schema that holds the rule.
        rule: the key there.
        breach: counts, values and rows.
        table: the heading of that table, for the amendments.
        accept: key and value of the lines that make the schema accept it; none: the rule's severity becomes `info`.
        against: what the data were compared with.
        exact: whether the count is exact, when there is no breach.
    """
    known = KINDS[kind]
    severity = known.severity if rules is None else rules.severity_of(rule, known.severity)
    lines = [Amendment(table, key, value) for key, value in accept]
    if not lines and rules is not None:
        quiet = {**rules.severity, rule: Severity.INFO}
        lines = [Amendment(table, "severity", rules_text(quiet))]
    return Anomaly(
        kind=kind,
        nature=known.nature,
        severity=severity,
        where=where,
        what=what,
        rule=rule,
        count=None if breach is None else breach.count,
        of=None if breach is None else breach.of,
        exact=exact if breach is None else breach.exact,
        values=() if breach is None else tuple(value_text(v) for v in breach.values[:EXAMPLES]),
        examples=() if breach is None else breach.examples,
        against=against,
        accept=tuple(lines),
    )


def unknown(
    table: str, where: str, rule: str, rules: Rules, why: str = "the statistic is not there"
) -> Anomaly:
    """Return the anomaly of a rule that could not be checked; a rule whose breach is but told, is but told here too."""
    known = KINDS["statistic_missing"]
    quiet = rules.severity_of(rule, known.severity) is Severity.INFO
    return Anomaly(
        kind=known.name,
        nature=known.nature,
        severity=Severity.INFO if quiet else known.severity,
        where=where,
        what=f"{rule} could not be checked: {why}",
        rule=rule,
        accept=()
        if quiet
        else (Amendment(table, "severity", rules_text({**rules.severity, rule: Severity.INFO})),),
    )
