"""Columns that were fitted before they were stored are warned of; honest ones are not."""

import numpy as np
import polars as pl

from treadle.stages.validation.fitted_columns import fitted_columns
from treadle.stages.validation.profile.builder import profile_frame

RNG = np.random.default_rng(7)
RAW = RNG.lognormal(size=500)


def found(**columns):
    return [(one.kind, one.columns) for one in fitted_columns(profile_frame(pl.DataFrame(columns)))]


def test_standardised_values_are_found_whichever_way_the_deviation_was_divided():
    for ddof in (0, 1):
        scaled = (RAW - RAW.mean()) / RAW.std(ddof=ddof)
        assert found(price=scaled) == [("standardised", ("price",))]


def test_values_drawn_from_a_standard_normal_are_not_taken_for_standardised():
    assert found(noise=RNG.normal(size=500)) == []


def test_values_scaled_to_both_ends_are_found_and_shares_within_are_not():
    scaled = (RAW - RAW.min()) / (RAW.max() - RAW.min())
    assert found(price=scaled) == [("min_max", ("price",))]
    assert found(share=0.9 * scaled) == []
    assert found(flag=(RAW > 1).astype(float)) == []


def test_one_hot_columns_are_found_together_and_unrelated_flags_are_not():
    code = RNG.integers(0, 4, size=500)
    columns = {f"carrier_{name}": (code == at).astype(int) for at, name in enumerate("abcd")}
    assert found(**columns, other=RAW) == [("one_hot", tuple(columns))]
    flags = {f"is_{at}": RNG.random(500) < 0.5 for at in range(4)}
    assert found(**flags) == []
    del columns["carrier_a"]
    assert found(**columns) == []


def test_a_few_values_say_nothing():
    assert found(price=np.array([0.0, 0.25, 1.0])) == []
