"""A profile in plain values: what `--json` writes and what tables of it show. Pure."""

from __future__ import annotations

import math

from treadle.records.digests import Json
from treadle.records.frequent_items import Counter, Value
from treadle.records.instants import iso
from treadle.records.profiles import ColumnProfile, Extreme, Profile

SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_VALUES = 20
"""Frequent values that are listed; `values_counted` says how many there are."""


def profile_json(profile: Profile) -> dict[str, Json]:
    """Return what a profile says as JSON: sketches as the quantiles and counts they give."""
    return {
        "name": profile.name,
        "version": profile.version,
        "model_version": profile.model_version,
        "segment": profile.segment,
        "start": None if profile.start is None else iso(profile.start),
        "end": None if profile.end is None else iso(profile.end),
        "rows": profile.rows,
        "columns": [column_json(column) for column in profile.columns],
    }


def column_json(column: ColumnProfile) -> dict[str, Json]:
    """Return what the profile of one column says; times are ISO text, what is not known is null."""
    moments = column.moments
    run = column.longest_run
    return {
        "name": column.name,
        "kind": column.kind,
        "dtype": column.dtype,
        "rows": column.rows,
        "nulls": column.nulls,
        "nan": column.nan,
        "infinities": column.infinities,
        "missing_share": column.null_share,
        "zeros": column.zeros,
        "negatives": column.negatives,
        "types": {str(kind): count for kind, count in column.types.items()},
        "distinct": round(column.distinct_count()),
        "distinct_exact": column.categorical,
        "mean": known(moments.mean) if moments.count else None,
        "std": known(moments.std),
        "skew": known(moments.skew),
        "kurtosis": known(moments.kurtosis),
        "lowest": [_extreme(column, extreme) for extreme in column.lowest],
        "highest": [_extreme(column, extreme) for extreme in column.highest],
        "quantiles": quantiles(column),
        "frequent": [
            {"value": one.value, "count": one.count, "row": one.row}
            for one in _counters(column)[:MOST_VALUES]
        ],
        "values_counted": len(_counters(column)),
        "counts_too_small_by_at_most": None if column.frequent is None else column.frequent.error,
        "shortest": None if column.lengths is None else column.lengths.shortest,
        "longest": None if column.lengths is None else column.lengths.longest,
        "longest_run": None
        if run is None
        else {"length": run.length, "value": shown(column, run.value), "row": run.row},
        "examples": {finding: list(rows) for finding, rows in column.examples.items()},
        "bytes": len(column.to_bytes()),
    }


def quantiles(column: ColumnProfile) -> dict[str, Json]:
    """Return the usual quantiles by share; empty for columns without an order of numbers or times."""
    if not column.quantiles:
        return {}
    found = column.sketch.quantiles(SHARES)
    return {
        f"{share:g}": shown(column, float(value)) for share, value in zip(SHARES, found.tolist(), strict=True)
    }


def shown(column: ColumnProfile, value: Value | None) -> Value | None:
    """Return a value of the column as a reader knows it: an instant as ISO text."""
    if column.kind != "time" or value is None or isinstance(value, str):
        return value
    try:
        return iso(int(value))
    except ValueError:
        return value


def known(value: float) -> float | None:
    """Return the number, or None for one that is not finite."""
    return value if math.isfinite(value) else None


def _counters(column: ColumnProfile) -> tuple[Counter, ...]:
    return () if column.frequent is None else column.frequent.counters


def _extreme(column: ColumnProfile, extreme: Extreme) -> dict[str, Json]:
    return {"value": shown(column, extreme.value), "row": extreme.row}
