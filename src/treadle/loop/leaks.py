"""What is done about the signs of a leak: refused, or told."""

from __future__ import annotations

from collections.abc import Sequence

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
