"""Request values become values of their types, or faults; nothing is guessed."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.stages.features.rows.values import coerce, coerce_fields

APRIL = 1_364_774_400_000_000

ACCEPTED = [
    (1, "float", 1.0), (1.5, "float", 1.5), (None, "float", None), (-(2**63), "int", -(2**63)), (True, "bool", True),
    ("é", "string", "é"), ("2013-04-01T00:00:00Z", "time", APRIL), ("2013-03-31T20:00:00-04:00", "time", APRIL),
    ("2013-04-01 05:45:00.000001+05:45", "time", APRIL + 1), (datetime(2013, 4, 1, tzinfo=UTC), "time", APRIL),
    ("90m", "duration", 5_400_000_000), ("-1d", "duration", -86_400_000_000), (None, "time", None),
]  # fmt: skip

REFUSED = [
    (True, "float", "not a number"), ("1", "float", "not a number"), (math.nan, "float", "not finite"),
    (10**400, "float", "not finite"), (True, "int", "not an integer"), ("12", "int", "not an integer"),
    (12.0, "int", "without a fraction"), (2**63, "int", "64 bits"), (1, "bool", "not true or false"),
    ("true", "bool", "not true or false"), (5, "string", "not text"), ("\ud800", "string", "UTF-8"),
    ("2013-04-01T00:00:00", "time", "no zone"), (datetime(2013, 4, 1), "time", "no zone"),  # noqa: DTZ001
    ("2013-04-01", "time", "time of day"), ("soon", "time", "not an instant"), ("T", "time", "not a time"),
    (APRIL, "time", "ISO 8601"), (True, "time", "not a time"), ("1mo", "duration", "not a duration"),
    (60, "duration", "text such as"), ([1], "int", "not an integer"), (1, "decimal", "no type"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind", "expected"), ACCEPTED)
def test_a_value_of_the_type_is_taken(value: object, kind: str, expected: object) -> None:
    found, fault = coerce(value, kind)
    assert fault is None
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(("value", "kind", "reason"), REFUSED)
def test_anything_else_is_a_fault_and_null(value: object, kind: str, reason: str) -> None:
    found, fault = coerce(value, kind)
    assert found is None
    assert reason in (fault or "")
    assert len(fault or "") < 220


def test_every_fault_of_a_request_is_listed_and_unknown_fields_are_faults() -> None:
    types = {"carrier": "string", "distance": "float", "sched_dep": "time"}
    values, faults = coerce_fields({"carrier": 5, "distence": 3.0, "sched_dep": "2013-04-01"}, types)
    assert values == {"carrier": None, "distance": None, "sched_dep": None}
    assert [fault.split(":")[0] for fault in faults[:2]] == ["field 'carrier'", "field 'sched_dep'"]
    assert "'distence' is unknown" in faults[2]


@settings(max_examples=200)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3),
       st.sampled_from(["float", "int", "bool", "string", "time", "duration"]))  # fmt: skip
def test_no_value_makes_it_fail(value: object, kind: str) -> None:
    found, fault = coerce(value, kind)
    python = {"float": float, "bool": bool, "string": str}.get(kind, int)
    assert found is None or (type(found) is python and fault is None)
