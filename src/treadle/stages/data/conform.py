"""Conforming columns: rows become exactly the declared types, or every reason why not is listed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import polars as pl

DTYPES: Mapping[str, pl.DataType] = {
    "float": pl.Float64(),
    "int": pl.Int64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "time": pl.Datetime("us", "UTC"),
}


def missing_columns(owner: str, wanted: Mapping[str, str], found: list[str]) -> list[str]:
    """Return a fault for each wanted column that is absent, with the nearest name that is there."""
    faults = []
    for column in wanted:
        if column in found:
            continue
        near = difflib.get_close_matches(column, found, n=1, cutoff=0.6)
        hint = f"; did {near[0]!r} get another name?" if near else f"; it has {', '.join(found[:20])}"
        faults.append(f"{owner}: column {column!r} is missing{hint}")
    return faults


def conform(
    owner: str, rows: pl.DataFrame, columns: Mapping[str, str], zone: str | None
) -> tuple[pl.DataFrame, list[str]]:
    """Return the declared columns in their declared types and order, and the faults found.

    Integers serve as floats; floats serve as integers when every value is whole; text serves as time when it is ISO 8601
    with an offset. NaN becomes null: both mean that there is no value.

    Args:
        owner: what the rows are, for the faults, e.g. `source 'weather'`.
        rows: rows that have every wanted column.
        columns: column → type name.
        zone: the zone of times that carry none; None refuses them.
    """
    done: dict[str, pl.Series] = {}
    faults: list[str] = []
    for column, kind in columns.items():
        converted, fault = _convert(rows[column], kind, zone)
        if fault is not None:
            faults.append(f"{owner}: column {column!r} {fault}")
        done[column] = converted
    return pl.DataFrame(done), faults


def _convert(series: pl.Series, kind: str, zone: str | None) -> tuple[pl.Series, str | None]:
    dtype = series.dtype
    if dtype == pl.Null:
        return series.cast(DTYPES[kind]), None
    if dtype in (pl.Categorical, pl.Enum):
        series, dtype = series.cast(pl.String), pl.String()
    if kind == "float" and (dtype.is_integer() or dtype.is_float()):
        return series.cast(pl.Float64).fill_nan(None), None
    if kind == "int" and dtype.is_integer():
        return series.cast(pl.Int64), None
    if kind == "int" and dtype.is_float():
        return _whole(series.cast(pl.Float64).fill_nan(None))
    if kind == "string" and dtype == pl.String:
        return series, None
    if kind == "bool" and dtype == pl.Boolean:
        return series, None
    if kind == "time" and isinstance(dtype, pl.Datetime):
        return _instants(series, dtype, zone)
    if kind == "time" and dtype == pl.String:
        return _parsed(series, zone)
    return (
        series,
        f"holds {dtype}, not {kind}; convert it where the data is made, or change the declared type",
    )


def _whole(series: pl.Series) -> tuple[pl.Series, str | None]:
    broken = series.filter(series.is_not_null() & (series != series.round()))
    if len(broken):
        return series, f"must be int but holds {len(broken)} fractional values, e.g. {broken[0]}"
    return series.cast(pl.Int64), None


def _instants(series: pl.Series, dtype: pl.Datetime, zone: str | None) -> tuple[pl.Series, str | None]:
    if dtype.time_zone is None:
        if zone is None:
            return series, _naive(str(series.drop_nulls()[0]) if series.count() else "")
        # The later of two readings of a repeated hour would invent knowledge from the future; take the earlier.
        series = series.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return series.dt.convert_time_zone("UTC").dt.cast_time_unit("us"), None


def _parsed(series: pl.Series, zone: str | None) -> tuple[pl.Series, str | None]:
    parsed = series.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    broken = series.filter(series.is_not_null() & parsed.is_null())
    if not len(broken):
        return parsed, None
    naive = series.str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    if naive.null_count() == series.null_count():
        if zone is None:
            return series, _naive(broken[0])
        return naive.dt.replace_time_zone(
            zone, ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC"), None
    return series, f"holds {len(broken)} texts that are not ISO 8601 times with an offset, e.g. {broken[0]!r}"


def _naive(example: str) -> str:
    return (
        f"holds times without a zone, e.g. {example}; declare the source's zone, e.g. zone='UTC', or store the times with "
        "an offset"
    )
