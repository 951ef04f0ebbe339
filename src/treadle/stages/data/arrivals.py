"""Arrivals: rows that were read meet those that are stored. Pure.

The first load of a source is history: its rows were known when the source says. A row that comes later was not there
before, so it is known no earlier than it came, unless a column of the source says when it was stored or known, or the
source is declared backdated. Rows that are still there keep their numbers and times, whatever file they come in.

Pushed rows are no part of this: what is said of stored rows is said of loaded ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from treadle.define.sources import Rows, Source
from treadle.records.instants import Instant
from treadle.records.rows import CANONICAL, CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW
from treadle.stages.data.canonical import add_canonical, row_faults
from treadle.stages.data.content import row_words

_FIRST, _SECOND, _NTH, _LEFT, _RIGHT = "__first", "__second", "__nth", "__left", "__right"
_BEFORE = "__before"


@dataclass(frozen=True, slots=True)
class Arrival:
    """When rows came, and what follows from it."""

    at: Instant
    """The present: when these rows were read."""
    next_row: int
    """The number of the first row that arrives."""
    history: int
    """Stored rows with lesser numbers were there at the first load."""
    backdated: bool = False
    """Whether rows are known as declared, whenever they arrive."""


@dataclass(frozen=True, slots=True)
class Merged:
    """All rows as they are now, in the order of their numbers, and how they differ from what was stored."""

    rows: pl.DataFrame
    arrived: pl.DataFrame
    """The rows that were not stored."""
    gone: int = 0
    """Stored rows that are there no longer."""
    replaces: bool = False
    """Whether more changed than rows arriving, so that the stored rows must be replaced."""
    faults: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything has to be stored."""
        return self.replaces or self.arrived.height > 0


def first_load(definition: Rows, plain: pl.DataFrame, pushed_ids: pl.Series | None = None) -> Merged:
    """Return rows that nothing was stored before: they are history. `plain` conforms and has no faults."""
    new = _new_events(definition, plain, pushed_ids)
    rows = add_canonical(new, definition.timing, definition.unique)
    return Merged(rows, rows, replaces=True)


def merge(
    definition: Rows,
    stored: pl.DataFrame,
    plain: pl.DataFrame,
    arrival: Arrival,
    *,
    whole: bool,
    overlap: pl.Expr | None = None,
    pushed_ids: pl.Series | None = None,
) -> Merged:
    """Return what becomes of the stored rows by those that were read.

    Args:
        definition: of the source or table, the same as when the rows were stored.
        stored: its stored rows.
        plain: rows that conform, without faults of their own.
        arrival: when they came.
        whole: these are all rows there are; stored ones that are not among them are gone.
        overlap: the stored rows that may have been read again; without it, none, unless the rows are identified.
        pushed_ids: the ids of the events that were pushed.
    """
    stored = stored.sort(ROW)
    columns = list(definition.columns)
    again = stored if whole else _maybe_again(definition, stored, overlap)
    same = _pairs(plain.select(columns), again.select(columns))
    new = plain.with_row_index(_LEFT).join(same, on=_LEFT, how="anti", maintain_order="left").drop(_LEFT)
    kept = again[same[_RIGHT].sort()] if whole else stored
    if isinstance(definition, Source) and definition.event_id is not None:
        known = kept[definition.event_id].cast(pl.String)
        new = _new_events(definition, new, known if pushed_ids is None else known.append(pushed_ids))
    arrived = bounded(
        definition, add_canonical(new, definition.timing, definition.unique, arrival.next_row), arrival
    )
    rows = pl.concat([kept, arrived])
    gone = stored.height - kept.height
    faults = row_faults(rows, definition) if definition.unique and arrived.height and not whole else []
    said = tuple(f"together with what is stored, {fault}" for fault in faults)
    return Merged(rows, arrived, gone, replaces=gone > 0, faults=said)


def redefine(
    definition: Rows,
    stored: pl.DataFrame,
    plain: pl.DataFrame,
    arrival: Arrival,
    pushed_ids: pl.Series | None = None,
) -> Merged:
    """Return all rows under a changed definition: each is as the definition now says, but none known before it came.

    A row that agrees with a stored one, in the columns that both have, keeps its number. What else was made anew takes
    over when its like became known: the rows of the same key (`unique`), else those of the same event time.
    """
    stored = stored.sort(ROW)
    plain = _new_events(definition, plain, pushed_ids)
    common = [name for name, dtype in plain.schema.items() if stored.schema.get(name) == dtype]
    same = _pairs(plain.select(common), stored.select(common))
    if not common:
        same = same.clear()
    before = stored[same[_RIGHT]].select(pl.col(ROW, KNOWN_AT, CREATED_TIME).name.suffix(_BEFORE))
    unique = definition.unique or list(plain.columns)
    rows = add_canonical(plain.with_row_index(_LEFT), definition.timing, unique)
    rows = rows.join(before.with_columns(same[_LEFT]), on=_LEFT, how="left", maintain_order="left")
    rows = _inherit(definition, rows, stored, arrival)
    number = pl.col(ROW + _BEFORE)
    fresh = number.is_null()
    rows = rows.with_columns(
        pl.coalesce(number, fresh.cast(pl.Int64).cum_sum() - 1 + arrival.next_row).alias(ROW)
    ).select(*plain.columns, *CANONICAL)
    arrived = rows.filter(pl.col(ROW) >= arrival.next_row)
    kept = rows.height - arrived.height
    return Merged(rows.sort(ROW), arrived, gone=stored.height - kept, replaces=True)


def once_each(source: Source, rows: pl.DataFrame) -> pl.DataFrame:
    """Return each event once: of several rows with one event id the first."""
    if source.event_id is None:
        return rows
    return rows.unique(source.event_id, keep="first", maintain_order=True)


def bounded(definition: Rows, rows: pl.DataFrame, arrival: Arrival) -> pl.DataFrame:
    """Return arriving rows with what their arrival says of when they were stored and known."""
    if arrival.backdated or says_itself(definition):
        return rows
    return rows.with_columns(pl.max_horizontal(c, arrival.at).alias(c) for c in (KNOWN_AT, CREATED_TIME))


def says_itself(definition: Rows) -> bool:
    """Say whether the rows are timeless, or have a column that says when they were stored or known."""
    timing = definition.timing
    return timing.event_time is None or timing.created_time is not None or timing.known_at is not None


def _inherit(definition: Rows, rows: pl.DataFrame, stored: pl.DataFrame, arrival: Arrival) -> pl.DataFrame:
    """Return the rows no earlier known than those stored before that they take the place of."""
    if arrival.backdated or says_itself(definition):
        return rows
    late = stored.filter(pl.col(ROW) >= arrival.history)
    keys = list(definition.unique) if definition.unique else [EVENT_TIME]
    if any(late.schema.get(key) != rows.schema[key] for key in keys):
        keys = [EVENT_TIME]
    like = late.group_by(keys).agg(pl.col(KNOWN_AT, CREATED_TIME).max().name.suffix("__like"))
    rows = rows.join(like, on=keys, how="left", nulls_equal=True, maintain_order="left")
    number = pl.col(ROW + _BEFORE)
    done = []
    for column in (KNOWN_AT, CREATED_TIME):
        matched = pl.when(number >= arrival.history).then(pl.col(column + _BEFORE))
        bound = pl.when(number.is_not_null()).then(matched).otherwise(pl.col(column + "__like"))
        done.append(pl.max_horizontal(column, bound).alias(column))
    return rows.with_columns(done)


def _maybe_again(definition: Rows, stored: pl.DataFrame, overlap: pl.Expr | None) -> pl.DataFrame:
    if overlap is not None:
        return stored.filter(overlap)
    # A row that is identified and comes once more, the same in every column, is the same row.
    return stored if definition.unique else stored.clear()


def _pairs(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Return which rows of both are equal, each in at most one pair, as columns of their places."""
    on = [_FIRST, _SECOND, _NTH]
    pairs = _numbered(left, _LEFT).join(_numbered(right, _RIGHT), on=on, how="inner")
    return pairs.select(_LEFT, _RIGHT).sort(_LEFT)


def _numbered(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return each row's hashes, its place, and how many equal rows come before it."""
    first, second = row_words(frame)
    words = pl.DataFrame({_FIRST: first, _SECOND: second}).with_row_index(name)
    return words.with_columns(pl.int_range(pl.len()).over(_FIRST, _SECOND).alias(_NTH))


def _new_events(definition: Rows, rows: pl.DataFrame, known: pl.Series | None) -> pl.DataFrame:
    """Return rows without events that are known, and each event once: of several with one id the first."""
    if not isinstance(definition, Source) or definition.event_id is None:
        return rows
    rows = once_each(definition, rows)
    if known is None:
        return rows
    ids = pl.DataFrame({_LEFT: known.unique()})
    text = pl.col(definition.event_id).cast(pl.String)
    return rows.join(ids, left_on=text, right_on=_LEFT, how="anti", maintain_order="left")
