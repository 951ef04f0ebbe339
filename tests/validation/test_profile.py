"""Profiles against exact statistics of the whole data, counted with plain Python and NumPy."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.errors import Corrupt, InvalidInput, NotFound
from treadle.records.instants import DAY, instant
from treadle.records.profile_distances import compare, compare_columns
from treadle.records.profiles import (
    EXAMPLES,
    MOST_BYTES,
    ColumnProfile,
    Profile,
    merge_profiles,
)
from treadle.records.quantile_sketch import RANK_ERROR
from treadle.stages.validation.profile.builder import BLOCK, ProfileBuilder, profile_frame

START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(n: int, seed: int = 0) -> pl.DataFrame:
    r = np.random.default_rng(seed)
    value = r.normal(10, 3, n)
    value[r.random(n) < 0.01] = np.nan
    value[r.random(n) < 0.001] = np.inf
    return pl.DataFrame(
        {
            "value": pl.Series(value).set(pl.Series(r.random(n) < 0.05), None),
            "amount": pl.Series(r.integers(-5, 2_000, n)),
            "stuck": pl.Series(np.where(np.arange(n) // 400 % 7 == 3, 21.5, r.normal(size=n))),
            "city": pl.Series([None if u < 0.1 else f"city {int(u * 40)}" for u in r.random(n)]),
            "id": pl.Series([f"order-{i:09d}" for i in range(n)]),
            "flag": pl.Series(r.random(n) < 0.3),
            "at": pl.Series([START + timedelta(minutes=int(m)) for m in r.integers(0, 60 * 24 * 30, n)]),
            "tags": pl.Series([["a"] for _ in range(n)]),
        }
    )


def number(row: object) -> int:
    """A row that is named by its number."""
    assert isinstance(row, int)
    return row


def finite(column: pl.Series) -> list[float]:
    return [x for x in column.to_list() if x is not None and math.isfinite(x)]


def missing_rows(column: pl.Series) -> set[int]:
    return {i for i, x in enumerate(column.to_list()) if x is None}


@pytest.fixture(scope="module")
def data() -> pl.DataFrame:
    return rows(30_000)


@pytest.fixture(scope="module")
def found(data: pl.DataFrame) -> Profile:
    return profile_frame(data, "orders", time="at")


def test_counts_are_exact(data: pl.DataFrame, found: Profile) -> None:
    value = data["value"].to_list()
    column = found["value"]
    assert (found.rows, column.rows) == (30_000, 30_000)
    assert column.nulls == sum(x is None for x in value)
    assert column.nan == sum(x is not None and math.isnan(x) for x in value)
    assert column.infinities == sum(x is not None and math.isinf(x) for x in value)
    assert column.moments.count == len(finite(data["value"]))
    assert column.null_share == pytest.approx((column.nulls + column.nan) / 30_000)
    amount = data["amount"].to_list()
    assert found["amount"].zeros == sum(x == 0 for x in amount)
    assert found["amount"].negatives == sum(x < 0 for x in amount)
    assert {c.name: c.kind for c in found.columns} == {
        "value": "float",
        "amount": "int",
        "stuck": "float",
        "city": "string",
        "id": "string",
        "flag": "bool",
        "at": "time",
        "tags": "other",
    }


def test_moments_are_those_of_the_finite_values(data: pl.DataFrame, found: Profile) -> None:
    for name in ("value", "amount", "stuck"):
        exact = np.array(finite(data[name]))
        moments = found[name].moments
        z = (exact - exact.mean()) / exact.std()
        assert moments.mean == pytest.approx(exact.mean(), rel=1e-12)
        assert moments.std == pytest.approx(exact.std(), rel=1e-10)
        assert moments.skew == pytest.approx(np.mean(z**3), rel=1e-8, abs=1e-10)
        assert moments.kurtosis == pytest.approx(np.mean(z**4) - 3, rel=1e-8, abs=1e-9)
    assert found["flag"].moments.mean == pytest.approx(sum(data["flag"].to_list()) / 30_000)


def test_extremes_are_exact_and_their_rows_hold_them(data: pl.DataFrame, found: Profile) -> None:
    for name in ("value", "amount"):
        ordered = sorted(finite(data[name]))
        column = found[name]
        assert [e.value for e in column.lowest] == ordered[:EXAMPLES]
        assert [e.value for e in column.highest] == ordered[::-1][:EXAMPLES]
        for extreme in (*column.lowest, *column.highest):
            assert data[name][number(extreme.row)] == extreme.value
    assert found["city"].low == min(x for x in data["city"].to_list() if x is not None)
    assert data["city"][number(found["city"].highest[0].row)] == found["city"].high


def test_quantiles_and_shares_are_within_the_rank_error(data: pl.DataFrame, found: Profile) -> None:
    for name in ("value", "amount", "stuck"):
        ordered = np.sort(finite(data[name]))
        points = np.quantile(ordered, np.linspace(0, 1, 201))
        exact = np.searchsorted(ordered, points, "right") / len(ordered)
        assert np.max(np.abs(found[name].cdf(points) - exact)) <= RANK_ERROR
        for share in (0.01, 0.25, 0.5, 0.75, 0.99):
            at = found[name].quantile(share)
            below = np.searchsorted(ordered, at, "left") / len(ordered)
            upto = np.searchsorted(ordered, at, "right") / len(ordered)
            assert below - RANK_ERROR <= share <= upto + RANK_ERROR


def test_few_values_are_counted_exactly_with_a_row_of_each(data: pl.DataFrame, found: Profile) -> None:
    for name in ("city", "flag"):
        exact = Counter(x for x in data[name].to_list() if x is not None)
        assert found[name].categorical
        assert found[name].counts() == exact
        assert found[name].distinct_count() == len(exact)
        for counter in found[name].frequent.counters:
            assert data[name][number(counter.row)] == counter.value


def test_many_values_are_estimated(found: Profile) -> None:
    assert found["id"].distinct_count() == pytest.approx(30_000, rel=0.065)
    assert not found["id"].categorical
    assert found["amount"].frequent is None
    assert found["amount"].distinct_count() == pytest.approx(2_005, rel=0.065)


def test_lengths_of_texts_are_exact(data: pl.DataFrame, found: Profile) -> None:
    sizes = [len(x) for x in data["city"].to_list() if x is not None]
    lengths = found["city"].lengths
    assert (lengths.shortest, lengths.longest, lengths.total) == (min(sizes), max(sizes), sum(sizes))


def test_the_longest_run_crosses_blocks_and_names_its_first_row() -> None:
    values = np.random.default_rng(0).normal(size=BLOCK + 9_000)
    values[BLOCK - 70 : BLOCK + 80] = 4.5
    values[100:140] = 1.25
    run = profile_frame(pl.DataFrame({"x": values}))["x"].longest_run
    assert (run.length, run.value, run.row) == (150, 4.5, BLOCK - 70)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2]), max_size=40), st.integers(1, 7))
def test_the_longest_run_is_that_of_all_rows_however_they_are_cut(values: list[int], cut: int) -> None:
    from treadle.stages.validation.profile.blocks import Rows
    from treadle.stages.validation.profile.extremes import Runs

    runs = Runs(int)
    for start in range(0, len(values), cut):
        runs.add(np.array(values[start : start + cut], np.int64), None, Rows(start))
    groups = [len(list(group)) for _, group in groupby(values)]
    longest = max(groups, default=0)
    found = runs.longest()
    if longest < 2:
        assert found is None
    else:
        assert (found.length, found.row) == (longest, sum(groups[: groups.index(longest)]))


def test_examples_are_rows_that_have_the_finding(data: pl.DataFrame, found: Profile) -> None:
    examples = found["value"].examples
    assert set(examples) == {"null", "nan", "infinite"}
    assert len(examples["null"]) == EXAMPLES
    assert set(examples["null"]) <= missing_rows(data["value"])
    assert all(math.isnan(data["value"][number(row)]) for row in examples["nan"])
    assert all(math.isinf(data["value"][number(row)]) for row in examples["infinite"])


def test_example_rows_are_named_by_the_key_when_there_is_one(data: pl.DataFrame) -> None:
    found = profile_frame(data, row_id="id")
    city = dict(zip(data["id"].to_list(), data["city"].to_list(), strict=True))
    assert len(found["city"].examples["null"]) == EXAMPLES
    assert all(city[row] is None for row in found["city"].examples["null"])
    assert all(city[counter.row] == counter.value for counter in found["city"].frequent.counters)


def test_times_have_extremes_quantiles_and_rows_by_day(data: pl.DataFrame, found: Profile) -> None:
    times = data["at"].to_list()
    column = found["at"]
    assert (column.low, column.high) == (instant(min(times)), instant(max(times)))
    assert column.counts() == Counter(t.date().isoformat() for t in times)
    assert (found.start, found.end) == (instant(min(times)), instant(max(times)) + 1)
    assert column.quantile(0.5) == pytest.approx(instant(sorted(times)[15_000]), abs=0.01 * 30 * DAY)


def test_dates_and_every_integer_width_are_read() -> None:
    found = profile_frame(
        pl.DataFrame(
            {
                "day": [date(2024, 2, 29), None, date(1969, 12, 31)],
                "small": pl.Series([1, 2, 255], dtype=pl.UInt8),
                "huge": pl.Series([0, 2**63 + 5, 7], dtype=pl.UInt64),
                "kind": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
                "nothing": pl.Series([None, None, None]),
            }
        )
    )
    assert found["day"].counts() == {"1969-12-31": 1, "2024-02-29": 1}
    assert (found["day"].low, found["small"].high) == (-DAY, 255)
    assert found["huge"].high == float(2**63 + 5)
    assert found["kind"].counts() == {"a": 2, "b": 1}
    assert (found["nothing"].nulls, found["nothing"].present) == (3, 0)


def test_the_same_rows_give_the_same_bytes_however_they_are_cut(data: pl.DataFrame) -> None:
    whole = pl.concat([data, data, data])
    first = profile_frame(whole, "orders")
    builder = ProfileBuilder("orders")
    at = 0
    for size in (1, 999, BLOCK // 2, BLOCK + 3, whole.height):
        builder.add(whole.slice(at, size))
        at += size
    assert builder.build().to_bytes() == first.to_bytes()
    assert profile_frame(whole.lazy(), "orders").to_bytes() == first.to_bytes()


def test_a_profile_may_be_looked_at_while_rows_still_come(data: pl.DataFrame) -> None:
    builder = ProfileBuilder("orders")
    builder.add(data.head(10))
    assert builder.build().rows == 10
    builder.add(data.slice(10))
    assert builder.build()["city"].counts() == profile_frame(data)["city"].counts()


def test_stored_bytes_come_back_and_others_are_refused(found: Profile) -> None:
    assert Profile.from_bytes(found.to_bytes()) == found
    with pytest.raises(Corrupt, match="not a stored profile"):
        Profile.from_bytes(found.to_bytes()[:-1])
    with pytest.raises(Corrupt, match="format 99"):
        Profile.from_bytes(Profile(name="x", format=99).to_bytes())


def test_a_column_takes_at_most_64_kib_whatever_is_in_it() -> None:
    r = np.random.default_rng(0)
    n = 200_000
    hard = pl.DataFrame(
        {
            "long": [f"{'ü' * 90}{i % 60_000}" for i in range(n)],
            "number": r.normal(size=n),
            "spread": r.integers(-(2**62), 2**62, n),
            "levels": r.integers(0, 512, n) * 1.5,
            "key": [f"{'k' * 400}{i}" for i in range(n)],
        }
    )
    found = profile_frame(hard, row_id="key")
    assert max(len(column.to_bytes()) for column in found.columns) <= MOST_BYTES
    twice = found.merge(found)
    assert max(len(column.to_bytes()) for column in twice.columns) <= MOST_BYTES


cells = st.fixed_dictionaries(
    {
        "x": st.one_of(st.none(), st.floats(-1e3, 1e3).map(lambda v: round(v, 2)), st.just(math.nan), st.just(math.inf)),
        "i": st.one_of(st.none(), st.integers(-50, 50)),
        "s": st.one_of(st.none(), st.text("abc ü", max_size=4)),
        "b": st.one_of(st.none(), st.booleans()),
        "t": st.one_of(st.none(), st.integers(-(10**15), 10**15)),
    }
)  # fmt: skip
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "x": pl.Float64,
    "i": pl.Int64,
    "s": pl.String,
    "b": pl.Boolean,
    "t": pl.Datetime("us"),
}
tables = st.lists(cells, max_size=30)


def part(records: list[dict], start: int) -> Profile:
    frame = pl.DataFrame(records, schema={**SCHEMA, "t": pl.Int64}).cast(SCHEMA).with_row_index("key", start)
    return profile_frame(frame, "t", row_id="key")


def exact_part(column: ColumnProfile) -> dict[str, object]:
    """All of a column's profile but what floating-point sums and sketches hold."""
    return {
        name: getattr(column, name)
        for name in column.__struct_fields__
        if name not in ("moments", "quantiles", "longest_run")
    }


@settings(max_examples=40, deadline=None)
@given(tables, tables, tables)
def test_merging_is_commutative_and_associative_and_equals_the_profile_of_all_rows(
    one: list[dict], two: list[dict], three: list[dict]
) -> None:
    a, b, c = part(one, 0), part(two, len(one)), part(three, len(one) + len(two))
    assert a.merge(b).to_bytes() == b.merge(a).to_bytes()
    left, right, whole = a.merge(b).merge(c), a.merge(b.merge(c)), part(one + two + three, 0)
    for name in SCHEMA:
        assert exact_part(left[name]) == exact_part(right[name]) == exact_part(whole[name])
        points = whole[name].sketch.points()
        assert left[name].cdf(points) == pytest.approx(whole[name].cdf(points), abs=1e-12)
        for field in ("count", "mean", "m2", "m3", "m4"):
            assert getattr(left[name].moments, field) == pytest.approx(
                getattr(whole[name].moments, field), rel=1e-6, abs=1e-4
            )


def test_hours_merge_to_days_and_days_to_weeks(data: pl.DataFrame) -> None:
    whole = profile_frame(data, "orders", time="at")
    days = [
        profile_frame(day, "orders", time="at")
        for day in data.with_columns(day=pl.col("at").dt.date()).partition_by("day", include_key=False)
    ]
    month = merge_profiles(days)
    assert (month.rows, month.start, month.end) == (30_000, whole.start, whole.end)
    assert month["city"].counts() == whole["city"].counts()
    values = np.sort(finite(data["value"]))
    points = np.quantile(values, np.linspace(0, 1, 101))
    exact = np.searchsorted(values, points, "right") / len(values)
    assert np.max(np.abs(month["value"].cdf(points) - exact)) <= RANK_ERROR


def test_profiles_of_different_things_are_not_merged(found: Profile) -> None:
    with pytest.raises(InvalidInput, match="cannot be merged"):
        found.merge(Profile(name="other"))
    with pytest.raises(InvalidInput, match="cannot be merged"):
        found.merge(Profile(name="orders", segment="city=Rome"))
    with pytest.raises(InvalidInput, match="no profile"):
        merge_profiles([])


def test_a_column_that_changes_its_type_is_counted_by_kind() -> None:
    builder = ProfileBuilder("t")
    builder.add(pl.DataFrame({"x": [1, 2, 3]}))
    builder.add(pl.DataFrame({"x": ["a", None]}))
    column = builder.build()["x"]
    assert (column.rows, column.nulls, column.types) == (5, 1, {"int": 3, "string": 1})


def test_a_table_without_rows_has_columns_and_nothing_in_them() -> None:
    found = profile_frame(pl.DataFrame(schema=SCHEMA))
    assert found.names() == tuple(SCHEMA)
    assert all(column.rows == 0 and column.low is None for column in found.columns)
    assert math.isnan(found["x"].quantile(0.5))


def test_columns_that_are_not_there_or_cannot_name_rows_are_refused(data: pl.DataFrame) -> None:
    with pytest.raises(NotFound, match="no column named 'when'"):
        profile_frame(data, time="when")
    with pytest.raises(InvalidInput, match="are of type"):
        profile_frame(data, row_id="value")
    with pytest.raises(InvalidInput, match="are missing"):
        profile_frame(data, row_id="city")


def test_distances_are_those_of_the_data() -> None:
    r = np.random.default_rng(4)
    old = pl.DataFrame(
        {"x": r.normal(size=40_000), "c": r.choice(["a", "b", "c"], 40_000, p=[0.5, 0.3, 0.2])}
    )
    new = pl.DataFrame(
        {
            "x": pl.Series(r.normal(0.5, 1, 20_000)).set(pl.Series(r.random(20_000) < 0.1), None),
            "c": r.choice(["a", "b", "z"], 20_000, p=[0.4, 0.5, 0.1]),
        }
    )
    found = compare(profile_frame(old), profile_frame(new))
    now, before = np.sort(finite(new["x"])), np.sort(old["x"].to_numpy())
    points = np.concatenate([now, before])
    ks = np.max(
        np.abs(
            np.searchsorted(now, points, "right") / len(now)
            - np.searchsorted(before, points, "right") / 40_000
        )
    )
    assert found["x"].ks == pytest.approx(ks, abs=2 * RANK_ERROR)
    assert found["x"].null_change == pytest.approx(new["x"].null_count() / 20_000)
    assert found["x"].mean_shift == pytest.approx((now.mean() - before.mean()) / before.std(), rel=1e-6)
    was, have = Counter(old["c"].to_list()), Counter(new["c"].to_list())
    p = [max(have[v], 0.5) / 20_000 for v in "abcz" if v != "z"]
    q = [was[v] / 40_000 for v in "abc"]
    rest = have["z"] / 20_000, 0.5 / 40_000
    psi = sum((a - b) * math.log(a / b) for a, b in zip([*p, rest[0]], [*q, rest[1]], strict=True))
    assert found["c"].psi == pytest.approx(psi)
    assert found["c"].psi_corrected == pytest.approx(psi - 3 * (1 / 20_000 + 1 / 40_000))
    assert found["c"].unseen == pytest.approx(have["z"] / 20_000)
    assert found["c"].changed_level in ("b", "c")


def test_equal_data_are_at_no_distance_and_small_exact_data_at_an_exact_one() -> None:
    found = profile_frame(rows(5_000, 3))
    same = compare(found, found)
    assert all(column.ks in (None, 0.0) and column.psi in (None, 0.0) for column in same.columns)
    one, two = (profile_frame(pl.DataFrame({"x": x}))["x"] for x in ([1, 2, 3, 4], [3, 4, 5, 6]))
    distance = compare_columns(one, two)
    assert (distance.ks, distance.ks_error, distance.unseen) == (0.5, 0.0, 0.5)


def test_columns_that_came_and_went_are_named() -> None:
    found = compare(
        profile_frame(pl.DataFrame({"a": [1], "b": [1]})), profile_frame(pl.DataFrame({"b": [1], "c": [1]}))
    )
    assert (found.missing, found.new, [c.column for c in found.columns]) == (("a",), ("c",), ["b"])
