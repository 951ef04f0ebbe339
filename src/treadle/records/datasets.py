"""Dataset versions: what data there was, by content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.records.digests import Digest
from treadle.records.instants import Instant


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """One version of a dataset, by name."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetManifest:
    """One immutable version of a dataset and where it came from."""

    name: str
    version: int
    """Counts from 1 for each name; never reused."""
    schema_hash: Digest
    content_hash: Digest
    rows: int
    parents: tuple[DatasetRef, ...] = ()
    code_digest: Digest | None = None
    """Digest of the code that made it; None for data that came from outside."""
    created: Instant
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> DatasetRef:
        """The name and version alone."""
        return DatasetRef(self.name, self.version)
