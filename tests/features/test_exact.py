"""Exact sums: whatever the order and however many, offline and online give the same bits."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.errors import InvalidInput
from treadle.stages.features.exact import LIMIT, join, join_array, split, split_array, wrap

ordinary = st.floats(-1e9, 1e9, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-2)


@given(st.lists(ordinary, max_size=40))
@settings(max_examples=200, deadline=None)
def test_sum_is_the_nearest_float_to_the_true_sum_in_any_order(values):
    true = float(sum((Fraction(v) for v in values), Fraction(0)))
    for order in (values, values[::-1], sorted(values)):
        high = low = 0
        for value in order:
            more_high, more_low = split(value)
            high, low = wrap(high + more_high), wrap(low + more_low)
        assert join(high, low) == pytest.approx(true, rel=2**-52, abs=2**-60)


@given(st.lists(ordinary, min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_arrays_and_scalars_split_and_join_to_the_same_bits(values):
    high, low = split_array(np.array(values))
    assert [split(v) for v in values] == list(zip(high.tolist(), low.tolist(), strict=True))
    assert join_array(high, low).tolist() == [join(*split(v)) for v in values] == values


def test_prefix_sums_that_have_overflowed_still_subtract_exactly():
    values = np.full(40, LIMIT * 0.99)
    high, low = split_array(values)
    prefix_high, prefix_low = np.cumsum(high), np.cumsum(low)
    assert prefix_high[-1] != int(high[0]) * 40  # it has wrapped
    between = join_array(prefix_high[-1:] - prefix_high[-2:-1], prefix_low[-1:] - prefix_low[-2:-1])
    assert between.tolist() == [LIMIT * 0.99]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), LIMIT])
def test_value_that_cannot_be_summed_is_refused_with_the_way_out(value):
    with pytest.raises(InvalidInput) as scalar:
        split(value)
    with pytest.raises(InvalidInput):
        split_array(np.array([1.0, value]))
    assert "scale the column" in str(scalar.value)
