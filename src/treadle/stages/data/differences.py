"""Differences between two versions of data: columns, rows, and which keys came, went or changed. In bounded memory.

Keys are parted by their hash into as many parts as keep each below a number of rows, and part by part is compared. The
frames are read once for each part, so memory is bounded and time grows with the parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from treadle.records.digests import Json
from treadle.records.errors import InvalidInput, NotFound

PART = 1_000_000
"""About so many rows of both versions together are held at a time."""
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """How columns differ."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    retyped: Mapping[str, tuple[str, str]]
    """Column → its type before and now; its values are not compared."""

    @property
    def same(self) -> bool:
        """Whether both have the same columns of the same types."""
        return not (self.added or self.removed or self.retyped)

    def as_json(self) -> dict[str, Json]:
        """Return it for programs."""
        retyped: dict[str, Json] = {name: list(both) for name, both in self.retyped.items()}
        return {"added": dict(self.added), "removed": dict(self.removed), "retyped": retyped}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDifference:
    """How the rows differ, matched by the columns that identify them."""

    unique: tuple[str, ...]
    added: int = 0
    """Keys that are new."""
    removed: int = 0
    """Keys that are there no longer."""
    changed: int = 0
    """Keys that both have, with another value in some column."""
    same: int = 0
    repeated_before: int = 0
    """Rows whose key another row has too, before; no change is told of them."""
    repeated_now: int = 0
    changed_columns: Mapping[str, int] = field(default_factory=dict)
    """Column → how many keys have another value there."""
    added_examples: tuple[Mapping[str, object], ...] = ()
    removed_examples: tuple[Mapping[str, object], ...] = ()
    changed_examples: tuple[Mapping[str, object], ...] = ()
    """Keys; of changed ones also `column: "before → now"`."""

    def as_json(self) -> dict[str, Json]:
        """Return it for programs; values of examples are text where JSON has no type for them."""
        counts: dict[str, Json] = {
            name: getattr(self, name)
            for name in ("added", "removed", "changed", "same", "repeated_before", "repeated_now")
        }
        examples: dict[str, Json] = {
            name: [_plain(one) for one in getattr(self, f"{name}_examples")]
            for name in ("added", "removed", "changed")
        }
        columns: dict[str, Json] = dict(self.changed_columns)
        return {"unique": list(self.unique), **counts, "changed_columns": columns, "examples": examples}


def schema_difference(before: pl.Schema, now: pl.Schema) -> SchemaDifference:
    """Return how the columns of two versions differ. Pure."""
    return SchemaDifference(
        {name: str(dtype) for name, dtype in now.items() if name not in before},
        {name: str(dtype) for name, dtype in before.items() if name not in now},
        {
            name: (str(before[name]), str(dtype))
            for name, dtype in now.items()
            if name in before and before[name] != dtype
        },
    )


def key_difference(
    before: pl.LazyFrame, now: pl.LazyFrame, unique: Sequence[str], *, rows: int, part: int = PART
) -> KeyDifference:
    """Return which keys came, went and changed.

    Args:
        before: the rows to compare with.
        now: the rows that are compared.
        unique: the columns that identify a row; missing values are equal to one another.
        rows: about how many rows both have together.
        part: about how many of them are held in memory at a time.

    Raises:
        NotFound: a version does not have those columns.
        InvalidInput: they are of different types.

    Cost: a million rows of 10 columns on each side, 1 s.
    """
    _check_keys(before.collect_schema(), now.collect_schema(), unique)
    parts = max(1, -(-rows // part))
    tally = _Tally(tuple(unique))
    shared = [
        name
        for name, dtype in now.collect_schema().items()
        if name not in unique and before.collect_schema().get(name) == dtype
    ]
    place = pl.struct(pl.col(unique)).hash(seed=0) % parts
    for number in range(parts):
        old, new = (
            (rows if parts == 1 else rows.filter(place == number))
            .select(*unique, *shared)
            .collect(engine="streaming")
            for rows in (before, now)
        )
        tally.add(old, new, shared)
    return tally.result()


class _Tally:
    """Adds up what the parts have."""

    def __init__(self, unique: tuple[str, ...]) -> None:
        self._unique = unique
        self._counts: Counter[str] = Counter()
        self._columns: Counter[str] = Counter()
        self._examples: dict[str, list[Mapping[str, object]]] = {"added": [], "removed": [], "changed": []}

    def add(self, old: pl.DataFrame, new: pl.DataFrame, shared: Sequence[str]) -> None:
        on = list(self._unique)
        old_once, new_once = (rows.unique(on, keep="none") for rows in (old, new))
        self._counts["repeated_before"] += old.height - old_once.height
        self._counts["repeated_now"] += new.height - new_once.height
        old_keys, new_keys = (rows.select(on).unique() for rows in (old, new))
        for name, here, there in (("added", new_keys, old_keys), ("removed", old_keys, new_keys)):
            found = here.join(there, on=on, how="anti", nulls_equal=True)
            self._counts[name] += found.height
            self._keep(name, found.sort(on).head(EXAMPLES).to_dicts())
        both = old_once.join(new_once, on=on, how="inner", nulls_equal=True, suffix="\0now")
        differs = [pl.col(name).ne_missing(pl.col(f"{name}\0now")).alias(name) for name in shared]
        if not differs:
            self._counts["same"] += both.height
            return
        flags = both.select(differs)
        changed = both.filter(flags.select(pl.any_horizontal(pl.all())).to_series())
        self._counts["changed"] += changed.height
        self._counts["same"] += both.height - changed.height
        self._columns.update({name: int(flags[name].sum()) for name in shared})
        self._keep("changed", [self._told(row, shared) for row in changed.sort(on).head(EXAMPLES).to_dicts()])

    def _told(self, row: Mapping[str, object], shared: Sequence[str]) -> Mapping[str, object]:
        key = {name: row[name] for name in self._unique}
        both = ((name, row[name], row[f"{name}\0now"]) for name in shared)
        return key | {name: f"{_word(was)} → {_word(now)}" for name, was, now in both if _differ(was, now)}

    def _keep(self, name: str, examples: Sequence[Mapping[str, object]]) -> None:
        self._examples[name] += examples[: EXAMPLES - len(self._examples[name])]

    def result(self) -> KeyDifference:
        return KeyDifference(
            unique=self._unique,
            changed_columns={name: count for name, count in self._columns.most_common() if count},
            added_examples=tuple(self._examples["added"]),
            removed_examples=tuple(self._examples["removed"]),
            changed_examples=tuple(self._examples["changed"]),
            **self._counts,
        )


def _check_keys(before: pl.Schema, now: pl.Schema, unique: Sequence[str]) -> None:
    for name in unique:
        for schema in (before, now):
            if name not in schema:
                raise NotFound.among("column", name, schema.names())
    other = [f"{name} was {before[name]} and is {now[name]}" for name in unique if before[name] != now[name]]
    if other:
        raise InvalidInput("the keys of both versions are of different types", faults=other)


def _differ(was: object, now: object) -> bool:
    both_nan = was != was and now != now  # NaN is one value here, as in the comparison of columns
    return was != now and not both_nan


def _word(value: object) -> str:
    return "null" if value is None else str(value)


def _plain(example: Mapping[str, object]) -> Json:
    return {
        name: value if value is None or isinstance(value, bool | int | str) else str(value)
        for name, value in example.items()
    }
