"""What a replay found, gathered from what it left: tables, registry, journal. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.observations import label_columns, request_owners, served_between, with_labels
from treadle.loop.policies import SidePolicies
from treadle.loop.readings import psi_against
from treadle.loop.training import Store
from treadle.loop.turn import load_model
from treadle.loop.world import World
from treadle.records.digests import Digest, digest_value
from treadle.records.estimates import Difference, Window
from treadle.records.evaluation import ReliabilityBin
from treadle.records.frames import LABEL
from treadle.records.instants import DAY, Instant
from treadle.records.models import ModelVersion
from treadle.records.replays import Decided, MonthRow, PolicyCost, RaisedAlert, ScoreHistogram, Training
from treadle.records.runs import RunFilter
from treadle.stages.data.content import ordered_digest
from treadle.stages.evaluation.probabilities import calibration, log_losses
from treadle.stages.evaluation.ranking import auc_estimate, paired_auc_test
from treadle.stages.evaluation.report import evaluate
from treadle.stages.pipelines.artifacts import decode
from treadle.stages.serving.prediction_log import raw_features, table_name
from treadle.stages.training.opened import open_model

Floats = npt.NDArray[np.float64]
HISTOGRAM_BINS = 25
_TRAINED_BY = {"frozen": ("first",), "loop": ("first", "loop"), "last3": ("last3",)}
"""Which trainings each policy needed: the first model serves two of them."""


@dataclass(frozen=True, slots=True)
class ServedMonth:
    """The answers of one month under each policy, labelled or not; scores of shape (rows,)."""

    month: str
    rows: pl.DataFrame
    scores: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class MonthScores:
    """The labelled answers of one month under each policy, shape (labelled,) each."""

    y: Floats
    days: npt.NDArray[np.int64]
    scores: Mapping[str, Floats]


def score_month(
    world: World, endpoint: Endpoint, policies: SidePolicies, frozen: ModelVersion, month: str
) -> ServedMonth:
    """Return a month's answers: the loop's as they were given, the other policies' on the same features."""
    rows = served_between(world, endpoint, *policies.month_bounds(month))
    features = raw_features(rows, endpoint.features)
    scores = {
        "frozen": open_model(load_model(world, frozen)).score(features),
        "loop": rows["score"].to_numpy(),
        "last3": open_model(load_model(world, policies.version(month))).score(features),
    }
    return ServedMonth(month, rows.select(["version", *label_columns(endpoint.labels)]), scores)


def judge_month(store: Store, endpoint: Endpoint, served: ServedMonth, known_by: Instant) -> MonthScores:
    """Return the answers whose label is known by an instant."""
    labels = with_labels(store, endpoint, served.rows, known_by, request_owners(store, endpoint))
    labelled = labels[LABEL].is_not_null().to_numpy()
    days = labels["at"].to_physical().to_numpy() // DAY
    return MonthScores(
        labels[LABEL].drop_nulls().to_numpy(),
        days[labelled],
        {policy: scores[labelled] for policy, scores in served.scores.items()},
    )


def month_row(
    world: World, policies: SidePolicies, frozen: ModelVersion, served: ServedMonth, judged: MonthScores
) -> MonthRow:
    """Measure one served month; AUC intervals allow for the likeness of requests of one day."""
    y = judged.y
    aucs = {name: auc_estimate(y, values, judged.days) for name, values in judged.scores.items()}
    calibrated = {name: calibration(y, values) for name, values in judged.scores.items()}
    return MonthRow(
        month=served.month,
        window=Window(*policies.month_bounds(served.month)),
        n=served.rows.height,
        labelled=len(y),
        late_rate=float(y.mean()) if len(y) else None,
        auc={name: area for name, area in aucs.items() if area is not None},
        calibration={name: found.ratio for name, found in calibrated.items() if found is not None},
        score_psi=psi_against(world, frozen, served.scores["loop"]),
        versions=tuple(int(v) for v in served.rows["version"].unique(maintain_order=True)),
        loop_over={name: ahead for name in aucs if (ahead := _loop_over(judged, name)) is not None},
    )


def _loop_over(judged: MonthScores, policy: str) -> Difference | None:
    """Return how much higher the loop's AUC is than another policy's on the same answers."""
    if policy == "loop":
        return None
    return paired_auc_test(judged.y, judged.scores[policy], judged.scores["loop"], judged.days)


def policy_costs(months: Sequence[MonthScores], trainings: Sequence[Training]) -> tuple[PolicyCost, ...]:
    """Return what each policy gave over all months, and what its trainings cost."""
    y = np.concatenate([month.y for month in months])
    days = np.concatenate([month.days for month in months])
    all_scores = {
        policy: np.concatenate([month.scores[policy] for month in months])
        for policy in ("frozen", "loop", "last3")
    }
    whole = MonthScores(y, days, all_scores)
    costs = []
    for policy, scores in all_scores.items():
        ratio = calibration(y, scores) if len(y) else None
        own = [t for t in trainings if t.policy in _TRAINED_BY[policy]]
        costs.append(
            PolicyCost(
                policy=policy,
                trainings=len(own),
                fit_seconds=sum(t.seconds for t in own),
                auc=auc_estimate(y, scores, days) if len(y) else None,
                calibration=ratio.ratio if ratio else None,
                log_loss=float(np.mean(log_losses(y > 0.5, scores))) if len(y) else None,
                loop_over=_loop_over(whole, policy) if len(y) else None,
            )
        )
    return tuple(costs)


def trainings_of(world: World, side_model: str) -> tuple[Training, ...]:
    """Return every finished training of the replay, oldest first, with the seconds its fits took when they were done."""
    found = []
    with world.metadata.read() as view:
        for run in view.runs.search_runs(RunFilter(), limit=10_000, newest_first=False).items:
            versions = view.models.list_versions(run_id=run.run_id)
            if not versions:
                continue
            steps = view.runs.steps(run.run_id)
            version = versions[0]
            policy = "last3" if version.model == side_model else ("first" if version.version == 1 else "loop")
            found.append(
                Training(
                    at=run.started,
                    policy=policy,
                    reason=run.tags.get("reason", ""),
                    model_version=version.version,
                    rows=int(version.tags.get("training_rows", 0)),
                    seconds=sum(
                        _fit_seconds(world, step.outputs) for step in steps if step.executor == "worker"
                    ),
                    run_id=run.run_id,
                )
            )
    return tuple(found)


def _fit_seconds(world: World, outputs: Mapping[str, Digest]) -> float:
    if "notes" not in outputs:
        return 0.0
    notes = decode(world.blobs.get(outputs["notes"]))
    seconds = notes.get("seconds", 0.0) if isinstance(notes, dict) else 0.0
    return float(seconds)


def verdicts_of(world: World, endpoint: Endpoint) -> tuple[Decided, ...]:
    """Return every verdict on the endpoint's model, oldest first."""
    with world.metadata.read() as view:
        records = view.models.verdicts(endpoint.model_name)
    return tuple(
        Decided(at=r.at, model_version=r.version, verdict=r.verdict, reasons=r.reasons)
        for r in reversed(records)
    )


def alerts_of(world: World) -> tuple[RaisedAlert, ...]:
    """Return every alert raised, oldest first."""
    with world.metadata.read() as view:
        events = view.journal.read(kinds=["alert.raised"], limit=10_000)
    found = []
    for event in events:
        data = event.data if isinstance(event.data, dict) else {}
        found.append(
            RaisedAlert(
                at=event.at,
                monitor=str(data.get("monitor", event.subject)),
                kind=str(data.get("kind", "")),
                message=str(data.get("message", "")),
            )
        )
    return tuple(found)


def digests_of(world: World, endpoint: Endpoint, side_model: str) -> dict[str, Digest]:
    """Return the digests of all training sets, all models and all predictions a replay made."""
    with world.metadata.read() as view:
        versions = [*view.models.list_versions(endpoint.model_name), *view.models.list_versions(side_model)]
    ordered = sorted(versions, key=lambda v: (v.model, v.version))
    name = table_name(endpoint.name)
    rows = (
        world.tables.read(name).collect().sort("at", "prediction_id")
        if world.tables.exists(name)
        else pl.DataFrame()
    )
    return {
        "training_sets": digest_value(
            [[v.model, v.version, v.tags.get("training_data", "")] for v in ordered]
        ),
        "models": digest_value([[v.model, v.version, v.package or ""] for v in ordered]),
        "predictions": ordered_digest(rows),
    }


def histogram(name: str, scores: Floats) -> ScoreHistogram:
    """Return how scores are distributed over equal-width bins of 0…1."""
    counts, _ = np.histogram(scores, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    total = max(int(counts.sum()), 1)
    return ScoreHistogram(name=name, shares=tuple(float(c) / total for c in counts))


def reliability_by_policy(months: Sequence[MonthScores]) -> dict[str, tuple[ReliabilityBin, ...]]:
    """Return the reliability bins of each policy over all labelled answers."""
    y = np.concatenate([month.y for month in months])
    return {
        policy: evaluate(y, np.concatenate([month.scores[policy] for month in months])).reliability
        for policy in ("frozen", "loop", "last3")
        if len(y)
    }
