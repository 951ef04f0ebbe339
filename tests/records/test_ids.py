"""Ids sort by time; derived ones come back."""

import string

from hypothesis import given
from hypothesis import strategies as st

from treadle.records.ids import derived_id, make_id
from treadle.records.instants import instant

TIMES = st.integers(0, instant("9999-12-31"))
ENTROPY = st.binary(min_size=10, max_size=16)


@given(TIMES, TIMES, ENTROPY, ENTROPY)
def test_ids_sort_by_their_millisecond_and_then_by_entropy(a, b, first, second):
    left, right = make_id(a, first), make_id(b, second)
    assert (left < right) == ((a // 1_000, first[:10]) < (b // 1_000, second[:10]))


@given(TIMES, ENTROPY)
def test_an_id_is_26_characters_that_stand_in_a_url_and_are_not_mixed_up(at, entropy):
    made = make_id(at, entropy)
    assert len(made) == 26
    assert set(made) <= set(string.digits + string.ascii_lowercase) - set("ilou")


def test_time_before_1970_counts_as_1970():
    assert make_id(-1, bytes(10)) == make_id(0, bytes(10)) == "0" * 26


_PARTS = st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=4)


@given(TIMES, _PARTS, _PARTS)
def test_the_same_parts_give_the_same_id_and_others_another(at, left, right):
    assert (derived_id(at, *left) == derived_id(at, *right)) == (left == right)


def test_where_one_part_ends_matters():
    assert (
        len({derived_id(0, *parts) for parts in (["a", "b"], ["ab"], ["a\x1fb"], ["a", "b", ""], ["b", "a"])})
        == 5
    )
