import dataclasses
import math
from typing import cast

import numpy as np
import pytest

from tests.pictures.samples import LINE, MONTHS
from treadle.pictures.chart import Band, Chart, Mark, Role, Series
from treadle.records.errors import InvalidInput


def faults_of(**fields):
    with pytest.raises(InvalidInput) as caught:
        Chart(**{"form": "line", "title": "t", "caption": "c", **fields})
    return caught.value.faults


def test_a_chart_without_a_caption_is_refused():
    assert faults_of(caption="  ") == ("the caption is empty; state the finding in a sentence",)


def test_every_fault_is_listed_at_once():
    found = faults_of(
        title="",
        series=(
            Series("a", (1.0, 0.0), (math.nan, 1.0)),
            Series("a", (0.0,), (1.0, 2.0), lower=(0.0,)),
        ),
        marks=(Mark("m"), Mark("n", x=1.0, status="great")),
        bands=(Band(3.0, 1.0, "b"),),
        y_range=(1.0, 0.0),
    )
    text = "\n".join(found)
    for part in (
        "title is empty",
        "two series are named 'a'",
        "x does not rise",
        "not finite numbers",
        "1 x for 2 y",
        "needs both lower and upper",
        "neither x nor y",
        "'great' is not a status word",
        "ends before it starts",
        "y range",
    ):
        assert part in text
    assert len(found) == 10


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"form": "pie"}, "form 'pie' is not one of"),
        ({"x_kind": "date"}, "x kind 'date'"),
        ({"y_kind": "money"}, "y kind 'money'"),
        ({"series": (Series("a", ("x",), (1.0,)),)}, "not of kind number"),
        ({"series": (Series("a", (1.5,), (1.0,)),), "x_kind": "time"}, "not of kind time"),
        ({"series": (Series("a", (True,), (1.0,)),)}, "not of kind number"),
        ({"series": (Series("a", (1.0,), (1.0,), lower=(2.0,), upper=(1.0,)),)}, "lies above its upper"),
        ({"series": (Series("a", (1.0,), (1.0,), role=cast("Role", "king")),)}, "role 'king'"),
        ({"series": (Series(" ", (1.0,), (1.0,)),)}, "a series has no name"),
        ({"series": tuple(Series(f"s{k}", (), ()) for k in range(21))}, "21 series"),
        (
            {"form": "histogram", "series": (Series("a", (0.0, 1.0), (1.0, 2.0)),)},
            "2 x for 2 y (edges are one more)",
        ),
        ({"form": "histogram", "series": tuple(Series(f"s{k}", (), ()) for k in range(3))}, "3 series"),
        ({"form": "histogram", "x_kind": "time"}, "needs x kind number"),
        (
            {"form": "gantt", "series": (Series("a", (1.0,), (), ends=(0.0,), states=("",)),)},
            "span ends before",
        ),
        (
            {"form": "strip", "series": (Series("a", (1.0,), (), ends=(2.0,), states=("fine",)),)},
            "'fine' is not a status",
        ),
        (
            {"form": "bars", "x_kind": "category", "series": (Series("a", ("k", "k"), (1.0, 2.0)),)},
            "comes twice",
        ),
        ({"form": "multiples"}, "0 panels"),
        ({"form": "multiples", "panels": (LINE,), "marks": (Mark("m", y=1.0),)}, "hold panels"),
        ({"panels": (LINE,)}, "panels belong to the form multiples"),
        ({"x_range": (2.0, 1.0)}, "x range"),
    ],
)
def test_what_cannot_be_drawn_is_named(fields, fault):
    assert any(fault in found for found in faults_of(**fields)), faults_of(**fields)


def test_arrays_become_plain_values_and_nan_becomes_no_data():
    series = Series.of("a", np.array([1, 2, 3], dtype=np.int64), np.array([0.5, np.nan, np.inf]))
    assert series.x == (1, 2, 3)
    assert [type(x) for x in series.x] == [int, int, int]
    assert series.y == (0.5, None, None)
    assert Chart("line", "t", "c", series=(series,), x_kind="time").series[0] is series


def test_spans_are_ordered_by_their_start():
    series = Series.spans(
        "a", [(MONTHS[2], MONTHS[3], "ok", "late"), (MONTHS[0], MONTHS[1], "failed", "early")]
    )
    assert series.labels == ("early", "late")


def test_a_chart_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        LINE.title = "other"  # type: ignore[misc]  # the point of the test


def test_empty_means_not_one_known_value():
    assert Chart("line", "t", "c").empty
    assert Chart("line", "t", "c", series=(Series("a", (1.0,), (None,)),)).empty
    assert not LINE.empty
