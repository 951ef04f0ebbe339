"""How far the truth is known: which predictions have a label, how long labels take, and what is with people."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.labelled import LABEL_KNOWN, PREDICTION_ID
from treadle.loop.labelling import Labelling, labels_in
from treadle.loop.skew import read_served
from treadle.ports.tables import Tables
from treadle.records.digests import Json
from treadle.records.estimates import Window
from treadle.records.frames import LABEL
from treadle.records.instants import DAY, SECOND, Duration, Instant
from treadle.records.labelling import LabelBatch
from treadle.stages.evaluation.weighted import answered_probabilities, weighted_accuracy, weighted_auc

AGES: tuple[Duration, ...] = (0, DAY, 7 * DAY, 30 * DAY, 90 * DAY)
"""Ages at which the groups of predictions begin."""
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The labels of predictions of one age."""

    since: Duration
    before: Duration | None
    predictions: int
    labelled: int


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """An endpoint's labels at an instant."""

    coverage: tuple[Coverage, ...]
    delay_seconds: dict[str, float]
    """Percentile → from T to the moment the label that counts became known."""
    open: int
    answered: int
    expired: int
    pairs: int
    """Pairs of people's answers to the same task."""
    agreeing: int
    batches: tuple[dict[str, Json], ...]
    """The newest batches, with what their answers say of all predictions that they were chosen from."""


def label_status(
    tables: Tables, state: Labelling, endpoint: Endpoint, at: Instant, span: Duration, *, batches: int = 5
) -> LabelStatus:
    """Return how things stand with the labels of the predictions of a span up to an instant."""
    columns = list(dict.fromkeys([PREDICTION_ID, "at", "score", *endpoint.labels.key]))
    rows = read_served(tables, endpoint, Window(at - span, at + 1)).select(columns).sort("at").collect()
    rows = rows.with_columns(labels_in(tables, endpoint, rows, at))
    known = rows.filter(pl.col(LABEL).is_not_null())
    delays = (known[LABEL_KNOWN] - known["at"].to_physical()) / SECOND
    pairs, agreeing = state.agreement()
    asked = {task.prediction_id for batch in state.batches for task in batch.tasks}
    waiting = state.open(at)
    return LabelStatus(
        _coverage(rows, at, span),
        {f"p{p}": float(delays.quantile(p / 100, "linear") or 0.0) for p in PERCENTILES if len(delays)},
        len(waiting),
        len(asked & state.answered),
        len(asked - state.answered - waiting),
        pairs,
        agreeing,
        tuple(_batch(batch, rows) for batch in reversed(state.batches[-batches:])),
    )


def _coverage(rows: pl.DataFrame, at: Instant, span: Duration) -> tuple[Coverage, ...]:
    found = []
    for since, before in zip(AGES, (*AGES[1:], None), strict=True):
        if since >= span:
            break
        age = at - pl.col("at").to_physical()
        inside = rows.filter((age >= since) if before is None else (age >= since) & (age < before))
        labelled = inside.height - inside[LABEL].null_count()
        found.append(Coverage(since, before, inside.height, labelled))
    return tuple(found)


def _batch(batch: LabelBatch, rows: pl.DataFrame) -> dict[str, Json]:
    """Return how far a batch is labelled, and the weighed estimates if each stratum has some labels."""
    strata = {task.prediction_id: task.stratum for task in batch.tasks}
    own = rows.filter(pl.col(PREDICTION_ID).is_in(list(strata)) & pl.col(LABEL).is_not_null())
    names = [strata[one] for one in own[PREDICTION_ID]]
    counts = {one.name: names.count(one.name) for one in batch.strata}
    shown: dict[str, Json] = {
        "batch": batch.batch,
        "queued_at": batch.at,
        "strategy": batch.strategy,
        "tasks": len(batch.tasks),
        "labelled": own.height,
        "strata": [one.as_json() for one in batch.strata],
        "accuracy": None,
        "auc": None,
    }
    chances = answered_probabilities(batch.strata, counts)
    if chances:
        known = (own[LABEL].to_numpy(), own["score"].to_numpy(), [chances[name] for name in names])
        shown |= {"accuracy": weighted_accuracy(*known), "auc": weighted_auc(*known)}
    return shown
