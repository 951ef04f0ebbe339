"""What a model's answers rest on."""

from __future__ import annotations

from treadle.records.record import Record


class FeatureImportance(Record, frozen=True, kw_only=True):
    """How much of the AUC is lost when one feature's values are shuffled among the rows."""

    feature: str
    drop: float
    """Mean loss of AUC over the repeats; about 0, or just below, for one the model does not need."""
    spread: float
    """Standard deviation of the loss over the repeats."""
