"""From a finished replay to its report and its JSON file."""

from __future__ import annotations

import numpy as np

from treadle.loop.observations import request_owners, served_between, with_labels
from treadle.loop.replay import Replay
from treadle.loop.summary import (
    MonthScores,
    alerts_of,
    digests_of,
    histogram,
    judge_month,
    month_row,
    policy_costs,
    reliability_by_policy,
    score_month,
    trainings_of,
    verdicts_of,
)
from treadle.loop.turn import load_model
from treadle.records.digests import Json
from treadle.records.frames import LABEL
from treadle.records.importances import FeatureImportance
from treadle.records.instants import iso
from treadle.records.models import ModelVersion
from treadle.records.replays import POLICIES, MonthRow, ReplayReport
from treadle.stages.serving.prediction_log import raw_features
from treadle.stages.training.importance import permutation_importance
from treadle.stages.training.opened import open_model

IMPORTANCE_ROWS = 1_500


def measure_month(replay: Replay, month: str) -> tuple[MonthRow, MonthScores]:
    """Measure one served month with the labels known by now."""
    frozen = replay.first_version()
    if month not in replay.scored:
        replay.scored[month] = score_month(replay.world, replay.endpoint, replay.policies, frozen, month)
    served = replay.scored[month]
    judged = judge_month(replay.store, replay.endpoint, served, replay.now())
    return month_row(replay.world, replay.policies, frozen, served, judged), judged


def build_report(replay: Replay, seconds: float) -> ReplayReport:
    """Gather everything a finished replay found.

    Args:
        replay: the replay, run to its end.
        seconds: wall time of the whole, for the record.
    """
    world, endpoint, side = replay.world, replay.endpoint, replay.policies.model_name
    measured = [measure_month(replay, month) for month in replay.span.months]
    judged = [scores for _, scores in measured]
    trainings = trainings_of(world, side)
    with world.metadata.read() as view:
        champion = view.models.get_by_alias(endpoint.model_name, endpoint.alias)
    return ReplayReport(
        project=world.project.name,
        endpoint=endpoint.name,
        timezone=world.project.timezone,
        months=tuple(row for row, _ in measured),
        trainings=trainings,
        verdicts=verdicts_of(world, endpoint),
        alerts=alerts_of(world),
        costs=policy_costs(judged, trainings),
        digests=digests_of(world, endpoint, side),
        seconds=seconds,
        fit_seconds=sum(training.seconds for training in trainings),
        time_spent=dict(replay.watch.seconds),
        scores=(
            histogram(f"first month ({measured[0][0].month})", judged[0].scores["loop"]),
            histogram("whole replay", np.concatenate([month.scores["loop"] for month in judged])),
        ),
        reliability=reliability_by_policy(judged),
        importance=_importance(replay, champion),
        champion=champion.version,
        generated_at=replay.now(),
        resumed_from=replay.resumed_from,
    )


def report_json(report: ReplayReport) -> dict[str, Json]:
    """Return the report as the replay's JSON file has it."""
    return {
        "months": [month_json(row) for row in report.months],
        "trainings": [
            {
                "at": iso(t.at),
                "policy": t.policy,
                "reason": t.reason,
                "model_version": t.model_version,
                "rows": t.rows,
                "seconds": t.seconds,
                "run_id": t.run_id,
            }
            for t in report.trainings
        ],
        "verdicts": [
            {
                "at": iso(v.at),
                "model_version": v.model_version,
                "verdict": v.verdict.value,
                "reasons": list(v.reasons),
            }
            for v in report.verdicts
        ],
        "alerts": [
            {"at": iso(a.at), "monitor": a.monitor, "kind": a.kind, "message": a.message}
            for a in report.alerts
        ],
        "policies": [cost.as_json() for cost in report.costs],
        "digests": dict(report.digests),
        "seconds": report.seconds,
        "fit_seconds": report.fit_seconds,
        "time_spent": dict(report.time_spent),
        "champion": report.champion,
        "resumed_from": None if report.resumed_from is None else iso(report.resumed_from),
    }


def month_json(row: MonthRow) -> dict[str, Json]:
    """Return one month; a figure that the rows cannot give is null."""
    out: dict[str, Json] = {
        "month": row.month,
        "n": row.n,
        "labelled": row.labelled,
        "late_rate": row.late_rate,
    }
    for policy in POLICIES:
        area = row.auc.get(policy)
        bounds = None if area is None else area.interval()
        out[f"auc_{policy}"] = None if area is None else area.value
        out[f"auc_{policy}_interval"] = None if bounds is None else [bounds.low, bounds.high]
    for policy in POLICIES:
        out[f"calibration_{policy}"] = row.calibration.get(policy)
    out["score_psi"] = row.score_psi
    out["versions"] = list(row.versions)
    out["from"], out["to"] = iso(row.window.start), iso(row.window.end)
    return out


def _importance(replay: Replay, champion: ModelVersion) -> tuple[FeatureImportance, ...]:
    """Return the champion's feature importance on the newest month it can be measured on."""
    first, after = replay.policies.month_bounds(replay.span.months[-1])
    rows = with_labels(
        replay.store,
        replay.endpoint,
        served_between(replay.world, replay.endpoint, first, after),
        replay.now(),
        request_owners(replay.store, replay.endpoint),
    )
    judged = rows.filter(rows[LABEL].is_not_null())
    if judged[LABEL].n_unique() < 2:
        return ()
    opened = open_model(load_model(replay.world, champion))
    matrix = opened.encode(raw_features(judged, replay.endpoint.features))
    return permutation_importance(
        opened.score_matrix, matrix, judged[LABEL].to_numpy(), opened.names, seed=0, rows=IMPORTANCE_ROWS
    )
