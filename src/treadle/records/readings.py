"""What a monitor read: one number about one window, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from treadle.records.estimates import Interval, Window
from treadle.records.instants import Instant
from treadle.records.record import Record

ReadingState: TypeAlias = Literal["ok", "warn", "alert", "inconclusive", "insufficient_data"]
"""`inconclusive`: measured, but the interval allows either answer. `insufficient_data`: too little there."""

ReadingKind: TypeAlias = Literal[
    "score_drift",
    "auc",
    "calibration",
    "freshness",
    "volume",
    "nulls",
    "duplicates",
    "ranges",
    "data_drift",
]
"""The first three are read of an endpoint, the others of a source."""

CALLS = "calls_for_training"
"""The detail of a data drift reading that is 1 when the drift should start a training."""


class MonitorReading(Record, frozen=True, kw_only=True):
    """One number about one window, with its interval, its threshold and its meaning in a sentence."""

    name: str
    """The monitor's name."""
    kind: ReadingKind
    window: Window
    """The rows that were looked at."""
    at: Instant
    """When the reading was made."""
    model_version: int | None = None
    """The version whose predictions were read, when they were one version's."""
    state: ReadingState
    n: int
    value: float | None = None
    interval: Interval | None = None
    """Of the value."""
    baseline: float | None = None
    """What the value is compared with: the AUC at promotion, or 1 for calibration."""
    threshold: float | None = None
    """The alert's limit in the value's own terms: the drift distance, the drop, or the tolerance."""
    sentence: str
    details: Mapping[str, float] = {}
    """Further numbers behind the state, by name."""
