"""A profile in plain values: what `--json` writes and what tables of it show. Pure."""

from __future__ import annotations

import math

from treadle.loop.profile_findings import remarks
from treadle.loop.profile_found import Found
from treadle.pictures.numbers import number, share
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput
from treadle.records.frequent_items import Counter, Value
from treadle.records.instants import iso
from treadle.records.profiles import ColumnProfile, Extreme, Profile

SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_PAIRS = 100
MOST_VALUES = 20
"""Frequent values that are listed; `values_counted` says how many there are."""


def report_json(report: Found) -> dict[str, Json]:
    """Return everything a report says as JSON."""
    found, comparison = report.associations, report.comparison
    return {
        **profile_json(report.profile),
        "made": iso(report.made),
        "remarks": [
            {"column": one.column, "status": one.status, "words": one.words}
            for one in remarks(report.profile, found)
        ],
        "sampled_rows": found.rows,
        "pairs": [pair.as_json() for pair in found.pairs[:MOST_PAIRS]],
        "missing_together": [pair.as_json() for pair in found.missing_together[:MOST_PAIRS]],
        "label": found.label,
        "label_hints": [hint.as_json() for hint in found.hints],
        "comparison": None if comparison is None else comparison.as_json(),
    }


def profile_text(profile: Profile) -> str:
    """Return a profile as lines of plain text: a column each."""
    head = ("column", "kind", "missing", "distinct", "low", "median", "high", "most frequent")
    cells = [head, *(tuple(map(str, summary_row(column).values())) for column in profile.columns)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([f"{profile.name}: {profile.rows:,} rows, {len(profile.columns)} columns", *lines])


def summary_row(column: ColumnProfile) -> dict[str, str]:
    """Return one column as a row of a table for people."""
    top = column.frequent.counters[:1] if column.frequent is not None and column.kind != "time" else ()
    return {
        "column": column.name,
        "kind": column.kind,
        "missing": share(column.null_share) if column.null_share else "",
        "distinct": ("" if column.categorical else "~") + f"{round(column.distinct_count()):,}"
        if column.distinct
        else "",
        "low": _brief(shown(column, column.low)),
        "median": _brief(shown(column, column.quantile(0.5))) if column.quantiles else "",
        "high": _brief(shown(column, column.high)),
        "most_frequent": f"{_brief(top[0].value)} ({top[0].count:,})" if top else "",
    }


def _brief(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


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
    except InvalidInput:
        return value


def known(value: float) -> float | None:
    """Return the number, or None for one that is not finite."""
    return value if math.isfinite(value) else None


def _counters(column: ColumnProfile) -> tuple[Counter, ...]:
    return () if column.frequent is None else column.frequent.counters


def _extreme(column: ColumnProfile, extreme: Extreme) -> dict[str, Json]:
    return {"value": shown(column, extreme.value), "row": extreme.row}
