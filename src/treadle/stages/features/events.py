"""The canonical columns of stored rows (see `records/rows.py`) as arrays, and times as ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.rows import CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Times:
    """The canonical columns of some rows as arrays of shape (rows,)."""

    event_time: Ints
    known_at: Ints
    created_time: Ints
    row: Ints
    tombstone: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Times:
        """Take the canonical columns out of stored rows."""
        return cls(
            rows[EVENT_TIME].to_numpy(),
            rows[KNOWN_AT].to_numpy(),
            rows[CREATED_TIME].to_numpy(),
            rows[ROW].to_numpy(),
            rows[TOMBSTONE].to_numpy(),
        )


@dataclass(frozen=True, slots=True)
class TimeRanks:
    """Times as ranks among the distinct times of a table, so that (key, time) packs into one sortable integer."""

    times: Ints

    @classmethod
    def of(cls, times: Ints) -> TimeRanks:
        """Rank the distinct times."""
        return cls(np.unique(times))

    def pack(self, codes: Ints, ranks: Ints) -> Ints:
        """Return code and rank as one integer that sorts by code, then rank."""
        return codes * np.int64(len(self.times) + 1) + ranks

    def of_known(self, times: Ints) -> Ints:
        """Return the rank of times that are in the table."""
        return np.searchsorted(self.times, times, "left").astype(np.int64)

    def below(self, times: Ints) -> Ints:
        """Return how many distinct times are before each given time."""
        return np.searchsorted(self.times, times, "left").astype(np.int64)

    def up_to(self, times: Ints) -> Ints:
        """Return how many distinct times are at or before each given time."""
        return np.searchsorted(self.times, times, "right").astype(np.int64)
