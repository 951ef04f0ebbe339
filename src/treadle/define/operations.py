"""The verbs of a pipeline's body: build a training set, split, evaluate, register."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, overload

from treadle.define.context import active
from treadle.define.names import listed
from treadle.records.instants import Instant, duration, instant
from treadle.records.splits import Split

if TYPE_CHECKING:
    from treadle.records.evaluation import EvaluationReport
    from treadle.records.frames import Frame
    from treadle.records.models import ModelVersion
    from treadle.records.trained import Model


def training_set(
    endpoint: str,
    *,
    until: Instant | str | datetime,
    since: Instant | str | datetime | None = None,
    accept: Sequence[str] = (),
) -> Frame:
    """Build an endpoint's labelled requests with the features they had at their prediction time.

    The rows are searched for leaks: a single feature that tells the label (AUC above 0.99), a time in the request that is
    the moment at which the label became known, labels known before their request.

    Args:
        endpoint: whose requests, features and labels.
        until: only rows whose label was known before this instant.
        since: only rows asked at or after this instant; None takes all.
        accept: features that may tell the label, because somebody has looked.

    Returns:
        Rows ordered by prediction time; every value in them was known at its row's T.

    Raises:
        InvalidInput: there is no such row, or the rows leak; every sign is listed.
    """
    return active("training_set").training_set(
        endpoint, instant(until), None if since is None else instant(since), tuple(accept)
    )


@overload
def split(
    frame: Frame,
    *,
    by_time: str | int,
    group: str | Sequence[str] = (),
    embargo: str | int = 0,
) -> tuple[Frame, Frame]: ...
@overload
def split(
    frame: Frame,
    *,
    share: float,
    group: str | Sequence[str] = (),
    stratify: str | Sequence[str] = (),
    seed: int = 0,
) -> tuple[Frame, Frame]: ...
@overload
def split(
    frame: Frame,
    *,
    by_time: Sequence[str | int] = (),
    share: Sequence[float] = (),
    group: str | Sequence[str] = (),
    stratify: str | Sequence[str] = (),
    embargo: str | int = 0,
    seed: int = 0,
) -> tuple[Frame, ...]: ...
def split(
    frame: Frame,
    *,
    by_time: str | int | Sequence[str | int] = (),
    share: float | Sequence[float] = (),
    group: str | Sequence[str] = (),
    stratify: str | Sequence[str] = (),
    embargo: str | int = 0,
    seed: int = 0,
) -> tuple[Frame, ...]:
    """Split rows into those to learn from and those to judge on; several times or shares give several parts, oldest first.

    No row is in two parts. With `by_time` the newest rows judge: those whose label became known in the last `by_time` before
    the frame's `until`. With `share` rows drawn by chance judge, which tells how well a model interpolates, not how well it
    will do tomorrow: prefer `by_time` where the world changes.

    Args:
        frame: labelled rows.
        by_time: how long the judging part lasts, e.g. `"14d"`; a sequence for several, e.g. `["14d", "14d"]`.
        share: what share of the rows judges, e.g. 0.2; a sequence for several.
        group: columns whose values name a group, such as a customer: no group is on both sides. With `by_time`, older rows of
            a group that is also judged on are left out.
        stratify: columns whose values keep their shares in every part; `"label"` is the label.
        embargo: how long before a border in time rows are left out, where what happens then still depends on what came before.
        seed: what the draw starts from; the same seed gives the same parts.

    Raises:
        InvalidInput: the arguments contradict one another, a part would be empty, or the parts share rows.
        NotFound: a column is not in the frame.
    """
    times = (by_time,) if isinstance(by_time, str | int) else tuple(by_time)
    shares = (share,) if isinstance(share, float | int) else tuple(share)
    return active("split").split(
        frame,
        Split(
            by_time=tuple(duration(one) for one in times),
            shares=tuple(float(one) for one in shares),
            group=listed(group),
            stratify=listed(stratify),
            embargo=duration(embargo),
            seed=seed,
        ),
    )


def validated(frame: Frame, *, schema: str, environment: str = "training") -> Frame:
    """Let rows pass that keep a schema of the project; broken data stop the pipeline.

    What was found is recorded with the run, and compared with what the last finished run of the pipeline found. Values that
    have changed significantly don't stop it: they are an event, `data.changed`. A schema sees features and request fields
    under their names, and may name `label`, `at` and `label_known_at` beside them.

    Args:
        frame: rows of a training set.
        schema: the name of one of the project's schemas.
        environment: where the rows are used: `"training"`, `"serving"`, or another that the schema names.

    Returns:
        The frame, unchanged.

    Raises:
        InvalidInput: the data are broken; every anomaly that stops them is listed.
        NotFound: the project has no schema of that name.
    """
    return active("validated").validated(frame, schema, environment)


def evaluate(model: Model, frame: Frame, *, slices: Sequence[str] = ()) -> EvaluationReport:
    """Judge a model on rows it has not learned from: metrics with intervals, calibration, and a table per slice column."""
    return active("evaluate").evaluate(model, frame, slices)


def register(name: str, model: Model, report: EvaluationReport) -> ModelVersion:
    """Add the model as the next version of a registered model, with its report."""
    return active("register").register(name, model, report)
