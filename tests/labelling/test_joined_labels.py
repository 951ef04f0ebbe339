"""A label reaches the prediction it is for: by id, by key, by key and time; late, corrected and taken back."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from treadle.loop.labelled import LABEL_KNOWN, find_labels
from treadle.records.errors import InvalidInput
from treadle.records.frames import AT, LABEL

COLUMNS = {"pid": "string", "k": "int", "v": "bool", "t": "time", "gone": "bool"}


def labels(**options):
    source = tr.Source.parquet("truth", path="t.parquet", columns=COLUMNS, event_time="t", tombstone="gone")
    return tr.Labels("truth", source=source, value="v", **options)


KINDS = {
    "key": labels(key="k"),
    "id": labels(prediction_id="pid"),
    "either": labels(key="k", prediction_id="pid"),
    "maturity": labels(key="k", maturity=(2, 9)),
    "all": labels(key="k", prediction_id="pid", maturity=(0, 12)),
}


def frame_of(rows):
    """Stored label rows: (pid, k, v, event time, known after, gone)."""
    return pl.DataFrame(
        [(p, k, v, t, t + d, n, g) for n, (p, k, v, t, d, g) in enumerate(rows)],
        schema={
            "pid": pl.String, "k": pl.Int64, "v": pl.Boolean, "__event_time": pl.Int64, "__known_at": pl.Int64,
            "__row": pl.Int64, "__tombstone": pl.Boolean,
        },
        orient="row",
    )  # fmt: skip


def asked_of(predictions):
    return pl.DataFrame(
        predictions, schema={"prediction_id": pl.String, "k": pl.Int64, AT: pl.Int64}, orient="row"
    )


def oracle(kind, predictions, rows, by):
    """What each prediction's label is, by looking at every label row in the order they became known."""
    by_id, by_key, maturity = "pid" in str(kind.prediction_id), bool(kind.key), kind.maturity
    named: dict[object, object] = {}
    keyed: dict[object, object] = {}
    known = [(t + d, n, row) for n, row in enumerate(rows) for t, d in [(row[3], row[4])] if t + d <= by]
    for _, _, (pid, key, value, time, _, gone) in sorted(known):
        if value is None and not gone:
            continue
        said = None if gone else float(value)
        if by_id and pid is not None:
            named[pid] = said
        elif by_key and key is not None and maturity is None:
            keyed[key] = said
        elif by_key and key is not None:
            fitting = [T for _, k, T in predictions if k == key and time - maturity[0] >= T]
            if fitting and time - max(fitting) <= maturity[1]:
                keyed[key, max(fitting)] = said
    found = []
    for pid, key, T in predictions:
        other = keyed.get(key if maturity is None else (key, T))
        found.append(named[pid] if named.get(pid) is not None else other)
    return found


INSTANTS = st.integers(0, 40)
KEYS = st.sampled_from([1, 2, None])
PREDICTIONS = st.lists(st.tuples(KEYS, INSTANTS), min_size=1, max_size=8)
ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, "p0", "p1", "p2", "stranger"]), KEYS, st.sampled_from([True, False, None]),
        INSTANTS, st.integers(0, 12), st.sampled_from([False, False, False, True]),
    ),
    max_size=14,
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(predictions=PREDICTIONS, rows=ROWS, by=INSTANTS)
def test_the_label_at_any_instant_is_the_oracles(kind, predictions, rows, by):
    asked = [(f"p{n}", k, t) for n, (k, t) in enumerate(predictions)]
    found = find_labels(asked_of(asked), frame_of(rows), KINDS[kind], by=by)
    assert found[LABEL].to_list() == oracle(KINDS[kind], asked, rows, by)
    assert (found[LABEL].is_null() == found[LABEL_KNOWN].is_null()).all()
    assert found[LABEL_KNOWN].drop_nulls().is_between(0, by).all()


@settings(max_examples=100, deadline=None)
@given(predictions=PREDICTIONS, rows=ROWS, by=INSTANTS, part=st.integers(0, 7))
def test_some_of_the_predictions_have_the_labels_they_have_among_all(predictions, rows, by, part):
    asked = asked_of([(f"p{n}", k, t) for n, (k, t) in enumerate(predictions)])
    whole = find_labels(asked, frame_of(rows), KINDS["all"], by=by)
    some = find_labels(asked[:part], frame_of(rows), KINDS["all"], by=by, owners=asked)
    assert some.equals(whole[:part])


def test_a_key_asked_twice_gives_each_label_to_the_newest_request_before_it():
    asked = asked_of([("a", 1, 0), ("b", 1, 10), ("c", 1, 20)])
    rows = frame_of(
        [(None, 1, True, 5, 30, False), (None, 1, False, 14, 0, False), (None, 1, True, 21, 0, False)]
    )
    found = find_labels(asked, rows, KINDS["maturity"], by=100)
    assert found[LABEL].to_list() == [1.0, 0.0, None]  # 21 is too near to 20 and too far from 10
    assert find_labels(asked, rows, KINDS["maturity"], by=34)[LABEL].to_list() == [None, 0.0, None]


def test_rows_without_ids_have_labels_by_key_also_where_a_prediction_is_named():
    asked = asked_of([("a", 1, 0)]).drop("prediction_id")
    rows = frame_of([("somebody", 1, True, 5, 0, False)])
    assert find_labels(asked, rows, KINDS["either"], by=9)[LABEL].to_list() == [1.0]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"key": "k", "maturity": ("2d", "1d")}, "is no span"),
        ({"key": "k", "maturity": "1d"}, "is not a pair"),
        ({"key": "k", "maturity": ("x", "1d")}, "maturity='x'"),
        ({"prediction_id": "pid", "maturity": ("0d", "1d")}, "without a key"),
        ({"prediction_id": "k"}, "column 'k' is int"),
        ({"prediction_id": "pid", "annotator": "who"}, "annotator column 'who' is not in source"),
        ({}, "no key"),
    ],
)
def test_what_contradicts_itself_is_refused(options, fault):
    with pytest.raises(InvalidInput) as refused:
        labels(**options)
    assert fault in str(refused.value.faults)
