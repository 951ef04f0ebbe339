"""The Open Inference Protocol: what is read, what is refused and with which words, what is answered."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.errors import InvalidInput
from treadle.stages.serving.protocol import (
    MAX_FAULTS,
    MAX_ROWS,
    RequestParser,
    metadata_body,
    parse_request,
    request_body,
    response_body,
    wanted_outputs,
)

FIELDS = {"weight": "float", "parcel": "int", "depot": "string", "fragile": "bool", "leaves": "time"}
GOOD: dict[str, tuple[str, list[Any]]] = {
    "weight": ("FP64", [2.5]),
    "parcel": ("INT64", [7]),
    "depot": ("BYTES", ["north"]),
    "fragile": ("BOOL", [True]),
    "leaves": ("BYTES", ["1970-01-01T00:00:01Z"]),
}
ROW: list[Any] = [2.5, 7, "north", True, 1_000_000]


def body(**changes) -> bytes:
    """A request for one row, with inputs replaced; None leaves one out, a dict overrides its keys."""
    inputs = []
    for name, (datatype, data) in GOOD.items():
        if name in changes and changes[name] is None:
            continue
        tensor = {"name": name, "shape": [len(data)], "datatype": datatype, "data": data}
        inputs.append(tensor | changes.get(name, {}))
    return json.dumps({"inputs": inputs, **changes.get("top", {})}).encode()


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        parse_request(data, FIELDS)
    with pytest.raises(InvalidInput) as quick:
        RequestParser(FIELDS).parse(data)
    assert str(quick.value) == str(caught.value)
    return str(caught.value)


def test_a_request_becomes_rows_in_the_order_of_the_fields():
    request, rows = parse_request(body(), FIELDS)
    assert rows == [ROW]
    assert request.id == ""


def test_the_order_of_the_inputs_does_not_matter():
    whole = json.loads(body())
    whole["inputs"].reverse()
    assert parse_request(json.dumps(whole).encode(), FIELDS)[1] == [ROW]


def test_flat_and_nested_data_are_the_same():
    nested = body(**{name: {"shape": [1, 1], "data": [data]} for name, (_, data) in GOOD.items()})
    assert parse_request(nested, FIELDS)[1] == [ROW]


@pytest.mark.parametrize(
    ("field", "tensor", "value"),
    [
        ("weight", {"datatype": "INT32", "data": [3]}, 3.0),
        ("weight", {"datatype": "FP32", "data": [None]}, None),
        ("parcel", {"datatype": "UINT8", "data": [9]}, 9),
        ("leaves", {"datatype": "INT64", "data": [5]}, 5),
        ("leaves", {"data": ["1970-01-01T02:00:00+02:00"]}, 0),
        ("depot", {"data": [None]}, None),
        ("depot", {"data": ["żółw\u0000"]}, "żółw\u0000"),
        ("fragile", {"data": [None]}, None),
    ],
)
def test_values_are_read_as_the_field_says(field, tensor, value):
    data = body(**{field: tensor})
    _, rows = parse_request(data, FIELDS)
    assert RequestParser(FIELDS).parse(data)[1] == rows
    assert rows[0][list(FIELDS).index(field)] == value


def test_unknown_keys_are_passed_over():
    top = {"model_name": "late", "parameters": {"timeout": 5}, "id": "42"}
    request, rows = parse_request(body(top=top, weight={"parameters": {"x": 1}}), FIELDS)
    assert (request.id, rows) == ("42", [ROW])


@pytest.mark.parametrize(
    ("field", "tensor", "words"),
    [
        ("weight", {"datatype": "BYTES"}, ["'weight'", "'BYTES'", "FP64"]),
        ("parcel", {"datatype": "FP64"}, ["'parcel'", "INT64"]),
        ("depot", {"datatype": "INT64"}, ["'depot'", "BYTES"]),
        ("weight", {"data": ["2.5"]}, ["row 0", "not a number"]),
        ("weight", {"data": [True]}, ["True is not a number"]),
        ("parcel", {"data": [1.5]}, ["not a whole number"]),
        ("parcel", {"data": [2**63]}, ["64 bits"]),
        ("depot", {"data": [5]}, ["not text"]),
        ("fragile", {"data": [1]}, ["not true or false"]),
        ("leaves", {"data": ["2024-03-01T10:00:00"]}, ["has no zone"]),
        ("leaves", {"data": ["yesterday"]}, ["'yesterday' is not a time"]),
        ("leaves", {"data": ["0001-01-01T00:00:00Z"]}, ["outside of the years"]),
        ("leaves", {"datatype": "INT64", "data": [2**62]}, ["outside of the years"]),
        ("weight", {"shape": [2]}, ["[2]", "1 values"]),
        ("weight", {"shape": [1, 2], "data": [1, 2]}, ["[n] or [n, 1]"]),
        ("weight", {"shape": []}, ["[n] or [n, 1]"]),
        ("weight", {"shape": [-1]}, ["[n] or [n, 1]"]),
        ("weight", {"shape": [1, 1, 1]}, ["[n] or [n, 1]"]),
        ("weight", {"shape": [2, 2**62]}, ["[n] or [n, 1]"]),
        ("weight", {"shape": [2], "data": [1, 2]}, ["different numbers of rows"]),
        ("weight", None, ["'weight' (float) is missing"]),
        ("weight", {"name": "wieght"}, ["'wieght' is not a field", "did you mean 'weight'?"]),
        ("weight", {"name": "parcel"}, ["'parcel' is given twice"]),
    ],
)
def test_a_wrong_input_is_named_with_what_is_wrong(field, tensor, words):
    said = refusal(body(**{field: tensor}))
    for word in words:
        assert word in said


def test_every_fault_is_listed_at_once():
    said = refusal(body(weight={"data": ["x"]}, parcel=None, depot={"datatype": "FP32"}))
    assert "'weight' row 0" in said
    assert "'parcel' (int) is missing" in said
    assert "'depot' has datatype" in said


def test_of_very_many_faults_some_are_named_and_the_rest_counted():
    rows = MAX_FAULTS + 30
    columns = {name: {"shape": [rows], "data": data * rows} for name, (_, data) in GOOD.items()}
    columns["weight"]["data"] = ["x"] * rows
    assert "and 30 more" in refusal(body(**columns))


@pytest.mark.parametrize("rows", [MAX_ROWS, MAX_ROWS + 1])
def test_ten_thousand_rows_are_taken_and_one_more_is_refused(rows):
    columns = {name: {"shape": [rows], "data": data * rows} for name, (_, data) in GOOD.items()}
    if rows == MAX_ROWS:
        assert len(parse_request(body(**columns), FIELDS)[1]) == rows
    else:
        assert f"{rows} rows, more than the {MAX_ROWS}" in refusal(body(**columns))


def test_a_request_without_rows_is_refused():
    empty = {name: {"shape": [0], "data": []} for name in GOOD}
    assert "no rows" in refusal(body(**empty))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"inputs": {}}',
        b'{"inputs": [{"name": 5}]}',
        b'{"inputs": [], "id": 5}',
        body()[:-5],
        b"\xff\xfe\x00",
        b'{"inputs": [{"name": "depot", "shape": [1], "datatype": "BYTES", "data": ["\xff"]}]}',
        body().replace(b"2.5", b"NaN"),
        body().replace(b"2.5", b"1e999"),
        body().replace(b"2.5", b"1" + b"0" * 400),
        body().replace(b"2.5", b"[[[2.5]]]"),
        body().replace(b"north", b"\\ud800"),
        b'{"inputs": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_what_is_no_request_is_refused(data):
    refusal(data)


def test_nan_is_not_json_and_null_stands_for_no_value():
    assert "JSON is malformed" in refusal(body().replace(b"2.5", b"NaN"))
    assert parse_request(body(weight={"data": [None]}), FIELDS)[1][0][0] is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6) | st.sampled_from([*GOOD, "BYTES", "FP64", "INT64", "BOOL", "inputs"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "id", "outputs"]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


PLACES = st.sampled_from([*GOOD, "inputs", "outputs", "id", "whole"])
KEYS = st.sampled_from(["name", "shape", "datatype", "data"])


@given(value=JSON_VALUES, where=PLACES, key=KEYS)
@settings(max_examples=300)
def test_any_json_is_answered_or_refused(value, where, key):
    whole = json.loads(body())
    if where == "whole":
        whole = value
    elif where in whole or where in ("outputs", "id"):
        whole[where] = value
    else:
        next(t for t in whole["inputs"] if t["name"] == where)[key] = value
    _answered_or_refused(json.dumps(whole).encode())


@given(at=st.integers(0, len(body())), cut=st.integers(0, 12), put=st.binary(max_size=12))
@settings(max_examples=300)
def test_any_damage_to_a_request_is_answered_or_refused(at, cut, put):
    good = body()
    _answered_or_refused(good[:at] + put + good[at + cut :])


def _answered_or_refused(data: bytes) -> None:
    try:
        request, rows = parse_request(data, FIELDS)
        wanted_outputs(request)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            wanted_outputs(RequestParser(FIELDS).parse(data)[0])
        return
    quick = RequestParser(FIELDS).parse(data)[1]
    assert [[(type(value), value) for value in row] for row in quick] == [
        [(type(value), value) for value in row] for row in rows
    ]
    assert all(len(row) == len(FIELDS) for row in rows)
    answer = response_body("m", 1, request, request.id, [0.5] * len(rows), ["i"] * len(rows))
    assert json.loads(answer)["model_version"] == "1"


def outputs(*names: str) -> dict:
    return {"top": {"outputs": [{"name": name} for name in names]}}


def answer(data: bytes) -> Any:
    request, _ = parse_request(data, FIELDS)
    return json.loads(response_body("late", 3, request, request.id or "made", [0.25], ["p1"]))


def test_the_answer_names_model_version_and_outputs():
    assert answer(body()) == {
        "model_name": "late",
        "model_version": "3",
        "id": "made",
        "outputs": [
            {"name": "probability", "shape": [1], "datatype": "FP64", "data": [0.25]},
            {"name": "prediction_id", "shape": [1], "datatype": "BYTES", "data": ["p1"]},
        ],
    }


def test_only_the_wanted_outputs_are_given_in_the_wanted_order():
    names = [o["name"] for o in answer(body(**outputs("prediction_id", "probability")))["outputs"]]
    assert names == ["prediction_id", "probability"]
    assert [o["name"] for o in answer(body(**outputs("probability")))["outputs"]] == ["probability"]


@pytest.mark.parametrize("names", [("score",), ("probability", "probability")])
def test_unknown_and_repeated_outputs_are_refused(names):
    request, _ = parse_request(body(**outputs(*names)), FIELDS)
    with pytest.raises(InvalidInput):
        wanted_outputs(request)


@given(st.floats(0, 1, allow_subnormal=True))
def test_a_score_survives_json_exactly(score):
    request, _ = parse_request(body(), FIELDS)
    back = json.loads(response_body("m", 1, request, "", [score], ["i"]))["outputs"][0]["data"][0]
    assert np.float64(back) == np.float64(score)


def test_metadata_describes_what_a_request_needs():
    described = json.loads(metadata_body("late", [1, 2], FIELDS))
    assert described["versions"] == ["1", "2"]
    assert {i["name"]: i["datatype"] for i in described["inputs"]} == {
        "weight": "FP64", "parcel": "INT64", "depot": "BYTES", "fragile": "BOOL", "leaves": "BYTES",
    }  # fmt: skip
    assert [o["name"] for o in described["outputs"]] == ["probability", "prediction_id"]


def test_a_request_written_from_columns_is_read_back():
    columns = dict(zip(FIELDS, ([value] for value in ROW), strict=True))
    assert parse_request(request_body(columns, FIELDS), FIELDS)[1] == [ROW]
