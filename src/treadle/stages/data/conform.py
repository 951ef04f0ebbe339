"""Conforming columns: rows become exactly the declared types, or every reason why not is listed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

import polars as pl

from treadle.stages.data.times import instants, parsed

DTYPES: Mapping[str, pl.DataType] = {
    "float": pl.Float64(),
    "int": pl.Int64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "time": pl.Datetime("us", "UTC"),
}

DECLARE_ZONE = "declare the source's zone, e.g. zone='UTC', or store the times with an offset"
"""What to do about times without a zone, where rows come from outside."""


def missing_columns(wanted: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return a fault for each wanted column that is absent, with the nearest name that is there. Pure."""
    spare = {name.lower(): name for name in found if name not in wanted}
    faults = []
    for column in wanted:
        if column in found:
            continue
        near = difflib.get_close_matches(column.lower(), spare, n=1, cutoff=0.6)
        if near:
            hint = f"was it renamed to {spare[near[0]]!r}?"
        else:
            more = f" … ({len(found)} columns)" if len(found) > 20 else ""
            hint = f"there are {', '.join(found[:20])}{more}" if found else "there are no columns"
        faults.append(f"column {column!r} is missing; {hint}")
    return faults


def conform(
    rows: pl.DataFrame, columns: Mapping[str, str], zone: str | None, naive_fix: str = DECLARE_ZONE
) -> tuple[pl.DataFrame, list[str]]:
    """Return the declared columns in their declared types and order, and the faults found.

    Integers and decimals serve as floats; floats serve as integers when every value is whole; categories serve as text;
    timestamps of any unit and zone, and ISO 8601 text with an offset, serve as time (parts of a microsecond are cut off).
    NaN becomes null: both mean that there is no value. Negative zero becomes zero, so that equal values are equal bytes.
    Infinite values are refused: sums over windows and JSON have no place for them.

    Conforming twice is conforming once. Where there are faults, the rows are not to be used.

    Args:
        rows: rows that have every wanted column.
        columns: column → type name.
        zone: the zone of times that carry none; None refuses them.
        naive_fix: what to do about times without a zone, for the fault.
    """
    done: dict[str, pl.Series] = {}
    faults: list[str] = []
    for column, kind in columns.items():
        try:
            done[column] = _converted(rows[column], kind, zone, naive_fix)
        except _Unfit as unfit:
            faults.append(f"column {column!r} {unfit}")
    return pl.DataFrame(done), faults


def first_unfit(series: pl.Series, kind: str, zone: str | None) -> int:
    """Return the place of a column's first value that does not conform, given that one does not.

    Cost: that of conforming the column once more, for halves are looked at.
    """
    low, high = 0, len(series)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _converted(series[low:middle], kind, zone, DECLARE_ZONE)
            low = middle
        except _Unfit:
            high = middle
    return low


class _Unfit(Exception):
    """Why a column does not conform; becomes one fault."""


def _converted(series: pl.Series, kind: str, zone: str | None, naive_fix: str) -> pl.Series:
    dtype = series.dtype
    if dtype == pl.Null:
        return series.cast(DTYPES[kind])
    if dtype in (pl.Categorical, pl.Enum):
        series, dtype = series.cast(pl.String), pl.String()
    if kind == "float" and dtype.is_numeric():
        return _floats(series)
    if kind == "int" and dtype.is_integer():
        return _fitting(series)
    if kind == "int" and dtype.is_float():
        return _whole(series)
    if dtype == {"string": pl.String, "bool": pl.Boolean}.get(kind):
        return series
    if kind == "time" and isinstance(dtype, pl.Datetime | pl.String):
        times, fault = (instants if isinstance(dtype, pl.Datetime) else parsed)(series, zone, naive_fix)
        if fault:
            raise _Unfit(fault)
        return times
    raise _Unfit(_other_type(series, kind))


def _floats(series: pl.Series) -> pl.Series:
    floats = series.cast(pl.Float64).fill_nan(None)
    endless = floats.filter(floats.is_infinite())
    if len(endless):
        raise _Unfit(
            f"holds {_count(len(endless), 'infinite value')}; "
            "write null where there is no value, such as after a division by zero"
        )
    return floats.set(floats == 0.0, 0.0)  # -0.0 equals 0.0; adding 0.0 would do, but Polars leaves that out


def _fitting(series: pl.Series) -> pl.Series:
    """Return integers of any width as 64-bit ones."""
    whole = series.cast(pl.Int64, strict=False)
    broken = series.filter(series.is_not_null() & whole.is_null())
    if len(broken):
        raise _Unfit(f"holds {_count(len(broken), 'number')} too large for 64 bits, e.g. {broken[0]}")
    return whole


def _whole(series: pl.Series) -> pl.Series:
    """Return floats as integers, if they are whole."""
    floats = series.cast(pl.Float64).fill_nan(None)
    is_whole = (floats == floats.floor()) & (floats >= -(2.0**63)) & (floats < 2.0**63)
    broken = floats.filter(~is_whole)
    if len(broken):
        raise _Unfit(
            f"must be int but holds {_count(len(broken), 'value')} that are no whole 64-bit numbers, e.g. {broken[0]}; "
            "round them where the data is made, or declare the column 'float'"
        )
    return floats.cast(pl.Int64)


_FITTING_KIND = ((pl.String, "string"), (pl.Boolean, "bool"), (pl.Datetime, "time"))


def _other_type(series: pl.Series, kind: str) -> str:
    """Say what a column holds instead, with a value, and what to do."""
    dtype = series.dtype
    values = series.drop_nulls()
    example = f", e.g. {str(values[0])[:40]!r}" if len(values) and not dtype.is_nested() else ""
    said = f"holds {dtype}{example}, not {kind}"
    if kind == "time":
        return f"{said}; store timestamps with a zone, or ISO 8601 text with an offset such as 2013-04-01T00:00:00Z"
    fitting = next((name for plain, name in _FITTING_KIND if dtype == plain), None)
    fitting = "int" if dtype.is_integer() else "float" if dtype.is_numeric() else fitting
    declare = f", or declare it {fitting!r}" if fitting else ""
    return f"{said}; convert it where the data is made{declare}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
