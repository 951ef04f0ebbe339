"""Which label belongs to which request or prediction, as far as labels were known at an instant. Pure, over stored rows."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.define.labels import Labels
from treadle.records.frames import AT, LABEL
from treadle.records.instants import Instant
from treadle.records.rows import EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE

PREDICTION_ID = "prediction_id"
"""The column of asked rows that holds the prediction's id, as in prediction tables."""
LABEL_KNOWN = "__label_known"
"""When the label that counts became known."""

_OWNER = "__owner_at"
_BY_ID, _BY_ID_KNOWN = "__label_by_id", "__label_by_id_known"


def is_plain(labels: Labels) -> bool:
    """Say whether labels are joined by their key alone, one a key."""
    return labels.prediction_id is None and labels.maturity is None


def saying(rows: pl.DataFrame, labels: Labels, by: Instant, since: Instant | None = None) -> pl.DataFrame:
    """Return the label rows known in [since, by] that say something: a value, or that one is taken back."""
    known, deleted = pl.col(KNOWN_AT), pl.col(TOMBSTONE)
    inside = known <= by if since is None else known.is_between(since, by)
    return rows.filter(inside & (pl.col(labels.value).is_not_null() | deleted))


def last_known(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Return of the rows with equal columns the one that became known last, unless that takes the label back."""
    newest = rows.sort(KNOWN_AT, ROW).unique(columns, keep="last", maintain_order=True)
    return newest.filter(~pl.col(TOMBSTONE))


def find_labels(
    asked: pl.DataFrame,
    rows: pl.DataFrame,
    labels: Labels,
    *,
    by: Instant,
    since: Instant | None = None,
    owners: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the label of each asked row, as known by an instant.

    Args:
        asked: rows with `__at` (T, an instant), the columns of the labels' key and, where they have one, `prediction_id`.
            Rows without it are told their label by the key alone, also by label rows that name a prediction too.
        rows: the stored rows of the labels' source.
        labels: how they belong together.
        by: labels known later are not looked at.
        since: labels known earlier are not looked at.
        owners: `__at` and key of all requests that a label may belong to, for labels with a maturity; by default those asked.

    Returns:
        `__label` (0.0, 1.0 or null) and `__label_known` (an instant or null), a row for each asked row in their order.
    """
    known = saying(rows, labels, by, since)
    named = PREDICTION_ID in asked.columns and labels.prediction_id is not None
    found = asked.select(AT, *labels.key, *([PREDICTION_ID] if named else []))
    if named and labels.prediction_id is not None:
        naming = pl.col(labels.prediction_id).is_not_null()
        last = last_known(known.filter(naming), [labels.prediction_id])
        columns = [pl.col(labels.prediction_id).alias(PREDICTION_ID), *_said(labels, _BY_ID, _BY_ID_KNOWN)]
        found = found.join(last.select(columns), on=PREDICTION_ID, how="left", maintain_order="left")
        known = known.filter(~naming)
    if labels.key:
        found = _by_key(found, known, labels, found.select(AT, *labels.key) if owners is None else owners)
    else:
        found = found.with_columns(
            pl.lit(None, pl.Float64).alias(LABEL), pl.lit(None, pl.Int64).alias(LABEL_KNOWN)
        )
    if not named:
        return found.select(LABEL, LABEL_KNOWN)
    by_id = pl.col(_BY_ID).is_not_null()
    return found.select(
        pl.when(by_id).then(_BY_ID).otherwise(LABEL).alias(LABEL),
        pl.when(by_id).then(_BY_ID_KNOWN).otherwise(LABEL_KNOWN).alias(LABEL_KNOWN),
    )


def _by_key(found: pl.DataFrame, known: pl.DataFrame, labels: Labels, owners: pl.DataFrame) -> pl.DataFrame:
    """Add the labels that belong to asked rows by their key and, with a maturity, by their T."""
    on = list(labels.key)
    if labels.maturity is not None:
        known = attributed(known, labels, owners).rename({_OWNER: AT})
        on.append(AT)
    wanted = last_known(known, on).select(*on, *_said(labels, LABEL, LABEL_KNOWN))
    return found.join(wanted, on=on, how="left", maintain_order="left")


def attributed(known: pl.DataFrame, labels: Labels, owners: pl.DataFrame) -> pl.DataFrame:
    """Return the label rows that have an owner, with its T in `__owner_at`.

    The owner is the newest request of the row's key whose T lies between the least and the greatest maturity before the
    label's event time, both included. Cost: a sort of requests and labels together.
    """
    assert labels.maturity is not None
    least, greatest = labels.maturity
    keys, place, time, asks = list(labels.key), "__place", "__time", "__asks"
    numbered = known.with_row_index(place)
    requests = owners.select(
        *keys, pl.col(AT).alias(time), pl.lit(None, pl.UInt32).alias(place), pl.lit(0, pl.Int8).alias(asks)
    )
    events = numbered.select(
        *keys, (pl.col(EVENT_TIME) - least).alias(time), place, pl.lit(1, pl.Int8).alias(asks)
    )
    has_key = pl.all_horizontal(pl.col(key).is_not_null() for key in keys)
    newest = pl.when(pl.col(asks) == 0).then(time).forward_fill().over(keys)
    found = (
        pl.concat([requests, events])
        .filter(has_key)
        .sort(time, asks)
        .with_columns(newest.alias(_OWNER))
        .filter(pl.col(asks) == 1)
        .select(place, _OWNER)
    )
    near = pl.col(EVENT_TIME) - pl.col(_OWNER) <= greatest  # null, and so left out, where there is no request
    return numbered.join(found, on=place, how="inner", maintain_order="left").filter(near).drop(place)


def _said(labels: Labels, value: str, known: str) -> list[pl.Expr]:
    return [pl.col(labels.value).cast(pl.Float64).alias(value), pl.col(KNOWN_AT).alias(known)]
