"""What a replay found: a row a month, trainings, verdicts, alerts, digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.observations import served_between, with_labels
from treadle.loop.policies import SidePolicies
from treadle.loop.training import Store
from treadle.loop.turn import load_model
from treadle.loop.world import World
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.estimates import Auc, Window
from treadle.records.instants import Instant, iso
from treadle.records.models import ModelVersion
from treadle.records.replays import MonthRow
from treadle.stages.data.content import ordered_digest
from treadle.stages.evaluation.probabilities import calibration
from treadle.stages.evaluation.ranking import estimate
from treadle.stages.serving.prediction_log import raw_features, table_name
from treadle.stages.training.opened import open_model

Floats = npt.NDArray[np.float64]


def month_row(
    world: World,
    store: Store,
    endpoint: Endpoint,
    policies: SidePolicies,
    frozen: ModelVersion,
    month: str,
    known_by: Instant,
) -> MonthRow:
    """Measure one served month: the loop's answers as they were given, the other policies on the same features."""
    first, after = policies.month_bounds(month)
    rows = with_labels(store, endpoint, served_between(world, endpoint, first, after), known_by)
    judged = rows.filter(pl.col("__label").is_not_null())
    y = judged["__label"].to_numpy()
    features = raw_features(judged, endpoint.features)
    served = judged["score"].to_numpy()
    scores = {
        "frozen": open_model(load_model(world, frozen)).score(features),
        "loop": served,
        "last3": open_model(load_model(world, policies.version(month))).score(features),
    }
    aucs = {name: estimate(y, values) for name, values in scores.items()}
    calibrated = {name: calibration(y, values) for name, values in scores.items()}
    return MonthRow(
        month=month,
        window=Window(first, after),
        n=rows.height,
        labelled=judged.height,
        late_rate=float(y.mean()) if len(y) else None,
        auc={name: area for name, area in aucs.items() if area is not None},
        calibration={name: found.ratio for name, found in calibrated.items() if found is not None},
        score_psi=score_psi(world, endpoint, rows["score"].to_numpy(), frozen),
        versions=tuple(int(v) for v in rows["version"].unique(maintain_order=True)),
    )


def digests(
    world: World, endpoint: Endpoint, training_sets: Mapping[str, Sequence[Digest]], side_model: str
) -> dict[str, Digest]:
    """Return digests of every training set, every model and every prediction of a replay."""
    with world.metadata.read() as view:
        versions = [
            *view.models.list_versions(endpoint.model_name),
            *view.models.list_versions(side_model),
        ]
    packages = sorted((v.model, v.version, v.package or "") for v in versions)
    rows = world.tables.read(table_name(endpoint.name)).collect().sort("at", "prediction_id")
    return {
        "training_sets": digest_value({key: list(found) for key, found in sorted(training_sets.items())}),
        "models": digest_value([list(package) for package in packages]),
        "predictions": ordered_digest(rows),
    }


def auc_text(area: Auc | None) -> str:
    """Return an AUC with its 95 % interval, or that there is no data."""
    if area is None:
        return "no data"
    bounds = area.interval()
    return f"{area.value:.4f} ({bounds.low:.4f}–{bounds.high:.4f})"


def as_month_json(row: MonthRow) -> dict[str, Json]:
    """Return a month as the replay's JSON file has it."""

    def auc(name: str) -> Json:
        area = row.auc.get(name)
        return None if area is None else area.value

    def interval(name: str) -> Json:
        area = row.auc.get(name)
        return None if area is None else [area.interval().low, area.interval().high]

    return {
        "month": row.month,
        "n": row.n,
        "labelled": row.labelled,
        "late_rate": row.late_rate,
        **{f"auc_{name}": auc(name) for name in ("frozen", "loop", "last3")},
        **{f"auc_{name}_interval": interval(name) for name in ("frozen", "loop", "last3")},
        **{f"calibration_{name}": row.calibration.get(name) for name in ("frozen", "loop", "last3")},
        "score_psi": row.score_psi,
        "versions": list(row.versions),
        "from": iso(row.window.start),
        "to": iso(row.window.end),
    }
