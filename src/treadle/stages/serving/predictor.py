"""The predictor: one model version bound to its features; immutable, so that a swap is one assignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from treadle.records.instants import Instant
from treadle.records.predictions import Prediction, Value

NAN = float("nan")


class Predictor:
    """Answers requests with one version of a model.

    Args:
        endpoint: the endpoint's name.
        model: the registered model's name.
        version: the version that answers.
        vector: `(online snapshot, fields, at)` → raw features in the model's order.
        wanted: `fields` → the views and keys that `vector` will read.
        score: the model: features as floats → probability.
        names: the features' names in order.
        vocabularies: for each categorical feature, its values in code order.
    """

    def __init__(
        self,
        *,
        endpoint: str,
        model: str,
        version: int,
        vector: Callable[..., list[Value]],
        wanted: Callable[[Sequence[Value]], list[tuple[str, bytes]]] = lambda fields: [],
        score: Callable[[list[float]], float],
        names: Sequence[str],
        vocabularies: Mapping[str, Sequence[str]],
    ) -> None:
        self.endpoint = endpoint
        self.model = model
        self.version = version
        self.names = tuple(names)
        self.wanted = wanted
        self._vector = vector
        self._score = score
        self._codes: tuple[dict[str, float] | None, ...] = tuple(
            {value: float(code) for code, value in enumerate(vocabularies[name])}
            if name in vocabularies
            else None
            for name in self.names
        )

    def predict(self, online: object, fields: Sequence[Value], at: Instant, prediction_id: str) -> Prediction:
        """Answer one request.

        Args:
            online: a snapshot of the online store.
            fields: the request's fields, conforming, in the feature set's order.
            at: the prediction time T.
            prediction_id: under which the answer is logged.
        """
        features = self._vector(online, fields, at)
        score = self._score(self.encode(features))
        return Prediction(
            prediction_id, at, self.endpoint, self.model, self.version, list(fields), features, score
        )

    def encode(self, features: Sequence[Value]) -> list[float]:
        """Return raw features as the model's floats: codes for categories, NaN for missing and unknown."""
        return [
            NAN if value is None else (codes.get(value, NAN) if codes is not None else value)  # type: ignore[misc, arg-type]
            for value, codes in zip(features, self._codes, strict=True)
        ]
