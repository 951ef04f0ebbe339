"""Comparisons of two profiles: sample sizes count, units are told apart, clocks that moved are found."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from treadle.define.schema_reader import parse_schema
from treadle.records.quantile_sketch import Quantiles
from treadle.stages.validation.profile.builder import profile_frame
from treadle.stages.validation.schema.clock_shift import shifted_hours
from treadle.stages.validation.schema.units import GUESSED, SURE, SWAPS, moved, swapped_unit
from treadle.stages.validation.schema.validate import validate

MIXED = parse_schema(
    'name = "d"\n[columns.x]\ntype = "float"\ndrift = 0.01\n[columns.c]\ntype = "string"\ndrift = 0.01\n'
).schema


def data(rng, n, shift=0.0):
    p = np.full(10, 0.1)
    return pl.DataFrame({"x": rng.normal(shift, 1, n), "c": rng.choice(list("abcdefghij"), n, p=p)})


@pytest.mark.parametrize("n", [60, 200, 1_000, 5_000])
def test_samples_of_the_same_distribution_are_not_said_to_differ_whatever_their_size(n):
    rng = np.random.default_rng(n)
    reference = profile_frame(data(rng, 5_000), "d")
    alarms = sum(
        len(validate(profile_frame(data(rng, n), "d"), MIXED, previous=reference).anomalies)
        for _ in range(60)
    )
    # A distance of 0.01 says nothing by itself here; each of three tests may err once in a thousand.
    assert alarms <= 2


@pytest.mark.parametrize(("n", "shift"), [(300, 0.5), (5_000, 0.15)])
def test_what_chance_does_not_explain_is_found_and_more_values_find_less(n, shift):
    rng = np.random.default_rng(1)
    reference = profile_frame(data(rng, 5_000), "d")
    found = [validate(profile_frame(data(rng, n, shift), "d"), MIXED, previous=reference) for _ in range(20)]
    assert sum(any(one.where == "x" for one in v.anomalies) for v in found) >= 18


def test_an_effect_below_the_distance_is_none_however_many_values_there_are():
    rng = np.random.default_rng(2)
    schema = parse_schema(
        'name = "d"\n[columns.x]\ntype = "float"\ndrift = 0.1\n[columns.c]\ntype = "string"\n'
    ).schema
    reference = profile_frame(data(rng, 50_000), "d")
    assert not validate(profile_frame(data(rng, 50_000, 0.15), "d"), schema, previous=reference).anomalies


@pytest.mark.parametrize("words", SWAPS)
def test_every_swap_of_units_is_named(words):
    rng = np.random.default_rng(3)
    factor, offset = SWAPS[words]
    before = Quantiles().add(rng.gamma(4, 6, 5_000) - 5)
    now = Quantiles().add((rng.gamma(4, 6, 5_000) - 5) * factor + offset)
    assert swapped_unit(now, before) == words


def test_an_honest_change_of_level_is_never_said_surely_to_be_a_unit():
    rng = np.random.default_rng(8)
    shapes = [
        lambda: rng.normal(12, 6, 1_000),
        lambda: rng.lognormal(1, 0.8, 1_000),
        lambda: rng.uniform(1, 100, 1_000),
    ]
    found = []
    for shape in shapes:
        assert swapped_unit(Quantiles().add(shape()), Quantiles().add(shape())) is None
        factors = np.exp(rng.uniform(np.log(0.3), np.log(3), 60))
        found += [swapped_unit(Quantiles().add(shape() * f), Quantiles().add(shape())) for f in factors]
    assert sum(words in SURE for words in found) <= 2
    # Some look like miles for km: they are of the kind that is told and stops nothing.
    assert sum(words in GUESSED for words in found) > 20


@pytest.mark.parametrize(
    "change", [lambda v: v * 1.2, lambda v: v + 10, lambda v: v**1.3, lambda v: v * 4.5, lambda v: v]
)
def test_other_changes_are_no_swap_of_units(change):
    rng = np.random.default_rng(4)
    before = Quantiles().add(rng.gamma(4, 6, 5_000))
    assert swapped_unit(Quantiles().add(change(rng.gamma(4, 6, 5_000))), before) is None


def test_a_moved_sketch_is_the_sketch_of_moved_values():
    values = np.random.default_rng(5).normal(size=500)
    sketch = moved(Quantiles().add(values), -2.0, 3.0)
    points = np.linspace(-5, 10, 31)
    exact = [(np.asarray(values) * -2.0 + 3.0 <= point).mean() for point in points]
    assert np.allclose(sketch.cdf(points), exact)
    assert math.isclose(sketch.low, (values * -2.0 + 3.0).min())


@pytest.mark.parametrize("hours", range(-11, 13))
def test_clocks_that_moved_are_found_by_how_much(hours):
    rng = np.random.default_rng(6)
    usual = np.array(
        [1, 1, 1, 1, 2, 8, 20, 40, 60, 50, 30, 25, 30, 28, 26, 30, 45, 60, 40, 25, 12, 8, 4, 2], float
    )
    usual /= usual.sum()
    counts = rng.multinomial(2_000, np.roll(usual, hours))
    assert shifted_hours(counts.tolist(), usual.tolist()) == hours


def test_hours_that_only_differ_have_not_moved():
    rng = np.random.default_rng(7)
    usual = np.full(24, 1 / 24)
    busy = np.array([2.0 if 8 <= hour < 18 else 1.0 for hour in range(24)])
    for counts in (rng.multinomial(2_000, usual), rng.multinomial(2_000, busy / busy.sum())):
        assert shifted_hours(counts.tolist(), usual.tolist()) == 0
    assert shifted_hours([0] * 12 + [10] + [0] * 11, (busy / busy.sum()).tolist()) == 0
