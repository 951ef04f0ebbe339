"""The gate: evidence held against what was asked, to a verdict with a sentence from every rule. Pure.

| result of the rules | verdict |
|---|---|
| any fails | rejected |
| none fails, any is inconclusive, or nothing was asked | inconclusive: the champion stays |
| all pass | promoted |

Too little evidence never passes: it is inconclusive.
"""

from __future__ import annotations

from collections.abc import Sequence

from treadle.define.gates import BetterThanChampion, Gate, LoadsAndAnswers, NoWorseSlice
from treadle.records.decisions import Evidence, GateDecision, GateOutcome, GateResult
from treadle.records.estimates import Difference
from treadle.records.evaluation import Comparison, SliceComparison
from treadle.records.instants import iso
from treadle.records.models import Verdict

FEWEST_ROWS = 100
"""No slice of fewer rows is proposed to be judged: only a collapse could be told from chance in it."""
CHANCE_AUC = 0.5
"""What the first model has to beat, when there is no champion."""

_WORDS = {"auc": "AUC", "log_loss": "log loss", "brier": "Brier score", "accuracy": "accuracy"}


def decide(gates: Sequence[Gate], evidence: Evidence) -> GateDecision:
    """Return the verdict about a challenger.

    Args:
        gates: what is asked; all of it counts. None asked: inconclusive, since nothing was shown.
        evidence: what is known of challenger and champion.
    """
    outcomes = [*_held_out(evidence), *(_judge(gate, evidence) for gate in gates)]
    if not gates:
        outcomes.append(GateOutcome(gate="any gate", result="inconclusive", sentence="no gate was defined"))
    results = {outcome.result for outcome in outcomes}
    if "fail" in results:
        verdict = Verdict.REJECTED
    elif "inconclusive" in results:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.PROMOTED
    return GateDecision(
        verdict=verdict,
        outcomes=tuple(outcomes),
        challenger_version=evidence.challenger_version,
        champion_version=evidence.champion_version,
        window=evidence.comparison.window,
        n=evidence.comparison.n,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for their number, in the order given.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979): rejecting those at or below α keeps the chance of any false rejection at α, whatever depends on
    what.
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def _judge(gate: Gate, evidence: Evidence) -> GateOutcome:
    match gate:
        case BetterThanChampion():
            if evidence.champion_version is None:
                return _better_than_chance(gate, evidence.comparison)
            return _better_than_champion(gate, evidence)
        case NoWorseSlice():
            return _no_worse_slice(gate, evidence)
        case LoadsAndAnswers():
            return _loads_and_answers(gate, evidence)


def _held_out(evidence: Evidence) -> list[GateOutcome]:
    """Nothing, or a hold when the window holds rows that a model may have been trained on."""
    window, until = evidence.comparison.window, evidence.trained_until
    if window is None or until is None or window.start >= until:
        return []
    sentence = (
        f"the window {window} starts before {iso(until)}, until when a model was trained:"
        " rows it may have learned by heart prove nothing"
    )
    return [GateOutcome(gate="rows not trained on", result="inconclusive", sentence=sentence)]


def _better_than_chance(gate: BetterThanChampion, comparison: Comparison) -> GateOutcome:
    found = comparison.challenger_auc
    if found is None:
        sentence = f"no champion yet, and too few labels of both classes for an AUC{_rows(comparison)}"
        return GateOutcome(gate=str(gate), result="inconclusive", sentence=sentence)
    interval = found.interval(gate.confidence)
    result: GateResult = "inconclusive"
    meaning = "cannot be told from guessing"
    if interval.low > CHANCE_AUC:
        result, meaning = "pass", "better than guessing"
    elif interval.high < CHANCE_AUC:
        result, meaning = "fail", "worse than guessing"
    return GateOutcome(
        gate=str(gate),
        result=result,
        sentence=(
            f"no champion yet: AUC {found.value:.4f}{_rows(comparison)}"
            f" ({100 * gate.confidence:g} % {interval.low:.4f} to {interval.high:.4f}), {meaning}"
        ),
        numbers={"challenger": found.value, "low": interval.low, "high": interval.high, "floor": CHANCE_AUC},
    )


def _better_than_champion(gate: BetterThanChampion, evidence: Evidence) -> GateOutcome:
    comparison, metric = evidence.comparison, _WORDS[gate.metric]
    difference = comparison.differences.get(gate.metric)
    if difference is None:
        sentence = f"the {metric} cannot be compared{_rows(comparison)}: too few labels of both classes"
        return GateOutcome(gate=str(gate), result="inconclusive", sentence=sentence)
    result: GateResult = "inconclusive"
    if difference.lower_bound(gate.confidence) > gate.margin:
        result = "pass"
    elif difference.upper_bound(gate.confidence) < gate.margin:
        result = "fail"
    new, old = comparison.challenger[gate.metric], comparison.champion[gate.metric]
    p = difference.p_below(gate.margin) if result == "fail" else difference.p_above(gate.margin)
    return GateOutcome(
        gate=str(gate),
        result=result,
        sentence=(
            f"{metric} {new:.4f} against {old:.4f} of version {evidence.champion_version}"
            f"{_rows(comparison)}: {_spread(difference, gate.confidence)}, {_p(p)}:"
            f" {_meaning(result, gate.margin)}"
        ),
        numbers={
            "challenger": new,
            "champion": old,
            "difference": difference.value,
            "lower_bound": difference.lower_bound(gate.confidence),
            "upper_bound": difference.upper_bound(gate.confidence),
            "margin": gate.margin,
            "p": p,
        },
    )


def _no_worse_slice(gate: NoWorseSlice, evidence: Evidence) -> GateOutcome:
    comparison, column = evidence.comparison, gate.column
    if evidence.champion_version is None:
        sentence = f"no champion yet that a slice of {column} could fare worse than"
        return GateOutcome(gate=str(gate), result="pass", sentence=sentence)
    if not comparison.n:
        sentence = f"no labelled rows to cut into slices of {column}"
        return GateOutcome(gate=str(gate), result="inconclusive", sentence=sentence)
    slices = [part for part in comparison.slices if part.column == column]
    if not slices:
        sentence = f"the evidence has no column {column!r}, though the gate asks for its slices"
        return GateOutcome(gate=str(gate), result="fail", sentence=sentence)
    judged = [
        (part, part.difference) for part in slices if part.n >= gate.min_rows and part.difference is not None
    ]
    missing = sorted(set(gate.required) - {part.value for part, _ in judged})
    if missing:
        names = ", ".join(missing)
        sentence = f"required slices of {column} are missing or have under {gate.min_rows:,} rows: {names}"
        return GateOutcome(gate=str(gate), result="fail", sentence=sentence)
    if not judged:
        return GateOutcome(
            gate=str(gate), result="inconclusive", sentence=_too_small(gate, slices, comparison.n)
        )
    return _worst_slice(gate, judged, len(slices))


def _too_small(gate: NoWorseSlice, slices: Sequence[SliceComparison], n: int) -> str:
    """Say why no slice was judged, what there was, and what would let one be judged."""
    said = f"no slice of {gate.column} has min_rows={gate.min_rows:,} labelled rows of both classes"
    both = [part for part in slices if part.difference is not None]
    if not both:
        return f"{said}: none of the {len(slices)} has both, in {n:,} rows; wait for more labels"
    largest = max(both, key=lambda part: part.n)
    found = f"{said}: the largest, {largest.value}, has {largest.n:,} of the {n:,} there are"
    if largest.n < FEWEST_ROWS:
        return f"{found}; wait for more labels, or guard a column with fewer values"
    enough = largest.n // 50 * 50
    return (
        f"{found}; wait for more labels, or judge smaller slices, whose falls are told from chance less often: "
        f"no_worse_slice({gate.column!r}, min_rows={enough})"
    )


def _worst_slice(
    gate: NoWorseSlice, judged: list[tuple[SliceComparison, Difference]], total: int
) -> GateOutcome:
    corrected = holm([difference.p_below(-gate.margin) for _, difference in judged])
    ranked = sorted(zip(corrected, judged, strict=True), key=lambda item: (item[0], item[1][1].value))
    worse = [item for item in ranked if item[0] <= 1.0 - gate.confidence]
    numbers = {"slices": float(total), "judged": float(len(judged)), "worse": float(len(worse))}
    numbers["smallest_p"] = ranked[0][0]
    if worse:
        listed = "; ".join(
            f"{part.value} {_spread(difference, gate.confidence)} on {part.n:,} rows, {_p(p)}"
            for p, (part, difference) in worse
        )
        sentence = f"AUC fell by more than {gate.margin:g} in slices of {gate.column}: {listed} (Holm)"
        return GateOutcome(gate=str(gate), result="fail", sentence=sentence, numbers=numbers)
    p, (part, difference) = ranked[0]
    sentence = (
        f"no slice of {gate.column} lost clearly more than {gate.margin:g} of AUC:"
        f" {len(judged)} of {total} had {gate.min_rows:,} rows, the most doubtful is {part.value}"
        f" with {_spread(difference, gate.confidence)}, {_p(p)} (Holm)"
    )
    return GateOutcome(gate=str(gate), result="pass", sentence=sentence, numbers=numbers)


def _loads_and_answers(gate: LoadsAndAnswers, evidence: Evidence) -> GateOutcome:
    check = evidence.load_check
    if check is None:
        sentence = "nobody has tried yet whether the package loads and answers"
        return GateOutcome(gate=str(gate), result="inconclusive", sentence=sentence)
    said = "the package loads and answers" if check.ok else "the package does not load or answer"
    sentence = f"{said}: {check.detail}" if check.detail else said
    return GateOutcome(gate=str(gate), result="pass" if check.ok else "fail", sentence=sentence)


def _meaning(result: GateResult, margin: float) -> str:
    above, below = ("better", "worse") if margin == 0.0 else ("above", "below")
    asked = "" if margin == 0.0 else f" the margin of {margin:+.4g}"
    said = {"pass": f"clearly {above}", "fail": f"clearly {below}"}
    return said.get(result, f"neither clearly {above} nor clearly {below}") + asked


def _rows(comparison: Comparison) -> str:
    when = f" labelled {comparison.window}" if comparison.window else ""
    grouped = f" in {comparison.clusters:,} groups" if comparison.clusters is not None else ""
    return f" on {comparison.n:,} rows{grouped}{when}"


def _spread(difference: Difference, confidence: float) -> str:
    interval = difference.interval(confidence)
    return f"{difference.value:+.4f} ({100 * confidence:g} % {interval.low:+.4f} to {interval.high:+.4f})"


def _p(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
