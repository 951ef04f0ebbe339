"""Dataset manifests: numbered, immutable, with parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from treadle.records.datasets import DatasetManifest, DatasetRef
from treadle.records.digests import Digest
from treadle.records.instants import Instant


class DatasetsView(Protocol):
    """What can be asked about datasets."""

    def get(self, name: str, version: int | None = None) -> DatasetManifest:
        """Return a version, the newest unless one is named. `NotFound` if there is none."""
        ...

    def find(self, name: str, content_hash: Digest) -> DatasetManifest | None:
        """Return the newest version of that name with that content."""
        ...

    def names(self) -> tuple[str, ...]:
        """Return the names of all datasets, sorted."""
        ...

    def versions(self, name: str, *, limit: int = 1_000) -> tuple[DatasetManifest, ...]:
        """Return the versions of a name, the newest first; () for an unknown name."""
        ...

    def children(self, ref: DatasetRef) -> tuple[DatasetRef, ...]:
        """Return what was made from a version directly, ordered by name and version."""
        ...


class Datasets(DatasetsView, Protocol):
    """What can be done to datasets."""

    def register(
        self,
        name: str,
        at: Instant,
        *,
        schema_hash: Digest,
        content_hash: Digest,
        rows: int,
        parents: Sequence[DatasetRef] = (),
        code_digest: Digest | None = None,
        tags: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> DatasetManifest:
        """Add the next version of a dataset: highest so far + 1. Event `dataset.created`.

        Raises:
            NotFound: a parent is not registered.
            InvalidInput: the name is empty or longer than 500 characters, or `rows` is negative.
        """
        ...

    def set_tag(self, name: str, version: int, tag: str, value: str, at: Instant) -> None:
        """Set or overwrite a tag. Event `dataset.tagged`."""
        ...

    def delete_tag(self, name: str, version: int, tag: str, at: Instant) -> None:
        """Remove a tag; one that is not there is removed already. Event `dataset.untagged`, if it was there."""
        ...
