"""A bounded sample of whole rows, the same however they come in batches: for what sketches of single columns cannot say.

It is never stored with a profile: it holds people's rows.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from treadle.records.sketch_hashes import hash_integers

MOST_ROWS = 10_000
ROW = "__sampled_row"
"""The number of a sampled row in the data."""
_HASH = "__sampled_hash"


class RowSample:
    """The rows with the smallest hashes of their numbers: uniform, and without a random state.

    Memory: twice `size` rows.
    """

    def __init__(self, size: int = MOST_ROWS) -> None:
        self._size = size
        self._kept: pl.DataFrame | None = None
        self._limit: int | None = None
        self._rows = 0

    def add(self, batch: pl.DataFrame) -> None:
        """Take rows in."""
        numbers = np.arange(self._rows, self._rows + batch.height, dtype=np.int64)
        self._rows += batch.height
        hashes = hash_integers(numbers)
        if self._limit is not None:
            found = np.flatnonzero(hashes < np.uint64(self._limit))
            batch, numbers, hashes = batch[found], numbers[found], hashes[found]
        fresh = batch.with_columns(pl.Series(ROW, numbers), pl.Series(_HASH, hashes))
        kept = fresh if self._kept is None else pl.concat([self._kept, fresh], how="diagonal_relaxed")
        if kept.height > self._size:
            kept = kept.bottom_k(self._size, by=_HASH)
            self._limit = int(kept[_HASH].max())  # type: ignore[arg-type]  # of a column of integers that has rows
        self._kept = kept

    def rows(self) -> pl.DataFrame:
        """Return the sampled rows in the order of the data, with their numbers in `ROW`."""
        if self._kept is None:
            return pl.DataFrame(schema={ROW: pl.Int64})
        return self._kept.sort(ROW).drop(_HASH)
