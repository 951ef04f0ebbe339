"""What an evaluation found: one model on labelled rows, or two models on the same rows."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.records.estimates import Auc, Calibration, Difference, Window
from treadle.records.record import Record

MEASURED = "measured"
INSUFFICIENT = "insufficient"


class ReliabilityBin(Record, frozen=True, kw_only=True):
    """Rows of similar score: what was promised and what came."""

    low: float
    """Smallest score in the bin."""
    high: float
    """Largest score in the bin."""
    n: int
    mean_score: float
    base_rate: float


class SliceRow(Record, frozen=True, kw_only=True):
    """The same measures on the rows that share one value of a column."""

    column: str
    value: str
    n: int
    positives: int
    state: str
    """`measured`, or `insufficient` when the slice has too few rows or one class only."""
    auc: Auc | None = None
    calibration: Calibration | None = None


class EvaluationReport(Record, frozen=True, kw_only=True):
    """One model on labelled rows it was not trained on.

    A measure that the rows cannot give (no rows, one class only) is None, never a number.
    """

    n: int
    positives: int
    window: Window | None = None
    """The span of time the rows come from."""
    clusters: int | None = None
    """How many groups of dependent rows (such as days) the intervals allow for; None: rows independent."""
    auc: Auc | None = None
    average_precision: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    accuracy: float | None = None
    threshold: float = 0.5
    """The score from which a row counts as predicted positive."""
    calibration: Calibration | None = None
    calibration_error: float | None = None
    """Expected calibration error over the reliability bins, weighted by their rows."""
    reliability: tuple[ReliabilityBin, ...] = ()
    roc: tuple[tuple[float, float], ...] = ()
    """(false positive rate, true positive rate), from (0, 0) to (1, 1)."""
    precision_recall: tuple[tuple[float, float], ...] = ()
    """(recall, precision), by growing recall."""
    slices: tuple[SliceRow, ...] = ()

    @property
    def base_rate(self) -> float | None:
        """The share of positives; None without rows."""
        return self.positives / self.n if self.n else None

    def metrics(self) -> dict[str, float]:
        """Return the measured numbers under flat names, as a run logs them."""
        found: dict[str, float | None] = {
            "rows": float(self.n),
            "base_rate": self.base_rate,
            "auc": self.auc.value if self.auc else None,
            "average_precision": self.average_precision,
            "log_loss": self.log_loss,
            "brier": self.brier,
            "accuracy": self.accuracy,
            "calibration": self.calibration.ratio if self.calibration else None,
            "calibration_error": self.calibration_error,
        }
        return {name: value for name, value in found.items() if value is not None}


class SliceComparison(Record, frozen=True, kw_only=True):
    """Champion and challenger on the rows that share one value of a column."""

    column: str
    value: str
    n: int
    positives: int
    champion: Auc | None = None
    challenger: Auc | None = None
    difference: Difference | None = None
    """Of the AUC; None when the slice has one class only."""


class Comparison(Record, frozen=True, kw_only=True):
    """Champion and challenger on the same labelled rows; the champion's part is None while there is none."""

    n: int
    positives: int
    window: Window | None = None
    clusters: int | None = None
    champion: Mapping[str, float] = {}
    """Metric to value."""
    challenger: Mapping[str, float] = {}
    challenger_auc: Auc | None = None
    differences: Mapping[str, Difference] = {}
    """Metric to how much better the challenger did; a metric that the rows cannot give is absent."""
    slices: tuple[SliceComparison, ...] = ()
