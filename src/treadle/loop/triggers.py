"""Which pipelines run now: triggers held against readings and histories. Pure: live as in replay.

A trigger whose condition holds still waits

- while its pipeline runs: never two at once;
- for its cooldown since the pipeline last started, whichever trigger started it;
- longer after rejected models: from the second rejection in a row on, the cooldown doubles with each one
  (two: twice, three: four times, at most 16 times). A pipeline that keeps making rejected models has a fault
  that more runs won't mend, and a drift alarm that no training answers must not keep the machine busy. A
  promotion ends it; an inconclusive verdict counts neither way.

A person's request, where the condition listens to one (`manual()`), waits for a running pipeline only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle.define.triggers import Trigger
from treadle.loop.conditions import Situation, Truth, asked_by_hand, evaluate
from treadle.records.decisions import (
    Firing,
    PipelineHistory,
    TriggerDecision,
    TriggerEvaluation,
    TriggerOutcome,
)
from treadle.records.ids import derived_id
from treadle.records.instants import Instant, iso, short
from treadle.records.models import Verdict
from treadle.records.readings import MonitorReading

REJECTIONS_BEFORE_DOUBLING = 2
LONGEST_HOLD_OFF = 16
"""The most that the cooldown is multiplied by."""


def decide(
    triggers: Sequence[Trigger],
    readings: Sequence[MonitorReading],
    histories: Mapping[str, PipelineHistory],
    now: Instant,
) -> TriggerDecision:
    """Return which pipelines to start, and why each trigger fired or did not.

    Triggers of one pipeline that fire together make one firing with a reason from each. The same arguments
    give the same firing ids, so that a decision repeated after a crash starts nothing twice.

    Args:
        triggers: what was defined.
        readings: what the monitors read lately; those made after `now`, or before the pipeline's last
            promotion, or about another version than the newest one, are passed over.
        histories: pipeline name to its past; a pipeline that is missing never ran.
        now: the instant of the decision.
    """
    evaluations = []
    firings: dict[str, Firing] = {}
    for trigger in triggers:
        history = histories.get(trigger.pipeline) or PipelineHistory(pipeline=trigger.pipeline)
        truth = evaluate(trigger.condition, Situation(readings, history, now))
        evaluation = _weigh(trigger, truth, history, now)
        evaluations.append(evaluation)
        if evaluation.outcome == "fired":
            manual = asked_by_hand(trigger.condition, history)
            firings[trigger.pipeline] = _merge(firings.get(trigger.pipeline), trigger, truth, manual, now)
    return TriggerDecision(firings=tuple(firings.values()), evaluations=tuple(evaluations))


def hold_off(verdicts: Sequence[Verdict]) -> int:
    """Return what the cooldown is multiplied by after these verdicts, oldest first."""
    rejections = _rejections(verdicts)
    if rejections < REJECTIONS_BEFORE_DOUBLING:
        return 1
    return int(min(2 ** (rejections - REJECTIONS_BEFORE_DOUBLING + 1), LONGEST_HOLD_OFF))


def _rejections(verdicts: Sequence[Verdict]) -> int:
    """How many rejections in a row stand at the end, inconclusive verdicts left out."""
    count = 0
    for verdict in reversed(verdicts):
        if verdict is Verdict.PROMOTED:
            break
        count += verdict is Verdict.REJECTED
    return count


def _weigh(trigger: Trigger, truth: Truth, history: PipelineHistory, now: Instant) -> TriggerEvaluation:
    factor = hold_off(history.verdicts)
    quiet_until = None if history.last_started is None else history.last_started + factor * trigger.cooldown
    manual = asked_by_hand(trigger.condition, history)
    outcome: TriggerOutcome
    if not truth.holds:
        outcome = "unknown" if truth.holds is None else "not_met"
        sentence = {
            "unknown": f"not enough data to judge: {trigger.condition}",
            "not_met": f"does not hold: {trigger.condition}",
        }[outcome]
    elif history.running:
        outcome, sentence = "running", f"{_reason(truth)}; but {trigger.pipeline} is running already"
    elif quiet_until is not None and now < quiet_until and not manual:
        outcome = "cooling_down"
        sentence = f"{_reason(truth)}; but quiet until {iso(quiet_until)}: cooldown {short(trigger.cooldown)}"
        if factor > 1:
            sentence += f", times {factor} after {_rejections(history.verdicts)} rejected models in a row"
    else:
        outcome, sentence = "fired", _reason(truth)
    return TriggerEvaluation(
        trigger=trigger.name,
        pipeline=trigger.pipeline,
        at=now,
        outcome=outcome,
        sentence=sentence,
        truth=truth.table,
        quiet_until=quiet_until,
    )


def _merge(earlier: Firing | None, trigger: Trigger, truth: Truth, manual: bool, now: Instant) -> Firing:
    return Firing(
        id=derived_id(now, "firing", trigger.pipeline),
        at=now,
        pipeline=trigger.pipeline,
        triggers=(*(earlier.triggers if earlier else ()), trigger.name),
        reasons=(*(earlier.reasons if earlier else ()), _reason(truth)),
        manual=manual or (earlier is not None and earlier.manual),
    )


def _reason(truth: Truth) -> str:
    return "; ".join(f"{leaf.condition}: {leaf.seen}" for leaf in truth.true_leaves)
