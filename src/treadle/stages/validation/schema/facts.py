"""Facts: what is known of data, rule by rule, whether it came from a profile or from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.records.frequent_items import RowId, Value
from treadle.records.instants import Instant

NULLS = "null"
"""The type of a column without any value whose type nobody knows."""

EXAMPLES = 5
"""Example rows and values of an anomaly, unless asked for otherwise."""


@dataclass(frozen=True, slots=True)
class Breach:
    """How a rule was broken."""

    count: int | None
    """Values (rows) that break it; None: some, nobody counted how many."""
    of: int
    """Out of how many."""
    exact: bool = True
    values: tuple[Value, ...] = ()
    """Some of the offending values, the worst or most frequent first."""
    examples: tuple[RowId, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What is known of a column."""

    type: str
    """A `ColumnType`, or `null`."""
    dtype: str
    """The type as the data call it, for people."""
    rows: int
    present: int
    """Rows that have a value; NaN is none."""
    checked: frozenset[str] = frozenset()
    """The rules that could be checked."""
    breaches: Mapping[str, Breach] = field(default_factory=dict)
    """Of the rules checked, those that were broken."""
    distinct: float | None = None
    distinct_exact: bool = True
    longest_run: tuple[int, Value, RowId | None] | None = None
    hours: tuple[int, ...] | None = None
    """Values in each hour of the day, UTC."""


@dataclass(frozen=True, slots=True)
class TableBreach:
    """How a rule over several columns was broken, by the kind of anomaly it makes."""

    table: str
    place: int
    kind: str
    breach: Breach


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a data set."""

    rows: int
    columns: Mapping[str, ColumnFacts]
    checked: frozenset[tuple[str, int]] = frozenset()
    """The tables of the schema (`("keys", 0)`) whose rules could be checked."""
    breaches: tuple[TableBreach, ...] = ()
    newest: Instant | None = None
    """The newest event time."""
    duplicates: int | None = None
    """Rows that repeat another row whole."""


def type_of(kind: str, dtype: str) -> str:
    """Return the schema's type of a column that Polars says is of a dtype, for what profiles call other. Pure."""
    if kind != "other":
        return kind
    name = dtype.partition("(")[0]
    return {
        "Duration": "duration",
        "Time": "duration",
        "Binary": "binary",
        "List": "list",
        "Array": "list",
        "Struct": "struct",
        "Null": NULLS,
    }.get(name, "struct")
