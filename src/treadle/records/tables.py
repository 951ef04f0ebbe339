"""Table names and the commits of a table's history."""

from __future__ import annotations

import re
from dataclasses import dataclass

from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class TableCommit:
    """One version of a table: what made it, and when."""

    version: int
    at: Instant
    """When the writer's own clock said it committed; for people, never for point-in-time rules."""
    operation: str
    """The store's word for what happened, e.g. `WRITE`, `CREATE TABLE`, `OPTIMIZE`."""
    rows_added: int | None
    """Rows the commit wrote, when the store recorded it (a compaction writes rows it only moved)."""


@dataclass(frozen=True, slots=True)
class DroppedFiles:
    """What dropping versions freed."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: DroppedFiles) -> DroppedFiles:
        """Return what both freed."""
        return DroppedFiles(self.files + other.files, self.bytes + other.bytes)


def check_table_name(name: str) -> str:
    """Return the name when it is well formed: parts of `a-z 0-9 _ . -` joined by `/`.

    Each part starts with a letter or digit, so a name is also a safe relative path: no part can be empty,
    `.`, `..`, hidden or reserved (`_delta_log`).

    Raises:
        InvalidInput: the name is not of that form or has more than 200 characters.
    """
    if len(name) > _LONGEST_NAME or _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name[:80]!r} is not a table name",
            fix="use lower-case letters, digits, _ . and -, in parts joined by /, each part starting with a "
            f"letter or digit, at most {_LONGEST_NAME} characters",
        )
    return name
