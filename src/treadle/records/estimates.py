"""Numbers measured on a sample, with what is needed to say how sure they are.

An estimate keeps its standard error and how many independent clusters of rows stood behind it; bounds at any
confidence follow from these, so that a stored estimate can be judged again later by another rule.
"""

from __future__ import annotations

import math

from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant, iso
from treadle.records.quantiles import normal_above, normal_quantile, student_above, student_quantile
from treadle.records.record import Record


class Interval(Record, frozen=True):
    """A two-sided confidence interval."""

    low: float
    high: float
    confidence: float = 0.95


class Window(Record, frozen=True):
    """A half-open span of time: start <= t < end.

    Raises:
        InvalidInput: the window ends before it starts.
    """

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise InvalidInput(
                f"the window ends at {iso(self.end)}, before its start {iso(self.start)}",
                fix="give start, then end",
            )

    def __str__(self) -> str:
        """`2013-06-01…2013-06-15`: days when both ends are midnights, otherwise minutes (UTC)."""
        start, end = iso(self.start), iso(self.end)
        if start.endswith("T00:00:00Z") and end.endswith("T00:00:00Z"):
            return f"{start[:10]}…{end[:10]}"
        return f"{start[:16]}…{end[:16]}"


class Auc(Record, frozen=True, kw_only=True):
    """The area under the ROC curve of one score, with its DeLong (or clustered) standard error."""

    value: float
    standard_error: float
    n: int
    positives: int
    clusters: int | None = None
    """How many groups of dependent rows; None: each row counted as independent."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the two-sided interval, made on the logit scale so that it stays within 0 and 1.

        At exactly 0 or 1 DeLong's variance is zero, which would claim certainty: the interval is then that of
        k successes in k trials (Clopper–Pearson), with k the smaller class or the clusters, if fewer.
        """
        tail = (1.0 - confidence) / 2.0
        if self.value in (0.0, 1.0):
            k = min(self.positives, self.n - self.positives, self.clusters or self.n)
            far = tail ** (1.0 / max(k, 1))
            low, high = (far, 1.0) if self.value == 1.0 else (0.0, 1.0 - far)
            return Interval(low=low, high=high, confidence=confidence)
        centre = math.log(self.value / (1.0 - self.value))
        reach = _quantile(1.0 - tail, self.clusters) * self.standard_error / (self.value * (1.0 - self.value))
        return Interval(low=_logistic(centre - reach), high=_logistic(centre + reach), confidence=confidence)


class Difference(Record, frozen=True, kw_only=True):
    """How much better the second of two scores did on the same rows.

    Positive means better, whatever the metric: a log loss that fell by 0.01 is a difference of +0.01.
    """

    value: float
    standard_error: float
    n: int
    clusters: int | None = None
    """How many groups of dependent rows; None: each row counted as independent."""

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the two-sided interval: normal, or Student's t with clusters - 1 degrees of freedom."""
        reach = _quantile((1.0 + confidence) / 2.0, self.clusters) * self.standard_error
        return Interval(low=self.value - reach, high=self.value + reach, confidence=confidence)

    def lower_bound(self, confidence: float = 0.95) -> float:
        """Return the one-sided lower bound."""
        return self.value - _quantile(confidence, self.clusters) * self.standard_error

    def upper_bound(self, confidence: float = 0.95) -> float:
        """Return the one-sided upper bound."""
        return self.value + _quantile(confidence, self.clusters) * self.standard_error

    def z(self, margin: float = 0.0) -> float:
        """Return (value - margin) in standard errors; 0 when both are zero, which is no evidence at all."""
        distance = self.value - margin
        if self.standard_error > 0.0:
            return distance / self.standard_error
        return 0.0 if distance == 0.0 else math.copysign(math.inf, distance)

    def p_above(self, margin: float = 0.0) -> float:
        """Return the one-sided p of seeing this much if the true difference were the margin or less."""
        return _above(self.z(margin), self.clusters)

    def p_below(self, margin: float = 0.0) -> float:
        """Return the one-sided p of seeing this little if the true difference were the margin or more."""
        return _above(-self.z(margin), self.clusters)


class BootstrapDifference(Record, frozen=True, kw_only=True):
    """How much better the second of two scores did, with an interval from resampled rows."""

    value: float
    interval: Interval
    p: float
    """One-sided: the share of resamples in which the second was not better."""
    resamples: int
    """How many gave the metric."""
    n: int
    clusters: int | None = None


class Calibration(Record, frozen=True, kw_only=True):
    """Mean score over the share of positives: 1 is right, 1.2 promises a fifth too much."""

    ratio: float
    log_standard_error: float
    """Standard error of the natural logarithm of the ratio (delta method)."""
    mean_score: float
    base_rate: float
    n: int
    clusters: int | None = None

    def interval(self, confidence: float = 0.95) -> Interval:
        """Return the two-sided interval of the ratio, made on the log scale."""
        reach = _quantile((1.0 + confidence) / 2.0, self.clusters) * self.log_standard_error
        return Interval(
            low=self.ratio * math.exp(-reach), high=self.ratio * math.exp(reach), confidence=confidence
        )


def share_interval(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the two-sided interval of a share by Wilson's score method (1927); of no rows it is 0…1.

    It stays within 0 and 1 and is no point at a share of exactly 0 or 1.
    """
    if n <= 0:
        return Interval(low=0.0, high=1.0, confidence=confidence)
    z = normal_quantile((1.0 + confidence) / 2.0)
    share, spread = successes / n, z * z / n
    centre = share + spread / 2.0
    reach = math.sqrt(spread * (share * (1.0 - share) + spread / 4.0))
    low = 0.0 if successes == 0 else (centre - reach) / (1.0 + spread)
    high = 1.0 if successes == n else (centre + reach) / (1.0 + spread)
    return Interval(low=low, high=high, confidence=confidence)


def _quantile(p: float, clusters: int | None) -> float:
    return normal_quantile(p) if clusters is None else student_quantile(p, max(clusters - 1, 1))


def _above(z: float, clusters: int | None) -> float:
    if math.isinf(z):
        return 0.0 if z > 0 else 1.0
    return normal_above(z) if clusters is None else student_above(z, max(clusters - 1, 1))


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
