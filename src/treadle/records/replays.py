"""What a replay reports: a row a month, what was trained, what was decided, and what it all cost."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.records.digests import Digest
from treadle.records.estimates import Auc, Difference, Window
from treadle.records.evaluation import ReliabilityBin
from treadle.records.importances import FeatureImportance
from treadle.records.instants import Instant
from treadle.records.models import Verdict
from treadle.records.record import Record

POLICIES = ("frozen", "loop", "last3")
"""Frozen: the first model for ever. Loop: the project's triggers and gates. Last3: retrained every month on the last three,
without a gate."""


class MonthRow(Record, frozen=True, kw_only=True):
    """One served month under the policies."""

    month: str
    """As `2013-04`, in the project's zone."""
    window: Window
    n: int
    """Requests answered."""
    labelled: int
    """Of those, how many have a label."""
    late_rate: float | None
    """The share of positive labels."""
    auc: Mapping[str, Auc]
    """By policy; one that the rows cannot give is absent."""
    calibration: Mapping[str, float]
    """By policy: mean score over the share of positives."""
    score_psi: float | None
    """Population stability index of the month's served scores against the first model's reference."""
    versions: tuple[int, ...]
    """The versions that answered, in order of first appearance."""
    loop_over: Mapping[str, Difference] = {}
    """By other policy: how much higher the loop's AUC is on the same answers, tested in pairs."""


class Training(Record, frozen=True, kw_only=True):
    """One training run of a replay."""

    at: Instant
    policy: str
    reason: str
    model_version: int
    rows: int
    seconds: float
    """Time in the fits themselves, by the worker's clock."""
    run_id: str


class Decided(Record, frozen=True, kw_only=True):
    """One gate decision of a replay."""

    at: Instant
    model_version: int
    verdict: Verdict
    reasons: tuple[str, ...]


class RaisedAlert(Record, frozen=True, kw_only=True):
    """One alert of a replay."""

    at: Instant
    monitor: str
    kind: str
    message: str


class ScoreHistogram(Record, frozen=True, kw_only=True):
    """How a set of scores is distributed: shares of equal-width bins of 0…1."""

    name: str
    shares: tuple[float, ...]


class PolicyCost(Record, frozen=True, kw_only=True):
    """What a policy cost and gave over the whole replay."""

    policy: str
    trainings: int
    fit_seconds: float
    auc: Auc | None
    """Over all labelled answers of all months together."""
    calibration: float | None
    log_loss: float | None
    loop_over: Difference | None = None
    """How much higher the loop's AUC is on the same answers; None for the loop itself, or when not measured."""


class ReplayReport(Record, frozen=True, kw_only=True):
    """Everything a replay found, as its JSON file and its HTML report show it."""

    project: str
    endpoint: str
    timezone: str
    months: tuple[MonthRow, ...]
    trainings: tuple[Training, ...]
    verdicts: tuple[Decided, ...]
    alerts: tuple[RaisedAlert, ...]
    costs: tuple[PolicyCost, ...]
    digests: Mapping[str, Digest]
    seconds: float
    fit_seconds: float
    """Time in model fits, all policies."""
    time_spent: Mapping[str, float]
    """Seconds of wall time by part of the work."""
    scores: tuple[ScoreHistogram, ...]
    """First the first model's reference, then the served scores of the whole replay."""
    reliability: Mapping[str, tuple[ReliabilityBin, ...]]
    """By policy, over all labelled answers."""
    importance: tuple[FeatureImportance, ...]
    """Of the last champion, the most important first."""
    champion: int
    """The version that serves at the end."""
    generated_at: Instant
    resumed_from: Instant | None = None
    """Where the last start went on from; None: it was done in one."""
