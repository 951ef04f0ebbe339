"""The file form of schemas: what is written is read back, and what is wrong is refused whole with its lines."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.schema_lines import Layout
from treadle.define.schema_reader import parse_schema
from treadle.define.schema_writer import schema_text
from treadle.records.anomalies import Severity
from treadle.records.errors import InvalidInput
from treadle.records.schemas import (
    ColumnSchema,
    Comparison,
    DatasetSchema,
    KeySchema,
    ReferenceSchema,
    RowRule,
    RowsSchema,
    TimeSchema,
)

WHOLE = """\
name = "flights"
environments = ["training", "serving"]

[rows]
min = 10
max_ratio = 2.5
severity = "warn"

[time]
column = "time_hour"
max_age = "2d"

[[keys]]
columns = ["carrier", "flight", "time_hour"]

[[references]]
columns = ["carrier"]
dataset = "airlines"
to = ["carrier"]
mostly = 0.99

[[rules]]
name = "a long flight takes long"
rule = "distance < 1000 or air_time > 60"
severity = { rule = "info" }

[columns.carrier]
type = "string"
values = ["AA", "UA"]  # the two that fly here
min_domain_mass = 0.99

[columns.flight]
type = "int"
min = 1

[columns.time_hour]
type = "time"
min = 2013-01-01T00:00:00Z

[columns.distance]
type = "float"
max = 5000
mostly = { max = 0.999 }

[columns.air_time]
type = "float"
not_in_environments = ["serving"]
drift = true
"""


def test_a_file_is_read_as_what_it_says():
    schema = parse_schema(WHOLE).schema
    assert schema.rows == RowsSchema(min=10, max_ratio=2.5, severity={"all": Severity.WARN})
    assert schema.time == TimeSchema(column="time_hour", max_age=172_800_000_000)
    assert schema.keys == (KeySchema(columns=("carrier", "flight", "time_hour")),)
    assert schema.references[0].mostly_of("columns") == 0.99
    assert schema.rules[0].severity_of("rule", Severity.STOP) is Severity.INFO
    assert schema.columns["time_hour"].min == 1_356_998_400_000_000
    assert schema.columns["distance"].max == 5000.0
    assert schema.columns["air_time"].drift == Comparison()
    assert set(schema.expected("serving")) == {"carrier", "flight", "time_hour", "distance"}
    assert set(schema.expected("training")) == set(schema.columns)
    assert not schema.expected("debugging")


names = st.text(min_size=1, max_size=12).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
shares = st.floats(0.001, 1.0)
severities = st.sampled_from(Severity)
tolerances = {
    "mostly": st.dictionaries(st.sampled_from(["all", "max", "values"]), shares, max_size=2),
    "severity": st.dictionaries(st.sampled_from(["all", "type", "min"]), severities, max_size=2),
}
numbers = st.floats(allow_nan=False)
comparisons = st.none() | st.builds(Comparison, distance=shares, chance=shares)
usual = {
    "description": st.text(st.characters(codec="utf-8"), max_size=10),
    "lifecycle": st.sampled_from(["production", "debug", "deprecated"]),
    "in_environments": st.none() | st.just(("training",)),
    "min_fraction": st.none() | shares,
    "min_count": st.none() | st.integers(0, 9),
    "drift": comparisons,
    **tolerances,
}
floats = st.builds(
    ColumnSchema, type=st.just("float"), min=st.none() | numbers.filter(lambda x: x <= 0), nan=st.booleans(),
    max=st.none() | numbers.filter(lambda x: x >= 0), infinite=st.booleans(), unit=st.booleans(), **usual,
)  # fmt: skip
texts = st.builds(
    ColumnSchema, type=st.just("string"), values=st.none() | st.sets(names, min_size=1, max_size=40).map(tuple),
    min_length=st.none() | st.integers(1, 5), pattern=st.none() | st.just("[A-Z]{2}\\d+"), **usual,
)  # fmt: skip
times = st.builds(
    ColumnSchema, type=st.just("time"), min=st.none() | st.integers(-(10**15), 10**15), max_run=st.none() | st.just(7),
    hours=st.none() | st.just((0.5, *[0.0] * 22, 0.5)), **usual,
)  # fmt: skip
spans = st.builds(
    ColumnSchema, type=st.just("duration"), max=st.none() | st.integers(-(10**15), 10**15), **usual
)
columns = st.dictionaries(names, floats | texts | times | spans, min_size=1, max_size=4)


@st.composite
def schemas(draw):
    found = draw(columns)
    inside = st.lists(st.sampled_from(sorted(found)), min_size=1, max_size=3, unique=True).map(tuple)
    key_columns = draw(inside)
    instants = [name for name, column in found.items() if column.type == "time"]
    return DatasetSchema(
        name=draw(names),
        environments=draw(st.lists(names, max_size=3).map(tuple)),
        rows=draw(st.builds(RowsSchema, min=st.none() | st.integers(0, 9), max_ratio=st.none() | st.just(2.0))),
        time=TimeSchema(column=instants[0], known=instants[-1], max_lateness=draw(st.integers(0, 10**12)), max_age=5)
        if instants
        else None,
        keys=(KeySchema(columns=key_columns, mostly={"columns": draw(shares)}),),
        references=(ReferenceSchema(columns=key_columns, dataset=draw(names), to=key_columns),),
        rules=tuple(RowRule(name=name, rule=f'col("{i}") > 1') for i, name in enumerate([]))
        if instants
        else (RowRule(name=draw(names), rule=f"col({min(found)!r}).is_not_null()", description="why"),),
        columns=found,
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(schemas())
def test_a_schema_is_read_back_from_its_text_as_it_was(schema):
    text = schema_text(schema, notes=["inferred from 10 rows\nof x"])
    assert parse_schema(text).schema == schema
    assert schema_text(parse_schema(text).schema, notes=["inferred from 10 rows\nof x"]) == text


@settings(max_examples=60, deadline=None)
@given(schemas())
def test_the_layout_finds_the_line_of_every_key(schema):
    text = schema_text(schema)
    layout, raw = Layout.of(text), tomllib.loads(text)
    lines = text.splitlines()
    for name, table in raw["columns"].items():
        assert lines[layout.line(("columns", name)) - 1].startswith("[columns.")
        for key in table:
            assert lines[layout.line(("columns", name, key)) - 1].startswith(f"{key} = ")
    for place in range(len(raw["keys"])):
        assert lines[layout.line(("keys", str(place), "columns")) - 1].startswith("columns = ")


def test_every_fault_is_named_with_its_line():
    text = WHOLE.replace('type = "int"\nmin = 1', 'type = "int"\nmin = 9\nmax = 3\npattern = "x"')
    text = text.replace("max_ratio = 2.5", "max_ratio = -1\nmax_ration = 3")
    text = text.replace('rule = "distance < 1000 or air_time > 60"', 'rule = "distance + hops"')
    with pytest.raises(InvalidInput) as refused:
        parse_schema(text, where="flights.toml")
    assert refused.value.where == "flights.toml"
    lines = text.splitlines()
    assert [fault.split(": ", 2)[1:] for fault in refused.value.faults] == [
        ["rows.max_ration", "there is no key 'max_ration'; did you mean 'max_ratio'?"],
        ["columns.flight.pattern", "a column of type 'int' cannot keep 'pattern'; string can"],
        ["columns.flight.min", "min is above max: no value keeps both"],
        ["rows.max_ratio", "max_ratio is a number from 0 on, got -1.0"],
        ["rules.0.rule", "it reads 'hops', which is no column of this schema"],
    ]
    for fault in refused.value.faults:
        number, place = fault.removeprefix("line ").split(": ")[:2]
        assert lines[int(number) - 1].startswith(place.rsplit(".", 1)[-1] + " = ")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (('type = "int"', 'type = "integer"'), "Invalid enum value 'integer'"),
        (('[columns.flight]\ntype = "int"\n', "[columns.flight]\n"), "it has no type; write type = ..."),
        (("min = 1\n", 'min = "one"\n'), "got `str`"),
        (("min = 10", 'min = "10"'), "Expected `int"),
        (('columns = ["carrier", "flight", "time_hour"]', "columns = []"), "no column is named"),
        (('columns = ["carrier", "flight", "time_hour"]', 'columns = ["nobody"]'), "is no column of this schema"),
        (('to = ["carrier"]', "to = []"), "to names as many columns as columns does"),
        (('values = ["AA", "UA"]', "values = []"), "the list is empty"),
        (('values = ["AA", "UA"]', 'values = ["AA", "AA"]'), "stands twice"),
        (('values = ["AA", "UA"]', 'values = ["AA", 3]'), "3 is no string"),
        (("min_domain_mass = 0.99", "min_domain_mass = 1.5"), "a share from 0 to 1"),
        (('type = "string"', 'type = "string"\npattern = "("'), "is no regular expression"),
        (('type = "string"', 'type = "string"\npattern = "(?=a)b"'), "look-around"),
        (('type = "time"', 'type = "time"\nhours = [1.0]'), "hours are 24 shares"),
        (("mostly = { max = 0.999 }", "mostly = { type = 0.999 }"), "holds for the column as a whole"),
        (("mostly = { max = 0.999 }", "mostly = { max = 0.0 }"), "lies above 0"),
        (("mostly = { max = 0.999 }", 'severity = { maximum = "warn" }'), "'maximum' is no rule here"),
        (('severity = "warn"', 'severity = "loud"'), "Invalid enum value 'loud'"),
        (('column = "time_hour"', 'column = "carrier"'), "is no column of type 'time'"),
        (("2013-01-01T00:00:00Z", "2013-01-01T00:00:00"), "has no zone"),
        (('max_age = "2d"', 'max_age = "2 days"'), "is not a duration"),
        (('max_age = "2d"', 'max_lateness = "2d"'), "name the column that says when rows became known"),
        (('rule = "distance < 1000 or air_time > 60"', 'rule = "open(\'x\')"'), "there is no function open()"),
        (('rule = "distance < 1000 or air_time > 60"', 'rule = "distance +"'), "is no expression"),
        (('rule = "distance < 1000 or air_time > 60"', 'rule = "distance + 1"'), "it gives float; a rule is a condition"),
        (('rule = "distance < 1000 or air_time > 60"', 'rule = "carrier > 1"'), "compares"),
        (('name = "flights"\n', ""), "the schema has no name"),
        (("[rows]", "[row]"), "there is no key 'row'; did you mean 'rows'?"),
        (("[[keys]]", "[keys]"), "write [[keys]]"),
        (('not_in_environments = ["serving"]', 'in_environments = ["serving"]\nnot_in_environments = ["serving"]'),
         "stands in in_environments as well"),
        (("[rows]", "[rows"), "at line"),
    ],
)  # fmt: skip
def test_what_a_schema_cannot_say_is_refused(change, fault):
    old, new = change
    assert old in WHOLE
    with pytest.raises(InvalidInput) as refused:
        parse_schema(WHOLE.replace(old, new, 1))
    assert any(fault in one for one in refused.value.faults), refused.value.faults


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda b: b.decode("latin-1")))
def test_any_text_is_read_or_refused(text):
    try:
        schema = parse_schema(text).schema
    except InvalidInput as refused:
        faults = refused.faults
    else:
        faults = (schema.name,)
    assert all(faults)
    assert faults
