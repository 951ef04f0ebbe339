"""`treadle labels status`: how many predictions have a label, how long labels take, and what is with people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, home_now, open_home, open_project, opened_metadata, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    emit,
    emit_heading,
    emit_json,
    emit_record,
)
from treadle.entry.cli.labels_queue import find_endpoint
from treadle.records.instants import SECOND, duration, short

if TYPE_CHECKING:
    from treadle.loop.label_status import Coverage, LabelStatus

COVERAGE = ("age", "predictions", "labelled", "share")
BATCHES = ("batch", "queued_at", "strategy", "tasks", "labelled", "accuracy", "auc")


def status(
    endpoint: Annotated[str, typer.Argument(metavar="ENDPOINT", help="Whose predictions.")],
    window: Annotated[str, typer.Option(help="Predictions so old at most.")] = "90d",
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show the share of predictions with a label by their age, the delay of labels, and the labelling queue.

    A batch's accuracy and AUC are weighed: they are about all predictions that it was chosen from, and are shown
    once each of its strata has labels.
    """
    from treadle.loop.label_status import label_status
    from treadle.loop.labelling import Labelling

    opened = open_home(home)
    found = find_endpoint(open_project(project, opened).project, endpoint)
    with opened_metadata(opened) as metadata, metadata.read() as view:
        state = Labelling.of(view, endpoint)
    stands = label_status(opened.tables(), state, found, home_now(opened), duration(window))
    coverage = [_coverage(one) for one in stands.coverage]
    batches: list[dict[str, Plain]] = [
        {**one, "queued_at": when(one["queued_at"] if isinstance(one["queued_at"], int) else None)}
        for one in stands.batches
    ]
    if as_json:
        emit_json({**_head(endpoint, stands), "coverage": coverage, "batches": batches})
        return
    head = _head(endpoint, stands)
    delays = head.pop("delay_seconds")
    assert isinstance(delays, dict)
    head["label_delay"] = {name: short(round(value) * SECOND) for name, value in delays.items()}
    emit_record(for_people(head), as_json=False)
    emit_heading("labels by the age of the prediction")
    emit(coverage, COVERAGE, as_json=False)
    if batches:
        emit_heading("newest batches of tasks")
        emit([for_people(one) for one in batches], BATCHES, as_json=False)


def _head(endpoint: str, stands: LabelStatus) -> dict[str, Plain]:
    return {
        "endpoint": endpoint,
        "open": stands.open,
        "answered": stands.answered,
        "expired": stands.expired,
        "agreement": stands.agreeing / stands.pairs if stands.pairs else None,
        "agreement_pairs": stands.pairs,
        "delay_seconds": dict(stands.delay_seconds),
    }


def _coverage(one: Coverage) -> dict[str, Plain]:
    ends = "older" if one.before is None else short(one.before)
    return {
        "age": f"{short(one.since)} to {ends}" if one.before is not None else f"{short(one.since)} and older",
        "predictions": one.predictions,
        "labelled": one.labelled,
        "share": one.labelled / one.predictions if one.predictions else None,
    }
