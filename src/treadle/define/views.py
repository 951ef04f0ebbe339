"""Feature views: which columns of which rows describe an entity, and over which window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from treadle.define.entities import Entity
from treadle.define.names import duplicates, name_fault
from treadle.define.sources import Rows
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import Duration, duration, short

AggregateFunction: TypeAlias = Literal["count", "sum", "mean"]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate of a column over a sliding window that ends at the prediction time."""

    function: AggregateFunction
    column: str | None
    over: Duration
    name: str


def mean(column: str, *, over: str | int, name: str | None = None) -> Aggregate:
    """Mean of a column's non-null values over the window; null when there are none."""
    return _aggregate("mean", column, over, name)


def count(column: str | None = None, *, over: str | int, name: str | None = None) -> Aggregate:
    """Number of events in the window, or of a column's non-null values; 0 when there are none."""
    return _aggregate("count", column, over, name)


def total(column: str, *, over: str | int, name: str | None = None) -> Aggregate:
    """Sum of a column's non-null values over the window; 0 when there are none."""
    return _aggregate("sum", column, over, name)


def _aggregate(
    function: AggregateFunction, column: str | None, over: str | int, name: str | None
) -> Aggregate:
    window = duration(over)
    if window == 0:
        raise InvalidInput(
            f"the window of {function}({column!r}) is empty", fix="give a duration such as over='3h'"
        )
    default = "_".join(part for part in (column, function, short(window)) if part)
    return Aggregate(function, column, window, name or default)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source under the name it has as a feature."""

    column: str
    name: str


def column(source_column: str, *, name: str) -> Column:
    """Take a source column as a feature under another name."""
    return Column(source_column, name)


@dataclass(frozen=True, slots=True, init=False)
class FeatureView:
    """The latest known values of an entity.

    A value is used at T only if it is known (`known_at <= T`) and not older than `ttl` (`T - event_time <= ttl`, both
    ends inclusive). Features are called `{view}_{feature}`.

    Args:
        name: the view's name.
        entity: whose values these are.
        source: the rows; they must have the entity's key columns.
        features: source columns, or `column(...)` to rename.
        ttl: how long a value stays usable, e.g. `"6h"`; None for ever.
        owner, description: for people.
    """

    name: str
    entity: Entity
    source: Rows
    features: tuple[Column, ...]
    ttl: Duration | None
    owner: str
    description: str

    def __init__(
        self,
        name: str,
        *,
        entity: Entity,
        source: Rows,
        features: Sequence[str | Column],
        ttl: str | int | None = None,
        owner: str = "",
        description: str = "",
    ) -> None:
        listed = tuple(f if isinstance(f, Column) else Column(f, f) for f in features)
        faults = _view_faults(name, entity, source, [f.name for f in listed], [f.column for f in listed])
        if faults:
            raise InvalidInput("the feature view cannot be defined", faults=faults)
        values = (name, entity, source, listed, duration(ttl) if ttl else None, owner, description)
        for slot, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, slot, value)

    def select(self, *names: str) -> Selection:
        """Take only the named features of this view into a feature set."""
        return Selection.of(self, names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names its features have in a feature set."""
        return tuple(f"{self.name}_{feature.name}" for feature in self.features)


@dataclass(frozen=True, slots=True, init=False)
class WindowView:
    """Sliding aggregates over an entity's events.

    An event counts at T with window w when `T - w <= event_time < T` and `known_at <= T`: the event at T itself is out,
    the one exactly w ago is in. Sums are exact to 2**-60 whatever the order of arrival.

    Args:
        name: the view's name; features are called `{view}_{aggregate}`.
        entity: whose events these are.
        source: the rows, with an event time.
        features: aggregates made by `mean`, `count` and `total`.
        owner, description: for people.
    """

    name: str
    entity: Entity
    source: Rows
    features: tuple[Aggregate, ...]
    owner: str
    description: str

    def __init__(
        self,
        name: str,
        *,
        entity: Entity,
        source: Rows,
        features: Sequence[Aggregate],
        owner: str = "",
        description: str = "",
    ) -> None:
        listed = tuple(features)
        used = [f.column for f in listed if f.column is not None]
        faults = _view_faults(name, entity, source, [f.name for f in listed], used)
        if source.timing.event_time is None:
            faults.append(f"window view {name!r}: source {source.name!r} has no event_time to slide over")
        faults += [
            f"window view {name!r}: column {c!r} is {source.columns[c]}, aggregates need float or int"
            for c in dict.fromkeys(used)
            if source.columns.get(c, "float") not in ("float", "int", "bool")
        ]
        if faults:
            raise InvalidInput("the window view cannot be defined", faults=faults)
        for slot, value in zip(
            self.__slots__, (name, entity, source, listed, owner, description), strict=True
        ):
            object.__setattr__(self, slot, value)

    def select(self, *names: str) -> Selection:
        """Take only the named features of this view into a feature set."""
        return Selection.of(self, names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names its features have in a feature set."""
        return tuple(f"{self.name}_{feature.name}" for feature in self.features)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """The source columns that are aggregated, each once, in order of first use."""
        return tuple(dict.fromkeys(f.column for f in self.features if f.column is not None))

    @property
    def longest(self) -> Duration:
        """The longest window: how far back events must be kept."""
        return max(feature.over for feature in self.features)


View: TypeAlias = FeatureView | WindowView


@dataclass(frozen=True, slots=True)
class Selection:
    """Some of a view's features, as a feature set uses them."""

    view: View
    names: tuple[str, ...]

    @classmethod
    def of(cls, view: View, names: Sequence[str] = ()) -> Selection:
        """Select the named features of a view, in the view's order; all of them when none is named."""
        known = [feature.name for feature in view.features]
        for name in names:
            if name not in known:
                raise NotFound.among("feature", name, known, where=f"view {view.name!r}")
        return cls(view, tuple(name for name in known if not names or name in names))

    @property
    def columns(self) -> tuple[str, ...]:
        """The names the selected features have in a feature set."""
        return tuple(f"{self.view.name}_{name}" for name in self.names)


def _view_faults(name: str, entity: Entity, source: Rows, features: list[str], used: list[str]) -> list[str]:
    faults = [fault for fault in [name_fault("view", name)] if fault]
    if not features:
        faults.append(f"view {name!r} has no features")
    faults += [f"view {name!r} has two features called {f!r}" for f in duplicates(features)]
    for kind, wanted in (("key", entity.keys), ("feature", dict.fromkeys(used))):
        faults += [
            f"view {name!r}: {kind} column {c!r} is not in source {source.name!r}; it has "
            f"{', '.join(sorted(source.columns))}"
            for c in wanted
            if c not in source.columns
        ]
    return faults
