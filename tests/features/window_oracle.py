"""A brute-force oracle of windows: plain loops over plain rows, exact fractions, sharing no code with what it checks."""

from __future__ import annotations

import math
from fractions import Fraction

MINUTE = 60_000_000
HOUR = 60 * MINUTE


def begin(at, over, accuracy):
    """The first instant of a window: in tiles, a whole number of 5 minutes, hours or days after 1970."""
    if accuracy == "exact":
        return at - over
    width = 5 * MINUTE if over <= 12 * HOUR else HOUR if over <= 12 * 24 * HOUR else 24 * HOUR
    start = 0
    return start + math.floor(Fraction(at - over, width)) * width


def answer(rows, key, at, *, function, column=None, over, accuracy, keep=None, level=None):
    """One aggregate of one key at T. `keep` says of a row whether the filter lets it through."""
    inside = [
        row
        for row in rows
        if None not in key
        and row["key"] == key
        and begin(at, over, accuracy) <= row["event_time"] < at
        and row["known_at"] <= at
        and not row["tombstone"]
        and (keep is None or keep(row))
    ]
    if column is None:
        return float(len(inside))
    inside.sort(key=lambda row: (row["event_time"], row["created_time"], row["row"]))
    if function in ("first", "last"):
        return inside[0 if function == "first" else -1][column] if inside else None
    values = [row[column] for row in inside if row[column] is not None]
    if function == "count":
        return float(len(values))
    if function == "distinct":
        return float(len(set(values)))
    if function == "sum":
        return float(sum(map(Fraction, values)))
    if not values:
        return None
    return _of_values(function, values, level)


def _of_values(function, values, level):
    if function in ("min", "max"):
        return min(values) if function == "min" else max(values)
    if function == "mean":
        return float(sum(map(Fraction, values))) / len(values)
    if function == "quantile":
        ordered = sorted(values)
        place = level * (len(ordered) - 1)
        below, part = math.floor(place), place - math.floor(place)
        if part == 0:
            return ordered[below]
        return ordered[below] + (ordered[below + 1] - ordered[below]) * part
    if len(values) < 2:
        return None
    middle = sum(map(Fraction, values)) / len(values)
    variance = float(sum((Fraction(v) - middle) ** 2 for v in values) / (len(values) - 1))
    return variance if function == "var" else math.sqrt(variance)
