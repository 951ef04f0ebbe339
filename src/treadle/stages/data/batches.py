"""Batches: what one reading of a source brought, before it meets what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import polars as pl

from treadle.stages.data.cursors import FileSeen, Seen


@dataclass(frozen=True, slots=True)
class Batch:
    """Conforming rows of one reading, and what has been seen of the source with them."""

    rows: pl.DataFrame
    whole: bool = False
    """These are all rows of the source; what is stored and not among them is gone."""
    seen: Seen = None
    overlap: pl.Expr | None = None
    """The stored rows that this reading may have read again; None when it read none again."""
    said: tuple[str, ...] = ()
    """Sentences about what was done, for people."""

    @classmethod
    def none(cls) -> Batch:
        """Return the batch of a reading that brought nothing."""
        return cls(pl.DataFrame())

    @property
    def files(self) -> list[FileSeen]:
        """The files that were read."""
        return self.seen if isinstance(self.seen, list) else []

    @property
    def empty(self) -> bool:
        """Whether nothing was read, so that what is stored stays as it is."""
        return not self.whole and self.rows.height == 0

    def having_seen(self, seen: Seen) -> Batch:
        """Return the batch with another mark of what was seen."""
        return replace(self, seen=seen)

    def saying(self, said: Sequence[str]) -> Batch:
        """Return the batch with further sentences."""
        return replace(self, said=(*self.said, *said))


Read: TypeAlias = tuple[Batch, list[str]]
"""A batch and the faults found; with faults the batch is not to be used."""
