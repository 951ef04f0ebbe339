"""A block of rows, and how a row in it is found again: by its number in the data, or by the key it was given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.records.frequent_items import RowId
from treadle.records.profiles import EXAMPLES
from treadle.records.sketch_hashes import Hashes, hash_integers, hash_texts

Places = NDArray[np.int64]
"""Places of rows in a block, ascending."""


@dataclass(frozen=True)
class Rows:
    """The rows of a block.

    Attributes:
        start: number of the first row in the data.
        ids: the rows' keys, if rows are named by a key; text or integers.
    """

    start: int
    ids: pl.Series | None = None

    def id(self, place: int) -> RowId:
        """Return the id of the row at a place."""
        if self.ids is None:
            return self.start + int(place)
        found: RowId = self.ids[int(place)]
        return found

    def hashes(self, places: Places) -> Hashes:
        """Return the hashes that draw examples among the rows at these places."""
        if self.ids is None:
            return hash_integers(places + self.start)
        picked = self.ids.gather(places)
        if picked.dtype == pl.String:
            return hash_texts(picked.to_list())
        return hash_integers(picked.to_numpy().astype(np.int64))

    def drawn(self, places: Places) -> tuple[RowId, ...]:
        """Return the ids of five rows, drawn by hash."""
        hashes = self.hashes(places)
        if len(places) > EXAMPLES:
            limit = np.partition(hashes, EXAMPLES - 1)[EXAMPLES - 1]
            places = places[hashes <= limit]
        return tuple(self.id(int(place)) for place in places)
