"""What a replay found, in numbers that its sentences, tables and pictures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.records.estimates import Auc, Difference
from treadle.records.evaluation import ReliabilityBin
from treadle.records.replays import POLICIES, PolicyCost, ReplayReport, ScoreHistogram, Training

LOOP, FROZEN = "loop", "frozen"
PSI_LEVELS = (0.1, 0.2)
"""Where a population stability index is customarily called notable, and large."""
_LOOPS_OWN = ("first", FROZEN, LOOP)


@dataclass(frozen=True, slots=True)
class Tally:
    """In how many months the loop's AUC was above, level with and below another policy's."""

    above: int
    level: int
    below: int
    clear_above: int
    """Of those above, how many by more than chance explains."""
    clear_below: int

    @property
    def months(self) -> int:
        """Months in which both have an AUC."""
        return self.above + self.level + self.below


def policies_of(report: ReplayReport) -> tuple[str, ...]:
    """Return the policies the report knows anything of, in the customary order."""
    seen = {LOOP, FROZEN, *report.reliability, *(cost.policy for cost in report.costs)}
    for row in report.months:
        seen |= {*row.auc, *row.calibration}
    return (*(p for p in POLICIES if p in seen), *sorted(seen.difference(POLICIES)))


def cost_of(report: ReplayReport, policy: str) -> PolicyCost | None:
    """Return what a policy cost and gave, None when the report does not say."""
    return next((cost for cost in report.costs if cost.policy == policy), None)


def overall(report: ReplayReport, policy: str) -> Auc | None:
    """Return a policy's AUC over all months together."""
    cost = cost_of(report, policy)
    return cost.auc if cost else None


def loop_over(report: ReplayReport, policy: str) -> Difference | None:
    """Return how much higher the loop's AUC is over all months, tested in pairs; None when it was not."""
    cost = cost_of(report, policy)
    return cost.loop_over if cost else None


def own_trainings(report: ReplayReport) -> list[Training]:
    """Return the trainings of the loop itself, the first model's among them, oldest first."""
    return sorted((t for t in report.trainings if t.policy in _LOOPS_OWN), key=lambda t: t.at)


def side_trainings(report: ReplayReport) -> list[Training]:
    """Return the trainings of the policies beside the loop, oldest first."""
    return sorted((t for t in report.trainings if t.policy not in _LOOPS_OWN), key=lambda t: t.at)


def overlap(a: Auc, b: Auc) -> bool:
    """Return whether the 95 % intervals have a value in common."""
    one, other = a.interval(), b.interval()
    return one.low <= other.high and other.low <= one.high


def gap(a: Auc, b: Auc) -> float:
    """Return how much higher the first is, of the values as they are shown: to four decimals."""
    return round(round(a.value, 4) - round(b.value, 4), 4)


def beyond_chance(ahead: Difference) -> bool:
    """Return whether the 95 % interval of a difference leaves out zero."""
    bounds = ahead.interval()
    return bounds.low > 0 or bounds.high < 0


def tally(report: ReplayReport, policy: str) -> Tally:
    """Return how often the loop was above, level with and below a policy, to four decimals.

    A month is clear when the paired difference leaves out zero; without one, when the two intervals are apart.
    """
    gaps, clear = [], []
    for row in report.months:
        one, other, ahead = row.auc.get(LOOP), row.auc.get(policy), row.loop_over.get(policy)
        if one is None or other is None:
            continue
        gaps.append(gap(one, other))
        clear.append(beyond_chance(ahead) if ahead is not None else not overlap(one, other))
    return Tally(
        above=sum(g > 0 for g in gaps),
        level=sum(g == 0 for g in gaps),
        below=sum(g < 0 for g in gaps),
        clear_above=sum(g > 0 and sure for g, sure in zip(gaps, clear, strict=True)),
        clear_below=sum(g < 0 and sure for g, sure in zip(gaps, clear, strict=True)),
    )


def expected_error(bins: Sequence[ReliabilityBin]) -> float | None:
    """Return the expected calibration error: mean distance of promise and outcome, weighted by rows."""
    total = sum(one.n for one in bins)
    return sum(one.n * abs(one.mean_score - one.base_rate) for one in bins) / total if total else None


def mean_score(one: ScoreHistogram) -> float | None:
    """Return about the mean of binned scores, each taken as the middle of its bin."""
    total, bins = sum(one.shares), len(one.shares)
    return sum((k + 0.5) / bins * part for k, part in enumerate(one.shares)) / total if total > 0 else None
