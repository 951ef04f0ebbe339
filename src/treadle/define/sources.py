"""Sources and tables: where rows come from and when they are known.

Four times, never merged: `event_time` (when the fact was true), `created_time` (when this version of it was stored),
`known_at` (when it can be used, never before the other two) and a row's own prediction time T, which belongs to requests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from treadle.define.names import (
    duplicates,
    duration_or_fault,
    listed,
    name_fault,
    type_faults,
    zone_known,
)
from treadle.records.errors import InvalidInput
from treadle.records.instants import Duration

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
        unique: Sequence[str] | str = (),
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
            zone: the zone of times that carry none, e.g. `"Europe/Berlin"`; without it such times are refused. Of a local
                time that occurs twice, when clocks are set back, the later one is meant: nothing is known too early.
            unique: the columns that together identify a row (with corrections: `created_time` among them).
            description: one sentence for people.

        Raises:
            InvalidInput: the definition contradicts itself; every fault is listed.
        """
        owner = f"source {name!r}"
        delay, faults = duration_or_fault(owner, "known_after", known_after)
        timing = Timing(event_time, delay, known_at, created_time, tombstone)
        key = listed(unique)
        faults += _rows_faults("source", name, columns, timing, key)
        faults += [fault for fault in [_path_fault(owner, path), _zone_fault(owner, zone)] if fault]
        if faults:
            raise InvalidInput("the source cannot be defined", faults=faults)
        return cls(
            name=name,
            path=path,
            columns=dict(columns),
            timing=timing,
            zone=zone,
            unique=key,
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
    unique: Sequence[str] | str = (),
) -> Callable[[Build], Table]:
    """Make a table of a function whose parameters are named after the sources (or tables) it reads.

    The function gets one `polars.LazyFrame` per parameter and returns a lazy frame that has at least `columns`. Its inputs
    have their declared columns and types; times are zoned UTC. The other arguments mean what they mean for `Source.parquet`.

    Raises:
        InvalidInput: the definition contradicts itself; every fault is listed.
    """

    def decorate(build: Build) -> Table:
        name = getattr(build, "__name__", "?")
        owner = f"table {name!r}"
        delay, faults = duration_or_fault(owner, "known_after", known_after)
        timing = Timing(event_time, delay, known_at, created_time, tombstone)
        key = listed(unique)
        faults += _rows_faults("table", name, columns, timing, key)
        inputs, found = _inputs(owner, build)
        faults += found
        if faults:
            raise InvalidInput("the table cannot be defined", faults=faults)
        return Table(
            name=name,
            build=build,
            inputs=inputs,
            columns=dict(columns),
            timing=timing,
            unique=key,
            description=inspect.getdoc(build) or "",
        )

    return decorate


Rows: TypeAlias = Source | Table
"""Anything a view, labels or requests can be defined on."""


def reading_order(definitions: Sequence[Rows]) -> list[Rows]:
    """Return sources first, then tables, each after what it reads; otherwise in the order given.

    Raises:
        InvalidInput: tables read what is not there, or one another in a circle; every fault is listed.
    """
    ordered: list[Rows] = [d for d in definitions if isinstance(d, Source)]
    waiting = [d for d in definitions if isinstance(d, Table)]
    have = {d.name for d in ordered}
    known = {d.name for d in definitions}
    while ready := [table for table in waiting if have.issuperset(table.inputs)]:
        ordered += ready
        have.update(table.name for table in ready)
        waiting = [table for table in waiting if table.name not in have]
    faults = [
        f"table {table.name!r} reads {name!r}, which is not among the sources"
        for table in waiting
        for name in table.inputs
        if name not in known
    ]
    circle = _circle({table.name: table.inputs for table in waiting})
    if circle:
        faults.append(f"tables read one another in a circle: {' reads '.join(map(repr, circle))}")
    if faults:
        raise InvalidInput(
            "the tables cannot be put into an order",
            faults=faults,
            fix="a table's parameters name the sources and tables it reads: mend the names, or break the circle",
        )
    return ordered


def _circle(reads: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names along a circle, the first one again at the end; nothing when there is none."""
    while ends := [name for name, inputs in reads.items() if not any(i in reads for i in inputs)]:
        reads = {name: inputs for name, inputs in reads.items() if name not in ends}
    if not reads:
        return []
    path = [next(iter(reads))]  # every table left reads another one left, so this walk must come back
    while (following := next(i for i in reads[path[-1]] if i in reads)) not in path:
        path.append(following)
    return [*path[path.index(following) :], following]


def _rows_faults(kind: str, name: str, columns: object, timing: Timing, unique: Sequence[str]) -> list[str]:
    """Return what is wrong with what sources and tables have in common."""
    owner = f"{kind} {name!r}"
    faults = [fault for fault in [name_fault(kind, name)] if fault]
    faults += type_faults(owner, columns)
    if not isinstance(columns, Mapping):
        return faults
    faults += _timing_faults(owner, timing, columns)
    faults += [f"{owner}: unique column {c!r} is not in columns" for c in unique if c not in columns]
    faults += [f"{owner}: unique lists {c!r} twice" for c in duplicates(unique)]
    return faults


def _timing_faults(owner: str, timing: Timing, columns: Mapping[str, str]) -> list[str]:
    faults = []
    for role, kind in (
        ("event_time", "time"),
        ("known_at", "time"),
        ("created_time", "time"),
        ("tombstone", "bool"),
    ):
        column = getattr(timing, role)
        if column is None or columns.get(column) == kind:
            continue
        found = f"is listed as {columns[column]!r}" if column in columns else "is not listed in columns"
        faults.append(f"{owner}: {role} column {column!r} {found}; list it with type {kind!r}")
    if timing.event_time is None and (timing.known_after or timing.known_at or timing.created_time):
        faults.append(f"{owner}: known_after, known_at and created_time need an event_time")
    return faults


def _path_fault(owner: str, path: object) -> str | None:
    if not isinstance(path, str) or not path:
        return f"{owner}: path={path!r} is not the name of a file or folder"
    if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
        return f"{owner}: path={path!r} leaves the data folder; name it relative to the folder a command is given"
    return None


def _zone_fault(owner: str, zone: object) -> str | None:
    if zone is None or zone_known(zone):
        return None
    return f"{owner}: zone={zone!r} is not a known zone; write it like 'America/New_York' or 'UTC'"


def _inputs(owner: str, build: Build) -> tuple[tuple[str, ...], list[str]]:
    """Return the names of a table function's inputs, and what is wrong with them."""
    if not inspect.isfunction(build):
        return (), [f"{owner} is made of {build!r}; decorate a plain function"]
    parameters = inspect.signature(build).parameters
    loose = [
        str(p)
        for p in parameters.values()
        if p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) or p.default is not p.empty
    ]
    faults = [f"{owner}: parameter {p!r} is no input; name one source or table per parameter" for p in loose]
    if not parameters:
        faults.append(f"{owner} reads no source: name its sources as parameters")
    return tuple(parameters), faults
