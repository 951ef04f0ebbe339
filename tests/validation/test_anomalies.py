"""Every kind of anomaly is made, nearly made, told, and accepted."""

from __future__ import annotations

import polars as pl
import pytest

from tests.validation.anomaly_cases import CASES, NOW, Case
from treadle.define.schema_editor import amended, line_of
from treadle.define.schema_reader import SchemaFile, parse_schema
from treadle.records.anomalies import Anomaly, Nature, Severity, Validation
from treadle.records.anomaly_kinds import KINDS, Seen
from treadle.stages.features.rows.frame import expressions
from treadle.stages.validation.profile.builder import profile_frame
from treadle.stages.validation.schema.from_rows import Around
from treadle.stages.validation.schema.validate import validate, validate_rows


def held(case: Case, rows: pl.DataFrame, seen: str, file: SchemaFile | None = None) -> Validation:
    """Hold rows against a case's schema, by the profile alone or with the rows."""
    schema = (file or parse_schema(case.schema)).schema
    profile = profile_frame(rows, "data")
    other = {
        "previous": None if case.previous is None else profile_frame(case.previous, "data"),
        "training": None if case.training is None else profile_frame(case.training, "data"),
        "now": NOW,
    }
    if seen == "profile":
        return validate(profile, schema, case.environment, **other)
    around = Around(others=case.others, lower=expressions)
    return validate_rows(rows, schema, case.environment, around=around, profile=profile, **other)


def found(validation: Validation, kind: str) -> list[Anomaly]:
    return [one for one in validation.anomalies if one.kind == kind]


def test_every_kind_that_data_show_has_a_case():
    assert set(CASES) == {name for name, kind in KINDS.items() if kind.seen is not Seen.TRAINING_SET}


def test_the_catalogue_says_rightly_what_only_rows_show():
    assert {n for n, c in CASES.items() if c.seen == ("rows",)} == {
        n for n, k in KINDS.items() if k.seen is Seen.ROWS
    }


@pytest.mark.parametrize("seen", ["profile", "rows"])
@pytest.mark.parametrize("kind", CASES)
def test_a_kind_is_seen_where_it_is_and_only_there(kind, seen):
    case = CASES[kind]
    if seen not in case.seen:
        unseen = held(case, case.bad, seen)
        assert not found(unseen, kind)
        # What is not seen is said not to be known, or is known to be different with the rows.
        assert found(unseen, "statistic_missing") or kind == "statistic_missing"
        return
    (anomaly,) = found(held(case, case.bad, seen), kind)
    assert anomaly.where == case.where
    assert anomaly.nature is KINDS[kind].nature
    assert anomaly.severity is KINDS[kind].severity
    assert anomaly.what
    if seen == "rows":
        assert case.count in (None, anomaly.count)
        assert case.examples in (None, anomaly.examples)
    assert not found(held(case, case.good, seen), kind)


@pytest.mark.parametrize("kind", CASES)
def test_the_line_that_an_anomaly_names_accepts_it(kind):
    case = CASES[kind]
    file = parse_schema(case.schema)
    seen = case.seen[-1]
    (anomaly,) = found(held(case, case.bad, seen), kind)
    if kind == "comparison_missing":
        assert not anomaly.accept  # what is missing is data
        return
    assert anomaly.accept
    assert all(1 <= line_of(file, line) <= len(file.text.splitlines()) for line in anomaly.accept)
    accepted = amended(file, anomaly.accept)
    again = found(held(case, case.bad, seen, accepted), kind)
    assert all(one.severity is Severity.INFO for one in again), (accepted.text, again)


def test_severity_and_tolerance_are_those_of_the_rule():
    rows = pl.DataFrame({"x": [*range(98), 1_000, 1_000]})
    schema = 'name = "data"\n[columns.x]\ntype = "int"\nmax = 99\nmostly = {{ max = {} }}\nseverity = {{ max = "warn" }}\n'
    (told,) = validate_rows(rows, parse_schema(schema.format(0.99)).schema).anomalies
    assert (told.severity, told.count, told.of) == (Severity.WARN, 2, 100)
    assert not validate_rows(rows, parse_schema(schema.format(0.98)).schema).anomalies
    by_profile = validate(profile_frame(rows, "data"), parse_schema(schema.format(0.98)).schema)
    assert not by_profile.anomalies


def test_a_broken_schema_and_changed_values_are_two_verdicts():
    case = CASES["distribution_changed"]
    changed = held(case, case.bad, "profile")
    assert (changed.changed, changed.broken) == (True, False)
    broken = held(CASES["below_min"], CASES["below_min"].bad, "profile")
    assert (broken.changed, broken.broken) == (False, True)
    assert {one.nature for one in broken.stops} == {Nature.BROKEN}


def test_columns_out_of_production_and_labels_at_serving_are_not_asked_for():
    text = 'name = "data"\n[columns.x]\ntype = "int"\nmin = 0\nlifecycle = "{}"\n'
    text += '[columns.y]\ntype = "int"\nin_environments = ["training"]\n'
    rows = pl.DataFrame({"x": [-1]})
    for lifecycle in ("planned", "alpha", "debug", "deprecated"):
        assert not validate_rows(rows, parse_schema(text.format(lifecycle)).schema, "serving").anomalies
    kinds = [a.kind for a in validate_rows(rows, parse_schema(text.format("production")).schema).anomalies]
    assert kinds == ["below_min", "column_missing"]


def test_every_anomaly_is_told_the_gravest_first():
    text = 'name = "data"\n[rows]\nmin = 9\n[columns.x]\ntype = "int"\nmin = 0\nmax = 1\n[columns.y]\ntype = "string"\n'
    validation = validate_rows(pl.DataFrame({"x": [-1, 5], "z": [1, 2]}), parse_schema(text).schema)
    assert [one.kind for one in validation.anomalies] == [
        "below_min", "above_max", "column_missing", "too_few_rows", "column_new",
    ]  # fmt: skip
    assert Validation.from_json(validation.as_json()) == validation


def test_rows_are_named_by_the_column_that_is_asked_for():
    rows = pl.DataFrame({"id": ["a", "b", "c"], "x": [1, -1, -5]})
    schema = parse_schema(
        'name = "d"\n[rows]\nnew_columns = true\n[columns.x]\ntype = "int"\nmin = 0\n'
    ).schema
    (told,) = validate_rows(rows, schema, around=Around(row_id="id", examples=1)).anomalies
    assert told.examples == ("c",)
    assert (
        str(told)
        == "x: 2 of 3 values (66.7 %) are below the minimum 0, e.g. -5 (rows c); to accept it: [columns.x] min = -5"
    )
