"""From the prediction log to the prediction table: the same records, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.feature_sets import FeatureSet
from treadle.ports.log import AppendLog
from treadle.ports.tables import Tables
from treadle.records.predictions import Prediction, decode_prediction

FLUSH_ROWS = 50_000
"""At most this many predictions go into one table commit, to bound memory."""

_DTYPES: dict[str, pl.DataType] = {
    "float": pl.Float64(),
    "int": pl.Int64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "time": pl.Int64(),
}


def table_name(endpoint: str) -> str:
    """Return the name of an endpoint's prediction table."""
    return f"predictions/{endpoint}"


def to_frame(predictions: Sequence[Prediction], features: FeatureSet) -> pl.DataFrame:
    """Return predictions of one endpoint as columns.

    They are id, at, model, version, score, the request fields and the raw features; a feature that is a
    request field under its own name is not repeated.
    """
    head = pl.DataFrame(
        {
            "prediction_id": [p.prediction_id for p in predictions],
            "at": pl.Series([p.at for p in predictions], dtype=pl.Int64),
            "model": [p.model for p in predictions],
            "version": pl.Series([p.version for p in predictions], dtype=pl.Int64),
            "score": pl.Series([p.score for p in predictions], dtype=pl.Float64),
        },
        schema_overrides={"prediction_id": pl.String, "model": pl.String},
    )
    fields = pl.DataFrame(
        [p.fields for p in predictions],
        schema={name: _DTYPES[kind] for name, kind in features.request.items()},
        orient="row",
    )
    times = [name for name, kind in features.request.items() if kind == "time"]
    vectors = pl.DataFrame(
        [p.features for p in predictions],
        schema={n: pl.String() if n in features.categories else pl.Float64() for n in features.names},
        orient="row",
    ).drop([name for name in features.names if name in features.request])
    instants = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in times]
    return pl.concat(
        [
            head.with_columns(pl.col("at").cast(pl.Datetime("us", "UTC"))),
            fields.with_columns(instants),
            vectors,
        ],
        how="horizontal",
    )


def raw_features(rows: pl.DataFrame, features: FeatureSet) -> pl.DataFrame:
    """Return the raw feature columns of prediction rows, in the model's order."""
    return rows.select(
        pl.col(n).cast(pl.String) if n in features.categories else pl.col(n).cast(pl.Float64)
        for n in features.names
    )


class PredictionFlusher:
    """Moves predictions from the log to their tables, once each.

    A table commit carries the log position it reaches, so after a crash the same records are offered again
    and taken only where they are missing.
    """

    def __init__(self, endpoints: Sequence[Endpoint], log: AppendLog, tables: Tables) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._log = log
        self._tables = tables

    def flush(self) -> int:
        """Write what the tables don't have yet; returns how many predictions were written."""
        return sum(self._flush_endpoint(endpoint) for endpoint in self._endpoints.values())

    def _flush_endpoint(self, endpoint: Endpoint) -> int:
        name = table_name(endpoint.name)
        done = self._tables.writer_number(name, "prediction-log") or 0
        written = 0
        for position, chunk in self._chunks(endpoint.name, done):
            if chunk:
                frame = to_frame(chunk, endpoint.features)
                self._tables.append(name, frame, writer=("prediction-log", position))
                written += len(chunk)
        return written

    def _chunks(self, endpoint: str, since: int) -> Iterator[tuple[int, list[Prediction]]]:
        chunk: list[Prediction] = []
        position = since
        for position, record in self._log.read(since):
            prediction = decode_prediction(record)
            if prediction.endpoint == endpoint:
                chunk.append(prediction)
            if len(chunk) >= FLUSH_ROWS:
                yield position, chunk
                chunk = []
        yield position, chunk
