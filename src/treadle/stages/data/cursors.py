"""Cursors: what was seen of each source, so that the next reading takes what is new and nothing twice.

A cursor says what was seen, never when. It is saved in the unit of work that registers the rows it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

import msgspec

from treadle.ports.metadata import View
from treadle.records.digests import Digest, Json
from treadle.records.errors import Corrupt

PREFIX = "source:"
"""Before a source's or table's name: the checkpoint that holds its cursor."""

Mark: TypeAlias = int | float | str | datetime
"""A watermark as the database holds it."""


class FileSeen(msgspec.Struct, frozen=True, array_like=True):
    """A file whose rows are stored."""

    path: str
    size: int
    stamp: str
    digest: Digest


class MarkSeen(msgspec.Struct, frozen=True):
    """The greatest watermark among the rows that are stored."""

    kind: str
    """`int`, `float`, `str` or `datetime`."""
    value: int | float | str

    @classmethod
    def of(cls, mark: Mark) -> MarkSeen:
        """Return it in a form that JSON has."""
        if isinstance(mark, datetime):
            return cls("datetime", mark.isoformat())
        return cls(type(mark).__name__, mark)

    @property
    def mark(self) -> Mark:
        """As the database holds it."""
        return datetime.fromisoformat(str(self.value)) if self.kind == "datetime" else self.value


class DeltaSeen(msgspec.Struct, frozen=True):
    """The version of a Delta table whose rows are stored."""

    id: str
    version: int
    files: list[str]


Seen: TypeAlias = list[FileSeen] | MarkSeen | DeltaSeen | None
"""What was seen of an origin; None says that only reading all of it tells what is new."""


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a source was read, or a table was built."""

    definition: Digest
    """Of the source or table: another definition is read from the beginning."""
    next_row: int
    """Greater than the number of any row loaded so far; numbers are never given twice."""
    history: int
    """Rows with lesser numbers were there at the first load; the others arrived later."""
    files: list[FileSeen] | None = None
    mark: MarkSeen | None = None
    delta: DeltaSeen | None = None
    inputs: dict[str, int] | None = None
    """The dataset versions that a table was built from."""
    sums: tuple[int, str, str] | None = None
    """Rows and sums of the loaded rows' hashes (`content_sums`), so that adding to them needs no look at the old ones."""
    replaced: int = 0
    """How often stored rows were replaced or removed; while it stays, rows were only added."""
    marks: dict[str, tuple[int, int, int]] | None = None
    """What a table that is built by parts has seen of each input: `replaced` of it, and the next loaded and pushed row."""
    pending: bool = False
    """A write had begun: what the table's newest version holds beyond the registered one does not count."""

    def having_seen(self, seen: Seen) -> Cursor:
        """Return the cursor with another mark of what was seen of the origin."""
        return msgspec.structs.replace(
            self,
            files=seen if isinstance(seen, list) else None,
            mark=seen if isinstance(seen, MarkSeen) else None,
            delta=seen if isinstance(seen, DeltaSeen) else None,
        )

    @property
    def seen(self) -> Seen:
        """What was seen of the origin."""
        return self.files if self.files is not None else self.mark or self.delta

    def as_json(self) -> Json:
        """Return the form that a checkpoint holds."""
        plain: Json = msgspec.to_builtins(self)
        return plain


def read_cursors(view: View, names: list[str]) -> Mapping[str, Cursor]:
    """Return the saved cursors by name.

    Raises:
        Corrupt: one of them cannot be read.
    """
    found = {}
    for name in names:
        saved = view.checkpoints.get(PREFIX + name)
        if saved is None:
            continue
        try:
            found[name] = msgspec.convert(saved.value, Cursor)
        except msgspec.ValidationError as error:
            raise Corrupt(
                f"what was seen of source {name!r} cannot be read: {error}",
                fix="use the newest treadle that has worked on this home",
            ) from error
    return found
