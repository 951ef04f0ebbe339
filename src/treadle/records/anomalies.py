"""Anomalies: what a validation found, how much of it, in which rows, and how to accept it.

What kinds there are stands in `treadle.records.anomaly_kinds`.
"""

from __future__ import annotations

from enum import StrEnum

from treadle.records.digests import Digest
from treadle.records.frequent_items import RowId
from treadle.records.record import Record


class Severity(StrEnum):
    """What an anomaly does: `stop` ends the pipeline or refuses the batch, `warn` and `info` are only told."""

    STOP = "stop"
    WARN = "warn"
    INFO = "info"


class Nature(StrEnum):
    """What an anomaly says about the data. The natures lead to different actions, so they are never merged."""

    BROKEN = "broken"
    """The data are not what the schema says: nothing may be learned from them."""
    CHANGED = "changed"
    """The data keep the schema, and their values are distributed otherwise: a reason to train again."""
    LEAKED = "leaked"
    """The data know what a request could not have known: what is learned from them is worth nothing."""
    UNKNOWN = "unknown"
    """A rule could not be checked: there was not enough to go by."""


class Amendment(Record, frozen=True):
    """A line of a schema file that makes a schema accept what was found."""

    table: str
    """The table's heading without its brackets: `columns.price`, `rows`, `keys[0]` for the first `[[keys]]`."""
    key: str
    value: str
    """The value as the file writes it."""

    def __str__(self) -> str:
        head = f"[{self.table}] " if self.table else ""
        return f"{head}{self.key} = {self.value}"


class Anomaly(Record, frozen=True, kw_only=True):
    """One way in which data are not what their schema says, or not what they were."""

    kind: str
    """A name in `KINDS`."""
    nature: Nature
    severity: Severity
    where: str
    """The column, columns, rule or data set it is about."""
    what: str
    """One sentence for people."""
    rule: str = ""
    """The schema's key that was broken, such as `max`."""
    count: int | None = None
    """How many rows (or values) are concerned; None where it is not a matter of rows."""
    of: int | None = None
    """Out of how many."""
    exact: bool = True
    """Whether the count was counted; a sketch's count may be off by its rank error."""
    values: tuple[str, ...] = ()
    """Some of the offending values, the most frequent or the most extreme first."""
    examples: tuple[RowId, ...] = ()
    """Ids of some of the rows: their numbers, or the keys that were asked for."""
    against: str | None = None
    """What the data were compared with: `previous` or `training`."""
    accept: tuple[Amendment, ...] = ()
    """What to write into the schema if the data are right and the schema is not."""

    @property
    def fraction(self) -> float | None:
        """The share of rows concerned, 0 to 1."""
        return None if self.count is None or not self.of else self.count / self.of

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.values:
            text += f", e.g. {', '.join(self.values)}"
        if self.examples:
            text += f" (rows {', '.join(map(str, self.examples))})"
        if self.accept:
            text += f"; to accept it: {'; '.join(map(str, self.accept))}"
        return text


class Validation(Record, frozen=True, kw_only=True):
    """What came of holding data against a schema: two verdicts that lead to different actions.

    `broken` is the verdict on the schema: a pipeline stops, a batch is refused. `changed` is the verdict on the values:
    an event that may start a training.
    """

    schema: str
    schema_digest: Digest
    environment: str
    rows: int
    anomalies: tuple[Anomaly, ...] = ()

    @property
    def stops(self) -> tuple[Anomaly, ...]:
        """The anomalies that end a pipeline or refuse a batch."""
        return tuple(found for found in self.anomalies if found.severity is Severity.STOP)

    @property
    def broken(self) -> bool:
        """Whether the data must not be used."""
        return bool(self.stops)

    @property
    def changes(self) -> tuple[Anomaly, ...]:
        """The significant changes of values."""
        return tuple(found for found in self.anomalies if found.nature is Nature.CHANGED)

    @property
    def changed(self) -> bool:
        """Whether values have changed significantly; says nothing about the schema."""
        return bool(self.changes)
