"""Skew: how far what was served is from what the stored rows say for the same moment, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from treadle.records.digests import Digest
from treadle.records.estimates import Interval, Window
from treadle.records.instants import Instant
from treadle.records.readings import ReadingState
from treadle.records.record import Record

FeatureValue: TypeAlias = float | str | None
"""A raw feature: a number, a category's text, None for "no value"."""


class SkewExample(Record, frozen=True, kw_only=True):
    """One prediction in which a feature differs."""

    prediction_id: str
    at: Instant
    """The prediction time T."""
    served: FeatureValue
    recomputed: FeatureValue


class FeatureSkew(Record, frozen=True, kw_only=True):
    """One feature of the audited predictions."""

    feature: str
    compared: int
    mismatched: int
    interval: Interval
    """Of the share of predictions in which the feature differs (Wilson's)."""
    state: ReadingState
    examples: tuple[SkewExample, ...] = ()
    """The worst few."""

    @property
    def rate(self) -> float:
        """The share of compared predictions in which the feature differs."""
        return self.mismatched / self.compared if self.compared else 0.0


class SkewReading(Record, frozen=True, kw_only=True):
    """One audit of an endpoint: some of its predictions, recomputed from the stored rows at their T."""

    endpoint: str
    at: Instant
    window: Window
    """The predictions that were looked at: start <= T < end."""
    served: int
    """How many predictions the window has."""
    audited: int
    """How many of them were recomputed."""
    state: ReadingState
    """The worst of the features'."""
    sentence: str
    features: tuple[FeatureSkew, ...] = ()
    """Those that could be compared, the worst first."""
    not_comparable: Mapping[str, str] = {}
    """Features that could not, and why: they count neither way."""
    alerting: tuple[str, ...] = ()
    """Features that are beyond their bound, as far as is known; an audit without enough rows leaves them as they were."""
    resume: Instant
    """From which T the next audit goes on; rows too few to judge by are kept for it."""
    definitions: Mapping[str, Digest] = {}
    """What each feature was defined as at the last audit that had enough rows."""
