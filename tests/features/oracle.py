"""A brute-force point-in-time oracle: plain loops over plain rows, sharing no code with what it checks.

Values are summed as exact fractions, so that it says what the sum is and not what some order of additions gives.
"""

from __future__ import annotations

from fractions import Fraction


def latest(rows, key, at, ttl, column):
    """The column of the newest usable row: greatest (event, created, row) among rows of the key known by `at`."""
    if any(part is None for part in key):
        return None
    known = [r for r in rows if r["key"] == key and r["known_at"] <= at]
    if not known:
        return None
    best = max(known, key=lambda r: (r["event_time"], r["created_time"], r["row"]))
    if best["tombstone"] or (ttl is not None and at - best["event_time"] > ttl):
        return None
    return best[column]


def window(rows, key, at, over, function, column):
    """The aggregate over events of the key with `at - over <= event < at` that are known by `at`."""
    inside = []
    if all(part is not None for part in key):
        inside = [
            r
            for r in rows
            if r["key"] == key
            and at - over <= r["event_time"] < at
            and r["known_at"] <= at
            and not r["tombstone"]
        ]
    if column is None:
        return float(len(inside))
    values = [r[column] for r in inside if r[column] is not None]
    if function == "count":
        return float(len(values))
    added = float(sum((Fraction(v) for v in values), Fraction(0)))
    if function == "sum":
        return added
    return added / len(values) if values else None
