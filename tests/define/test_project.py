"""A project is whole: every name it uses is listed, each once, and everything fits together."""

import pytest

from tests.define import parts
from treadle.define.gates import better_than_champion, loads_and_answers, no_worse_slice
from treadle.define.monitors import Monitor, score_drift
from treadle.define.project import Project
from treadle.define.sources import Source, table
from treadle.define.steps import pipeline
from treadle.define.triggers import calibration_off, every, metric, on, score_drift_alert
from treadle.records.errors import InvalidInput


def faults(**changes):
    with pytest.raises(InvalidInput) as caught:
        parts.project(**changes)
    assert caught.value.what.startswith("the project ")
    return list(caught.value.faults)


def monitor(endpoint):
    return Monitor(endpoint, window="7d", every="1d", drift=score_drift("psi"))


def test_a_sound_project_lists_its_parts():
    made = parts.project(gates={"champion": [better_than_champion(), no_worse_slice("channel")]})
    (endpoint,) = made.endpoints
    assert [view.name for view in made.views] == ["facts", "habits"]
    assert [str(gate) for gate in made.gates_of(endpoint)] == [
        "better than champion (auc)",
        "no worse slice (channel)",
    ]
    assert made.slices_of(endpoint) == ["channel"]
    assert [m.endpoint for m in made.monitors_of(endpoint)] == ["returns"]


def test_an_empty_project_is_one():
    assert Project(name="empty").views == ()


def test_what_is_used_and_not_listed_is_said_with_its_user():
    assert faults(sources=[parts.outcomes]) == [
        "table 'outcomes' reads 'orders', which is not among the sources",
        "view 'facts' uses 'people', which is not among the sources",
        "view 'habits' uses 'orders', which is not among the sources",
        "endpoint 'returns' (requests) uses 'orders', which is not among the sources",
    ]
    assert faults(endpoints=[]) == [
        "monitor 'returns' watches endpoint 'returns', which is not among the endpoints"
    ]
    assert faults(pipelines=[]) == ["trigger 'monthly' runs 'train', which is not among the pipelines"]


def test_a_misspelt_reference_offers_the_name_that_was_meant():
    assert faults(monitors=[monitor("return")], triggers=[on(every("30d"), run="trian", name="t")]) == [
        "monitor 'return' watches endpoint 'return', which is not among the endpoints; did you mean 'returns'?",
        "trigger 't' runs 'trian', which is not among the pipelines; did you mean 'train'?",
    ]


def test_a_source_of_the_same_name_is_not_the_same_source():
    other = Source.parquet("people", path="other.parquet", columns=parts.people.columns)
    assert faults(sources=[parts.orders, other, parts.outcomes]) == [
        "view 'facts' uses a 'people' that is not the one among the sources"
    ]


def test_names_are_used_once():
    assert faults(
        sources=[parts.orders, parts.people, parts.outcomes, parts.people],
        pipelines=[parts.train, parts.train],
        endpoints=[parts.endpoint(), parts.endpoint()],
        monitors=[monitor("returns"), monitor("returns")],
        triggers=[on(every("1d"), run="train", name="t"), on(every("2d"), run="train", name="t")],
    ) == [
        "two definitions of source or table 'people'",
        "two definitions of pipeline 'train'",
        "two definitions of endpoint 'returns'",
        "two definitions of monitor 'returns'",
        "two definitions of trigger 't'",
    ]


def test_tables_read_no_circle():
    def one(two):
        return two

    def two(one):
        return one

    tables = [table(columns={"v": "float"})(build) for build in (one, two)]
    assert faults(sources=[parts.orders, parts.people, parts.outcomes, *tables]) == [
        "tables read one another in a circle: 'one' reads 'two' reads 'one'"
    ]


def test_triggers_heed_monitors_that_are_there():
    condition = (metric("auc").drops(0.1, monitor="a") & calibration_off()) | score_drift_alert(
        monitor="returns"
    )
    assert faults(triggers=[on(condition | every("30d"), run="train", name="t")]) == [
        "trigger 't' heeds monitor 'a', which is not among the monitors"
    ]


def test_a_gate_that_guards_nothing_is_a_typo():
    assert faults(gates={"champoin": [loads_and_answers()]}) == [
        "gates of the alias 'champoin' guard nothing: no endpoint serves it (they serve champion)"
        "; did you mean 'champion'?"
    ]


def test_a_gate_looks_at_columns_that_are_there():
    gates = [no_worse_slice("chanel"), no_worse_slice("order"), no_worse_slice("facts_age")]
    assert faults(gates={"champion": gates}) == [
        "the gate no_worse_slice('chanel') finds no such column at endpoint 'returns': "
        "name a request field, a feature or a label key; did you mean 'channel'?"
    ]


def test_what_stands_in_the_wrong_list_is_named_before_anything_else():
    assert faults(
        name="Shop", timezone="Berlin", sources=[parts.facts], pipelines=[len], endpoints={"returns": 1},
        gates={"champion": ["auc"]},
    ) == [
        "project name 'Shop': use lower-case letters, digits and _, starting with a letter, at most 63",
        "timezone 'Berlin' is not known; write it like 'Europe/Berlin' or 'UTC'",
        "sources: an entry is a FeatureView; give tr.Source.parquet(...) and functions made tables by @tr.table",
        "pipelines: an entry is a builtin_function_or_method; give functions made pipelines by @tr.pipeline",
        "endpoints is a dict; give a list of tr.Endpoint(...)",
        "gates['champion']: an entry is 'auc'; give tr.better_than_champion(...) and its like",
    ]  # fmt: skip


@pipeline
def another(until: int):
    """Another."""


def test_faults_of_all_kinds_come_together():
    assert faults(
        pipelines=[another, another], timezone="", monitors=[monitor("delay")],
        gates={"x": [], "champion": [no_worse_slice("y")]},
    ) == [
        "timezone '' is not known; write it like 'Europe/Berlin' or 'UTC'",
        "two definitions of pipeline 'another'",
        "monitor 'delay' watches endpoint 'delay', which is not among the endpoints",
        "trigger 'monthly' runs 'train', which is not among the pipelines",
        "gates of the alias 'x' guard nothing: no endpoint serves it (they serve champion)",
        "the gate no_worse_slice('y') finds no such column at endpoint 'returns': "
        "name a request field, a feature or a label key",
    ]  # fmt: skip
