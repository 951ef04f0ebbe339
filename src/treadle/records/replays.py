"""What a replay reports: a row a month."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.records.estimates import Auc, Window
from treadle.records.record import Record


class MonthRow(Record, frozen=True, kw_only=True):
    """One served month under the policies `frozen`, `loop` and `last3`."""

    month: str
    """As `2013-04`, in the project's zone."""
    window: Window
    n: int
    """Requests answered."""
    labelled: int
    """Of those, how many have a label."""
    late_rate: float | None
    """The share of positive labels."""
    auc: Mapping[str, Auc]
    calibration: Mapping[str, float]
    """Mean score over the share of positives."""
    score_psi: float | None
    """Population stability index of the month's served scores against the first model's reference."""
    versions: tuple[int, ...]
    """The versions that answered, in order of first appearance."""
