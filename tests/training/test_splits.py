"""Parts share no row, borders are where they are said to be, groups stay whole, strata keep their shares."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.records.errors import InvalidInput, NotFound
from treadle.records.frames import AT, KNOWN_AT, LABEL, Frame
from treadle.records.instants import DAY
from treadle.records.splits import Split
from treadle.stages.training.splits import divide, part_names

UNTIL = 100 * DAY


def frame_of(known, groups=None, labels=None) -> Frame:
    count = len(known)
    rows = pl.DataFrame(
        {
            "x": [float(n) for n in range(count)],
            "number": list(range(count)),
            "customer": groups or ["c"] * count,
            AT: [day * DAY - 1 for day in known],
            KNOWN_AT: [day * DAY for day in known],
            LABEL: [float(label) for label in (labels or [0] * count)],
        },
        schema_overrides={"customer": pl.String, AT: pl.Int64, KNOWN_AT: pl.Int64},
    )
    return Frame(rows, ("x",), until=UNTIL)


def numbers(part: Frame) -> list[int]:
    return part.rows["number"].to_list()


def test_three_parts_in_time_have_their_borders_and_name_until_when_they_knew():
    frame = frame_of([10, 79, 80, 89, 90, 99])
    parts = divide(frame, Split(by_time=(10 * DAY, 10 * DAY)))
    assert [numbers(part) for part in parts] == [[0, 1], [2, 3], [4, 5]]
    assert [part.until for part in parts] == [80 * DAY, 90 * DAY, 100 * DAY]
    assert list(part_names(3)) == ["training", "validation", "test"]


def test_an_embargo_leaves_out_what_was_known_just_before_the_border():
    parts = divide(frame_of([10, 87, 88, 90, 99]), Split(by_time=(10 * DAY,), embargo=3 * DAY))
    assert [numbers(part) for part in parts] == [[0], [3, 4]]


def test_in_time_a_group_that_is_judged_on_is_not_learned_from():
    frame = frame_of([10, 20, 30, 95, 96], groups=["a", "b", None, "a", None])
    assert [numbers(part) for part in divide(frame, Split(by_time=(10 * DAY,), group=("customer",)))] == [
        [1],
        [3, 4],
    ]


@given(
    groups=st.lists(st.sampled_from([*"abcdefghijklmnop", None]), min_size=1, max_size=60),
    shares=st.sampled_from([(0.5,), (0.3, 0.3)]),
    seed=st.integers(0, 5),
)
def test_no_group_is_in_two_parts_and_more_data_move_none(groups, shares, seed):
    split = Split(shares=shares, group=("customer",), seed=seed)

    def places(groups):
        try:
            parts = divide(frame_of([1] * len(groups), groups), split)
        except InvalidInput:
            return None
        assert sorted(n for part in parts for n in numbers(part)) == list(range(len(groups)))
        return {group: place for place, part in enumerate(parts) for group in part.rows["customer"]}, parts

    found, more = places(groups), places([*groups, *"qrstuvwxyz"])
    if found is not None:
        assert sum(len(set(part.rows["customer"])) for part in found[1]) == len(set(groups))
    if found is not None and more is not None:
        assert {group: more[0][group] for group in found[0]} == found[0]


@given(
    labels=st.lists(st.integers(0, 1), min_size=20, max_size=200),
    share=st.sampled_from([0.2, 0.5]),
    seed=st.integers(0, 3),
)
def test_strata_keep_their_shares_and_no_row_is_lost(labels, share, seed):
    frame = frame_of([1] * len(labels), labels=labels)
    parts = divide(frame, Split(shares=(share,), stratify=("label",), seed=seed))
    assert sorted(numbers(parts[0]) + numbers(parts[1])) == list(range(len(labels)))
    for label, count in Counter(labels).items():
        got = sum(value == label for value in parts[1].rows[LABEL].to_list())
        assert abs(got - share * count) <= 0.5
    again = divide(frame, Split(shares=(share,), stratify=("label",), seed=seed))
    assert [numbers(part) for part in again] == [numbers(part) for part in parts]


def test_rows_keep_their_order_and_another_seed_gives_another_draw():
    frame = frame_of([1] * 200)
    first, second = (divide(frame, Split(shares=(0.5,), seed=seed)) for seed in (1, 2))
    assert all(numbers(part) == sorted(numbers(part)) for part in first)
    assert numbers(first[1]) != numbers(second[1])
    assert abs(len(first[1]) - 100) <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "name one of by_time"),
        ({"by_time": (DAY,), "shares": (0.5,)}, "name one of by_time"),
        ({"shares": (0.5, 0.5)}, "add up to 1"),
        ({"shares": (1.5,)}, "between 0 and 1"),
        ({"shares": (0.5,), "group": ("a",), "stratify": ("b",)}, "exclude each other"),
        ({"by_time": (DAY,), "stratify": ("b",)}, "stratify needs share"),
        ({"shares": (0.5,), "embargo": DAY}, "embargo needs by_time"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments, said):
    with pytest.raises(InvalidInput) as caught:
        Split(**arguments)
    assert said in str(caught.value)


def test_every_contradiction_is_listed():
    with pytest.raises(InvalidInput) as caught:
        Split(shares=(1.5,), embargo=DAY, group=("a",), stratify=("b",))
    assert len(caught.value.faults) == 4


@pytest.mark.parametrize(
    "split", [Split(by_time=(DAY,), group=("custmer",)), Split(shares=(0.5,), stratify=("custmer",))]
)
def test_a_column_that_is_not_there_is_named_with_the_nearest(split):
    with pytest.raises(NotFound) as caught:
        divide(frame_of([1, 99]), split)
    assert "customer" in str(caught.value)


def test_a_single_group_cannot_be_on_two_sides():
    with pytest.raises(InvalidInput, match="leaves nothing"):
        divide(frame_of([1] * 10), Split(shares=(0.5,), group=("customer",)))
