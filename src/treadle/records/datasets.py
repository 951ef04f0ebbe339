"""Dataset versions: what data there was, by content."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.records.digests import Digest
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant

TAG = "tag:"
"""Before a tag that a person gave, so that it is told from the facts below."""
TABLE_VERSION = "table_version"
"""The version of the table that has a dataset version's rows."""
UNIQUE = "unique"
"""The columns that identify a row, as a JSON list."""
BECAUSE = "because"
"""Why a version was made."""
DROPPED = "dropped"
"""When a version's rows were removed; what is known of it stays."""
LATEST = "latest"
_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}", re.ASCII)


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

    @property
    def table_version(self) -> int | None:
        """The version of the table that has the rows; None (the newest) where nothing is noted."""
        noted = self.tags.get(TABLE_VERSION)
        return None if noted is None else int(noted)

    @property
    def named(self) -> tuple[str, ...]:
        """The tags that people gave this version, sorted."""
        return tuple(sorted(key.removeprefix(TAG) for key in self.tags if key.startswith(TAG)))

    @property
    def unique(self) -> tuple[str, ...]:
        """The columns that identify a row, as they were declared when it was made; () for none."""
        found: list[str] = json.loads(self.tags.get(UNIQUE, "[]"))
        return tuple(found)

    @property
    def dropped(self) -> Instant | None:
        """When its rows were removed; None while they are there."""
        noted = self.tags.get(DROPPED)
        return None if noted is None else int(noted)


def check_tag(tag: str) -> str:
    """Return a tag's name when it is well formed: it is told from a version and from an instant by its first letter.

    Raises:
        InvalidInput: it is not a letter followed by letters, digits, `_`, `.` and `-`, at most 100; or it is `latest`.
    """
    if _TAG_NAME.fullmatch(tag) is None or tag == LATEST:
        raise InvalidInput(
            f"{tag[:80]!r} cannot be a tag",
            fix="begin with a letter and go on with letters, digits, _ . and -, at most 100; "
            "'latest' always means the newest version",
        )
    return tag
