"""What a replay found, in sentences: each is computed from the numbers it speaks of, none is fixed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from treadle.loop.replay_figures import (
    FROZEN,
    LOOP,
    PSI_LEVELS,
    beyond_chance,
    expected_error,
    gap,
    loop_over,
    mean_score,
    overall,
    overlap,
    own_trainings,
    policies_of,
    tally,
)
from treadle.pictures.numbers import MINUS, NO_DATA, known, share, span
from treadle.records.estimates import Auc, Difference
from treadle.records.instants import SECOND, iso
from treadle.records.models import Verdict
from treadle.records.replays import ReplayReport, ScoreHistogram

MEANING = {
    FROZEN: "the first model, never trained again",
    LOOP: "what the project's own triggers and gates did; these answers were served",
    "last3": "trained again every month on the three months before it, promoted without a gate",
}


def decimals(value: float | None, places: int) -> str:
    """Return a number with fixed decimals, "no data" when it is not known."""
    if value is None or not known(value):
        return NO_DATA
    return f"{value:,.{places}f}".replace("-", MINUS)


def auc_words(auc: Auc | None) -> str:
    """Return `0.7466 (95 % 0.7402 to 0.7529)`."""
    if auc is None or not known(auc.value):
        return NO_DATA
    bounds = auc.interval()
    return f"{auc.value:.4f} (95 % {bounds.low:.4f} to {bounds.high:.4f})"


def auc_interval(auc: Auc | None) -> str:
    """Return `0.7466 (0.7402 to 0.7529)`, for a column that says 95 % in its head."""
    return auc_words(auc).replace("95 % ", "")


def signed_auc(difference: float) -> str:
    """Return a difference of AUC with its sign: `+0.0140`, `−0.0034`, `0.0000`."""
    text = f"{difference:+.4f}".replace("-", MINUS)
    return text if text[1:] != "0.0000" else "0.0000"


def lead_words(loop: Auc | None, other: Auc | None, ahead: Difference | None) -> str:
    """Return `+0.0124 (+0.0061 to +0.0187)`: how much higher the loop is; without the interval if not tested."""
    if loop is None or other is None:
        return NO_DATA
    said = signed_auc(gap(loop, other))
    return said if ahead is None else f"{said} ({ahead_words(ahead).removeprefix('95 % ')})"


def compared(a: Auc, b: Auc, ahead: Difference | None = None) -> str:
    """Return how much higher the first is, and whether chance may explain it.

    Args:
        a: the AUC spoken of.
        b: what it is compared with.
        ahead: the same difference tested in pairs, on the same answers; without it the intervals are compared.
    """
    between = gap(a, b)
    if not between:
        return "no difference to four decimals"
    word = "higher" if between > 0 else "lower"
    if ahead is not None:
        chance = "more than chance explains" if beyond_chance(ahead) else "which chance may explain"
        return f"{abs(between):.4f} {word}, {chance} ({ahead_words(ahead)} on the same answers)"
    joined = "though the intervals overlap" if overlap(a, b) else "and the intervals do not overlap"
    return f"{abs(between):.4f} {word}, {joined}"


def ahead_words(ahead: Difference) -> str:
    """Return `95 % +0.0120 to +0.0204`."""
    bounds = ahead.interval()
    return f"95 % {bounds.low:+.4f} to {bounds.high:+.4f}".replace("-", MINUS)


def headline(report: ReplayReport) -> str:
    """Return the one sentence that answers what the loop was worth."""
    loop, frozen = overall(report, LOOP), overall(report, FROZEN)
    if loop is None:
        return f"No labels of `{report.endpoint}` to judge by: whether the loop was worth it cannot be said."
    answers = f"{loop.n:,} labelled answers of `{report.endpoint}`"
    said = f"The loop's champion scored AUC {auc_words(loop)} on {answers}"
    if frozen is None:
        return f"{said}; there is no frozen model to compare it with."
    return f"{said}, against {auc_words(frozen)} for the frozen model: {compared(loop, frozen, loop_over(report, FROZEN))}."


def tally_words(report: ReplayReport, policy: str) -> str:
    """Return in how many months the loop scored above a policy, and in how many of them by more than chance."""
    found = tally(report, policy)
    if not found.months:
        return f"The loop and {_named(policy)} have no month in common."
    places = (
        ("above", found.above, found.clear_above),
        ("level", found.level, None),
        ("below", found.below, found.clear_below),
    )
    parts = [f"{word} in {count}{_clear(count, clear)}" for word, count, clear in places if count]
    return f"The loop against {_named(policy)}, of {count_words(found.months, 'month')}: {listed(parts)}."


def _clear(count: int, clear: int | None) -> str:
    if clear is None:
        return ""
    if clear == count:
        return " (by more than chance)"
    return f" ({clear} of them by more than chance)" if clear else " (perhaps by chance)"


def _named(policy: str) -> str:
    return {LOOP: "the loop", FROZEN: "the frozen model"}.get(policy, policy)


def months_words(report: ReplayReport) -> str:
    """Return `2013-04 to 2013-12`."""
    if not report.months:
        return "no month replayed"
    first, last = report.months[0].month, report.months[-1].month
    return first if first == last else f"{first} to {last}"


def positives_words(report: ReplayReport) -> str:
    """Return between which shares the labels' positives moved."""
    rows = [
        (row.late_rate, row.month, row.labelled)
        for row in report.months
        if row.late_rate is not None and known(row.late_rate)
    ]
    if not rows:
        return "No month has labels."
    low, high = min(rows), max(rows)
    if low[0] == high[0]:
        return f"{share(low[0])} of the labels were positive."
    total = sum(n for _, _, n in rows)
    mean = f", {share(sum(rate * n for rate, _, n in rows) / total)} over all months" if total else ""
    ends = f"{share(low[0])} ({low[1]}) and {share(high[0])} ({high[1]})"
    return f"Between {ends} of a month's labels were positive{mean}."


def calibration_words(report: ReplayReport) -> str:
    """Return how far each policy's mean score was from the share of positives, by month."""
    parts = []
    for policy in policies_of(report):
        found = [
            (abs(row.calibration[policy] - 1), row.calibration[policy], row.month)
            for row in report.months
            if known(row.calibration.get(policy))
        ]
        if found:
            off, worst, month = max(found)
            mean = sum(distance for distance, _, _ in found) / len(found)
            parts.append(
                f"{share(mean)} for {policy} (most in {month}: {worst:.2f})" if off else f"0 for {policy}"
            )
    if not parts:
        return "No month has labels to hold the scores against."
    return f"The mean score was off the share of positives by {listed(parts)}, on average over the months."


def psi_words(report: ReplayReport) -> str:
    """Return in which month the served scores were furthest from the reference, and how often beyond a level."""
    rows = [
        (row.score_psi, row.month)
        for row in report.months
        if row.score_psi is not None and known(row.score_psi)
    ]
    if not rows:
        return "No month has scores to compare with the reference."
    most, month = max(rows)
    above = [sum(value >= level for value, _ in rows) for level in PSI_LEVELS]
    counts = listed(
        [f"{count or 'none'} at or above {level:g}" for count, level in zip(above, PSI_LEVELS, strict=True)]
    )
    return f"The largest index was {most:.3f}, in {month}; of {count_words(len(rows), 'month')}, {counts}."


def scores_words(scores: Sequence[ScoreHistogram]) -> str:
    """Return how the mean of the served scores differs from the reference's."""
    if not scores:
        return "No scores were kept."
    means = [mean_score(one) for one in scores[:2]]
    if len(means) < 2 or means[0] is None or means[1] is None:
        told = [
            f"{one.name} about {mean:.3f}"
            for one, mean in zip(scores, means, strict=False)
            if mean is not None
        ]
        return f"The mean score: {listed(told)}." if told else "No scores were kept."
    names, moved = [one.name for one in scores[:2]], means[1] - means[0]
    if abs(moved) < 0.0005:
        return f"The mean score is the same, about {means[0]:.3f}, for {names[1]} and {names[0]}."
    word = "higher" if moved > 0 else "lower"
    return f"The mean score is {word}: about {means[1]:.3f} for {names[1]}, {means[0]:.3f} for {names[0]}."


def reliability_words(report: ReplayReport) -> str:
    """Return how far the scores of each policy lie from what came true."""
    parts = []
    for policy in policies_of(report):
        error = expected_error(report.reliability.get(policy, ()))
        if error is not None:
            parts.append(f"{error:.3f} for {policy}")
    if not parts:
        return "No labels to hold the scores against."
    return f"Score and outcome are apart by {listed(parts)}, on average over all labelled answers."


def importance_words(report: ReplayReport) -> str:
    """Return which feature the champion needs most, and how many it could do without."""
    if not report.importance:
        return "The importance of the features was not measured."
    first = max(report.importance, key=lambda one: one.drop)
    idle = sum(one.drop <= one.spread for one in report.importance)
    lost = f"{decimals(first.drop, 4)} of AUC (±{first.spread:.4f})"
    few = f"{idle} of {count_words(len(report.importance), 'feature')} cost no more than their spread"
    return f"{first.feature} matters most: shuffled, it costs {lost}; {few}."


def verdict_counts(report: ReplayReport) -> str:
    """Return `3 promoted, 2 rejected, 1 inconclusive`."""
    counts = Counter(one.verdict for one in report.verdicts)
    return (
        ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
        or "no verdict"
    )


def timeline_words(report: ReplayReport) -> str:
    """Return how often the loop trained, and what its gates made of it."""
    alerts, own = len(report.alerts), len(own_trainings(report))
    trained = f"the loop trained {count_words(own, 'model')}" if own else "the loop trained nothing"
    decided = f"its gates: {verdict_counts(report)}" if report.verdicts else "its gates decided nothing"
    return f"{count_words(alerts, 'alert') if alerts else 'No alert'}; {trained}; {decided}."


def cost_words(report: ReplayReport) -> str:
    """Return what each policy spent in fits, which scored highest, and whether by more than chance."""
    spent = [
        f"{one.policy} {span(one.fit_seconds * SECOND)} in {count_words(one.trainings, 'training')}"
        for one in report.costs
    ]
    if not spent:
        return "Costs were not measured."
    said = f"Time in model fits: {listed(spent)}."
    ranked = sorted(((one.auc.value, one.policy, one.auc) for one in report.costs if one.auc), reverse=True)
    if len(ranked) < 2:
        return said
    (_, best, auc), (_, second, other) = ranked[:2]
    if not gap(auc, other):
        return f"{said} {best} and {second} have the highest AUC, equal to four decimals."
    ahead = loop_over(report, second) if best == LOOP else loop_over(report, best) if second == LOOP else None
    sure = beyond_chance(ahead) if ahead is not None else not overlap(auc, other)
    chance = "more than chance explains" if sure else "which chance may explain"
    return f"{said} The highest AUC is that of {_named(best)}, {gap(auc, other):.4f} above {_named(second)}, {chance}."


def time_words(report: ReplayReport) -> str:
    """Return how long the replay took, against the time in model fits alone."""
    if report.seconds <= 0:
        return "The replay was not timed."
    if report.resumed_from is not None:
        began = iso(report.resumed_from // SECOND * SECOND)
        took = span(report.seconds * SECOND)
        return f"This start of the replay went on from {began} and took {took}; earlier ones are not counted."
    said = f"The replay took {span(report.seconds * SECOND)}"
    if report.fit_seconds > 0:
        ratio = report.seconds / report.fit_seconds
        said += f", {ratio:.2f} times the {span(report.fit_seconds * SECOND)} of model fits by all policies"
    if report.time_spent:
        name, most = max(report.time_spent.items(), key=lambda item: item[1])
        said += f"; the largest part was {name} with {span(most * SECOND)}"
    return f"{said}."


def versions_words(versions: Sequence[int]) -> str:
    """Return `v1, v2`; longer stretches of neighbours as `v1 to v5`."""
    if len(versions) > 3 and all(b == a + 1 for a, b in pairwise(versions)):
        return f"v{versions[0]} to v{versions[-1]}"
    return ", ".join(f"v{version}" for version in versions) or "none"


def count_words(count: int, noun: str) -> str:
    """Return `1 month`, `9 months`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(parts: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1] if parts else "none"


def short_reason(reason: str) -> str:
    """Return the condition of a reason without what was seen: the text before the first colon."""
    return reason.partition(":")[0].strip() or reason.strip() or "no reason given"
