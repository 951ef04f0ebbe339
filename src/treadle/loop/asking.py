"""Asking a model without a server: from the online store as it stands, or from the stored rows as of an instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.predictors import make_predictor
from treadle.ports.blobs import Blobs
from treadle.ports.online import Online, Reader
from treadle.records.errors import NotFound, TreadleError
from treadle.records.instants import Instant
from treadle.records.models import ModelVersion
from treadle.records.predictions import Value
from treadle.records.trained import Model
from treadle.stages.data.conform import DTYPES
from treadle.stages.features.inspection import held_values
from treadle.stages.features.offline import OfflineFeatures, ReadRows
from treadle.stages.pipelines.artifacts import decode
from treadle.stages.training.opened import open_model


@dataclass(frozen=True, slots=True)
class Asked:
    """What a version answers to one request, and from which features. It is not logged."""

    version: ModelVersion
    at: Instant
    score: float
    features: Mapping[str, Value]
    unusable: Mapping[str, str] = field(default_factory=dict)
    """Looked-up features that had no value to give, and why: `absent` (never seen) or `expired` (older than ttl or window)."""


def ask_online(
    blobs: Blobs,
    online: Online,
    endpoint: Endpoint,
    version: ModelVersion,
    row: Mapping[str, Value],
    at: Instant,
) -> Asked:
    """Answer one request as the server would, with what the online store holds.

    Raises:
        NotFound: the request names an entity that must exist and has never been seen.
        TreadleError: the version cannot be opened for this endpoint.
    """
    predictor = make_predictor(read_model(blobs, version), endpoint, version)
    with online.read() as snapshot:
        fields = [row[name] for name in endpoint.features.request]
        prediction = predictor.predict(snapshot, fields, at, "")
        unusable = _unusable(endpoint, snapshot, row, at)
    features = dict(zip(predictor.names, prediction.features, strict=True))
    return Asked(version, at, prediction.score, features, unusable)


def _unusable(endpoint: Endpoint, snapshot: Reader, row: Mapping[str, Value], at: Instant) -> dict[str, str]:
    found: dict[str, str] = {}
    for view in endpoint.features.views:
        key = [
            part for part in (row[name] for name in view.entity.keys) if isinstance(part, str | int | bool)
        ]
        if len(key) < len(view.entity.keys):  # a request without the key looks nothing up
            found |= dict.fromkeys((f"{view.name}_{feature.name}" for feature in view.features), "absent")
            continue
        held = held_values(view, snapshot, key, at)
        found |= {f"{view.name}_{one.feature}": one.status for one in held if one.status != "ok"}
    return found


def ask_offline(
    blobs: Blobs,
    read_rows: ReadRows,
    endpoint: Endpoint,
    version: ModelVersion,
    row: Mapping[str, Value],
    at: Instant,
) -> Asked:
    """Answer one request with what was known at an instant, by the lookup that makes training sets.

    Raises:
        TreadleError: the version cannot be opened.
    """
    opened = open_model(read_model(blobs, version))
    spine = pl.DataFrame(
        {
            name: pl.Series(name, [row[name]], dtype=_PHYSICAL.get(kind, DTYPES[kind])).cast(DTYPES[kind])
            for name, kind in endpoint.features.request.items()
        }
    )
    vectors = OfflineFeatures(read_rows).vectors(endpoint.features, spine, np.array([at], dtype=np.int64))
    score = float(opened.score(vectors)[0])
    return Asked(version, at, score, vectors.row(0, named=True))


_PHYSICAL = {"time": pl.Int64()}


def read_model(blobs: Blobs, version: ModelVersion) -> Model:
    """Return a version's packaged model, its digest checked.

    Raises:
        NotFound: the version has no package.
        Corrupt: the package's bytes are damaged.
    """
    if version.package is None:
        raise NotFound(f"{version.ref} has no package", fix="ask another version: --version N")
    model = decode(blobs.get(version.package))
    if not isinstance(model, Model):
        raise TreadleError(f"the package of {version.ref} is not a model", where=f"blob {version.package}")
    return model
