"""A schema from what data held once, with slack: a proposal that a person reads and edits.

What is inferred has room: data of tomorrow are not those of today. A rule that would need a guess is left out: keys,
references, row rules and comparisons are a person's to write.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from treadle.records.instants import DAY
from treadle.records.profiles import ColumnProfile, Profile
from treadle.records.schemas import ColumnSchema, DatasetSchema, KeySchema, RowsSchema, TimeSchema
from treadle.stages.validation.schema.facts import NULLS, type_of

MOST_VALUES = 100
"""A text column of more different values gets no list of them."""
_FEW_ROWS = 30
"""Fewer rows say nothing about what share of values is missing."""
_OPEN_MASS = 0.99


def infer_schema(
    profile: Profile,
    *,
    name: str | None = None,
    keys: Sequence[Sequence[str]] = (),
    event_time: str | None = None,
    known_at: str | None = None,
) -> DatasetSchema:
    """Return a schema that the profiled data keep, with slack. Pure.

    - Numbers may lie one whole range beyond what was seen on either side, but not below 0 if none did.
    - Missing values may become twice as many, and some more where few rows were seen; none, if there were none.
    - Texts of up to 100 different values, each seen four times on average, get the list of them, and one value in a
      hundred may be new; other texts may be twice as long as the longest.
    - NaN and infinities are refused where there were none.
    - Instants may lie one whole range before the first; never in the future, for the column of event times.
    - Numbers that are part of a key have no bounds: they are counted on.

    Args:
        profile: what the data held.
        name: the schema's name; the profile's when left out.
        keys: columns that tell rows apart, where the definitions say so.
        event_time: the column that says when rows were true.
        known_at: the column that says when they became known.
    """
    columns = {column.name: _column(column) for column in profile.columns}
    for one in {name for key in keys for name in key} & columns.keys():
        if columns[one].type in ("int", "float"):  # a number that identifies rows is counted on
            columns[one] = msgspec.structs.replace(columns[one], min=None, max=None)
    time = None
    if event_time is not None and columns.get(event_time, _NO_COLUMN).type == "time":
        time = TimeSchema(column=event_time, known=known_at)
    return DatasetSchema(
        name=name or profile.name,
        rows=RowsSchema(min=1 if profile.rows else None),
        time=time,
        keys=tuple(KeySchema(columns=tuple(key)) for key in keys),
        columns=columns,
    )


_NO_COLUMN = ColumnSchema(type="string")


def _column(profile: ColumnProfile) -> ColumnSchema:
    kind = type_of(profile.kind, profile.dtype)
    if kind == NULLS or (not profile.present and kind == "struct"):
        # Nobody knows what will come; a person does.
        return ColumnSchema(type="string", lifecycle="planned")
    least = _least_present(profile)
    match kind:
        case "float":
            low, high = _range(profile)
            return ColumnSchema(
                type="float",
                min_fraction=least,
                min=low,
                max=high,
                nan=profile.nan > 0,
                infinite=profile.infinities > 0,
            )
        case "int":
            low, high = _range(profile)
            whole = [None if v is None else round(v) for v in (low, high)]
            return ColumnSchema(type="int", min_fraction=least, min=whole[0], max=whole[1])
        case "time":
            return ColumnSchema(type="time", min_fraction=least, min=_earliest(profile))
        case "string":
            return _text(profile, least)
        case "bool" | "duration" | "binary" | "list":
            return ColumnSchema(type=kind, min_fraction=least)
    return ColumnSchema(type="struct", min_fraction=least)


def _least_present(profile: ColumnProfile) -> float | None:
    """Return the least share of rows that must have a value, with three digits, or None for any."""
    if not profile.rows:
        return None
    missing = profile.null_share
    if not missing:
        return 1.0
    if profile.rows < _FEW_ROWS:
        return None
    noise = 3 * math.sqrt(missing * (1 - missing) / profile.rows)
    least = math.floor((1 - 2 * missing - noise) * 1_000) / 1_000
    return least if least > 0 else None


def _range(profile: ColumnProfile) -> tuple[float | None, float | None]:
    low, high = profile.low, profile.high
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None, None
    room = max(high - low, abs(high), abs(low)) if high == low else high - low
    least, most = _outward(low - room, down=True), _outward(high + room, down=False)
    least = max(least, 0.0) if low >= 0 else least
    most = min(most, 0.0) if high <= 0 else most
    if not (math.isfinite(least) and math.isfinite(most)) or max(abs(least), abs(most)) > 2.0**62:
        return None, None
    return least, most


def _outward(value: float, *, down: bool) -> float:
    """Return a number of two digits that is not above (or not below) the value."""
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    if not unit:
        return 0.0 if (value > 0) == down else value
    found = (math.floor if down else math.ceil)(value / unit) * unit
    return float(f"{found:.2g}")


def _earliest(profile: ColumnProfile) -> int | None:
    low, high = profile.low, profile.high
    if not isinstance(low, int) or not isinstance(high, int):
        return None
    earliest = (low - max(high - low, DAY)) // DAY * DAY
    return max(earliest, -62_135_596_800_000_000)  # the year 1


def _text(profile: ColumnProfile, least: float | None) -> ColumnSchema:
    counts = profile.counts()
    if profile.categorical and 0 < len(counts) <= min(MOST_VALUES, profile.present // 4):
        values = tuple(sorted(str(value) for value in counts))
        if all(len(value) < 96 for value in values):  # longer ones are kept cut
            return ColumnSchema(type="string", min_fraction=least, values=values, min_domain_mass=_OPEN_MASS)
    lengths = profile.lengths
    if lengths is None:
        return ColumnSchema(type="string", min_fraction=least)
    return ColumnSchema(
        type="string",
        min_fraction=least,
        min_length=1 if lengths.shortest else None,
        max_length=max(2 * lengths.longest, 8),
    )
