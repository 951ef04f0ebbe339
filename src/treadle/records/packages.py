"""Model packages: what a model's bytes need beside them to answer requests and to be believed.

The manifest is a value with a JSON form; the bytes lie under their own digest. Nothing in either can execute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from treadle.records.digests import Digest, digest_value
from treadle.records.errors import InvalidInput
from treadle.records.record import Record

FeatureKind: TypeAlias = Literal["numeric", "categorical"]

RawValue: TypeAlias = float | str | None
"""A feature before encoding: a number, a category's text, or None for missing."""

NAN = float("nan")


class PackagedFeature(Record, frozen=True, kw_only=True):
    """One column of a model's input."""

    name: str
    kind: FeatureKind
    categories: tuple[str, ...] = ()
    """Values of a categorical feature in code order: a value's code is its position."""


class ParityGap(Record, frozen=True, kw_only=True):
    """One row on which the trained and the packaged model differ."""

    row: int
    """Counts the given rows first, then the probe rows."""
    native: float
    packaged: float


class Parity(Record, frozen=True, kw_only=True):
    """How far a packaged model is from the trained one, on the same rows."""

    rows: int
    """Given rows compared."""
    probes: int
    """Rows made for the comparison: values at thresholds, every category, unknown ones, missing values."""
    max_abs_difference: float
    tolerance: float
    worst: tuple[ParityGap, ...] = ()
    """The rows with the largest differences above zero, the largest first."""

    @property
    def passed(self) -> bool:
        """Whether every row is within the tolerance."""
        return self.max_abs_difference <= self.tolerance


class GoldenRequest(Record, frozen=True, kw_only=True):
    """A request with the answer of the trained model, replayed wherever the package is loaded."""

    values: tuple[RawValue, ...]
    """Raw features in the package's order."""
    expected: float


class ModelPackage(Record, frozen=True, kw_only=True):
    """The manifest of a packaged model that answers one number a row."""

    format: Literal["onnx"] = "onnx"
    model: Digest
    """SHA-256 of the model's bytes."""
    size: int
    """How many bytes they are."""
    features: tuple[PackagedFeature, ...]
    """The columns of the model's input, in order."""
    output: str
    """Name of the graph's output."""
    framework: str
    framework_version: str
    estimator: str
    """Class of the trained model."""
    parity: Parity
    golden: tuple[GoldenRequest, ...]
    training_data: Digest
    created_from: str
    """Id of the run that trained it."""

    @property
    def digest(self) -> Digest:
        """The digest of the manifest, and through `model` of the bytes."""
        return digest_value(self.as_json())


def row_encoder(features: Sequence[PackagedFeature]) -> Callable[[Sequence[RawValue]], list[float]]:
    """Return the function from raw features to the model's floats.

    A category becomes its code; a missing value and a category outside the vocabulary become NaN.

    The function raises:
        InvalidInput: wrong number of values, text for a number or a number for a category; lists every fault.
    """
    codes = [
        None if f.kind == "numeric" else {value: float(i) for i, value in enumerate(f.categories)}
        for f in features
    ]

    def encode(values: Sequence[RawValue]) -> list[float]:
        if len(values) != len(codes):
            raise InvalidInput(
                f"the row has {len(values)} values, the model takes {len(codes)}",
                fix=f"give, in this order: {', '.join(f.name for f in features)}",
            )
        row: list[float] = []
        faults: list[str] = []
        for feature, value, vocabulary in zip(features, values, codes, strict=True):
            if value is None:
                row.append(NAN)
            elif vocabulary is not None and isinstance(value, str):
                row.append(vocabulary.get(value, NAN))
            elif vocabulary is None and not isinstance(value, str):
                row.append(float(value))
            else:
                faults.append(f"{feature.name} is {feature.kind}, got {value!r}")
        if faults:
            raise InvalidInput(
                "the row has values of the wrong kind",
                fix="give numbers for numeric features and text for categories; null is missing",
                faults=faults,
            )
        return row

    return encode
