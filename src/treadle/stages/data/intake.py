"""Taking in events: rows offered one by one become exactly what reading them from a file would have made of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import polars as pl

from treadle.define.sources import Source, Timing
from treadle.records.digests import digest_value
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, Duration, Instant, instant, iso, short
from treadle.records.intake import LONGEST_ID, Event, Position, Value
from treadle.stages.data.conform import conform
from treadle.stages.data.plain_values import OddError, plain_reader

Row: TypeAlias = Mapping[str, object]
"""A row as it is offered: column → value; columns that are not declared are ignored."""

SHOWN_FAULTS = 100
"""So many kinds of fault are listed of rows that are refused."""

Faults: TypeAlias = dict[int, list[str]]
"""What is wrong with which row, by its place among those offered."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which event times are believed."""

    ahead: Duration | None = DAY
    """An event may lie so far in the future; beyond it a wrong clock or unit is more likely. None believes everything."""
    late: Duration | None = None
    """An event may be so old when it comes; None takes in events of any age."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that were offered, in their declared types, and what is wrong with the others."""

    rows: dict[int, dict[str, Value]]
    """The rows that can be taken in, by their place; times are instants."""
    ids: dict[int, str]
    """The event id of each of them."""
    faults: Faults


def check_rows(
    source: Source,
    rows: Sequence[Row],
    now: Instant,
    *,
    ids: Sequence[str] | None = None,
    bounds: Bounds | None = None,
) -> Checked:
    """Return which rows can be taken in, in their declared types, and every fault of each of the others. Pure.

    A column must be there in each row, null where it has no value. The types and rules are those of files.

    Args:
        source: whose rows.
        rows: in the order offered.
        now: the present, for rows from the future.
        ids: the producer's id of each row; used where the source declares no `event_id` column. With neither, the
            row's content is its identity, so that the same row offered twice counts once.
        bounds: which event times are believed.

    Cost: about 5 µs a row whose values are of their types as they stand; 1 ms for each other row, at the most.

    Raises:
        InvalidInput: there is not one id for each row.
    """
    if ids is not None and len(ids) != len(rows):
        raise InvalidInput(
            f"{len(rows)} rows came with {len(ids)} ids", fix="give one id for each row, in the same order"
        )
    good, faults = _conforming(source, rows)
    for place, row in good.items():
        found = _time_faults(source.timing, row, now, bounds or Bounds())
        if found:
            faults[place] = found
    named: dict[int, str] = {}
    for place in [place for place in good if place not in faults]:
        event_id, fault = _event_id(source, good[place], None if ids is None else ids[place])
        if fault is None:
            named[place] = event_id
        else:
            faults[place] = [fault]
    return Checked({place: good[place] for place in named}, named, faults)


def refuse_faulty(source: Source, checked: Checked) -> None:
    """Refuse rows as a whole if any has a fault.

    Raises:
        InvalidInput: with every fault; those that many rows share are listed once.
    """
    if not checked.faults:
        return
    places: dict[str, list[int]] = {}
    for place, faults in sorted(checked.faults.items()):
        for fault in faults:
            places.setdefault(fault, []).append(place)
    listed = [f"{_named(rows)}: {fault}" for fault, rows in places.items()]
    if len(listed) > SHOWN_FAULTS:
        listed[SHOWN_FAULTS:] = [f"and {len(listed) - SHOWN_FAULTS:,} more kinds of fault"]
    count = len(checked.faults)
    raise InvalidInput(
        f"{count} row{'s' if count > 1 else ''} cannot be taken in; nothing was",
        where=f"source {source.name!r}",
        fix="mend the rows and push them again; rows are counted from 0",
        faults=listed,
    )


def make_event(
    source: Source, row: dict[str, Value], event_id: str, received_at: Instant, position: Position | None
) -> Event:
    """Return the event of a checked row. Pure.

    Its `known_at` is what the source declares, and never before it was received: nobody could have used it earlier.
    """
    timing = source.timing
    partition, offset = position or (None, None)
    event_time = _instant(row, timing.event_time, 0)
    created = _instant(row, timing.created_time, received_at)
    known = [received_at, created, _instant(row, timing.known_at, received_at)]
    if timing.event_time is not None:
        known.append(event_time + timing.known_after)
    gone = bool(row[timing.tombstone]) if timing.tombstone else False
    return Event(
        source.name, event_id, received_at, event_time, max(known), created, gone, row, partition, offset
    )


def _conforming(source: Source, rows: Sequence[Row]) -> tuple[dict[int, dict[str, Value]], Faults]:
    """Return the conforming rows by place, and the faults of the others."""
    read = plain_reader(source.columns, _needed(source))
    good: dict[int, dict[str, Value]] = {}
    odd: list[int] = []
    for place, row in enumerate(rows):
        try:
            good[place] = read(row)
        except OddError:
            odd.append(place)
    if not odd:
        return good, {}
    together, found = _conform(source, [rows[place] for place in odd])
    if not found:
        good |= dict(zip(odd, together, strict=True))
        return {place: good[place] for place in sorted(good)}, {}
    # Some row is at fault: each is looked at for itself, to tell which.
    faults: Faults = {}
    for place in odd:
        alone, found = _conform(source, [rows[place]])
        if found:
            faults[place] = found
        else:
            good[place] = alone[0]
    return {place: good[place] for place in sorted(good)}, faults


def _conform(source: Source, rows: Sequence[Row]) -> tuple[list[dict[str, Value]], list[str]]:
    columns: dict[str, pl.Series] = {}
    faults: list[str] = []
    needed = _needed(source)
    for column, kind in source.columns.items():
        if any(column not in row for row in rows):
            faults.append(_missing(column, next(row for row in rows if column not in row)))
            continue
        values = [row[column] for row in rows]
        if column in needed and None in values:
            faults.append(f"column {column!r} is null; it is the row's {needed[column]}")
        try:
            columns[column] = _series(values, kind, source.zone)
        except _Unfit as unfit:
            faults.append(f"column {column!r} {unfit}")
    typed, found = conform(
        pl.DataFrame(columns), {c: kind for c, kind in source.columns.items() if c in columns}, source.zone
    )
    faults += found
    if faults:
        return [], faults
    physical = typed.select(
        pl.col(c).to_physical() if typed.schema[c].is_temporal() else c for c in typed.columns
    )
    return physical.rows(named=True), []


def _needed(source: Source) -> dict[str, str]:
    """Return what must not be null: column → the part it plays."""
    timing = source.timing
    parts = {
        source.event_id: "event id",
        timing.created_time: "created time",
        timing.known_at: "known_at",
        timing.event_time: "event time",
    }
    return {column: part for column, part in parts.items() if column is not None}


class _Unfit(Exception):
    """Why values cannot be a column; becomes one fault."""


def _series(values: list[object], kind: str, zone: str | None) -> pl.Series:
    """Return values as they are, in one column; numbers are made one type when they are of two."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {int, float}:
        whole = kind == "int" and all(v.is_integer() for v in values if isinstance(v, float))
        make: Callable[[object], object] = _int if whole else _float
        values, kinds = [None if v is None else make(v) for v in values], {int if whole else float}
    if kinds == {datetime} and any(_is_aware(v) for v in values):
        return _times(values)
    if not kinds:
        return pl.Series(values, dtype=pl.Null)
    if len(kinds) > 1 or not kinds <= {bool, int, float, str, datetime}:
        said = " and ".join(sorted(kind.__name__ for kind in kinds))
        raise _Unfit(f"holds {said}, not {kind}; write one plain value of that type, or null")
    try:
        return pl.Series(values, strict=True)
    except UnicodeEncodeError:
        raise _Unfit("holds text that cannot be written as UTF-8") from None
    except (TypeError, OverflowError) as error:
        raise _Unfit(f"holds a number too large for 64 bits ({str(error)[:80]})") from None


def _is_aware(value: object) -> bool:
    return isinstance(value, datetime) and value.tzinfo is not None


def _times(values: list[object]) -> pl.Series:
    """Return datetimes of any zones as one column of instants."""
    try:
        instants = [None if value is None else instant(value) for value in values]  # type: ignore[arg-type]  # datetimes
    except InvalidInput as error:
        raise _Unfit(f"holds times with and without a zone: {error.what}") from None
    return pl.Series(instants, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))


def _int(value: object) -> int:
    return int(value)  # type: ignore[call-overload, no-any-return]  # an int or a whole float


def _float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # an int or a float
    except OverflowError:
        raise _Unfit(f"holds the number {str(value)[:20]}…, too large for 64 bits") from None


def _missing(column: str, row: Row) -> str:
    spare = [str(name) for name in row]
    near = difflib.get_close_matches(column, spare, n=1, cutoff=0.6)
    hint = f"was it renamed to {near[0]!r}?" if near else "write null where there is no value"
    return f"column {column!r} is missing; {hint}"


def _time_faults(timing: Timing, row: Mapping[str, Value], now: Instant, bounds: Bounds) -> list[str]:
    if timing.event_time is None:
        return []
    faults = []
    at = _instant(row, timing.event_time, 0)
    if bounds.ahead is not None and at > now + bounds.ahead:
        faults.append(
            f"the event time {iso(at)} lies more than {short(bounds.ahead)} ahead of the clock ({iso(now)}); "
            "check the producer's clock and unit"
        )
    if bounds.late is not None and at < now - bounds.late:
        faults.append(
            f"the event time {iso(at)} is more than {short(bounds.late)} ago, later than is taken in"
        )
    return faults


def _event_id(source: Source, row: Mapping[str, Value], given: object) -> tuple[str, str | None]:
    if source.event_id is not None:
        given = str(row[source.event_id])
    elif given is None:
        return digest_value(row)[:32], None
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID or not given.isprintable():
        return "", f"the event id {str(given)[:20]!r} is not printable text of 1 to {LONGEST_ID} characters"
    return given, None


def _instant(row: Mapping[str, Value], column: str | None, otherwise: Instant) -> Instant:
    value = None if column is None else row[column]
    return value if isinstance(value, int) else otherwise


def _named(places: list[int]) -> str:
    return f"row {places[0]}" if len(places) == 1 else f"{len(places):,} rows, e.g. row {places[0]}"
