"""Training frames: feature vectors with their labels, times and keys, and the matrix a model learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from treadle.records.instants import Instant

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

AT = "__at"
KNOWN_AT = "__known_at"
LABEL = "__label"


@dataclass(frozen=True)
class Frame:
    """Rows to learn from or to be judged on.

    `rows` holds the features under their names, then `__at` (prediction time T) and `__known_at` (when the label became
    known) as instants, `__label` as 0.0/1.0, and the request's other fields for slicing. Rows are ordered by T.
    """

    rows: pl.DataFrame
    features: tuple[str, ...]
    categories: tuple[str, ...] = ()
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values of each category in code order; empty until a frame is chosen to learn from."""
    until: Instant = 0
    """Every label in the frame was known before this instant."""

    def __len__(self) -> int:
        return self.rows.height

    @cached_property
    def X(self) -> npt.NDArray[np.float64]:  # noqa: N802  # the field's own name for it
        """The feature matrix, float64 of shape (rows, features); categories as codes, NaN for "no value"."""
        return matrix(self.rows, self.features, self.learned.vocabularies)

    @cached_property
    def y(self) -> npt.NDArray[np.float64]:
        """The labels, 0.0 or 1.0, shape (rows,)."""
        return self.rows[LABEL].to_numpy()

    @property
    def categorical(self) -> list[bool]:
        """For each feature, whether it is a category; what scikit-learn takes as `categorical_features`."""
        return [name in self.categories for name in self.features]

    @cached_property
    def learned(self) -> Frame:
        """The frame with vocabularies: its own, or those of its rows (sorted values) when it has none."""
        if self.vocabularies or not self.categories:
            return self
        found = {
            name: tuple(self.rows[name].drop_nulls().unique().sort().to_list()) for name in self.categories
        }
        return replace(self, vocabularies=found)

    def where(self, condition: pl.Expr) -> Frame:
        """Return the frame with only the rows that meet a condition."""
        return replace(self, rows=self.rows.filter(condition))


def matrix(
    rows: pl.DataFrame, features: tuple[str, ...], vocabularies: Mapping[str, tuple[str, ...]]
) -> npt.NDArray[np.float64]:
    """Return raw feature rows as a model's matrix, float64 of shape (rows, features).

    A category's value becomes its position in the vocabulary; a value that is not in it, like a missing one, is NaN.
    """
    import polars as pl  # heavy: loads when rows are there

    columns = []
    for name in features:
        if name in vocabularies:
            values = vocabularies[name]
            codes = [float(code) for code in range(len(values))]
            column = pl.col(name).replace_strict(list(values), codes, default=None, return_dtype=pl.Float64)
        else:
            column = pl.col(name).cast(pl.Float64)
        columns.append(column.fill_null(float("nan")))
    # Row-major: one row is one request, and scikit-learn and ONNX Runtime both read rows.
    return rows.select(columns).to_numpy(order="c")
