"""Sources and tables: where rows come from and when they are known.

Four times, never merged: `event_time` (when the fact was true), `created_time` (when this version of it was stored),
`known_at` (when it can be used, never before the other two) and a row's own prediction time T, which belongs to requests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from treadle.define.names import duplicates, name_fault, type_faults
from treadle.records.errors import InvalidInput
from treadle.records.instants import Duration, duration

if TYPE_CHECKING:
    import polars as pl

    Build: TypeAlias = Callable[..., pl.LazyFrame]


@dataclass(frozen=True, slots=True)
class Timing:
    """When the rows of a source or table are true and when they are known.

    `known_at` of a row is the greatest of: event time + `known_after`, the created time if there is one, and the
    `known_at` column if there is one. Without an event time the rows are timeless: always true, always known.
    """

    event_time: str | None = None
    known_after: Duration = 0
    known_at: str | None = None
    created_time: str | None = None
    tombstone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows as they come from outside, with the columns they must have.

    Build one with `Source.parquet`. Reading refuses the whole source, naming every fault, when a column is missing, has
    another type, holds times without a zone, or when `unique` rows repeat.
    """

    name: str
    path: str
    columns: Mapping[str, str]
    timing: Timing = Timing()
    zone: str | None = None
    unique: tuple[str, ...] = ()
    description: str = ""

    @classmethod
    def parquet(
        cls,
        name: str,
        *,
        path: str,
        columns: Mapping[str, str],
        event_time: str | None = None,
        known_after: str | int = 0,
        known_at: str | None = None,
        created_time: str | None = None,
        tombstone: str | None = None,
        zone: str | None = None,
        unique: Sequence[str] = (),
        description: str = "",
    ) -> Source:
        """Define a source of Parquet rows.

        Args:
            name: the source's name; tables and views refer to it.
            path: file, or folder of files, relative to the data folder that a command is given.
            columns: the columns that are needed and their types (`float`, `int`, `string`, `bool`, `time`); others are
                ignored. `time` columns are zoned timestamps or ISO 8601 text with an offset.
            event_time: the column that says when the row was true; without one the rows are timeless.
            known_after: how long after the event time a row becomes known, e.g. `"10m"`.
            known_at: a column that says when the row became known, if the data has one.
            created_time: a column that says when this version of the row was stored, if the data has one.
            tombstone: a boolean column; a true row hides the earlier rows of its key.
            zone: the zone of times that carry none; without it such times are refused.
            unique: the columns that together identify a row.
            description: one sentence for people.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        timing = Timing(event_time, duration(known_after), known_at, created_time, tombstone)
        faults = [fault for fault in [name_fault("source", name)] if fault]
        faults += type_faults(f"source {name!r}", columns)
        faults += _timing_faults(f"source {name!r}", timing, columns)
        faults += [
            f"source {name!r}: unique column {c!r} is not in columns" for c in unique if c not in columns
        ]
        if faults:
            raise InvalidInput("the source cannot be defined", faults=faults)
        return cls(
            name=name,
            path=path,
            columns=dict(columns),
            timing=timing,
            zone=zone,
            unique=tuple(unique),
            description=description,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows computed from sources by a plain function over Polars lazy frames; made with `@table`."""

    name: str
    build: Build = field(compare=False)
    inputs: tuple[str, ...]
    columns: Mapping[str, str]
    timing: Timing = Timing()
    unique: tuple[str, ...] = ()
    description: str = ""


def table(
    *,
    columns: Mapping[str, str],
    event_time: str | None = None,
    known_after: str | int = 0,
    known_at: str | None = None,
    created_time: str | None = None,
    tombstone: str | None = None,
    unique: Sequence[str] = (),
) -> Callable[[Build], Table]:
    """Make a table of a function whose parameters are named after the sources (or tables) it reads.

    The function gets one `polars.LazyFrame` per parameter and returns a lazy frame that has at least `columns`.

    Raises:
        InvalidInput: the definition contradicts itself; every fault is listed.
    """

    def decorate(build: Build) -> Table:
        name = build.__name__
        timing = Timing(event_time, duration(known_after), known_at, created_time, tombstone)
        inputs = tuple(inspect.signature(build).parameters)
        faults = [fault for fault in [name_fault("table", name)] if fault]
        faults += type_faults(f"table {name!r}", columns)
        faults += _timing_faults(f"table {name!r}", timing, columns)
        faults += [
            f"table {name!r}: unique column {c!r} is not in columns" for c in unique if c not in columns
        ]
        if not inputs:
            faults.append(f"table {name!r} reads no source: name its sources as parameters")
        if faults:
            raise InvalidInput("the table cannot be defined", faults=faults)
        return Table(
            name=name,
            build=build,
            inputs=inputs,
            columns=dict(columns),
            timing=timing,
            unique=tuple(unique),
            description=inspect.getdoc(build) or "",
        )

    return decorate


Rows: TypeAlias = Source | Table
"""Anything a view, labels or requests can be defined on."""


def _timing_faults(owner: str, timing: Timing, columns: Mapping[str, str]) -> list[str]:
    faults = []
    for role in ("event_time", "known_at", "created_time"):
        column = getattr(timing, role)
        if column is not None and columns.get(column) != "time":
            faults.append(f"{owner}: {role} column {column!r} must be listed in columns with type 'time'")
    if timing.tombstone is not None and columns.get(timing.tombstone) != "bool":
        faults.append(
            f"{owner}: tombstone column {timing.tombstone!r} must be listed in columns with type 'bool'"
        )
    if timing.event_time is None and (timing.known_after or timing.known_at or timing.created_time):
        faults.append(f"{owner}: known_after, known_at and created_time need an event_time")
    faults += [
        f"{owner}: {c!r} is reserved (names starting with __ are ours)" for c in columns if c.startswith("__")
    ]
    faults += [f"{owner} lists column {c!r} twice" for c in duplicates(columns)]
    return faults
