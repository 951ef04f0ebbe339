"""Schemas of data sets: what is expected of columns, rows, keys, times and of rows as a whole.

Every rule has a tolerance (`mostly`: the least share of values that keep it, 1 when not said) and a severity (that of its
kind of anomaly when not said). The file form is in `treadle.define.schema_reader`; each field here is the key of the same
name there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec

from treadle.records.anomalies import Severity
from treadle.records.digests import Digest, digest_value
from treadle.records.instants import Duration
from treadle.records.record import Record

ColumnType: TypeAlias = Literal[
    "float", "int", "string", "bool", "time", "duration", "binary", "list", "struct"
]
"""What a column holds. Integers of any width are `int`; dates and timestamps of any unit are `time`."""

Lifecycle: TypeAlias = Literal["production", "planned", "alpha", "debug", "deprecated"]
"""Only columns in production are held to their rules; the others may come, go and change."""

Scalar: TypeAlias = bool | int | float | str

Mostly: TypeAlias = dict[str, float]
Severities: TypeAlias = dict[str, Severity]

EVERY_RULE = "all"
"""The name under which a tolerance or severity holds for every rule of its table that names none itself."""


class _Rules(Record, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """What every table of a schema has: tolerances and severities by rule."""

    mostly: Mostly = msgspec.field(default_factory=dict)
    severity: Severities = msgspec.field(default_factory=dict)

    def mostly_of(self, rule: str) -> float:
        """Return the least share of values that must keep a rule."""
        return self.mostly.get(rule, self.mostly.get(EVERY_RULE, 1.0))

    def severity_of(self, rule: str, usual: Severity) -> Severity:
        """Return a rule's severity, the usual one of its anomaly when none is said."""
        return self.severity.get(rule, self.severity.get(EVERY_RULE, usual))


class Comparison(Record, frozen=True, kw_only=True):
    """When the values of a column count as changed: an effect that matters, and one that chance does not explain.

    Both must hold: the distance is at least `distance`, and at least what samples of these sizes reach by chance with
    probability `chance`. A threshold without the second term fires on small samples whatever they hold.
    """

    distance: float = 0.1
    chance: float = 0.001


class ColumnSchema(_Rules, frozen=True, kw_only=True):
    """What is expected of one column. None means that nothing is expected in that respect."""

    type: ColumnType
    description: str = ""
    lifecycle: Lifecycle = "production"
    in_environments: tuple[str, ...] | None = None
    """Where the column is expected; None: in the schema's `environments`."""
    not_in_environments: tuple[str, ...] = ()
    """Where it is not: a label at serving."""
    min_fraction: float | None = None
    """The least share of rows that have a value (NaN is none)."""
    min_count: int | None = None
    """The least number of rows that have a value."""
    min: int | float | None = None
    """The smallest value allowed; instants and durations in microseconds."""
    max: int | float | None = None
    nan: bool = True
    """Whether NaN may stand in a float column."""
    infinite: bool = True
    """Whether infinities may."""
    values: tuple[Scalar, ...] | None = None
    """The values allowed."""
    min_domain_mass: float | None = None
    """The least share of values that are among `values`; the same as `mostly` of `values`."""
    min_length: int | None = None
    """The fewest characters of a text."""
    max_length: int | None = None
    pattern: str | None = None
    """A regular expression that the whole text matches."""
    as_text: bool = False
    """Whether the column may come as text that reads as its type."""
    utf8: bool = False
    """Whether a binary column must hold UTF-8."""
    min_items: int | None = None
    """The fewest items of a list."""
    max_items: int | None = None
    min_distinct: int | None = None
    """The fewest different values; of floats the finite ones count."""
    max_distinct: int | None = None
    max_run: int | None = None
    """The longest run of one repeated value, in the order of the rows: a stuck sensor repeats itself."""
    hours: tuple[float, ...] | None = None
    """The share of instants in each hour of the day (UTC): times read in another zone are moved round the clock."""
    drift: Comparison | None = None
    """When the values have changed against the previous data."""
    skew: Comparison | None = None
    """When the values differ from those trained on."""
    unit: bool = True
    """Whether to look for a change of unit (×10, ×1000, °F for °C) when there are previous data."""

    def expected_in(self, environment: str, usual: tuple[str, ...]) -> bool:
        """Return whether the column is expected in an environment."""
        if environment in self.not_in_environments:
            return False
        inside = usual if self.in_environments is None else self.in_environments
        return environment in inside

    @property
    def held(self) -> bool:
        """Whether the column is held to its rules."""
        return self.lifecycle == "production"


class RowsSchema(_Rules, frozen=True, kw_only=True):
    """What is expected of the rows as a whole."""

    min: int | None = None
    max: int | None = None
    min_ratio: float | None = None
    """The least number of rows, as a multiple of the previous data's."""
    max_ratio: float | None = None
    max_duplicates: float | None = None
    """The largest share of rows that repeat another row whole."""
    new_columns: bool = False
    """Whether columns that the schema does not name are welcome."""


class TimeSchema(_Rules, frozen=True, kw_only=True):
    """What is expected of when rows happened and when they came."""

    column: str
    """The column that says when a row was true."""
    known: str | None = None
    """The column that says when it became known."""
    max_age: Duration | None = None
    """How old the newest row may be."""
    max_lateness: Duration | None = None
    """How long after it happened a row may become known."""
    future: bool = False
    """Whether rows may be from the future."""


class KeySchema(_Rules, frozen=True, kw_only=True):
    """Columns that together tell rows apart."""

    columns: tuple[str, ...]


class ReferenceSchema(_Rules, frozen=True, kw_only=True):
    """Columns whose values stand in another data set: referential integrity. A row with a null refers to nothing."""

    columns: tuple[str, ...]
    dataset: str
    to: tuple[str, ...]
    """The other data set's columns, in the order of `columns`."""


class RowRule(_Rules, frozen=True, kw_only=True):
    """A condition that every row keeps. A row for which it is null keeps it, as in SQL."""

    name: str
    rule: str
    """The condition in the language of row features, such as `arrival > departure`."""
    description: str = ""


class AlignedSchema(_Rules, frozen=True, kw_only=True):
    """List columns that have equally many items in each row: values and their weights or places."""

    columns: tuple[str, ...]


class DatasetSchema(Record, frozen=True, kw_only=True):
    """What is expected of a data set. Made by a person, or inferred from a profile and edited by a person."""

    name: str
    description: str = ""
    environments: tuple[str, ...] = ("training", "serving")
    """Where columns are expected that say nothing about it themselves."""
    rows: RowsSchema = RowsSchema()
    time: TimeSchema | None = None
    keys: tuple[KeySchema, ...] = ()
    references: tuple[ReferenceSchema, ...] = ()
    aligned: tuple[AlignedSchema, ...] = ()
    rules: tuple[RowRule, ...] = ()
    columns: dict[str, ColumnSchema] = msgspec.field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        """The content address: equal schemas, and only those, have equal digests."""
        return digest_value(self.as_json())

    def expected(self, environment: str) -> Mapping[str, ColumnSchema]:
        """Return the columns that are expected in an environment and held to their rules."""
        return {
            name: column
            for name, column in self.columns.items()
            if column.held and column.expected_in(environment, self.environments)
        }
