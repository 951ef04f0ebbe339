"""What each engine cannot compute, and what it computes nearly: the table that lowerings, tests and reference share."""

from __future__ import annotations

UNAVAILABLE: dict[str, dict[str, str]] = {
    "polars": {},
    "duckdb": {
        "lower": "DuckDB maps case letter by letter, Unicode does not (ß, İ, final sigma)",
        "upper": "DuckDB maps case letter by letter, Unicode does not (ß, İ, final sigma)",
    },
    "pyspark": {},
}
"""For each engine, the operators it does not have, and why."""

APPROXIMATE: dict[str, dict[str, int]] = {
    "polars": {},
    "duckdb": {"log": 2, "log1p": 8, "exp": 2, "sin": 2, "cos": 2, "power": 2},
    "pyspark": {"log": 2, "log1p": 2, "exp": 2, "sin": 2, "cos": 2, "power": 2},
}
"""For each engine, the operators that come from its own mathematics, and how many units in the last place they may differ
from the other lowerings. All others are equal to the bit."""
