"""What was decided, and on what: gate decisions, trigger evaluations, firings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from treadle.records.estimates import Window
from treadle.records.evaluation import Comparison
from treadle.records.instants import Instant
from treadle.records.models import Verdict
from treadle.records.record import Record

GateResult: TypeAlias = Literal["pass", "fail", "inconclusive"]


class LoadCheck(Record, frozen=True, kw_only=True):
    """Whether the packaged model loaded in a serving process and answered as in training."""

    ok: bool
    detail: str = ""
    """What was compared, or what went wrong, in one sentence."""


class Evidence(Record, frozen=True, kw_only=True):
    """All that a gate may look at; the same evidence always gives the same decision."""

    comparison: Comparison
    challenger_version: int
    champion_version: int | None = None
    """None: there is no champion yet."""
    load_check: LoadCheck | None = None
    """None: the check was not done."""
    trained_until: Instant | None = None
    """The later of the two models' last training instants; the window must start at or after it."""


class GateOutcome(Record, frozen=True, kw_only=True):
    """What one gate said."""

    gate: str
    """The gate in words, such as `better than champion (auc)`."""
    result: GateResult
    sentence: str
    numbers: Mapping[str, float] = {}


class GateDecision(Record, frozen=True, kw_only=True):
    """The verdict about a challenger, with a sentence from every gate."""

    verdict: Verdict
    outcomes: tuple[GateOutcome, ...]
    challenger_version: int
    champion_version: int | None = None
    window: Window | None = None
    n: int = 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for each gate."""
        return tuple(outcome.sentence for outcome in self.outcomes)


class PipelineHistory(Record, frozen=True, kw_only=True):
    """What a trigger has to know about its pipeline's past; times are those of the replayed or real clock."""

    pipeline: str
    last_started: Instant | None = None
    """When the newest run started, whoever asked for it; None: it never ran."""
    last_promoted: Instant | None = None
    """When a model of this pipeline last became champion; older readings speak of another model."""
    running: bool = False
    """A run is under way: no second one starts beside it."""
    new_labels: int | None = None
    """Labels that became known since the newest run started; None: not counted."""
    verdicts: tuple[Verdict, ...] = ()
    """The verdicts of its runs, oldest first; the newest few are enough."""
    requested_by: str | None = None
    """Who asked for a run by hand since the newest one started."""


class ConditionValue(Record, frozen=True, kw_only=True):
    """One line of a truth table: a condition, whether it holds, and what was seen."""

    condition: str
    depth: int
    """0 for the whole condition, one more for each level of parts."""
    holds: bool | None
    """None: not enough data to say."""
    seen: str


TriggerOutcome: TypeAlias = Literal["fired", "not_met", "unknown", "cooling_down", "running"]


class TriggerEvaluation(Record, frozen=True, kw_only=True):
    """One look at one trigger: why it fired, or why not."""

    trigger: str
    pipeline: str
    at: Instant
    outcome: TriggerOutcome
    sentence: str
    truth: tuple[ConditionValue, ...]
    """The condition and its parts, parents before their parts."""
    quiet_until: Instant | None = None
    """The end of the cooldown, with any hold-off after rejected models; None: the pipeline never ran."""


class Firing(Record, frozen=True, kw_only=True):
    """A run to start: one for each pipeline and instant, however many triggers asked for it."""

    id: str
    """The same for the same pipeline and instant, so that a repeated decision starts nothing twice."""
    at: Instant
    pipeline: str
    triggers: tuple[str, ...]
    reasons: tuple[str, ...]
    """One sentence for each trigger."""
    manual: bool = False
    """A person asked for it."""


class TriggerDecision(Record, frozen=True, kw_only=True):
    """All that came of one look at all triggers."""

    firings: tuple[Firing, ...] = ()
    evaluations: tuple[TriggerEvaluation, ...] = ()
