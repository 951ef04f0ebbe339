"""Feature views: which columns of which rows describe an entity, and over which window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from treadle.define.aggregates import NUMERIC, Accuracy, Aggregate, Aggregates, flatten, hop_of
from treadle.define.binding import bind
from treadle.define.entities import Entity
from treadle.define.fitted import FIX, WHY, is_fitted
from treadle.define.names import duplicates, duration_or_fault, kind_fault, name_fault, words_faults
from treadle.define.names import listed as as_tuple
from treadle.define.row_features import RowFeature
from treadle.define.sources import Rows, Source, Table
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import Duration

Fill: TypeAlias = Literal["last_non_null"]
"""What stands in for a null: the newest value that is none, as long as the view's ttl lets it live."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the source under the name it has as a feature."""

    column: str
    name: str
    fill: Fill | None = None


def column(source_column: str, *, name: str | None = None, fill: Fill | None = None) -> Column:
    """Take a source column as a feature under another name, or filled.

    Args:
        source_column: the column.
        name: the feature's name when it is not the column's.
        fill: `"last_non_null"`: rows in which the column is null are passed over, so that the value may be older than
            the newest row. Without it null is a value like any other: the newest row wins.
    """
    return Column(source_column, source_column if name is None else name, fill)


@dataclass(frozen=True, slots=True, init=False)
class FeatureView:
    """The latest known values of an entity.

    A value is used at T only if it is known (`known_at <= T`) and not older than `ttl` (`T - event_time <= ttl`, both
    ends inclusive). Features are called `{view}_{feature}`.

    Args:
        name: the view's name.
        entity: whose values these are.
        source: the rows; they must have the entity's key columns.
        features: source columns, or `column(...)` to rename or fill one.
        ttl: how long a value stays usable, e.g. `"6h"`; None for ever.
        owner, description, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    name: str
    entity: Entity
    source: Rows
    features: tuple[Column, ...]
    ttl: Duration | None
    owner: str
    description: str
    tags: tuple[str, ...]
    deprecated: str

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
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        listed = tuple(Column(f, f) if isinstance(f, str) else f for f in features)
        faults = _view_faults(
            name, entity, source, listed, Column, "column names, or tr.column(name, name=...)"
        )
        keep, found = (None, []) if ttl is None else duration_or_fault(f"view {name!r}", "ttl", ttl)
        faults += found
        faults += [
            f"view {name!r}: feature {f.name!r} has fill={f.fill!r}; it can be {get_args(Fill)[0]!r}, or left out"
            for f in listed
            if getattr(f, "fill", None) not in (None, *get_args(Fill))  # what is no column is told apart
        ]
        if keep == 0 and not found:
            faults.append(
                f"view {name!r}: ttl={ttl!r} lets no value live; leave it out to keep values for ever"
            )
        if keep is not None and timeless(source):
            faults.append(
                f"view {name!r}: ttl={ttl!r} needs the age of a row, but source {source.name!r} has no event_time"
            )
        faults += words_faults(f"view {name!r}", owner, tags, deprecated)
        if faults:
            raise InvalidInput("the feature view cannot be defined", faults=faults)
        values = (name, entity, source, listed, keep, owner, description, as_tuple(tags), deprecated)
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
    the one exactly w ago is in. Sums are exact to 2**-60 whatever the order of arrival. Every row is one event: a row
    that corrects another is one more event, and a tombstone is none.

    Args:
        name: the view's name; features are called `{view}_{aggregate}`.
        entity: whose events these are.
        source: the rows, with an event time.
        features: aggregates made by `tr.mean`, `tr.count` and the like; each may be over several windows.
        accuracy: `"exact"`, or `"tile"`: windows then begin at the boundary of a hop at or before `T - w` (5 minutes for
            windows up to 12 hours, 1 hour up to 12 days, else a day), in training too, and the online state has a size
            that does not grow with the number of events.
        owner, description, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    name: str
    entity: Entity
    source: Rows
    features: tuple[Aggregate, ...]
    accuracy: Accuracy
    owner: str
    description: str
    tags: tuple[str, ...]
    deprecated: str

    def __init__(
        self,
        name: str,
        *,
        entity: Entity,
        source: Rows,
        features: Sequence[Aggregates],
        accuracy: Accuracy = "exact",
        owner: str = "",
        description: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        listed = flatten(features)
        faults = _view_faults(
            name,
            entity,
            source,
            listed,
            Aggregate,
            "aggregates: tr.mean(column, over='3h'), tr.count, tr.total",
        )
        faults += _window_faults(name, source, listed, accuracy)
        faults += words_faults(f"view {name!r}", owner, tags, deprecated)
        if faults:
            raise InvalidInput("the window view cannot be defined", faults=faults)
        values = (name, entity, source, listed, accuracy, owner, description, as_tuple(tags), deprecated)
        for slot, value in zip(self.__slots__, values, strict=True):
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
        """The source columns that are aggregated or filtered by, each once, in order of first use."""
        read: list[str] = []
        for feature in self.features:
            read += [feature.column] if feature.column is not None else []
            read += feature.where.inputs if feature.where is not None else ()
        return tuple(dict.fromkeys(read))

    @property
    def longest(self) -> Duration:
        """How far back of T events can count: the longest window, with the hop that its begin may be moved by."""
        hops = self.accuracy == "tile"
        return max(feature.over + (hop_of(feature.over) if hops else 0) for feature in self.features)


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


def timeless(source: object) -> bool:
    """Say whether rows have no event time, and with it no age. Pure."""
    return isinstance(source, Source | Table) and source.timing.event_time is None


def _view_faults(
    name: str,
    entity: object,
    source: object,
    features: Sequence[object],
    kind: type[Column] | type[Aggregate],
    wanted: str,
) -> list[str]:
    """Return what is wrong with what both kinds of views have in common."""
    owner = f"view {name!r}"
    kinds = [
        kind_fault(owner, "entity", entity, Entity, "a tr.Entity"),
        kind_fault(
            owner, "source", source, (Source, Table), "a tr.Source, or a function made a table by @tr.table"
        ),
        *(_feature_fault(owner, feature, kind, wanted) for feature in features),
    ]
    faults = [fault for fault in [name_fault("view", name), *kinds] if fault]
    if not features:
        faults.append(f"{owner} has no features")
    known = [feature for feature in features if isinstance(feature, Column | Aggregate)]
    faults += [
        f"{fault}; rename it with tr.column({f.column!r}, name=...)" if isinstance(f, Column) else fault
        for f in known
        if (fault := name_fault(f"{owner}: feature", f.name))
    ]
    faults += [f"{owner} has two features called {f!r}" for f in duplicates(f.name for f in known)]
    if not isinstance(entity, Entity) or not isinstance(source, Source | Table):
        return faults
    used = dict.fromkeys(f.column for f in known if f.column is not None)
    for role, columns in (("key", entity.keys), ("feature", tuple(used))):
        faults += [
            f"{owner}: {role} column {c!r} is not in source {source.name!r}; it has {', '.join(sorted(source.columns))}"
            for c in columns
            if c not in source.columns
        ]
    return faults


def _feature_fault(owner: str, feature: object, kind: type, wanted: str) -> str | None:
    if is_fitted(feature):
        called = getattr(feature, "__name__", type(feature).__name__)
        return f"{owner}: a feature is {called!r}, which {WHY}; {FIX}"
    return kind_fault(owner, "a feature", feature, kind, wanted)


def _window_faults(name: str, source: object, features: Sequence[object], accuracy: object) -> list[str]:
    owner = f"window view {name!r}"
    faults = []
    if accuracy not in get_args(Accuracy):
        faults.append(f"{owner}: accuracy={accuracy!r}; it is 'exact' or 'tile'")
    if not isinstance(source, Source | Table):
        return faults
    if timeless(source):
        faults.append(f"{owner}: source {source.name!r} has no event_time to slide over")
    known = [feature for feature in features if isinstance(feature, Aggregate)]
    used = dict.fromkeys(f.column for f in known if f.function != "distinct")
    faults += [
        f"{owner}: column {c!r} is {source.columns[c]}; aggregates need float, int or bool"
        for c in used
        if c is not None and source.columns.get(c, "float") not in NUMERIC
    ]
    if accuracy == "tile":
        faults += [
            f"{owner}: {f.name!r} needs accuracy='exact': a tile keeps no values to take a {f.function} of"
            for f in known
            if f.function in ("distinct", "quantile")
        ]
    return faults + [fault for f in known for fault in _filter_faults(owner, source, f)]


def _filter_faults(owner: str, source: Source | Table, feature: Aggregate) -> list[str]:
    """Return what is wrong with an aggregate's filter: columns that are not there, types, or an answer that is no bool."""
    if feature.where is None:
        return []
    where = RowFeature("filter", feature.where.inputs, feature.where.expression)
    said = f"{owner}: the filter of {feature.name!r}"
    missing = [
        f"{said} reads {c!r}, which is not in source {source.name!r}"
        for c in where.inputs
        if c not in source.columns
    ]
    if missing:
        return missing
    try:
        bound = bind([where], {c: source.columns[c] for c in where.inputs})
    except InvalidInput as error:
        return [f"{said}: {fault}" for fault in error.faults or (error.what,)]
    kind = bound.outputs["filter"].type
    return [] if kind == "bool" else [f"{said} is {kind}; a filter is true or false, e.g. lambda x: x > 0"]
