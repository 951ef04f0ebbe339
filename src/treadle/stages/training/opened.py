"""An opened model: what serving, evaluation and gates ask of a packaged model, by feature name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.errors import TreadleError
from treadle.records.frames import matrix
from treadle.records.trained import Model
from treadle.stages.training.runtime import Runtime


class OpenedModel:
    """A packaged model, loaded."""

    def __init__(self, model: Model) -> None:
        self._runtime = Runtime(model.package, model.data)
        self.package = model.package

    @property
    def names(self) -> tuple[str, ...]:
        """The features in the model's order."""
        return tuple(feature.name for feature in self.package.features)

    @property
    def vocabularies(self) -> Mapping[str, tuple[str, ...]]:
        """For each categorical feature its values in code order."""
        return {f.name: f.categories for f in self.package.features if f.kind == "categorical"}

    def encode(self, rows: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Return raw feature rows as the model's matrix, float64 of shape (rows, features)."""
        return matrix(rows, self.names, self.vocabularies)

    def score(self, rows: pl.DataFrame) -> npt.NDArray[np.float64]:
        """Return the answers to rows of raw features, shape (rows,)."""
        return self._runtime.score(self.encode(rows))

    def score_one(self, values: Sequence[float]) -> float:
        """Return the answer to one encoded row."""
        return self._runtime.score_one(values)

    def score_matrix(self, encoded: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the answers to encoded rows, shape (rows,)."""
        return self._runtime.score(encoded)

    def check(self) -> dict[str, bool | str]:
        """Replay the golden requests and say whether the answers are those of training."""
        golden, parity = len(self.package.golden), self.package.parity
        try:
            self._runtime.verify()
        except TreadleError as error:
            return {"ok": False, "detail": "; ".join([error.what, *error.faults[:3]])}
        return {
            "ok": True,
            "detail": f"{golden} recorded requests answered as in training; export and trained model differ by at most "
            f"{parity.max_abs_difference:.2g} on {parity.rows + parity.probes:,} rows",
        }


def open_model(model: Model) -> OpenedModel:
    """Load a packaged model.

    Raises:
        Corrupt: the bytes are not those of the manifest, or cannot be loaded.
        NotReady: ONNX Runtime is not installed.
    """
    return OpenedModel(model)
