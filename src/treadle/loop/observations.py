"""What was served and what became of it: logged predictions, and the labels that have come in for them."""

from __future__ import annotations

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.loop.training import Store, known_labels
from treadle.loop.world import World
from treadle.records.frames import LABEL
from treadle.records.instants import Instant
from treadle.stages.serving.prediction_log import table_name, to_frame


def served_between(
    world: World, endpoint: Endpoint, first: Instant, after: Instant, columns: list[str] | None = None
) -> pl.DataFrame:
    """Return the logged predictions with first <= T < after, ordered by T and id.

    Args:
        world: where the prediction table is.
        endpoint: whose predictions.
        first: the first T.
        after: the T before which to stop.
        columns: which columns to read; None reads all.
    """
    name = table_name(endpoint.name)
    if not world.tables.exists(name):
        nothing = to_frame([], endpoint.features)
        return nothing if columns is None else nothing.select(columns)
    since, until = (pl.lit(at, pl.Int64).cast(pl.Datetime("us", "UTC")) for at in (first, after))
    rows = world.tables.read(name).filter((pl.col("at") >= since) & (pl.col("at") < until))
    ordered = rows.sort("at", "prediction_id")
    return (ordered if columns is None else ordered.select(columns)).collect()


def labels_known(store: Store, endpoint: Endpoint, by: Instant, since: Instant | None = None) -> pl.DataFrame:
    """Return an endpoint's labels that became known in [since, by]: the label's key and `__label` as 0.0/1.0, one row a key."""
    labels = endpoint.labels
    value = pl.col(labels.value).cast(pl.Float64).alias(LABEL)
    return known_labels(store, labels, by, since).select(*labels.key, value)


def with_labels(store: Store, endpoint: Endpoint, rows: pl.DataFrame, known_by: Instant) -> pl.DataFrame:
    """Return prediction rows with `__label`, null where the label is not known by the instant.

    Labels that were known before the first of the predictions was asked for are not looked at: they belong to earlier ones.
    """
    first = int(rows["at"].to_physical().min()) if rows.height else None  # type: ignore[arg-type]  # an int64 column
    return rows.join(
        labels_known(store, endpoint, known_by, first),
        on=list(endpoint.labels.key),
        how="left",
        maintain_order="left",
    )
