"""The gauges of watched sources."""

from types import SimpleNamespace
from typing import Any

import treadle as tr
from treadle.entry.api.metrics import Metrics, render
from treadle.entry.api.source_quality import source_gauges
from treadle.records.estimates import Window
from treadle.records.instants import DAY, MINUTE, instant
from treadle.records.source_windows import ColumnCounts, SourceWindow

NOW = instant("2025-06-02")
MONITOR = tr.SourceMonitor("sales_quality", source="sales")


def text(*known):
    live: Any = SimpleNamespace(
        wheel=SimpleNamespace(sources=lambda: list(known)),
        world=SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW)),
    )
    return render(Metrics(), source_gauges(live)).decode()


def test_freshness_rows_and_missing_values_have_a_gauge_each():
    window = SourceWindow(
        monitor="sales_quality",
        source="sales",
        window=Window(NOW - DAY, NOW),
        at=NOW,
        rows=8,
        columns=(ColumnCounts(column="price", nulls=2), ColumnCounts(column="shop")),
    )
    lines = text((MONITOR, NOW - 5 * MINUTE, window)).splitlines()
    who = 'source="sales",monitor="sales_quality"'
    assert f"treadle_source_freshness_seconds{{{who}}} 300" in lines
    assert f"treadle_source_rows{{{who}}} 8" in lines
    assert f'treadle_source_nulls_ratio{{{who},column="price"}} 0.25' in lines
    assert f'treadle_source_nulls_ratio{{{who},column="shop"}} 0' in lines


def test_before_the_first_reading_there_is_nothing_to_tell():
    assert "treadle_source_rows{" not in text((MONITOR, None, None))
    assert "treadle_source" not in text()
