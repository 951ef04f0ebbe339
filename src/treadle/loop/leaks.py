"""What is said about rows that should not be learned from as they are: leaks are refused or told, empty features named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from treadle.records.anomalies import Anomaly, Severity
from treadle.records.errors import InvalidInput
from treadle.records.frames import Frame


def refuse_leaks(found: Sequence[Anomaly], where: str) -> Sequence[Anomaly]:
    """Return what is only told of the signs of a leak.

    Raises:
        InvalidInput: some of them stop; all are listed.
    """
    if any(one.severity is Severity.STOP for one in found):
        raise InvalidInput(
            "the rows know what a request could not have known: what is learned from them would be worth nothing",
            where=where,
            faults=[f"{one.where}: {one.what}" for one in found],
            fix="mend the definitions, or accept what you have looked at: tr.training_set(..., accept=[...])",
        )
    return found


def identifying(frame: Frame, group: Sequence[str]) -> list[str]:
    """Return the columns whose values may name an entity: the group's, or else every text that is no feature."""
    if group:
        return list(group) if len(group) == 1 else []
    text = [name for name, dtype in frame.rows.schema.items() if dtype == pl.String]
    return [name for name in text if name not in frame.features]


def empty_features(values: Iterable[object]) -> list[str]:
    """Return a sentence for each feature without a single value, of the frames that a step was given."""
    frames = [value for value in values if isinstance(value, Frame) and len(value)]
    return [
        f"feature {name!r} has no value in any of {len(frame):,} rows: its source may have no rows yet; leave it out till then"
        for frame in frames
        for name in frame.features
        if frame.rows[name].null_count() == len(frame)
    ]
