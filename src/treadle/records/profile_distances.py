"""How far two profiles are apart, column by column: the distances that a drift verdict reads. No verdict here.

| letter | meaning |
|---|---|
| `n`, `m` | values of the current profile, of the reference |
| `k` | bins or levels |
| `p`, `q` | a bin's share of the current values, of the reference |

Numbers are compared by the Kolmogorov–Smirnov distance of their sketches and by the population stability index (PSI)
over bins of equal mass in the reference; levels by PSI with rare ones pooled, by the largest change of one level, and by
the share of values that the reference never had. PSI' is PSI less what chance adds on average, (k - 1)(1/n + 1/m)
(B. Yurdakul, 2018). Times are not compared: they move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from treadle.records.frequent_items import Value
from treadle.records.profiles import ColumnProfile, Profile
from treadle.records.quantile_sketch import RANK_ERROR, Quantiles, ks_distance
from treadle.records.quantiles import binomial_above, same_rate
from treadle.records.record import Record

BINS = 10
RARE = 0.005
"""Levels with less than this share of the reference are one level, "rare"."""
EXPECTED = 5
"""A level that is expected less often than this in the current rows is rare too: W. Cochran, Biometrics 10 (1954)."""
SUREST = 3
"""So many levels are tested exactly."""
FEW_LEVELS = 20
"""Numbers with no more different values than this are compared as levels too."""


class ColumnDistance(Record, frozen=True, kw_only=True):
    """How far one column is from its reference; None where a distance makes no sense or cannot be known."""

    column: str
    kind: str
    was_kind: str
    """The column's kind in the reference."""
    n: int
    """Values that are there now (NaN left out)."""
    m: int
    """Values that were there in the reference."""
    ks: float | None = None
    """The largest gap between the two distribution functions."""
    ks_error: float = 0.0
    """As much as the sketches can make `ks` wrong, in 99 of 100 cases."""
    psi: float | None = None
    psi_corrected: float | None = None
    """PSI'; below zero where there is less than chance adds."""
    bins: int = 0
    """Bins or levels that `psi` was taken over."""
    largest_change: float | None = None
    """L-infinity: the largest change of one level's share."""
    changed_level: str | None = None
    surest_level: str | None = None
    """The level whose change chance explains least."""
    surest_change: float | None = None
    """By how much that level's share has changed."""
    surest_was: float | None = None
    """That level's share in the reference."""
    surest_chance: float = 1.0
    """How likely some level changes so surely without drift: the chance of that one, times the number of levels."""
    unseen: float | None = None
    """The share of values that the reference never had; None where the reference could not count all of its own."""
    unseen_chance: float = 1.0
    """How likely so many unseen values are without drift, by how many values the reference had once."""
    null_share: float = 0.0
    null_change: float = 0.0
    """The share of missing values now, less that of the reference: 0.01 is one percentage point."""
    mean_shift: float | None = None
    """Change of the mean, in standard deviations of the reference."""

    @property
    def distance(self) -> float:
        """What columns are ordered by: the largest of KS, PSI', and the changes of unseen and missing values."""
        found = (self.ks, self.psi_corrected, self.unseen, abs(self.null_change))
        return max([0.0, *(value for value in found if value is not None)])


class ProfileComparison(Record, frozen=True, kw_only=True):
    """Two profiles side by side."""

    rows: int
    reference_rows: int
    columns: tuple[ColumnDistance, ...] = ()
    """Of the columns that both have, in the order of the current profile."""
    missing: tuple[str, ...] = ()
    """Columns of the reference that are not there any more."""
    new: tuple[str, ...] = ()
    """Columns that the reference does not have."""

    def __getitem__(self, column: str) -> ColumnDistance:
        """Return the distances of a column.

        Raises:
            KeyError: the profiles do not share it.
        """
        for one in self.columns:
            if one.column == column:
                return one
        raise KeyError(column)


def compare(reference: Profile, current: Profile) -> ProfileComparison:
    """Return how far the current profile is from the reference. Pure; 0.3 ms a column."""
    before, now = set(reference.names()), set(current.names())
    return ProfileComparison(
        rows=current.rows,
        reference_rows=reference.rows,
        columns=tuple(
            compare_columns(reference[one.name], one) for one in current.columns if one.name in before
        ),
        missing=tuple(name for name in reference.names() if name not in now),
        new=tuple(name for name in current.names() if name not in before),
    )


def compare_columns(reference: ColumnProfile, current: ColumnProfile) -> ColumnDistance:
    """Return how far a column is from its reference."""
    fields: dict[str, float | int | str | None] = {}
    if current.numeric and reference.numeric:
        fields |= _number_distances(reference, current)
    if _has_levels(reference) and _has_levels(current) and reference.kind == current.kind:
        levels = _level_distances(reference, current)
        fields = levels if not current.numeric else {**levels, **fields}
    return ColumnDistance(
        column=current.name,
        kind=current.kind,
        was_kind=reference.kind,
        n=current.present - current.nan,
        m=reference.present - reference.nan,
        null_share=current.null_share,
        null_change=current.null_share - reference.null_share,
        **fields,  # type: ignore[arg-type]  # the names and types are those of the two functions above
    )


def psi_of(reference_counts: ArrayLike, current_counts: ArrayLike) -> float:
    """Return the population stability index of two sets of counts; an empty bin counts as half a value."""
    q, p = (
        np.maximum(counts, 0.5) / max(float(counts.sum()), 1.0)
        for counts in (np.asarray(reference_counts, np.float64), np.asarray(current_counts, np.float64))
    )
    return float(np.sum((p - q) * np.log(p / q)))


def equal_mass_edges(sketch: Quantiles, bins: int = BINS) -> NDArray[np.float64]:
    """Return inner edges that part a distribution into bins of equal mass; fewer where values are tied.

    A bin holds the values above one edge, up to the next one included.
    """
    edges = np.unique(sketch.quantiles([i / bins for i in range(1, bins)]))
    return edges[edges < sketch.high] if sketch.n else edges[:0]


def bin_counts(sketch: Quantiles, edges: ArrayLike) -> NDArray[np.float64]:
    """Return about how many values lie in each bin between these inner edges: one more than there are edges."""
    upto = np.concatenate([[0.0], sketch.cdf(edges), [1.0]])
    return np.diff(upto) * sketch.n


def _number_distances(
    reference: ColumnProfile, current: ColumnProfile
) -> dict[str, float | int | str | None]:
    before, now = reference.sketch, current.sketch
    if not (before.n and now.n):
        return {}
    edges = equal_mass_edges(before)
    psi = psi_of(bin_counts(before, edges), bin_counts(now, edges)) if len(edges) else 0.0
    std = reference.moments.std
    exact = reference.categorical and current.categorical
    return {
        "ks": ks_distance(before, now),
        "ks_error": 0.0 if exact else 2 * RANK_ERROR,
        "psi": psi,
        "psi_corrected": psi - len(edges) * (1.0 / now.n + 1.0 / before.n),
        "bins": len(edges) + 1,
        "mean_shift": (current.moments.mean - reference.moments.mean) / std
        if std and math.isfinite(std)
        else None,
    }


def _has_levels(column: ColumnProfile) -> bool:
    if column.kind in ("string", "bool"):
        return column.frequent is not None and column.frequent.total > 0
    return column.numeric and column.categorical and 0 < len(column.counts()) <= FEW_LEVELS


def _level_distances(reference: ColumnProfile, current: ColumnProfile) -> dict[str, float | int | str | None]:
    assert reference.frequent is not None
    assert current.frequent is not None
    before, now = reference.frequent, current.frequent
    had, have = before.counts(), now.counts()
    common = [
        level for level, count in had.items() if count >= max(RARE, EXPECTED / now.total) * before.total
    ]
    # What has no counter of its own is rare or new: it is in the rest, on both sides.
    q = np.array([*(had[level] for level in common), 0.0])
    p = np.array([*(have.get(level, 0) for level in common), 0.0])
    q[-1], p[-1] = before.total - q.sum(), now.total - p.sum()
    if not q[-1] and not p[-1]:
        q, p = q[:-1], p[:-1]
    psi = psi_of(q, p)
    levels = list(dict.fromkeys([*had, *have]))
    changes = [have.get(level, 0) / now.total - had.get(level, 0) / before.total for level in levels]
    largest = int(np.argmax(np.abs(changes))) if changes else None
    fresh = sum(count for level, count in have.items() if level not in had)
    return {
        "psi": psi,
        "psi_corrected": psi - (len(q) - 1) * (1.0 / now.total + 1.0 / before.total),
        "bins": len(q),
        "largest_change": None if largest is None else changes[largest],
        "changed_level": None if largest is None else str(levels[largest]),
        "unseen": fresh / now.total if before.exact else None,
        "unseen_chance": _unseen_chance(fresh, now.total, list(had.values()), before.total),
        **_surest(had, before.total, have, now.total),
    }


def _surest(
    had: Mapping[Value, int], before: int, have: Mapping[Value, int], now: int
) -> dict[str, float | int | str | None]:
    """Return the level whose change chance explains least; the normal approximation picks, the exact test judges."""
    levels = list(dict.fromkeys([*had, *have]))
    b, a = (np.array([counts.get(level, 0) for level in levels], np.float64) for counts in (had, have))
    pooled = (a + b) / (now + before)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-300) * (1 / now + 1 / before))
    likely = np.argsort(-np.abs(a / now - b / before) / spread, kind="stable")[:SUREST]
    chances = [(same_rate(int(a[i]), now, int(b[i]), before), int(i)) for i in likely]
    if not chances:
        return {}
    chance, place = min(chances)
    return {
        "surest_level": str(levels[place]),
        "surest_change": float(a[place] / now - b[place] / before),
        "surest_was": float(b[place] / before),
        "surest_chance": min(1.0, chance * len(levels)),
    }


def _unseen_chance(fresh: int, now: int, had: Sequence[int], before: int) -> float:
    """Return how likely at least `fresh` unseen values are.

    The share of what a sample has not seen is about that of what it has seen once (I. Good, Biometrika 40, 1953), here
    with three standard deviations on top.
    """
    if not fresh:
        return 1.0
    once = sum(count == 1 for count in had)
    share = min(0.5, (once + 1 + 3 * math.sqrt(once + 1)) / before)
    return binomial_above(fresh, now, share)
