"""Plans of bringing data in: what was found of each source and table, and what is to become of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from treadle.define.describe import definition_digest
from treadle.define.sources import Rows
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.datasets import DatasetManifest
from treadle.records.instants import Instant
from treadle.stages.data.arrivals import Merged
from treadle.stages.data.cursors import Cursor, Seen
from treadle.stages.data.incremental import Mark
from treadle.stages.data.places import DataPlace


@dataclass(slots=True)
class Plan:
    """What was found of one definition, and what is to become of it."""

    definition: Rows
    manifest: DatasetManifest | None
    cursor: Cursor | None
    stored: pl.DataFrame | None
    merged: Merged | None = None
    """None where nothing was read, so that what is stored stays."""
    seen: Seen = None
    marks: dict[str, Mark] | None = None
    """Of a table: what it has seen of its inputs; None leaves what was noted before."""
    because: str | None = None
    """Of a table: why it is built."""

    @property
    def rows(self) -> pl.DataFrame:
        """The rows as they will be."""
        if self.merged is not None:
            return self.merged.rows
        assert self.stored is not None
        return self.stored

    @property
    def changed(self) -> bool:
        """Whether rows have to be written."""
        torn = self.cursor is not None and self.cursor.pending
        return torn or self.stored is None or (self.merged is not None and self.merged.changed)

    @property
    def same(self) -> bool:
        """Whether the definition is the one that the stored rows are of."""
        return self.cursor is not None and self.cursor.definition == definition_digest(self.definition)

    @property
    def ready(self) -> bool:
        """Whether there are rows, stored or new."""
        return self.merged is not None or self.stored is not None

    @property
    def replaced(self) -> int:
        """How often stored rows were replaced or removed, this time included."""
        before = 0 if self.cursor is None else self.cursor.replaced
        return before + (self.merged is not None and self.merged.replaces)


@dataclass(slots=True)
class Work:
    """The stores, and what has been planned so far."""

    tables: Tables
    metadata: Metadata
    at: Instant
    place: DataPlace
    plans: dict[str, Plan] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
