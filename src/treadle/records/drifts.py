"""Drift of data: what one window's columns show against a reference, and what that calls for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from treadle.records.estimates import Window
from treadle.records.instants import Instant
from treadle.records.record import Record

DriftState: TypeAlias = Literal["ok", "warn", "alert", "insufficient_data"]
Statistic: TypeAlias = Literal["ks", "psi", "level", "unseen", "nulls"]
"""What is measured of a column: the Kolmogorov–Smirnov distance, PSI', the change of one level's share, the share of values
never seen before, the change of the share of missing ones."""

STATISTICS: tuple[Statistic, ...] = ("ks", "psi", "level", "unseen", "nulls")


class Finding(Record, frozen=True, kw_only=True):
    """One statistic of one column."""

    statistic: Statistic
    value: float
    chance: float
    """How likely so large a value is without drift, were rows independent (a p-value)."""
    significant: bool
    """Whether that holds among all that was tested in the window (Holm)."""
    warn: float
    alert: float
    ordinary: float | None = None
    """What ordinary windows of the reference reach; None: there are too few of them."""
    state: DriftState
    what: str
    """One sentence for people."""


class ColumnDrift(Record, frozen=True, kw_only=True):
    """One column of one window against the reference."""

    column: str
    n: int
    m: int
    state: DriftState
    findings: tuple[Finding, ...] = ()

    @property
    def calibrated(self) -> bool:
        """Whether ordinary windows were there to tell the usual from the unusual."""
        return all(found.ordinary is not None for found in self.findings)


class DataDrift(Record, frozen=True, kw_only=True):
    """All columns of one window against the reference."""

    name: str
    """Of the data set."""
    window: Window
    at: Instant
    rows: int
    reference_rows: int
    state: DriftState
    columns: tuple[ColumnDrift, ...] = ()
    ordinary_windows: int = 0
    """How many windows of the reference the usual was learned from."""
    sentence: str

    def alerted(self) -> tuple[str, ...]:
        """Return the columns in alert."""
        return tuple(one.column for one in self.columns if one.state == "alert")

    def drifted(self) -> tuple[str, ...]:
        """Return the columns in warning or alert."""
        return tuple(one.column for one in self.columns if one.state in ("warn", "alert"))


class TrainingCall(Record, frozen=True, kw_only=True):
    """Drift that should start a training, and why."""

    columns: tuple[str, ...]
    because: str


OrdinaryDistances: TypeAlias = Mapping[str, Mapping[Statistic, tuple[float, ...]]]
"""For each column and statistic, what windows of the reference showed against the rest of it."""
