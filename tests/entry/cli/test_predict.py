"""The request of `treadle predict`: texts become fields, or every fault is named."""

import pytest

from treadle.entry.cli._fields import request_fields
from treadle.records.errors import InvalidInput

FIELDS = {"carrier": "string", "flight": "int", "weight": "float", "fragile": "bool", "leaves": "time"}
GOOD = ["flight=1545", "carrier=UA", "weight=2.5", "fragile=yes", "leaves=1970-01-01T00:00:01Z"]


def test_texts_become_the_types_of_the_fields_in_their_order():
    found = request_fields(GOOD, FIELDS)
    assert list(found.items()) == [
        ("carrier", "UA"), ("flight", 1545), ("weight", 2.5), ("fragile", True), ("leaves", 1_000_000),
    ]  # fmt: skip


def test_nothing_after_the_equals_sign_means_no_value():
    assert set(request_fields([f"{name}=" for name in FIELDS], FIELDS).values()) == {None}


def test_a_value_may_hold_an_equals_sign():
    assert request_fields(["carrier=a=b", *GOOD[0:1], *GOOD[2:]], FIELDS)["carrier"] == "a=b"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["carier=UA", *GOOD], "did you mean 'carrier'"),
        (["carrier", *GOOD], "'carrier' is not written name=value"),
        (["carrier=UA", *GOOD], "'carrier' is given twice"),
        (GOOD[1:], "'flight' (int) is missing"),
        (["flight=many", *GOOD[1:]], "flight: 'many' is not int"),
        (["flight=1.5", *GOOD[1:]], "flight: '1.5' is not int"),
        ([*GOOD[:2], "weight=nan", *GOOD[3:]], "'nan' is not a finite number"),
        ([*GOOD[:3], "fragile=maybe", GOOD[4]], "fragile: 'maybe' is not bool"),
        ([*GOOD[:4], "leaves=2024-03-01T10:00:00"], "has no zone"),
    ],
)
def test_what_is_wrong_is_named(given, words):
    with pytest.raises(InvalidInput) as caught:
        request_fields(given, FIELDS)
    assert words in str(caught.value)


def test_every_fault_is_listed():
    with pytest.raises(InvalidInput) as caught:
        request_fields(["flight=x", "wheight=1"], FIELDS)
    assert len(caught.value.faults) == 6
