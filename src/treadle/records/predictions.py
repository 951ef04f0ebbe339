"""Predictions: what was asked, with which features, of which version, and what it answered."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from treadle.records.instants import Instant

Value: TypeAlias = bool | int | float | str | None
"""A request field or raw feature: numbers, text, instants as integers, None for "no value"."""


class Prediction(msgspec.Struct, frozen=True, array_like=True):
    """One answered request, whole: enough to explain it and to compute it again."""

    prediction_id: str
    at: Instant
    """The prediction time T."""
    endpoint: str
    model: str
    version: int
    fields: list[Value]
    """Request fields in the order of the feature set's `request`."""
    features: list[Value]
    """Raw features in the order of the feature set's `names`."""
    score: float


encode_prediction = msgspec.msgpack.Encoder().encode
"""A prediction as the bytes that go to the prediction log."""

decode_prediction = msgspec.msgpack.Decoder(Prediction).decode
"""The prediction that log bytes hold."""
