"""Profiles: what a table holds, column by column, in constant memory and mergeable over batches, days and shards.

A profile answers what a schema, a drift report and a person ask of data without keeping the data: counts, extremes,
moments, quantiles (`quantile_sketch`), different values (`distinct_sketch`) and frequent values
(`frequent_items`). One column takes at most 64 KiB.

Merging is commutative to the byte. Counts, extremes, different values, examples and exact value counts are
associative to the byte as well; moments are up to rounding; quantiles and inexact value counts keep their error
bounds in whatever order parts are merged. The longest run is that of the parts: one that crosses a seam between two
merged profiles counts as two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from treadle.records import distinct_sketch
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.frequent_items import FrequentItems, RowId, Value
from treadle.records.instants import Instant
from treadle.records.moments import Moments
from treadle.records.quantile_sketch import Quantiles
from treadle.records.record import Record
from treadle.records.sketch_hashes import mix_one

FORMAT = 1
"""Version of the bytes that `Profile.to_bytes` writes; a reader refuses a newer one."""
MOST_BYTES = 65_536
"""No column takes more than this."""
EXAMPLES = 5
"""Row ids kept for each kind of finding."""

Kind: TypeAlias = Literal["float", "int", "string", "bool", "time", "other"]
Finding: TypeAlias = Literal["null", "nan", "infinite"]


class Extreme(Record, frozen=True, array_like=True):
    """A value at one end of the column, and the row that has it."""

    value: Value
    row: RowId | None = None


class Run(Record, frozen=True, array_like=True):
    """The longest stretch of neighbouring rows with one value: a stuck sensor shows here."""

    length: int
    value: Value
    row: RowId
    """The first row of the stretch."""


class Lengths(Record, frozen=True, array_like=True):
    """Characters of the texts."""

    shortest: int
    longest: int
    total: int

    def merge(self, other: Lengths) -> Lengths:
        """Return the lengths of both."""
        return Lengths(
            min(self.shortest, other.shortest), max(self.longest, other.longest), self.total + other.total
        )


class ColumnProfile(Record, frozen=True, kw_only=True):
    """What one column holds.

    Times are instants (UTC microseconds); truth values are counted as 0 and 1. Sums over kinds hold:
    `rows = nulls + nan + infinities + moments.count` for float and int columns.
    """

    name: str
    kind: Kind
    """Of the newest part, if it changed: `types` counts them all."""
    dtype: str = ""
    """The type as the frame calls it, for readers."""
    rows: int = 0
    nulls: int = 0
    nan: int = 0
    infinities: int = 0
    zeros: int = 0
    negatives: int = 0
    types: Mapping[Kind, int] = {}
    """Values that are there, by kind: more than one where the type changed between parts."""
    moments: Moments = Moments()
    """Of the finite numbers (int, float) and of truth values as 0 and 1."""
    lowest: tuple[Extreme, ...] = ()
    """The smallest values with their rows, ascending, at most five; not of infinities and NaN."""
    highest: tuple[Extreme, ...] = ()
    """The largest values, descending."""
    quantiles: bytes = b""
    """Of finite numbers and of instants: see `quantile_sketch`."""
    distinct: bytes = b""
    """Of all values that are there but NaN: see `distinct_sketch`."""
    frequent: FrequentItems | None = None
    """Value counts; days (ISO text) for times. None where values are too many and too fine to count."""
    lengths: Lengths | None = None
    longest_run: Run | None = None
    examples: Mapping[Finding, tuple[RowId, ...]] = {}
    """Rows to look at for each finding, drawn alike whatever the order of parts, at most five each."""

    @property
    def present(self) -> int:
        """Values that are there: all rows but the nulls (NaN counts as there)."""
        return self.rows - self.nulls

    @property
    def null_share(self) -> float:
        """The share of rows without a value; NaN in a float column counts as none, as it does to a model."""
        return (self.nulls + self.nan) / self.rows if self.rows else 0.0

    @property
    def low(self) -> Value | None:
        """The smallest value."""
        return self.lowest[0].value if self.lowest else None

    @property
    def high(self) -> Value | None:
        """The largest value."""
        return self.highest[0].value if self.highest else None

    @property
    def numeric(self) -> bool:
        """Whether the column holds numbers."""
        return self.kind in ("float", "int")

    @property
    def categorical(self) -> bool:
        """Whether all values were counted exactly."""
        return self.frequent is not None and self.frequent.exact and self.kind != "time"

    @property
    def sketch(self) -> Quantiles:
        """The distribution of finite numbers and instants; empty for other kinds."""
        return Quantiles.from_bytes(self.quantiles)

    def distinct_count(self) -> float:
        """Return how many different values there are: exact while they are counted, else within about 3 %."""
        if self.frequent is not None and self.frequent.exact and self.kind != "time":
            return float(len(self.frequent.counters))
        return distinct_sketch.estimate(distinct_sketch.from_bytes(self.distinct))

    def quantile(self, share: float) -> float:
        """Return the value with this share of the column at or below it; NaN where there is none."""
        return self.sketch.quantile(share)

    def cdf(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return the share of finite values at or below each point."""
        return self.sketch.cdf(points)

    def counts(self) -> dict[Value, int]:
        """Return the counted values, the most frequent first; empty where none were counted."""
        return {} if self.frequent is None else self.frequent.counts()

    def merge(self, other: ColumnProfile) -> ColumnProfile:
        """Return the profile of both parts of the column.

        Raises:
            InvalidInput: they are of columns with different names.
        """
        if self.name != other.name:
            raise InvalidInput(f"the columns {self.name!r} and {other.name!r} are not parts of one column")
        one, two = sorted((self, other), key=_part_order)
        return ColumnProfile(
            name=self.name,
            kind=two.kind,
            dtype=two.dtype,
            rows=one.rows + two.rows,
            nulls=one.nulls + two.nulls,
            nan=one.nan + two.nan,
            infinities=one.infinities + two.infinities,
            zeros=one.zeros + two.zeros,
            negatives=one.negatives + two.negatives,
            types={
                kind: one.types.get(kind, 0) + two.types.get(kind, 0)
                for kind in sorted({*one.types, *two.types})
            },
            moments=one.moments.merge(two.moments),
            lowest=merge_extremes(one.lowest, two.lowest, largest=False),
            highest=merge_extremes(one.highest, two.highest, largest=True),
            quantiles=_either(one.quantiles, two.quantiles) or one.sketch.merge(two.sketch).to_bytes(),
            distinct=_merged_distinct(one.distinct, two.distinct),
            frequent=_merged_frequent(one, two),
            lengths=one.lengths.merge(two.lengths)
            if one.lengths and two.lengths
            else one.lengths or two.lengths,
            longest_run=longer_run(one.longest_run, two.longest_run),
            examples={
                finding: pick_rows((*one.examples.get(finding, ()), *two.examples.get(finding, ())))
                for finding in sorted({*one.examples, *two.examples})
            },
        )

    def to_bytes(self) -> bytes:
        """Return the column's profile as bytes, equal for equal profiles."""
        return _ENCODE(self)


class Profile(Record, frozen=True, kw_only=True):
    """What a dataset, or a model's predictions, held over a window of time, as a whole or for one segment."""

    name: str
    """Of the dataset or the model."""
    version: int | None = None
    """Version of the dataset, where it is one version."""
    model_version: int | None = None
    """Version of the model whose features and scores these are."""
    segment: str | None = None
    """`column=value` of the part of the rows that was profiled; None for all."""
    start: Instant | None = None
    """Begin of the window; None where no time is known."""
    end: Instant | None = None
    """End of the window, not in it."""
    rows: int = 0
    columns: tuple[ColumnProfile, ...] = ()
    format: int = FORMAT

    def __contains__(self, column: str) -> bool:
        return any(one.name == column for one in self.columns)

    def __getitem__(self, column: str) -> ColumnProfile:
        """Return the profile of a column.

        Raises:
            KeyError: there is none of that name.
        """
        for one in self.columns:
            if one.name == column:
                return one
        raise KeyError(column)

    def names(self) -> tuple[str, ...]:
        """Return the names of the columns, in the order of the table."""
        return tuple(one.name for one in self.columns)

    def merge(self, other: Profile) -> Profile:
        """Return the profile of both: two batches, two shards, two days.

        A version that differs is left out; a column that only one has keeps its own `rows`.

        Raises:
            InvalidInput: they are of different things or segments.
        """
        if (self.name, self.segment) != (other.name, other.segment):
            raise InvalidInput(
                f"the profiles of {_called(self)} and {_called(other)} cannot be merged",
                fix="merge profiles of one dataset and one segment",
            )
        one, two = sorted((self, other), key=lambda p: (p.start is None, p.start or 0, p.end or 0, p.names()))
        columns = {column.name: column for column in one.columns}
        for column in two.columns:
            seen = columns.get(column.name)
            columns[column.name] = column if seen is None else seen.merge(column)
        return Profile(
            name=self.name,
            version=self.version if self.version == other.version else None,
            model_version=self.model_version if self.model_version == other.model_version else None,
            segment=self.segment,
            start=min((p.start for p in (one, two) if p.start is not None), default=None),
            end=max((p.end for p in (one, two) if p.end is not None), default=None),
            rows=one.rows + two.rows,
            columns=tuple(columns.values()),
        )

    def to_bytes(self) -> bytes:
        """Return the profile as bytes, equal for equal profiles."""
        return _ENCODE(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Profile:
        """Return the profile that `to_bytes` wrote.

        Raises:
            Corrupt: the bytes are not a profile, or one of a format that this treadle does not know.
        """
        try:
            found = _DECODE(data)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise Corrupt(f"{len(data):,} bytes are not a stored profile: {error}") from None
        if found.format > FORMAT:
            raise Corrupt(
                f"the profile has format {found.format}, and this treadle reads up to {FORMAT}",
                fix="read it with the treadle that wrote it, or a newer one",
            )
        return found


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """Return the profile of all of them: hours to a day, days to a week.

    Raises:
        InvalidInput: there is none, or they are of different things.
    """
    parts = list(profiles)
    if not parts:
        raise InvalidInput("there is no profile to merge")
    return reduce(Profile.merge, parts)


def merge_extremes(
    one: tuple[Extreme, ...], other: tuple[Extreme, ...], *, largest: bool
) -> tuple[Extreme, ...]:
    """Return the outermost values of both, at most five numbers and one text; of equal values the first rows."""
    by_row = sorted({*one, *other}, key=lambda extreme: _row_order(extreme.row))
    # Numbers and texts in one column (a type that changed) are ordered by kind first.
    by_row.sort(
        key=lambda extreme: (isinstance(extreme.value, str), extreme.value),
        reverse=largest,
    )
    texts = [extreme for extreme in by_row if isinstance(extreme.value, str)]
    return tuple([extreme for extreme in by_row if extreme not in texts[1:]][:EXAMPLES])


def pick_rows(rows: Iterable[RowId]) -> tuple[RowId, ...]:
    """Return five rows with the smallest hashes: the same five in whatever order rows come."""
    return tuple(sorted(set(rows), key=lambda row: (row_hash(row), _row_order(row)))[:EXAMPLES])


def row_hash(row: RowId) -> int:
    """Return the hash that draws example rows; equal to `sketch_hashes.mix` for row numbers."""
    if isinstance(row, str):
        return int.from_bytes(row.encode("utf-8", "surrogatepass")[-8:], "little")
    return mix_one(row)


def longer_run(one: Run | None, other: Run | None) -> Run | None:
    """Return the longer of two runs; of equal ones the one that begins first."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda run: (-run.length, _row_order(run.row), str(run.value)))


def _row_order(row: RowId | None) -> tuple[int, int, str]:
    if row is None:
        return 2, 0, ""
    return (1, 0, row) if isinstance(row, str) else (0, row, "")


def _part_order(part: ColumnProfile) -> tuple[bool, int, str, str]:
    """Which part's kind is kept: the one that has values, then the one with more rows; by name among equals."""
    return part.present > 0, part.rows, part.kind, part.dtype


def _either(one: bytes, other: bytes) -> bytes:
    return b"" if one and other else one or other


def _merged_distinct(one: bytes, other: bytes) -> bytes:
    if not (one and other):
        return one or other
    return distinct_sketch.to_bytes(
        distinct_sketch.merged(distinct_sketch.from_bytes(one), distinct_sketch.from_bytes(other))
    )


def _merged_frequent(one: ColumnProfile, two: ColumnProfile) -> FrequentItems | None:
    if one.frequent is not None and two.frequent is not None:
        return one.frequent.merge(two.frequent)
    # A part without values has nothing to count; one that gave up counting cannot be mended.
    if one.frequent is None and not one.present:
        return two.frequent
    return one.frequent if two.frequent is None and not two.present else None


def _called(profile: Profile) -> str:
    return f"{profile.name!r}" + (f" where {profile.segment}" if profile.segment else "")


_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_DECODE = msgspec.msgpack.Decoder(Profile).decode
