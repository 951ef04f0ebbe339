"""From the prediction log to the prediction table: the same records, as columns."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.feature_sets import FeatureSet
from treadle.ports.log import AppendLog, LogReader
from treadle.ports.tables import Tables
from treadle.records.errors import Corrupt
from treadle.records.predictions import Prediction, decode_prediction

FLUSH_ROWS = 50_000
"""At most this many predictions go into one table commit, to bound memory."""

WRITER = "prediction-log"
"""The tables' writer whose number is the position in the log up to which they have been filled."""

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
    and taken only where they are missing. What has been read stays read while this object lives: a flush costs what was
    appended since the one before, also for endpoints that nobody asks.
    """

    def __init__(self, endpoints: Sequence[Endpoint], log: AppendLog, tables: Tables) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._log = log
        self._tables = tables
        self._looked_at = 0

    def flush(self) -> int:
        """Write what the tables don't have yet; returns how many predictions were written.

        Raises:
            InvalidInput: a table has been filled from positions that the log does not have.
            Corrupt: the log is damaged; what stands before the damage was written.
        """
        if not self._endpoints:
            return 0
        done = {name: self._tables.writer_number(table_name(name), WRITER) or 0 for name in self._endpoints}
        # What an endpoint's table has not got before the place that was read last is not there: it was of other endpoints.
        since = {name: max(position, self._looked_at) for name, position in done.items()}
        waiting: dict[str, list[Prediction]] = {name: [] for name in self._endpoints}
        start = position = min(since.values())
        written, damage = 0, None
        try:
            for position, record in self._log.read(start):
                prediction = decode_prediction(record)
                name = prediction.endpoint
                if position > since.get(name, position):
                    waiting[name].append(prediction)
                    if len(waiting[name]) >= FLUSH_ROWS:
                        written += self._write(name, waiting[name], position)
        except Corrupt as error:
            damage = error
        for name, chunk in waiting.items():
            written += self._write(name, chunk, position)
        if damage is not None:
            raise damage
        self._looked_at = position
        return written

    def _write(self, name: str, chunk: list[Prediction], position: int) -> int:
        if not chunk:
            return 0
        frame = to_frame(chunk, self._endpoints[name].features)
        self._tables.append(table_name(name), frame, writer=(WRITER, position))
        written = len(chunk)
        chunk.clear()
        return written


def refill(endpoint: Endpoint, log: LogReader, tables: Tables) -> int:
    """Write the predictions that the log has and the table has not, wherever they stand; returns how many.

    For a log that is not the one the table was filled from: positions say nothing then, and ids are compared. Reads both whole.
    """
    name = table_name(endpoint.name)
    there: set[str] = set()
    if tables.exists(name):
        there.update(tables.read(name).select("prediction_id").collect()["prediction_id"])
    chunk: list[Prediction] = []
    for _, record in log.read():
        prediction = decode_prediction(record)
        if prediction.endpoint == endpoint.name and prediction.prediction_id not in there:
            chunk.append(prediction)
            there.add(prediction.prediction_id)
    number, end = tables.writer_number(name, WRITER) or 0, log.end()
    if chunk or end > number > 0:
        tables.append(
            name, to_frame(chunk, endpoint.features), writer=(WRITER, end) if end > number else None
        )
    return len(chunk)
