"""Two versions of data held against each other: columns, rows, keys, and how far each column's values have moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.ports.tables import Tables
from treadle.records.datasets import DatasetManifest
from treadle.records.digests import Json
from treadle.records.profile_distances import ProfileComparison, compare
from treadle.stages.data.differences import (
    PART,
    KeyDifference,
    SchemaDifference,
    key_difference,
    schema_difference,
)
from treadle.stages.data.versions import version_rows
from treadle.stages.validation.profile.builder import profile_frame


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDifference:
    """How a version of data differs from another."""

    before: DatasetManifest
    now: DatasetManifest
    same_content: bool
    """Whether the content hashes say that all rows are the same; then nothing else was looked at."""
    schema: SchemaDifference
    keys: KeyDifference | None = None
    """None where the content is the same, or no columns identify a row."""
    profile: ProfileComparison | None = None

    def as_json(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "before": str(self.before.ref),
            "now": str(self.now.ref),
            "rows": {"before": self.before.rows, "now": self.now.rows},
            "same_content": self.same_content,
            "schema": self.schema.as_json(),
            "keys": None if self.keys is None else self.keys.as_json(),
            "profile": None if self.profile is None else self.profile.as_json(),
        }


def compare_versions(
    tables: Tables,
    before: DatasetManifest,
    now: DatasetManifest,
    *,
    unique: Sequence[str] = (),
    profile: bool = True,
    part: int = PART,
) -> DataDifference:
    """Return how one version of data differs from another.

    Args:
        tables: the home's.
        before: the version to compare with.
        now: the version that is compared.
        unique: the columns that identify a row; by default those that the newer manifest notes.
        profile: whether to tell how far the values of each column have moved.
        part: about how many rows are held in memory at a time.

    Raises:
        NotFound: a version's rows have been removed, or it has no such columns.
        InvalidInput: the keys are of different types.
    """
    old, new = version_rows(tables, before), version_rows(tables, now)
    schema = schema_difference(old.collect_schema(), new.collect_schema())
    if before.content_hash == now.content_hash:
        return DataDifference(before=before, now=now, same_content=True, schema=schema)
    keys = tuple(unique) or now.unique or before.unique
    return DataDifference(
        before=before,
        now=now,
        same_content=False,
        schema=schema,
        keys=key_difference(old, new, keys, rows=before.rows + now.rows, part=part) if keys else None,
        profile=compare(profile_frame(old, before.name), profile_frame(new, now.name)) if profile else None,
    )
