"""Source monitors: what is watched of the rows of a source, window by window, and from where on it is said.

A monitor only says what to watch; `treadle.stages.monitoring.source_quality` and `.data_drift` judge the windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import msgspec

from treadle.define.names import name_fault
from treadle.define.rules import Rule, positive_fault, refuse, rule_from_json, share_fault
from treadle.define.sources import Rows
from treadle.records.digests import Json
from treadle.records.instants import MINUTE, Duration, duration

Floors = tuple[float, float]
"""From where on it is a warning, and from where on an alert."""

NEWEST = "@"
"""Begins a reference that is a version of the dataset, by number or tag: `"@3"`, `"@golden"`."""


class ColumnDriftRule(Rule, frozen=True, tag="column_drift", kw_only=True):
    """Watch the distribution of columns; see `column_drift`."""

    columns: tuple[str, ...] | None = None
    significance: float = 0.01
    min_rows: int = 100
    ks: Floors = (0.05, 0.10)
    psi: Floors = (0.10, 0.20)

    def __post_init__(self) -> None:
        faults = [
            share_fault("significance", self.significance),
            positive_fault("min_rows", self.min_rows),
            floors_fault("ks", self.ks),
            floors_fault("psi", self.psi),
            "columns=() watches nothing; leave it out to watch all" if self.columns == () else None,
        ]
        refuse("column drift rule", [fault for fault in faults if fault])


def column_drift(
    *columns: str,
    significance: float = 0.01,
    min_rows: int = 100,
    ks: Floors = (0.05, 0.10),
    psi: Floors = (0.10, 0.20),
) -> ColumnDriftRule:
    """Watch whether the values of a source's columns are distributed as in the reference.

    A column is named only if its distance passes the floor, and chance over all columns tested together, and what
    ordinary windows of the reference show among themselves.

    Args:
        columns: which; all but the unique ones and times when none is named.
        significance: the false alarm rate of a window under chance alone, over all columns.
        min_rows: with fewer values of a column nothing is said about it.
        ks: Kolmogorov–Smirnov distances of numbers that are worth a warning and an alert.
        psi: population stability indices of levels that are.

    Raises:
        InvalidInput: a number out of range.
    """
    return ColumnDriftRule(
        columns=columns or None, significance=significance, min_rows=min_rows, ks=ks, psi=psi
    )


@dataclass(frozen=True, slots=True, init=False)
class SourceMonitor:
    """What is watched of the rows of a source or table.

    Time is cut into windows from 1970 on (UTC), by the rows' event times. A window is measured once it has ended and
    `lateness` has passed; rows that come later still are added to it, and counted as late.

    Args:
        name: the monitor's name; no other monitor may have it.
        source: the source or table, or its name; it must have an event time.
        window: the length of a window, such as `1d`.
        every: how often freshness is read, and windows that have ended are measured, such as `1h`.
        reference: what a window is compared with: the windows of this span before it, such as `28d`, or the rows of a
            version of the dataset, such as `@3` or `@golden`.
        freshness: how old the newest row may be; None: not watched.
        lateness: how long after a window's end its rows may still become known without being late.
        volume: the least and the greatest ratio of a window's rows to those of the same weekday (and hour) in the
            eight weeks before; None: not watched.
        nulls: by how much the share of missing values of a column must grow for a warning and for an alert; None: not.
        duplicates: by how much the share of rows that repeat another's unique columns (or all) must; None: not.
        ranges: by how much the share of values outside the schema's `min` and `max` must; None: not.
        drift: how the distributions of columns are watched, see `column_drift`; None: not.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    name: str
    source: str
    window: Duration
    every: Duration
    reference: Duration | str
    freshness: Duration | None
    lateness: Duration
    volume: Floors | None
    nulls: Floors | None
    duplicates: Floors | None
    ranges: Floors | None
    drift: ColumnDriftRule | None

    def __init__(
        self,
        name: str,
        *,
        source: str | Rows,
        window: str | Duration = "1d",
        every: str | Duration = "1h",
        reference: str | Duration = "28d",
        freshness: str | Duration | None = None,
        lateness: str | Duration = "1h",
        volume: Floors | None = (0.5, 2.0),
        nulls: Floors | None = (0.01, 0.05),
        duplicates: Floors | None = (0.001, 0.01),
        ranges: Floors | None = (0.001, 0.01),
        drift: ColumnDriftRule | None = None,
    ) -> None:
        span, step = duration(window), duration(every)
        pinned = isinstance(reference, str) and reference.startswith(NEWEST)
        against = reference if pinned else duration(reference)
        fresh = None if freshness is None else duration(freshness)
        late = duration(lateness)
        faults = [
            name_fault("source monitor", name),
            positive_fault("window", span),
            positive_fault("every", step),
            None if span <= 0 or span % MINUTE == 0 else "window must be whole minutes",
            None if late >= 0 else f"lateness={lateness!r} must not be below 0",
            None if fresh is None else positive_fault("freshness", fresh),
            _reference_fault(against, span),
            floors_fault("volume", volume),
            floors_fault("nulls", nulls),
            floors_fault("duplicates", duplicates),
            floors_fault("ranges", ranges),
        ]
        refuse(f"source monitor {name!r}", [fault for fault in faults if fault])
        parts = (name, source if isinstance(source, str) else source.name, span, step, against, fresh, late)
        values = (*parts, volume, nulls, duplicates, ranges, drift)
        for slot, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, slot, value)

    def as_json(self) -> Json:
        """Return the monitor as plain JSON values, equal for equal monitors; durations are microseconds."""
        plain: Json = msgspec.json.decode(msgspec.json.encode(self))
        return plain

    @classmethod
    def from_json(cls, value: Json) -> Self:
        """Return the monitor that `as_json` wrote.

        Raises:
            InvalidInput: it is none; the message names the field.
        """
        plain = rule_from_json(value, cls, "source monitor")
        return cls(**{slot: getattr(plain, slot) for slot in cls.__slots__})


def floors_fault(name: str, floors: Floors | None) -> str | None:
    """Return what is wrong with two rising numbers, or None. Pure."""
    if floors is None or 0.0 <= floors[0] <= floors[1]:
        return None
    return f"{name}={floors!r} must be two numbers, the second not below the first, neither below 0"


def _reference_fault(against: str | Duration, window: Duration) -> str | None:
    if isinstance(against, str):
        return None if len(against) > 1 else "reference='@' names no version; write '@3' or '@TAG'"
    return None if against >= window else "reference must not be shorter than window"
