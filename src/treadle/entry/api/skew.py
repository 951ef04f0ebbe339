"""The newest skew audit of each endpoint, as part of the status and as gauges."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.entry.api.metrics import label
from treadle.loop.live import Live
from treadle.records.instants import iso
from treadle.records.skew import FeatureSkew, SkewReading


def skew_status(live: Live) -> dict[str, object]:
    """Return the newest audit of each endpoint as JSON: how it ended, and the features that differ."""
    return {name: _audit(reading) for name, reading in _latest(live).items()}


def skew_gauges(live: Live) -> list[tuple[str, str, Mapping[str, float]]]:
    """Return the share of mismatches of each feature; none of an endpoint whose last audit had too few predictions."""
    latest = _latest(live)
    rates = {
        label(endpoint=name, feature=one.feature): one.rate
        for name, reading in latest.items()
        for one in reading.features
    }
    audited = {label(endpoint=name): float(reading.audited) for name, reading in latest.items()}
    return [
        (
            "treadle_feature_skew_ratio",
            "Share of audited predictions in which a feature is not what the stored rows say.",
            rates,
        ),
        ("treadle_feature_skew_audited", "Predictions that the last audit looked at.", audited),
    ]


def _latest(live: Live) -> Mapping[str, SkewReading]:
    return {} if live.wheel is None else live.wheel.skew


def _audit(reading: SkewReading) -> dict[str, object]:
    return {
        "at": iso(reading.at),
        "since": iso(reading.window.start),
        "state": reading.state,
        "sentence": reading.sentence,
        "served": reading.served,
        "audited": reading.audited,
        "features": [_feature(one) for one in reading.features if one.mismatched],
        "not_comparable": dict(reading.not_comparable),
    }


def _feature(one: FeatureSkew) -> dict[str, object]:
    return {
        "feature": one.feature,
        "state": one.state,
        "compared": one.compared,
        "mismatched": one.mismatched,
        "rate": one.rate,
        "interval": [one.interval.low, one.interval.high],
    }
