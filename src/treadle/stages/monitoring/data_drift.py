"""Whether the columns of a window are distributed as in the reference. Pure: comparisons in, a verdict out.

Three hurdles stand before an alarm, each of which alone misfires:

* **An effect floor.** With many rows any difference is significant; a Kolmogorov–Smirnov distance below 0.05 matters to nobody.
* **Significance, corrected.** Fifty columns give fifty chances to cry wolf: Holm (1979) over everything tested in the window
  keeps a false alarm below 1 % a window.
* **What is ordinary.** Rows of real traffic depend on one another, and on the hour and the week; so each window of the
  reference is held against the rest of it, and only what exceeds that counts.

| letter | meaning |
|---|---|
| `n`, `m` | values of the current window, of the reference |
| `s²` | 1/n + 1/m |
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from treadle.records.drifts import (
    ColumnDrift,
    DataDrift,
    DriftState,
    Finding,
    OrdinaryDistances,
    Statistic,
    TrainingCall,
)
from treadle.records.estimates import Window
from treadle.records.instants import Instant
from treadle.records.profile_distances import ColumnDistance, ProfileComparison
from treadle.records.quantiles import chi_squared_above, kolmogorov_above, same_rate

FEWEST_ORDINARY = 6
"""With fewer ordinary windows nothing is known of the usual, and the verdict calls itself uncalibrated."""
MANY_ORDINARY = 20


@dataclass(frozen=True, slots=True)
class DriftRule:
    """Where warnings and alerts begin, in each statistic's own terms."""

    significance: float = 0.01
    """The chance of a false alarm a window, over all columns."""
    min_rows: int = 100
    """With fewer values nothing is said about a distribution."""
    ks: tuple[float, float] = (0.05, 0.10)
    psi: tuple[float, float] = (0.10, 0.20)
    level: tuple[float, float] = (0.005, 0.02)
    """Change of one level's share; beside it the share must have grown or shrunk by `ratio`."""
    ratio: float = 1.5
    unseen: tuple[float, float] = (0.005, 0.02)
    nulls: tuple[float, float] = (0.01, 0.05)


@dataclass(frozen=True, slots=True)
class _Measured:
    column: str
    statistic: Statistic
    value: float
    chance: float
    what: str


def judge_drift(
    name: str,
    comparison: ProfileComparison,
    *,
    window: Window,
    at: Instant,
    rule: DriftRule | None = None,
    ordinary: OrdinaryDistances | None = None,
) -> DataDrift:
    """Return the verdict on one window.

    Args:
        name: the data set's.
        comparison: the window's profile against the reference's.
        window: the span of the rows.
        at: when the verdict is made.
        rule: floors and significance.
        ordinary: what `ordinary_distances` gave for windows of the reference, as long as this one and of its season.
    """
    rule = rule or DriftRule()
    usual = ordinary or {}
    measured = [one for column in comparison.columns for one in measure(column, comparison, rule)]
    surely = holm([one.chance for one in measured], rule.significance)
    found: dict[str, list[Finding]] = {column.column: [] for column in comparison.columns}
    for one, sure in zip(measured, surely, strict=True):
        limit = ordinary_limit(usual.get(one.column, {}).get(one.statistic, ()))
        found[one.column].append(_finding(one, sure, limit, rule))
    columns = tuple(_column(column, found[column.column], rule) for column in comparison.columns)
    windows = max((len(values) for one in usual.values() for values in one.values()), default=0)
    state = _worst(column.state for column in columns)
    return DataDrift(
        name=name,
        window=window,
        at=at,
        rows=comparison.rows,
        reference_rows=comparison.reference_rows,
        state=state,
        columns=columns,
        ordinary_windows=windows,
        sentence=_sentence(name, state, columns, window, windows),
    )


def measure(column: ColumnDistance, comparison: ProfileComparison, rule: DriftRule) -> list[_Measured]:
    """Return what can be measured of a column, each with its chance without drift."""
    found: list[_Measured] = []

    def add(statistic: Statistic, value: float, chance: float, what: str) -> None:
        found.append(_Measured(column.column, statistic, value, chance, what))

    if min(comparison.rows, comparison.reference_rows) >= rule.min_rows:
        change = column.null_change
        now, before = (
            round(column.null_share * comparison.rows),
            round((column.null_share - change) * comparison.reference_rows),
        )
        chance = same_rate(now, comparison.rows, before, comparison.reference_rows)
        add(
            "nulls",
            abs(change),
            chance,
            f"{column.null_share:.1%} missing, {column.null_share - change:.1%} before",
        )
    if min(column.n, column.m) < rule.min_rows:
        return found
    spread = 1.0 / column.n + 1.0 / column.m
    if column.ks is not None:
        add("ks", column.ks, kolmogorov_above(column.ks / math.sqrt(spread)), f"KS distance {column.ks:.3f}")
    elif column.psi is not None and column.psi_corrected is not None and column.bins > 1:
        chance = chi_squared_above(column.psi / spread, column.bins - 1)
        add("psi", column.psi_corrected, chance, f"PSI {column.psi_corrected:.3f} over {column.bins} levels")
    if column.surest_change is not None and column.surest_was is not None:
        was, moved = column.surest_was, column.surest_change
        grown = (was + moved) / was if was else math.inf
        matters = grown >= rule.ratio or grown <= 1.0 / rule.ratio
        what = f"{column.surest_level!r} is {was + moved:.2%} of the rows, {was:.2%} before"
        add("level", abs(moved) if matters else 0.0, column.surest_chance, what)
    if column.unseen is not None:
        add(
            "unseen",
            column.unseen,
            column.unseen_chance,
            f"{column.unseen:.2%} of the rows have a value never seen before",
        )
    return found


def holm(chances: Sequence[float], significance: float) -> list[bool]:
    """Say which of several tests are significant together: S. Holm, Scandinavian Journal of Statistics 6 (1979)."""
    sure = [False] * len(chances)
    for rank, place in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if chances[place] > significance / (len(chances) - rank):
            break
        sure[place] = True
    return sure


def ordinary_distances(windows: Iterable[ProfileComparison]) -> OrdinaryDistances:
    """Return what ordinary windows show, from each one's comparison with the rest of the reference."""
    rule, found = DriftRule(min_rows=1), dict[str, dict[Statistic, list[float]]]()
    for comparison in windows:
        for column in comparison.columns:
            for one in measure(column, comparison, rule):
                found.setdefault(column.column, {}).setdefault(one.statistic, []).append(one.value)
    return {
        column: {statistic: tuple(values) for statistic, values in by.items()} for column, by in found.items()
    }


def ordinary_limit(values: Sequence[float]) -> float | None:
    """Return what an ordinary window does not exceed; None with fewer than six to learn from.

    The largest of a few; of 20 or more their 99 % quantile, or the mean and three standard deviations if that is more: the
    largest of 28 is exceeded by one ordinary window in 29.
    """
    if len(values) < FEWEST_ORDINARY:
        return None
    if len(values) < MANY_ORDINARY:
        return max(values)
    return max(float(np.quantile(values, 0.99)), float(np.mean(values) + 3.0 * np.std(values, ddof=1)))


def calls_for_training(
    recent: Sequence[DataDrift],
    *,
    score_drifted: bool,
    performance_fell: bool,
    important: Collection[str] = (),
) -> TrainingCall | None:
    """Say whether drift should start a training: it lasts, and it touches what the model does.

    Args:
        recent: the last verdicts, the newest last; the last three count.
        score_drifted: whether the model's scores have drifted too.
        performance_fell: whether the estimated or realised performance fell.
        important: the columns that the model leans on most.
    """
    latest = recent[-3:]
    often = sorted({column for one in latest for column in one.alerted()})
    lasting = tuple(
        c for c in often if sum(c in one.alerted() for one in latest) >= 2 and c in latest[-1].alerted()
    )
    if not lasting:
        return None
    reasons = ["the scores have drifted too"] if score_drifted else []
    reasons += ["performance fell"] if performance_fell else []
    weighty = [column for column in lasting if column in important]
    reasons += [f"the model leans on {', '.join(weighty)}"] if weighty else []
    if not reasons:
        return None
    times = "two of the last three windows"
    return TrainingCall(
        columns=lasting, because=f"{', '.join(lasting)} drifted in {times}, and {' and '.join(reasons)}"
    )


def _finding(one: _Measured, sure: bool, limit: float | None, rule: DriftRule) -> Finding:
    warn, alert = getattr(rule, one.statistic)
    state: DriftState = "ok"
    if sure and one.value >= warn and (limit is None or one.value > limit):
        state = "alert" if one.value >= alert else "warn"
    return Finding(
        statistic=one.statistic,
        value=one.value,
        chance=one.chance,
        significant=sure,
        warn=warn,
        alert=alert,
        ordinary=limit,
        state=state,
        what=one.what,
    )


def _column(column: ColumnDistance, findings: Sequence[Finding], rule: DriftRule) -> ColumnDrift:
    enough = min(column.n, column.m) >= rule.min_rows
    state = _worst(found.state for found in findings)
    return ColumnDrift(
        column=column.column,
        n=column.n,
        m=column.m,
        state=state if enough or state in ("warn", "alert") else "insufficient_data",
        findings=tuple(findings),
    )


_ORDER: Mapping[DriftState, int] = {"insufficient_data": 0, "ok": 1, "warn": 2, "alert": 3}


def _worst(states: Iterable[DriftState]) -> DriftState:
    return max(states, key=_ORDER.__getitem__, default="insufficient_data")


def _sentence(
    name: str, state: DriftState, columns: Sequence[ColumnDrift], window: Window, windows: int
) -> str:
    if state == "insufficient_data":
        return f"{name} of {window} cannot be judged: there are too few rows"
    usual = (
        f"against {windows} ordinary windows"
        if windows >= FEWEST_ORDINARY
        else "uncalibrated: too few ordinary windows"
    )
    if state == "ok":
        return f"{name} of {window} is distributed as before ({usual})"
    said = [
        f"{column.column}: {found.what}"
        for column in columns
        for found in column.findings
        if found.state in ("warn", "alert")
    ]
    verb = "has drifted" if state == "alert" else "is drifting"
    return f"{name} of {window} {verb} in {len({s.split(':')[0] for s in said})} columns ({usual}): {'; '.join(said)}"
