"""The drift verdict: how often it cries wolf, and what it sees. Seeds are fixed; rates are those of the design's table.

The ordinary run takes fewer windows than `make bench`, which takes a thousand of each kind.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from tests.monitoring.drift_worlds import World, autoregressive, exact_ks, mixed
from treadle.records.drifts import DataDrift
from treadle.records.estimates import Window
from treadle.records.instants import DAY
from treadle.records.profile_distances import ColumnDistance, ProfileComparison, compare
from treadle.records.quantiles import binomial_above, same_rate
from treadle.stages.monitoring.data_drift import (
    DriftRule,
    calls_for_training,
    holm,
    judge_drift,
    ordinary_distances,
    ordinary_limit,
)
from treadle.stages.validation.profile.builder import profile_frame

WINDOW = Window(0, DAY)
REFERENCE_ROWS = 10_000


def judged(comparison, ordinary=None) -> DataDrift:
    return judge_drift("flights", comparison, window=WINDOW, at=DAY, ordinary=ordinary)


def quiet_rates(n: int, windows: int, seed: int) -> tuple[float, float, float]:
    """The share of windows without drift in warning or alert, in alert, and calling for a training."""
    rng = np.random.default_rng(seed)
    warned = alerted = called = 0
    recent: list[DataDrift] = []
    world = World(mixed(rng, REFERENCE_ROWS))
    for number in range(windows):
        if number % 50 == 49:
            world = World(mixed(rng, REFERENCE_ROWS))
        verdict = judged(world.compare(mixed(rng, n)))
        recent = [*recent, verdict][-3:]
        warned += bool(verdict.drifted())
        alerted += bool(verdict.alerted())
        # The hardest case: everything else already speaks for a training.
        called += calls_for_training(recent, score_drifted=True, performance_fell=True) is not None
    return warned / windows, alerted / windows, called / windows


class TestFalseAlarms:
    @pytest.mark.parametrize("n", [200, 1_000])
    def test_without_drift_fifty_mixed_columns_are_almost_always_quiet(self, n):
        warned, alerted, called = quiet_rates(n, windows=40, seed=n)
        assert (warned <= 0.05, alerted, called) == (True, 0, 0)  # a rate of 1.5 % gives less than one of 40

    @pytest.mark.bench
    @pytest.mark.parametrize("n", [200, 500, 1_000, 5_000])
    def test_without_drift_the_rates_are_those_of_the_design(self, n):
        warned, alerted, called = quiet_rates(n, windows=1_000, seed=n + 1)
        assert (warned <= 0.015, alerted <= 0.01, called <= 0.001) == (True, True, True)

    @pytest.mark.parametrize("stream", ["autoregressive", "weekly"])
    def test_rows_that_depend_on_one_another_are_held_against_ordinary_windows(self, stream):
        rates = dependent_rates(stream, runs=30, seed=3)
        assert rates["naive"] >= 0.1
        assert rates["alert"] <= 0.034

    @pytest.mark.bench
    @pytest.mark.parametrize("stream", ["autoregressive", "weekly"])
    def test_rows_that_depend_on_one_another_alert_in_two_of_a_hundred_windows(self, stream):
        assert dependent_rates(stream, runs=1_000, seed=4)["alert"] <= 0.02


def dependent_rates(stream: str, runs: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    size, found = 500, {"naive": 0, "alert": 0}
    for _ in range(runs):
        values = autoregressive(rng, 29 * size, 0.8)
        if stream == "weekly":
            # Windows of a day: the week's rhythm is within the reference, the day's noise is dependent too.
            days = np.repeat(np.arange(29), size)
            values = (
                0.6 * values + 0.4 * np.sin(2 * np.pi * (days % 7) / 7) + 0.2 * rng.normal(size=len(values))
            )
        windows = np.split(values, 29)
        rest = [World({"x": np.concatenate(windows[:i] + windows[i + 1 : 28])}) for i in range(28)]
        ordinary = ordinary_distances(
            world.compare({"x": one}) for world, one in zip(rest, windows[:28], strict=True)
        )
        comparison = World({"x": np.concatenate(windows[:28])}).compare({"x": windows[28]})
        found["naive"] += bool(judged(comparison).alerted())
        found["alert"] += bool(judged(comparison, ordinary).alerted())
    return {name: count / runs for name, count in found.items()}


SHIFTS = {
    "mean by half a deviation": lambda rng, n: rng.normal(0.5, 1, n),
    "twice the deviation": lambda rng, n: rng.normal(0, 2, n),
    "a fifth from elsewhere": lambda rng, n: np.where(
        rng.random(n) < 0.2, rng.normal(3, 1, n), rng.normal(0, 1, n)
    ),
    "mean by a quarter": lambda rng, n: rng.normal(0.25, 1, n),
}


class TestDetection:
    @pytest.mark.parametrize("shift", SHIFTS)
    def test_a_shift_of_one_of_fifty_columns_is_seen(self, shift):
        rng = np.random.default_rng(11)
        world = World(mixed(rng, REFERENCE_ROWS))
        windows, seen = 25, 0
        for _ in range(windows):
            verdict = judged(world.compare({**mixed(rng, 1_000), "normal3": SHIFTS[shift](rng, 1_000)}))
            seen += "normal3" in verdict.drifted()
        assert seen / windows >= (0.95 if shift == "mean by a quarter" else 0.99)

    def test_one_category_of_two_hundred_that_triples_is_seen(self):
        rng = np.random.default_rng(12)
        even = np.full(200, 1 / 200)
        more = even.copy()
        more[7] *= 3
        world = World({"c": rng.choice(200, 20_000, p=even).astype(str)})
        seen = 0
        for _ in range(60):
            verdict = judged(world.compare({"c": rng.choice(200, 7_000, p=more / more.sum()).astype(str)}))
            (found,) = [one for one in verdict.columns[0].findings if one.statistic == "level"]
            seen += found.state in ("warn", "alert") and found.what.startswith("'7'")
        assert seen / 60 >= 0.95

    def test_values_never_seen_and_missing_values_are_told_apart(self):
        rng = np.random.default_rng(13)
        old, new = (
            rng.choice(["a", "b", "c"], 5_000),
            rng.choice(["a", "b", "c", "d"], 2_000, p=[0.33, 0.33, 0.31, 0.03]),
        )
        reference = profile_frame(pl.DataFrame({"c": old, "x": rng.normal(size=5_000)}), name="r")
        holes = pl.Series(rng.normal(size=2_000)).set(pl.Series(rng.random(2_000) < 0.08), None)
        verdict = judged(compare(reference, profile_frame(pl.DataFrame({"c": new, "x": holes}), name="n")))
        alerts = {(c.column, f.statistic) for c in verdict.columns for f in c.findings if f.state == "alert"}
        assert alerts == {("c", "unseen"), ("c", "level"), ("x", "nulls")}
        assert verdict.state == "alert"
        assert "never seen before" in verdict.sentence

    def test_sketches_decide_as_exact_statistics_do(self):
        rng = np.random.default_rng(14)
        reference = rng.normal(size=40_000)
        sketched, world = profile_frame(pl.DataFrame({"x": reference}), name="r"), World({"x": reference})
        equal = asked = 0
        for shift in np.linspace(0, 0.5, 60):
            values = rng.normal(shift, 1, 20_000)
            exact = exact_ks(np.sort(reference), np.sort(values))
            if min(abs(exact - limit) for limit in (0.05, 0.10)) <= 0.01:
                continue
            asked += 1
            by_sketch = judged(compare(sketched, profile_frame(pl.DataFrame({"x": values}), name="n")))
            equal += by_sketch.state == judged(world.compare({"x": values})).state
        assert asked > 30
        assert equal / asked >= 0.995


class TestAgainstPlainThresholds:
    """The shipped default of a well-known tool: Wasserstein / deviation, and Jensen-Shannon, both from 0.1, whatever n is."""

    @pytest.mark.parametrize("n", [200, 500])
    def test_fewer_columns_are_falsely_flagged_and_as_many_shifts_seen(self, n):
        rng = np.random.default_rng(15)
        reference = mixed(rng, REFERENCE_ROWS)
        world, plain, ours, columns = World(reference), 0, 0, 0
        for _ in range(4):
            current = mixed(rng, n)
            plain += sum(plain_flag(reference[name], current[name]) for name in reference)
            ours += len(judged(world.compare(current)).drifted())
            columns += len(reference)
        assert ours == 0
        assert plain / columns > 0.05
        shifted = [rng.normal(0.75, 1, n) for _ in range(40)]
        seen = [bool(judged(World({"x": reference["normal0"]}).compare({"x": x})).drifted()) for x in shifted]
        assert np.mean(seen) >= np.mean([plain_flag(reference["normal0"], x) for x in shifted]) == 1.0


def plain_flag(reference: np.ndarray, current: np.ndarray) -> bool:
    if reference.dtype.kind == "f":
        return bool(stats.wasserstein_distance(reference, current) / reference.std() >= 0.1)
    levels = sorted({*reference, *current})
    q, p = (np.array([np.mean(values == level) for level in levels]) for values in (reference, current))
    middle = (p + q) / 2
    divergence = (stats.entropy(p, middle, base=2) + stats.entropy(q, middle, base=2)) / 2
    return bool(np.sqrt(max(divergence, 0)) >= 0.1)


class TestRules:
    def distance(self, **fields) -> ProfileComparison:
        column = ColumnDistance(
            **{"column": "x", "kind": "float", "was_kind": "float", "n": 1_000, "m": 9_000, **fields}
        )
        return ProfileComparison(rows=1_000, reference_rows=9_000, columns=(column,))

    def test_too_few_values_say_nothing_of_a_distribution(self):
        verdict = judged(self.distance(n=99, ks=0.9))
        assert (verdict.state, verdict.columns[0].state) == ("insufficient_data", "insufficient_data")
        assert "cannot be judged" in verdict.sentence
        assert judged(self.distance(n=100, ks=0.9)).state == "alert"

    @pytest.mark.parametrize(("ks", "state"), [(0.049, "ok"), (0.08, "warn"), (0.10, "alert")])
    def test_an_effect_below_the_floor_is_none_however_sure_it_is(self, ks, state):
        comparison = self.distance(n=10**6, m=10**6, ks=ks)
        assert judged(comparison).columns[0].findings[-1].significant
        assert judged(comparison).state == state

    def test_a_distance_that_ordinary_windows_reach_is_none(self):
        ordinary = {"x": {"ks": (0.2,) * 6}}
        assert judged(self.distance(ks=0.19), ordinary).state == "ok"
        assert judged(self.distance(ks=0.21), ordinary).state == "alert"
        assert not judged(self.distance(ks=0.21)).columns[0].calibrated

    @pytest.mark.parametrize(
        ("values", "limit"),
        [((1.0,) * 5, None), ((1.0, 3.0, *(2.0,) * 4), 3.0), ((2.0,) * 19 + (3.0,), 2.72082)],
    )
    def test_what_is_ordinary(self, values, limit):
        assert ordinary_limit(values) == (None if limit is None else pytest.approx(limit, abs=0.1))

    def test_many_columns_raise_the_bar(self):
        columns = self.distance(ks=0.06, n=1_000, m=9_000).columns
        quiet = [
            ColumnDistance(column=f"y{i}", kind="float", was_kind="float", n=1_000, m=9_000, ks=0.01)
            for i in range(99)
        ]
        many = ProfileComparison(rows=1_000, reference_rows=9_000, columns=(*columns, *quiet))
        assert judged(ProfileComparison(rows=1_000, reference_rows=9_000, columns=columns)).state == "warn"
        assert judged(many).state == "ok"

    def test_holm_steps_down_and_stops_at_the_first_that_fails(self):
        assert holm([0.004, 0.0001, 0.02, 0.006], 0.01) == [False, True, False, False]
        assert holm([0.0033, 0.0001, 0.009, 0.005], 0.01) == [True, True, True, True]
        assert holm([], 0.01) == []

    def test_a_level_must_have_grown_or_shrunk_by_half_to_matter(self):
        sure = {"surest_level": "a", "surest_chance": 1e-9}
        assert judged(self.distance(**sure, surest_change=0.03, surest_was=0.30)).state == "ok"
        assert judged(self.distance(**sure, surest_change=0.03, surest_was=0.05)).state == "alert"

    def test_rare_counts_do_not_cry_wolf(self):
        assert same_rate(4, 1_000, 1, 1_000) > 0.3
        assert same_rate(0, 10, 0, 10) == 1.0
        for a, n, b, m in ((30, 1_000, 5, 1_000), (3, 200, 80, 10_000)):
            drawn = stats.binom(a + b, n / (n + m))
            expected = min(1.0, 2 * min(drawn.sf(a - 1), drawn.cdf(a)))
            assert same_rate(a, n, b, m) == pytest.approx(expected, rel=1e-9)
        assert binomial_above(3, 10, 0.2) == pytest.approx(stats.binom.sf(2, 10, 0.2), rel=1e-9)


class TestTraining:
    def verdicts(self, *alerts):
        names = ("x", "y")
        comparisons = [
            ProfileComparison(
                rows=1_000,
                reference_rows=9_000,
                columns=tuple(
                    ColumnDistance(
                        column=n, kind="float", was_kind="float", n=1_000, m=9_000, ks=0.5 if n in a else 0.0
                    )
                    for n in names
                ),
            )
            for a in alerts
        ]
        return [judged(one) for one in comparisons]

    def test_one_window_is_none_two_of_three_are(self):
        def call(*alerts):
            return calls_for_training(self.verdicts(*alerts), score_drifted=True, performance_fell=False)

        assert call("x") is None
        assert call("", "", "x") is None
        assert call("x", "", "x").columns == ("x",)
        assert call("x", "x", "") is None  # it is over
        assert call("x", "", "", "x") is None
        assert call("x", "y", "xy").columns == ("x", "y")

    def test_what_does_not_touch_the_model_is_none(self):
        verdicts = self.verdicts("x", "x")
        quiet = {"score_drifted": False, "performance_fell": False}
        assert calls_for_training(verdicts, **quiet) is None
        assert calls_for_training(verdicts, **quiet, important=["y"]) is None
        assert "leans on x" in calls_for_training(verdicts, **quiet, important=["x"]).because
        assert (
            "performance fell"
            in calls_for_training(verdicts, score_drifted=False, performance_fell=True).because
        )


def test_the_defaults_are_those_of_the_documentation():
    assert DriftRule() == DriftRule(
        0.01, 100, (0.05, 0.10), (0.10, 0.20), (0.005, 0.02), 1.5, (0.005, 0.02), (0.01, 0.05)
    )
