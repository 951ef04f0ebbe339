"""Streams with and without drift, and their comparisons from exact statistics: fast enough for thousands of windows."""

from __future__ import annotations

from collections import Counter as CountOf

import numpy as np

from treadle.records.frequent_items import Counter, FrequentItems
from treadle.records.profile_distances import ColumnDistance, ProfileComparison, compare_columns
from treadle.records.profiles import ColumnProfile


def mixed(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Fifty independent columns: normal, lognormal, zero-inflated, and of 5, 50 and 200 categories."""
    columns: dict[str, np.ndarray] = {f"normal{i}": rng.normal(size=n) for i in range(20)}
    columns |= {f"lognormal{i}": rng.lognormal(size=n) for i in range(10)}
    columns |= {f"zeros{i}": np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n)) for i in range(5)}
    for levels in (5, 50, 200):
        weights = 1.0 / np.arange(1, levels + 1)
        weights /= weights.sum()
        columns |= {f"of{levels}_{i}": rng.choice(levels, n, p=weights).astype(str) for i in range(5)}
    return columns


def exact_ks(one: np.ndarray, other: np.ndarray) -> float:
    """The textbook distance, both arrays sorted."""
    points = np.concatenate([one, other])
    return float(
        np.max(
            np.abs(
                np.searchsorted(one, points, "right") / len(one)
                - np.searchsorted(other, points, "right") / len(other)
            )
        )
    )


class World:
    """A reference, prepared once."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        self.rows = len(next(iter(columns.values())))
        self._columns = {name: prepared(name, values) for name, values in columns.items()}

    def compare(self, columns: dict[str, np.ndarray]) -> ProfileComparison:
        rows = len(next(iter(columns.values())))
        return ProfileComparison(
            rows=rows,
            reference_rows=self.rows,
            columns=tuple(self._compare(name, prepared(name, values)) for name, values in columns.items()),
        )

    def _compare(self, name: str, now: np.ndarray | ColumnProfile) -> ColumnDistance:
        before = self._columns[name]
        if isinstance(now, ColumnProfile):
            assert isinstance(before, ColumnProfile)
            return compare_columns(before, now)
        assert isinstance(before, np.ndarray)
        return ColumnDistance(
            column=name, kind="float", was_kind="float", n=len(now), m=len(before), ks=exact_ks(before, now)
        )


def prepared(name: str, values: np.ndarray) -> np.ndarray | ColumnProfile:
    """Numbers sorted, categories counted."""
    if values.dtype.kind == "f":
        return np.sort(values)
    counts = sorted(CountOf(values.tolist()).items(), key=lambda one: (-one[1], one[0]))
    frequent = FrequentItems(tuple(Counter(value, count) for value, count in counts), 0, len(values))
    return ColumnProfile(name=name, kind="string", rows=len(values), frequent=frequent)


def autoregressive(rng: np.random.Generator, n: int, rho: float) -> np.ndarray:
    """A stationary AR(1) stream of variance 1."""
    noise = rng.normal(0, np.sqrt(1 - rho**2), n)
    noise[0] = rng.normal()
    out = np.empty(n)
    value = 0.0
    for i, step in enumerate(noise):
        value = rho * value + step if i else step
        out[i] = value
    return out
