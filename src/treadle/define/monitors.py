"""Monitors: what is watched of an endpoint, how often, and from where on it is said.

A monitor only says what to watch; `treadle.stages.monitoring` reads windows against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import msgspec

from treadle.define.names import name_fault
from treadle.define.rules import Rule, positive_fault, refuse, rule_from_json, share_fault
from treadle.records.digests import Json
from treadle.records.instants import DAY, Duration, duration

DriftStatistic: TypeAlias = Literal["psi", "ks"]
"""Population stability index over reference bins, or the Kolmogorov–Smirnov distance."""

_FLOORS: dict[DriftStatistic, tuple[float, float]] = {"psi": (0.10, 0.20), "ks": (0.05, 0.10)}


class ScoreDrift(Rule, frozen=True, tag="score_drift"):
    """Watch the distribution of scores; see `score_drift`."""

    statistic: DriftStatistic
    warn: float
    alert: float
    significance: float = 0.01
    min_rows: int = 100
    columns: int = 1

    def __post_init__(self) -> None:
        faults = [share_fault("significance", self.significance), positive_fault("warn", self.warn)]
        faults += [positive_fault("min_rows", self.min_rows), positive_fault("columns", self.columns)]
        faults += [
            None if self.alert >= self.warn else f"alert={self.alert!r} must not be below warn={self.warn!r}"
        ]
        refuse("score drift rule", [fault for fault in faults if fault])


class AucDrop(Rule, frozen=True, tag="auc"):
    """Watch the AUC on matured labels; see `auc`."""

    drop: float = 0.02
    maturity: Duration = DAY
    confidence: float = 0.95
    min_rows: int = 200

    def __post_init__(self) -> None:
        faults = [share_fault("drop", self.drop), share_fault("confidence", self.confidence)]
        faults += [positive_fault("min_rows", self.min_rows)]
        refuse("AUC rule", [fault for fault in faults if fault])


class CalibrationDrift(Rule, frozen=True, tag="calibration"):
    """Watch mean score against base rate on matured labels; see `calibration`."""

    tolerance: float = 0.10
    maturity: Duration = DAY
    confidence: float = 0.95
    min_rows: int = 200

    def __post_init__(self) -> None:
        faults = [positive_fault("tolerance", self.tolerance), share_fault("confidence", self.confidence)]
        faults += [positive_fault("min_rows", self.min_rows)]
        refuse("calibration rule", [fault for fault in faults if fault])


class Skew(Rule, frozen=True, tag="skew"):
    """Recompute some of the served vectors from the stored rows; see `skew`."""

    sample: float = 0.05
    least: int = 100
    most: int = 500
    warn: float = 0.001
    alert: float = 0.01
    tolerance: float = 0.0
    confidence: float = 0.95
    min_rows: int = 20

    def __post_init__(self) -> None:
        faults = [positive_fault("least", self.least), positive_fault("min_rows", self.min_rows)]
        faults += [share_fault("confidence", self.confidence), share_fault("alert", self.alert)]
        faults += [
            None if 0.0 <= self.sample <= 1.0 else f"sample={self.sample!r} must lie between 0 and 1",
            None if self.most >= self.least else f"most={self.most!r} must not be below least={self.least!r}",
            None if 0.0 <= self.warn <= self.alert else f"warn={self.warn!r} must lie between 0 and alert",
            None if 0.0 <= self.tolerance < 1.0 else f"tolerance={self.tolerance!r} must lie between 0 and 1",
        ]
        refuse("skew rule", [fault for fault in faults if fault])


def score_drift(
    statistic: DriftStatistic = "psi",
    *,
    warn: float | None = None,
    alert: float | None = None,
    significance: float = 0.01,
    min_rows: int = 100,
    columns: int = 1,
) -> ScoreDrift:
    """Watch whether the scores are distributed as in the reference.

    A window is named only if it passes the floor, and chance, and what ordinary reference windows show among
    themselves.

    Args:
        statistic: `psi` (population stability index, corrected for sample size) or `ks` (Kolmogorov–Smirnov).
        warn: the smallest distance worth a warning; 0.10 for psi, 0.05 for ks.
        alert: the smallest distance worth an alert; 0.20 for psi, 0.10 for ks.
        significance: the false alarm rate of a window under chance alone, over all columns.
        min_rows: with fewer rows nothing is said.
        columns: how many columns are watched together; each gets its share of the significance.

    Raises:
        InvalidInput: a number out of range.
    """
    floors = _FLOORS.get(statistic, (0.0, 0.0))
    return rule_from_json(
        {
            "is": "score_drift",
            "statistic": statistic,
            "warn": floors[0] if warn is None else warn,
            "alert": floors[1] if alert is None else alert,
            "significance": significance,
            "min_rows": min_rows,
            "columns": columns,
        },
        ScoreDrift,
        "score drift rule",
    )


def auc(
    *, drop: float = 0.02, maturity: str | Duration = "1d", confidence: float = 0.95, min_rows: int = 200
) -> AucDrop:
    """Watch whether the AUC on known labels fell below the champion's at promotion.

    Args:
        drop: the fall that matters; an alert needs a fall this large whose interval leaves out no fall at
            all.
        maturity: how long after a prediction its label counts as known; only older predictions are read.
        confidence: of the interval.
        min_rows: with fewer labelled rows nothing is said.

    Raises:
        InvalidInput: a number out of range or a text that is no duration.
    """
    return AucDrop(drop=drop, maturity=duration(maturity), confidence=confidence, min_rows=min_rows)


def calibration(
    *,
    tolerance: float = 0.10,
    maturity: str | Duration = "1d",
    confidence: float = 0.95,
    min_rows: int = 200,
) -> CalibrationDrift:
    """Watch whether the mean score matches the share of positives among known labels.

    Args:
        tolerance: 0.10 puts up with a ratio of 1.10, and of 1/1.10.
        maturity: how long after a prediction its label counts as known; only older predictions are read.
        confidence: of the interval.
        min_rows: with fewer labelled rows nothing is said.

    Raises:
        InvalidInput: a number out of range or a text that is no duration.
    """
    return CalibrationDrift(
        tolerance=tolerance, maturity=duration(maturity), confidence=confidence, min_rows=min_rows
    )


def skew(
    *,
    sample: float = 0.05,
    least: int = 100,
    most: int = 500,
    warn: float = 0.001,
    alert: float = 0.01,
    tolerance: float = 0.0,
    confidence: float = 0.95,
    min_rows: int = 20,
) -> Skew:
    """Watch whether served features are what the stored rows say for the same moment.

    Every endpoint is audited so at each tick, with these defaults; a monitor's rule replaces them. Chosen predictions are
    recomputed at their T and compared feature by feature. There should be no difference at all.

    Args:
        sample: the share of predictions that is recomputed, chosen by a hash of their ids; 0 turns the audit off.
        least: so many at least in each audit, if there are that many.
        most: so many at most.
        warn: the share of mismatches worth a warning; the interval's lower end has to pass it.
        alert: the share worth an alert, likewise.
        tolerance: a relative difference that does not count, for numbers; 0 asks for equal bits.
        confidence: of the interval.
        min_rows: with fewer recomputed predictions nothing is said; they are kept for the next audit.

    Raises:
        InvalidInput: a number out of range.
    """
    return Skew(
        sample=sample,
        least=least,
        most=most,
        warn=warn,
        alert=alert,
        tolerance=tolerance,
        confidence=confidence,
        min_rows=min_rows,
    )


@dataclass(frozen=True, slots=True, init=False)
class Monitor:
    """What is watched of an endpoint.

    Args:
        name: the monitor's name.
        window: the span of predictions each reading looks at, such as `7d`.
        every: how often a reading is made, such as `1d`.
        endpoint: the endpoint that is watched; the monitor's name when left out.
        drift: how the scores are watched; None: not.
        performance: how the AUC on known labels is watched; None: not.
        calibration: how mean score against base rate is watched; None: not.
        skew: how served features are held against the stored rows; None: as every endpoint's are, see `skew`.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    name: str
    endpoint: str
    window: Duration
    every: Duration
    drift: ScoreDrift | None
    performance: AucDrop | None
    calibration: CalibrationDrift | None
    skew: Skew | None = None

    def __init__(
        self,
        name: str,
        *,
        window: str | Duration,
        every: str | Duration,
        endpoint: str | None = None,
        drift: ScoreDrift | None = None,
        performance: AucDrop | None = None,
        calibration: CalibrationDrift | None = None,
        skew: Skew | None = None,
    ) -> None:
        span, step = duration(window), duration(every)
        faults = [name_fault("monitor", name), positive_fault("window", span), positive_fault("every", step)]
        if drift is None and performance is None and calibration is None and skew is None:
            faults.append(f"monitor {name!r} watches nothing: give drift, performance, calibration or skew")
        refuse(f"monitor {name!r}", [fault for fault in faults if fault])
        parts = (name, endpoint or name, span, step, drift, performance, calibration, skew)
        for slot, value in zip(self.__slots__, parts, strict=True):
            object.__setattr__(self, slot, value)

    def as_json(self) -> Json:
        """Return the monitor as plain JSON values, equal for equal monitors; durations are microseconds."""
        plain: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(self))
        if self.skew is None:  # what monitors were before they could audit keeps its digest
            del plain["skew"]
        return plain

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the monitor that `as_json` wrote.

        Raises:
            InvalidInput: it is none; the message names the field.
        """
        plain = rule_from_json(value, cls, "monitor")
        return cls(
            plain.name,
            window=plain.window,
            every=plain.every,
            endpoint=plain.endpoint,
            drift=plain.drift,
            performance=plain.performance,
            calibration=plain.calibration,
            skew=plain.skew,
        )
