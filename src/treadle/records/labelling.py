"""Labelling: predictions given to people to say what was true, and what they answered."""

from __future__ import annotations

from typing import Literal, TypeAlias

from treadle.records.estimates import Window
from treadle.records.instants import Instant
from treadle.records.record import Record

QUEUED = "labelling.queued"
"""The journal's event of a batch of tasks; its subject is the endpoint."""
ANSWERED = "labelling.answered"
"""The journal's event of answers taken in; its subject is the endpoint."""

Strategy: TypeAlias = Literal["random", "uncertain", "drifted", "mixed"]
STRATEGIES: tuple[Strategy, ...] = ("random", "uncertain", "drifted", "mixed")


class Stratum(Record, frozen=True, kw_only=True):
    """A part of the predictions that tasks were chosen from; each of its rows was as likely to be chosen."""

    name: str
    rows: int
    """Predictions without a label that belong to it."""
    chosen: int
    """How many of them became tasks."""


class LabelTask(Record, frozen=True, kw_only=True):
    """One prediction that people are asked about."""

    prediction_id: str
    at: Instant
    """The prediction time T."""
    stratum: str
    probability: float
    """How likely the prediction was to be chosen: what an estimate weighs it by is one over it."""


class LabelBatch(Record, frozen=True, kw_only=True):
    """Tasks that were chosen together. The strata part the predictions of the window that had no label and no task."""

    batch: str
    endpoint: str
    at: Instant
    expires_at: Instant
    """From then on tasks without an answer may be chosen again."""
    window: Window
    strategy: Strategy
    seed: int
    strata: tuple[Stratum, ...]
    tasks: tuple[LabelTask, ...]


class LabelAnswer(Record, frozen=True, kw_only=True):
    """What one person said of one prediction."""

    prediction_id: str
    annotator: str
    answer: bool
    number: int
    """The how manieth answer of this person to this task, from 0: a later one corrects those before."""


class LabelAnswers(Record, frozen=True, kw_only=True):
    """Answers that were taken in together, as rows of the labels' source."""

    endpoint: str
    at: Instant
    answers: tuple[LabelAnswer, ...]
