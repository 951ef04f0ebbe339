"""Requests that an endpoint has answered, as the spine of training sets."""

from __future__ import annotations

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.labelled import PREDICTION_ID
from treadle.loop.world import World
from treadle.records.instants import Instant
from treadle.records.rows import EVENT_TIME
from treadle.stages.serving.prediction_log import PredictionFlusher, table_name, to_frame


def served_requests(world: World, endpoint: Endpoint, until: Instant) -> pl.DataFrame | None:
    """Return what an endpoint was asked before an instant: fields, T and prediction id, ordered by T and id.

    What is in the prediction log and not yet in its table is brought there first.

    Returns:
        None where the endpoint's requests are those of a source.
    """
    if endpoint.requests.source is not None:
        return None
    PredictionFlusher([endpoint], world.predictions, world.tables).flush()
    name = table_name(endpoint.name)
    rows = world.tables.read(name) if world.tables.exists(name) else to_frame([], endpoint.features).lazy()
    before = pl.lit(until, pl.Int64).cast(pl.Datetime("us", "UTC"))
    asked = rows.filter(pl.col("at") < before).select(
        pl.col("at").dt.cast_time_unit("us").to_physical().alias(EVENT_TIME),
        PREDICTION_ID,
        *endpoint.features.request,
    )
    return asked.sort(EVENT_TIME, PREDICTION_ID).collect()
