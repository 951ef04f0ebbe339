"""The sketches against exact statistics: oracles are plain NumPy and Python over the whole data."""

from __future__ import annotations

from collections import Counter as Exact
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records import distinct_sketch as distinct
from treadle.records.errors import Corrupt
from treadle.records.frequent_items import MOST_COUNTERS, Counter, FrequentItems, shortened
from treadle.records.moments import Moments
from treadle.records.quantile_sketch import RANK_ERROR, K, Quantiles, ks_distance
from treadle.records.sketch_hashes import hash_floats, hash_texts, mix, mix_one

numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))
few = settings(max_examples=40, deadline=None)


def sketch(values: np.ndarray, cut: int) -> Quantiles:
    found = Quantiles()
    for start in range(0, len(values), cut):
        found = found.add(values[start : start + cut])
    return found


def rank_error(found: Quantiles, values: np.ndarray) -> float:
    """The largest difference of the two distribution functions, over all values and just below each."""
    ordered = np.sort(values)
    upto = np.searchsorted(ordered, ordered, "right") / len(ordered)
    below = np.searchsorted(ordered, ordered, "left") / len(ordered)
    return float(
        max(
            np.max(np.abs(found.cdf(ordered) - upto)),
            np.max(np.abs(found.cdf(ordered, inclusive=False) - below)),
        )
    )


SHAPES = {
    "normal": lambda r, n: r.normal(size=n),
    "sorted": lambda r, n: np.sort(r.normal(size=n)),
    "reversed": lambda r, n: np.sort(r.normal(size=n))[::-1],
    "heavy": lambda r, n: r.pareto(1.1, n),
    "tied": lambda r, n: r.integers(0, 30, n).astype(float),
    "zigzag": lambda r, n: np.arange(n, dtype=float) * (-1.0) ** np.arange(n),
    "one spike": lambda r, n: np.where(r.random(n) < 0.9, 0.0, r.normal(size=n)),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cut", [777, 65_536])
def test_ranks_are_within_the_error_bound_whatever_the_order_and_the_batches(shape: str, cut: int) -> None:
    for seed in range(3):
        values = SHAPES[shape](np.random.default_rng(seed), 150_000)
        found = sketch(values, cut)
        assert rank_error(found, values) <= RANK_ERROR
        assert (found.n, found.low, found.high) == (len(values), values.min(), values.max())
        assert len(found.to_bytes()) <= 3.1 * K * 8


def test_ranks_are_within_the_error_bound_after_many_merges_in_any_tree() -> None:
    r = np.random.default_rng(5)
    values = r.normal(size=300_000)
    parts = [sketch(part, 5_000) for part in np.split(values, 100)]
    left = parts[0]
    for part in parts[1:]:
        left = left.merge(part)
    while len(parts) > 1:
        parts = [
            a.merge(b)
            for a, b in zip(parts[::2], [*parts[1::2], *([Quantiles()] * (len(parts) % 2))], strict=True)
        ]
    for found in (left, parts[0]):
        assert found.n == 300_000
        assert rank_error(found, values) <= RANK_ERROR


@few
@given(st.lists(numbers, min_size=1, max_size=500))
def test_a_stream_that_fits_gives_exact_quantiles_and_ranks(values: list[float]) -> None:
    found = sketch(np.array(values), 37)
    assert rank_error(found, np.array(values)) == pytest.approx(0.0, abs=1e-12)
    for share in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        place = max(0, -(-Fraction(str(share)) * len(values) // 1) - 1)
        assert found.quantile(share) == sorted(values)[int(place)]


@few
@given(st.lists(numbers, max_size=60), st.lists(numbers, max_size=60))
def test_merging_quantiles_is_commutative_to_the_byte_and_stored_bytes_come_back(
    one: list, two: list
) -> None:
    a, b = Quantiles().add(one), Quantiles().add(two)
    assert a.merge(b).to_bytes() == b.merge(a).to_bytes()
    assert Quantiles.from_bytes(a.to_bytes()).to_bytes() == a.to_bytes()


def test_large_merges_of_quantiles_are_commutative_to_the_byte() -> None:
    r = np.random.default_rng(0)
    a, b = sketch(r.normal(size=90_000), 9_000), sketch(r.pareto(2, 40_001), 9_000)
    assert a.merge(b).to_bytes() == b.merge(a).to_bytes()


@few
@given(st.lists(st.tuples(numbers, st.integers(1, 3_000)), min_size=1, max_size=30, unique_by=lambda x: x[0]))
def test_counted_values_weigh_what_their_counts_say(pairs: list[tuple[float, int]]) -> None:
    values, counts = zip(*pairs, strict=True)
    found = Quantiles().add_counted(values, counts)
    total = sum(counts)
    for point in values:
        exact = sum(c for v, c in pairs if v <= point) / total
        assert found.cdf([point])[0] == pytest.approx(exact, abs=RANK_ERROR)
    assert found.n == total


def test_the_distance_of_two_sketches_is_that_of_the_data_within_both_bounds() -> None:
    r = np.random.default_rng(2)
    a, b = r.normal(size=80_000), r.normal(0.2, 1.1, size=60_000)
    points = np.concatenate([a, b])
    exact = np.max(
        np.abs(
            np.searchsorted(np.sort(a), points, "right") / len(a)
            - np.searchsorted(np.sort(b), points, "right") / len(b)
        )
    )
    assert ks_distance(sketch(a, 9_999), sketch(b, 9_999)) == pytest.approx(exact, abs=2 * RANK_ERROR)


@pytest.mark.parametrize("data", [b"x", b"tKLL" + bytes(40), Quantiles().add([1.0, 2.0]).to_bytes()[:-3]])
def test_bytes_that_are_no_quantile_sketch_are_refused(data: bytes) -> None:
    with pytest.raises(Corrupt):
        Quantiles.from_bytes(data)


@pytest.mark.parametrize("n", [0, 1, 10, 1_000, 4_096, 30_000, 400_000])
def test_different_values_are_counted_within_four_standard_errors(n: int) -> None:
    registers = distinct.no_values()
    values = np.random.default_rng(n).normal(size=n)
    distinct.count_in(registers, hash_floats(np.concatenate([values, values])))
    assert distinct.estimate(registers) == pytest.approx(n, rel=4 * distinct.STANDARD_ERROR, abs=0.6)


def test_different_texts_are_counted_too() -> None:
    registers = distinct.no_values()
    texts = [f"key-{i}" for i in range(50_000)] + ["", "a", "ab", "b", "a" * 500]
    distinct.count_in(registers, hash_texts(texts))
    assert distinct.estimate(registers) == pytest.approx(50_005, rel=4 * distinct.STANDARD_ERROR)
    assert len(set(hash_texts(texts).tolist())) == 50_005


@few
@given(st.lists(numbers, max_size=99), st.lists(numbers, max_size=99), st.lists(numbers, max_size=99))
def test_merging_distinct_counts_is_that_of_all_values(one: list, two: list, three: list) -> None:
    def of(values: list[float]) -> np.ndarray:
        registers = distinct.no_values()
        distinct.count_in(registers, hash_floats(np.array(values, np.float64)))
        return registers

    whole = of(one + two + three)
    a, b, c = of(one), of(two), of(three)
    assert (distinct.merged(distinct.merged(a, b), c) == whole).all()
    assert (distinct.merged(a, distinct.merged(c, b)) == whole).all()
    assert (distinct.from_bytes(distinct.to_bytes(a)) == a).all()


@few
@given(st.integers(0, 2**64 - 1))
def test_one_word_is_mixed_as_an_array_of_words_is(word: int) -> None:
    assert mix_one(word) == int(mix(np.array([word], np.uint64))[0])


texts = st.lists(st.sampled_from("abcdefgh"), max_size=80)


def counted(values: list[str]) -> FrequentItems:
    return FrequentItems().merge(
        FrequentItems(tuple(Counter(v, c) for v, c in Exact(values).items()), 0, len(values))
    )


@few
@given(texts, texts, texts)
def test_few_values_are_counted_exactly_in_any_order(
    one: list[str], two: list[str], three: list[str]
) -> None:
    a, b, c = counted(one), counted(two), counted(three)
    assert a.merge(b).merge(c) == c.merge(b.merge(a)) == b.merge(c.merge(a))
    assert a.merge(b).merge(c).counts() == Exact(one + two + three)


def test_too_many_values_are_counted_within_the_stated_error_in_any_tree() -> None:
    r = np.random.default_rng(3)
    values = [f"v{i}" for i in (r.zipf(1.3, 60_000) % 20_000)]
    exact = Exact(values)
    parts = [counted(values[i : i + 2_000]) for i in range(0, len(values), 2_000)]
    left = parts[0]
    for part in parts[1:]:
        left = left.merge(part)
    while len(parts) > 1:
        parts = [
            a.merge(b)
            for a, b in zip(parts[::2], [*parts[1::2], *[FrequentItems()] * (len(parts) % 2)], strict=True)
        ]
    for found in (left, parts[0]):
        assert 0 < found.error <= len(values) / (MOST_COUNTERS + 1)
        assert found.total == len(values)
        kept = found.counts()
        assert all(kept.get(v, 0) <= n <= kept.get(v, 0) + found.error for v, n in exact.items())


def test_long_texts_stay_different_when_cut() -> None:
    one, two = shortened("x" * 500 + "a"), shortened("x" * 500 + "b")
    assert one != two
    assert max(len(one), len(two)) <= 96
    assert shortened("short") == "short"


def test_true_one_and_one_point_nought_are_three_values() -> None:
    found = FrequentItems((Counter(True, 1), Counter(1, 2), Counter(1.0, 3)), 0, 6).merge(FrequentItems())
    assert sorted(one.count for one in found.counters) == [1, 2, 3]


@few
@given(st.lists(numbers, min_size=1, max_size=60), st.lists(numbers, max_size=60))
def test_moments_of_parts_are_those_of_the_whole(one: list[float], two: list[float]) -> None:
    a, b = Moments.of(np.array(one)), Moments.of(np.array(two, np.float64))
    assert a.merge(b) == b.merge(a)
    whole = [Fraction(x) for x in one + two]
    mean = sum(whole) / len(whole)
    found = a.merge(b)
    scale = max([1.0, *map(abs, one + two)])
    assert found.mean == pytest.approx(float(mean), rel=1e-9, abs=1e-9 * scale)
    for power, value in ((2, found.m2), (3, found.m3), (4, found.m4)):
        exact = float(sum((x - mean) ** power for x in whole))
        assert value == pytest.approx(exact, rel=1e-7, abs=1e-9 * scale**power * len(whole))


@settings(max_examples=300, deadline=None)
@given(*[st.tuples(st.integers(1, 10**9), *[st.floats(-1e9, 1e9)] * 4)] * 2)
def test_merging_moments_is_commutative_to_the_bit(one: tuple, two: tuple) -> None:
    assert Moments(*one).merge(Moments(*two)) == Moments(*two).merge(Moments(*one))


def test_moments_keep_their_digits_far_from_zero() -> None:
    values = 1e9 + np.random.default_rng(1).normal(size=200_000)
    found = Moments.of(values)
    assert found.std == pytest.approx(np.std(values - 1e9), rel=1e-6)
