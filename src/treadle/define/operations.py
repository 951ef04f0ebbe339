"""The verbs of a pipeline's body: build a training set, split, evaluate, register."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from treadle.define.context import active
from treadle.records.instants import Instant, duration, instant

if TYPE_CHECKING:
    from treadle.records.evaluation import EvaluationReport
    from treadle.records.frames import Frame
    from treadle.records.models import ModelVersion
    from treadle.records.trained import Model


def training_set(
    endpoint: str, *, until: Instant | str | datetime, since: Instant | str | datetime | None = None
) -> Frame:
    """Build an endpoint's labelled requests with the features they had at their prediction time.

    Args:
        endpoint: whose requests, features and labels.
        until: only rows whose label was known before this instant.
        since: only rows asked at or after this instant; None takes all.

    Returns:
        Rows ordered by prediction time; every value in them was known at its row's T.
    """
    return active("training_set").training_set(
        endpoint, instant(until), None if since is None else instant(since)
    )


def split(frame: Frame, *, by_time: str | int) -> tuple[Frame, Frame]:
    """Split rows into those to learn from and the newest ones to judge on.

    The second frame has the rows whose label became known in the last `by_time` before the frame's `until`; the first has
    all others. No row is in both.
    """
    return active("split").split(frame, duration(by_time))


def evaluate(model: Model, frame: Frame, *, slices: Sequence[str] = ()) -> EvaluationReport:
    """Judge a model on rows it has not learned from: metrics with intervals, calibration, and a table per slice column."""
    return active("evaluate").evaluate(model, frame, slices)


def register(name: str, model: Model, report: EvaluationReport) -> ModelVersion:
    """Add the model as the next version of a registered model, with its report."""
    return active("register").register(name, model, report)
