"""Leak checks: signs that labelled rows know what a request could not have known. Pure: frames in, anomalies out.

What is looked up is right by construction (`known_at <= T`). What a person's own tables and request fields carry is not:
a column made of the label, a time that is only known with the outcome, one customer on both sides of a split.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.anomalies import Anomaly, Severity
from treadle.records.anomaly_kinds import KINDS
from treadle.records.frames import AT, KNOWN_AT, LABEL, Frame

TELLS = 0.99
"""A single feature that orders the labels better than this is taken for a leak."""
FEWEST = 50
"""So many rows of each class are needed to judge a feature: fewer are told apart by chance too easily."""
LOOKED_AT = 20_000
"""At most so many rows, evenly taken, are ranked for each feature: the AUC of a leak is found to ±0.001."""
_NEAR = 1_000_000
"""A time within a second of the label's counts as the label's."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def find_leaks(frame: Frame, accept: Sequence[str] = ()) -> list[Anomaly]:
    """Return the signs of a leak in one training set, `feature_tells_label` first.

    Args:
        frame: rows with features, label and times.
        accept: features that may tell the label, because somebody has looked.

    Cost: a sort of at most 20,000 rows a feature.
    """
    return [*_telling(frame, accept), *_label_first(frame), *_outcome_times(frame)]


def find_overlaps(older: Frame, newer: Frame, columns: Sequence[str]) -> list[Anomaly]:
    """Return the signs that two parts of a split are not apart: equal rows, and entities in both.

    Args:
        older: the part that is learned from.
        newer: the part that is judged on.
        columns: request fields that name entities; empty when the split is in time, where an entity is in both by nature.
    """
    found = []
    key = [name for name in older.rows.columns if name not in (KNOWN_AT, LABEL)]
    same = newer.rows.join(older.rows.select(key).unique(), on=key, how="semi", nulls_equal=True).height
    if same:
        found.append(
            _anomaly(
                "rows_overlap", "the split", f"{same:,} of {len(newer):,} rows to judge on are learned from too",
                same, len(newer),
            )
        )  # fmt: skip
    for column in columns:
        both = int(newer.rows[column].is_in(older.rows[column].drop_nulls().unique().implode()).sum())
        if both:
            found.append(
                _anomaly(
                    "entity_overlap", column,
                    f"{both:,} of {len(newer):,} rows to judge on are of a {column!r} that is learned from too; if rows of one "
                    f"{column!r} are alike, split with group={column!r}",
                    both, len(newer), Severity.WARN,
                )
            )  # fmt: skip
    return found


def single_area(values: pl.Series, labels: Bools) -> float | None:
    """Return how well one column alone orders the labels, as an AUC of at least 0.5; None with too few rows to tell.

    Categories are ordered by the label's rate among the other half of the rows, so that a column of many values does
    not tell the label by repeating it. A column whose being empty tells the label counts by that.
    """
    present = values.is_not_null().to_numpy()
    areas = [_area(present.astype(np.float64), labels)]
    inside = labels[present]
    if values.dtype == pl.String:
        areas.append(_area(_rates(values.drop_nulls(), inside), inside))
    else:
        numbers = values.drop_nulls().cast(pl.Float64).to_numpy()
        finite = np.isfinite(numbers)
        areas.append(_area(numbers[finite], inside[finite]))
    told = [max(area, 1 - area) for area in areas if area is not None]
    return max(told, default=None)


def _telling(frame: Frame, accept: Sequence[str]) -> list[Anomaly]:
    step = -(-len(frame) // LOOKED_AT) or 1
    rows = frame.rows.gather_every(step)
    labels = rows[LABEL].to_numpy() == 1.0
    found = []
    for name in frame.features:
        area = None if name in accept else single_area(rows[name], labels)
        if area is not None and area > TELLS:
            found.append(
                _anomaly(
                    "feature_tells_label", name,
                    f"{name!r} alone tells the label (AUC {area:.4f} on {rows.height:,} rows): it is probably made of "
                    f"the outcome, or known only with it; look where it comes from, or accept it with accept=[{name!r}]",
                )
            )  # fmt: skip
    return sorted(found, key=lambda one: one.where)


def _label_first(frame: Frame) -> list[Anomaly]:
    early = int((frame.rows[KNOWN_AT] < frame.rows[AT]).sum())
    if not early:
        return []
    return [
        _anomaly(
            "label_before_request", "label",
            f"the label of {early:,} of {len(frame):,} rows was known before the request: there was nothing to predict",
            early, len(frame), Severity.WARN,
        )
    ]  # fmt: skip


def _outcome_times(frame: Frame) -> list[Anomaly]:
    """Return the request's times that are the moment at which the label became known."""
    found = []
    for name, dtype in frame.rows.schema.items():
        if not isinstance(dtype, pl.Datetime):
            continue
        apart = frame.rows[name].dt.epoch("us") - frame.rows[KNOWN_AT]
        near = int((apart.abs() <= _NEAR).sum())
        later = int((frame.rows[name].dt.epoch("us") > frame.rows[AT]).sum())
        if near > len(frame) / 2 and later > len(frame) / 2:
            found.append(
                _anomaly(
                    "value_after_request", name,
                    f"{name!r} is the moment at which the label became known in {near:,} of {len(frame):,} rows: "
                    "no request could have had it",
                    near, len(frame),
                )
            )  # fmt: skip
    return found


def _anomaly(
    kind: str,
    where: str,
    what: str,
    count: int | None = None,
    of: int | None = None,
    severity: Severity | None = None,
) -> Anomaly:
    known = KINDS[kind]
    return Anomaly(
        kind=kind,
        nature=known.nature,
        severity=severity or known.severity,
        where=where,
        what=what,
        count=count,
        of=of,
    )


def _area(scores: Floats, labels: Bools) -> float | None:
    """Return the area under the ROC curve by the rank sum, ties counting half; None with too few rows of a class."""
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if min(positives, negatives) < FEWEST:
        return None
    ranks = pl.Series(scores).rank("average").to_numpy()
    return float((ranks[labels].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _rates(values: pl.Series, labels: Bools) -> Floats:
    """Return for each row the label's rate of its value among the rows of the other half, the whole's rate where unseen."""
    rows = pl.DataFrame({"value": values, "label": labels.astype(np.float64)}).with_row_index("row")
    rows = rows.with_columns(half=pl.col("row") % 2)
    rates = (
        rows.group_by("value", "half").agg(rate=pl.col("label").mean()).with_columns(half=1 - pl.col("half"))
    )
    joined = rows.with_columns(pl.col("half").cast(rates.schema["half"])).join(
        rates, on=["value", "half"], how="left", maintain_order="left"
    )
    return joined["rate"].fill_null(float(labels.mean()) if len(labels) else 0.0).to_numpy()
