"""Timing: when rows are true and when they are known; and what sources and tables declare alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Required, TypedDict

from treadle.define.names import duplicates, name_fault, type_faults
from treadle.records.instants import Duration


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


ALWAYS = Timing()
"""The timing of timeless rows."""


class SourceOptions(TypedDict, total=False):
    """What every source declares, wherever its rows come from; explained at `Source.parquet`."""

    columns: Required[Mapping[str, str]]
    event_time: str | None
    known_after: str | int
    known_at: str | None
    created_time: str | None
    tombstone: str | None
    zone: str | None
    unique: Sequence[str] | str
    event_id: str | None
    backdated: bool
    description: str
    owner: str
    tags: Sequence[str] | str
    deprecated: str


def rows_faults(kind: str, name: str, columns: object, timing: Timing, unique: Sequence[str]) -> list[str]:
    """Return what is wrong with what sources and tables have in common. Pure."""
    owner = f"{kind} {name!r}"
    faults = [fault for fault in [name_fault(kind, name)] if fault]
    faults += type_faults(owner, columns)
    if not isinstance(columns, Mapping):
        return faults
    faults += _timing_faults(owner, timing, columns)
    faults += [f"{owner}: unique column {c!r} is not in columns" for c in unique if c not in columns]
    faults += [f"{owner}: unique lists {c!r} twice" for c in duplicates(unique)]
    return faults


def event_id_fault(owner: str, event_id: object, columns: object) -> str | None:
    """Return what is wrong with the column that identifies events, or None. Pure."""
    if event_id is None or not isinstance(columns, Mapping):
        return None
    kind = columns.get(event_id) if isinstance(event_id, str) else None
    if kind in ("string", "int"):
        return None
    found = f"is {kind}" if kind else "is not listed in columns"
    return f"{owner}: event_id column {event_id!r} {found}; list it with type 'string' or 'int'"


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
