"""The gauges of watched sources: how old their newest rows are, and what their newest windows held."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.entry.api.metrics import label
from treadle.loop.live import Live
from treadle.records.instants import SECOND


def source_gauges(live: Live) -> list[tuple[str, str, Mapping[str, float]]]:
    """Return freshness, rows and shares of missing values of each source monitor; none before its first reading."""
    known = [] if live.wheel is None else live.wheel.sources()
    if not known:
        return []
    now = live.world.clock.now()
    fresh: dict[str, float] = {}
    rows: dict[str, float] = {}
    nulls: dict[str, float] = {}
    for monitor, newest, window in known:
        who = {"source": monitor.source, "monitor": monitor.name}
        if newest is not None:
            fresh[label(**who)] = max(0, now - newest) / SECOND
        if window is not None:
            rows[label(**who)] = float(window.rows)
            nulls |= {
                label(**who, column=one.column): window.share(one.nulls)
                for one in window.columns
                if window.rows
            }
    return [
        ("treadle_source_freshness_seconds", "Age of the newest row of a source.", fresh),
        ("treadle_source_rows", "Rows in the newest window of a source that is over.", rows),
        ("treadle_source_nulls_ratio", "Share of rows in that window without a value.", nulls),
    ]
