"""The same picture as a table and as a spoken sentence, for everybody who cannot look at it."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from treadle.pictures.chart import SPANS, Chart, Series
from treadle.pictures.frame import say_all, say_x, say_y
from treadle.pictures.numbers import NO_DATA

Row: TypeAlias = tuple[str, ...]


def table(chart: Chart, most: int = 300) -> tuple[Row, list[Row], int]:
    """Return the chart's values as a table.

    Args:
        chart: the picture.
        most: rows to give out.

    Returns:
        The head, at most `most` rows of text, and how many rows there are in all.
    """
    if chart.form == "multiples":
        head, rows = _panels(chart)
    elif chart.form in SPANS:
        head, rows = ("row", "from", "to", "state", "what"), _spans(chart)
    elif chart.form == "heat" or len({one.x for one in chart.series}) > 1:
        head, rows = ("series", _x_head(chart), chart.unit or "value"), _long(chart)
    else:
        head, rows = _wide(chart)
    return head, rows[:most], len(rows)


def spoken(chart: Chart) -> str:
    """Return what a screen reader says: the finding, then the last value of every series."""
    if chart.form == "multiples":
        return f"{chart.caption} Panels: {', '.join(panel.title for panel in chart.panels)}."
    if chart.empty:
        return f"{chart.caption} No data."
    if chart.form in SPANS:
        last = [
            f"{one.name} {(one.labels or one.states)[-1] or one.states[-1]}" for one in chart.series if one.x
        ]
    elif chart.x_kind == "category" and chart.form in ("bars", "dot"):
        last = [
            f"{x} {say_y(chart, y)}"
            for one in chart.series[:1]
            for x, y in list(zip(one.x, one.y, strict=True))[:5]
        ]
        return f"{chart.caption} First values: {', '.join(map(str, last))}."
    else:
        last = [f"{one.name} {_last(chart, one)}" for one in chart.series[:20]]
    return f"{chart.caption} Last values: {', '.join(last)}."


def _last(chart: Chart, one: Series) -> str:
    return say_y(chart, next((v for v in reversed(one.y) if v is not None), None))


def _x_head(chart: Chart) -> str:
    return chart.x_label or {"time": "time, UTC", "category": "name"}.get(chart.x_kind, "x")


def _wide(chart: Chart) -> tuple[Row, list[Row]]:
    head, columns = [_x_head(chart)], []
    places = chart.series[0].x if chart.series else ()
    if chart.form == "histogram":
        columns.append([f"{say_x(chart, a)} to {say_x(chart, b)}" for a, b in pairwise(places)])
    else:
        columns.append([say_x(chart, x) for x in places])
    for one in chart.series:
        head.append(one.name)
        columns.append(say_all(chart, one.y))
        if one.lower is not None and one.upper is not None:
            head.append(f"{one.name}, interval")
            ends = zip(one.lower, one.upper, strict=True)
            columns.append([_between(chart, low, high) for low, high in ends])
    return tuple(head), list(zip(*columns, strict=True))


def _between(chart: Chart, low: float | None, high: float | None) -> str:
    return NO_DATA if low is None or high is None else f"{say_y(chart, low)} to {say_y(chart, high)}"


def _long(chart: Chart) -> list[Row]:
    rows: list[Row] = []
    for one in chart.series:
        if chart.form == "histogram":
            names = [f"{say_x(chart, a)} to {say_x(chart, b)}" for a, b in pairwise(one.x)]
        else:
            names = [say_x(chart, x) for x in one.x]
        rows += [(one.name, x, y) for x, y in zip(names, say_all(chart, one.y), strict=True)]
    return rows


def _spans(chart: Chart) -> list[Row]:
    return [
        (one.name, say_x(chart, start), say_x(chart, end), state, label)
        for one in chart.series
        for start, end, state, label in zip(
            one.x, one.ends, one.states, one.labels or ("",) * len(one.x), strict=True
        )
    ]  # fmt: skip


def _panels(chart: Chart) -> tuple[Row, list[Row]]:
    head: Row = ("panel",)
    rows: list[Row] = []
    for panel in chart.panels:
        # Panels may differ in their places on x; the long form holds them all.
        parts = _spans(panel) if panel.form in SPANS else _long(panel)
        head = ("panel", "row", "from", "to", "state", "what") if panel.form in SPANS else (
            "panel", "series", _x_head(panel), panel.unit or "value"
        )  # fmt: skip
        rows += [(panel.title, *row) for row in parts]
    return head, rows
