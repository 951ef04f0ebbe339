"""Files of tasks come back as they were written, and what is wrong in one is told by its line."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.labelling.parcels import project
from tests.loop.units.shop import project as by_key
from treadle.entry.api.labels import parse_labels
from treadle.loop.label_answers import said_rows
from treadle.records.errors import InvalidInput
from treadle.stages.data.task_files import FORMULA, read_answers, write_csv, write_json_lines

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


def read(text, **options):
    return read_answers(text.encode(), where="file", **{"json_lines": False, **options})


def faults(text, **options):
    with pytest.raises(InvalidInput) as refused:
        read(text, **options)
    return list(refused.value.faults)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXT, st.booleans()), min_size=1, max_size=6))
def test_answers_beside_any_text_are_read_back_from_both_forms(rows):
    tasks = [
        {"prediction_id": f"p{n}", "note": note, "number": -1.5, "answer": answer, "endpoint": "delay"}
        for n, (note, answer) in enumerate(rows)
    ]
    for text, lines in ((write_csv(tasks), False), (write_json_lines(tasks), True)):
        found = read(text, json_lines=lines, annotator="ann")
        assert [(one.prediction_id, one.answer, one.annotator) for one in found.answers] == [
            (task["prediction_id"], task["answer"], "ann") for task in tasks
        ]
        assert found.endpoint == "delay"


@settings(max_examples=100, deadline=None)
@given(TEXT)
def test_no_cell_of_a_csv_is_a_formula_and_other_texts_are_as_they_were(note):
    [_, row] = (
        csv.reader(io.StringIO(write_csv([{"note": note}])[1:], newline=""), strict=True)
        if note
        else [0, [""]]
    )
    assert not row[0].startswith(FORMULA)
    assert row[0].removeprefix("'" if note.startswith(FORMULA) else "") == note


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-2", "@x", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_compute_is_written_as_text(cell):
    assert f"'{cell[:2]}" in write_csv([{"note": cell}])
    assert json.loads(write_json_lines([{"note": cell}]))["note"] == cell


def test_all_faults_are_listed_with_the_lines_where_rows_begin():
    found = faults('prediction_id,answer,note\na,maybe,"two\nlines"\n,yes,x\nb,yes,x\nb,no,x\nc,1\n')
    assert found == [
        "line 6: 2 cells, but 3 columns".replace("6", "7"),
        "line 2: the answer 'maybe' is none of true, false, yes, no, 1, 0",
        "line 4: an answer without a prediction_id",
        "line 6: another answer to b than in line 5; keep one",
    ]


def test_the_same_answer_twice_is_one_and_two_people_may_differ():
    found = read("prediction_id,answer,annotator\na,yes,ann\na,TRUE,ann\na,no,bob\nd,,ann\n")
    assert [(one.annotator, one.answer) for one in found.answers] == [("ann", True), ("bob", False)]
    assert found.open == 1


@pytest.mark.parametrize(
    ("text", "lines", "fault"),
    [
        ("", False, "no header"),
        ("id,answer\n1,yes\n", False, "no column 'prediction_id'"),
        ('prediction_id,answer\n"a,yes\n', False, "this is no CSV"),
        ("prediction_id,answer,answer\na,1,0\n", False, "there twice"),
        ('{"prediction_id": "a", "answer": true}\n{"prediction_id"\n', True, "line 2: this is no JSON"),
        ("[1]\n", True, "line 1: a task is a JSON object"),
        ('{"prediction_id": "a"}\n', True, "there is no 'answer'"),
        ("[" * 100_000, True, "this is no JSON"),
        ("prediction_id,answer,endpoint\na,1,x\nb,1,y\n", False, "several endpoints"),
    ],
)
def test_a_file_of_another_form_is_refused(text, lines, fault):
    assert fault in str(faults(text, json_lines=lines))


def test_bytes_that_are_no_utf8_are_told_by_their_line():
    with pytest.raises(InvalidInput, match="line 2: this is not UTF-8"):
        read_answers(b"prediction_id,answer\n\xff,1\n", json_lines=False, where="file")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"labels": {}, "ids": []}', "send 1 to"),
        (b'{"labels": {"a": 1}, "ids": ["x"]}', "neither true, false nor null"),
        (b'{"labels": [], "ids": []}', "the body holds no labels"),
        (b'{"labels": {"a": true}}', "the body holds no labels"),
        (b"\xff", "the body holds no labels"),
    ],
)
def test_a_body_of_labels_of_another_form_is_refused(body, fault):
    with pytest.raises(InvalidInput) as refused:
        parse_labels(body)
    assert fault in f"{refused.value} {refused.value.faults}"


def test_labels_are_rows_of_their_source_where_they_can_name_predictions():
    endpoint = project.endpoints[0]
    source, [given, back] = said_rows(endpoint, {"p": True, "q": None}, "ann", ["e1", "e2"], 0)
    assert source == "truth"
    assert (given["prediction"], given["late"], given["gone"], given["who"]) == ("p", True, False, "ann")
    assert (back["prediction"], back["late"], back["gone"]) == ("q", None, True)
    with pytest.raises(InvalidInput) as refused:
        said_rows(endpoint, {"p": True}, "", [], 0)
    assert list(refused.value.faults) == ["1 labels came with 0 ids"]
    with pytest.raises(InvalidInput) as refused:
        said_rows(by_key.endpoints[0], {"p": None}, "", ["e"], 0)
    assert "no column for the prediction's id" in refused.value.faults[0]
