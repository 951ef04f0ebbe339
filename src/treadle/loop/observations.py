"""What was served and what became of it: logged predictions, and the labels that have come in for them."""

from __future__ import annotations

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.labels import Labels
from treadle.loop.labelled import PREDICTION_ID, find_labels
from treadle.loop.training import Store, known_labels
from treadle.loop.world import World
from treadle.records.frames import AT, LABEL
from treadle.records.instants import Instant
from treadle.records.rows import EVENT_TIME
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


def with_labels(
    store: Store,
    endpoint: Endpoint,
    rows: pl.DataFrame,
    known_by: Instant,
    owners: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return prediction rows with `__label`, null where the label is not known by the instant.

    Labels that were known before the first of the predictions was asked for are not looked at: they belong to earlier ones.

    Args:
        store: the stored rows.
        endpoint: whose predictions.
        rows: with `at`, the label's key and, for labels that name predictions, `prediction_id`.
        known_by: the present.
        owners: rows with `at` (or the event time of stored requests) and the key of everything that was asked since the
            first of the rows, for labels with a maturity; by default the rows themselves are all.
    """
    asked = asked_at(rows)
    first = int(asked[AT].min()) if rows.height else None  # type: ignore[arg-type]  # an int64 column
    found = find_labels(
        asked,
        store.rows[endpoint.labels.source.name],
        endpoint.labels,
        by=known_by,
        since=first,
        owners=None if owners is None else asked_at(owners),
    )
    return rows.with_columns(found[LABEL])


def asked_at(rows: pl.DataFrame) -> pl.DataFrame:
    """Return prediction rows, or stored requests, with their T as the instant `__at`. Pure."""
    return rows.with_columns(
        (pl.col("at").to_physical() if "at" in rows.columns else pl.col(EVENT_TIME)).alias(AT)
    )


def request_owners(store: Store, endpoint: Endpoint) -> pl.DataFrame | None:
    """Return all stored requests, as those that labels may belong to; None where nothing needs them."""
    if endpoint.labels.maturity is None or endpoint.requests.source is None:
        return None
    return store.rows[endpoint.requests.source.name].select(EVENT_TIME, *endpoint.labels.key)


def label_columns(labels: Labels) -> list[str]:
    """Return the columns of prediction rows that their labels are found by."""
    named = [] if labels.prediction_id is None else [PREDICTION_ID]
    return ["at", *named, *labels.key]
