"""A chart as a Vega-Lite v5 specification: a plain dict for interactive notebooks and for exploring.

The colours are the same as in our own drawings. Times go out as ISO text and are shown in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from treadle.pictures.chart import SPANS, Chart, X
from treadle.pictures.frame import say_x
from treadle.pictures.palette import DARK, LIGHT, looks
from treadle.pictures.status import STATUSES
from treadle.records.digests import Json
from treadle.records.instants import SECOND, iso

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
Spec: TypeAlias = dict[str, Json]

_TYPES = {"time": "temporal", "number": "quantitative", "category": "nominal"}
_FORMATS = {"number": ".4~g", "share": ".1~%", "duration": ".4~g"}


def vega_lite(chart: Chart, *, dark: bool = False, width: int = 560) -> Spec:
    """Return the specification.

    Args:
        chart: what to show.
        dark: whether colours are those for a dark ground.
        width: pixels of the plot.
    """
    colors = DARK if dark else LIGHT
    spec: Spec = {
        "$schema": SCHEMA,
        "title": {"text": chart.title, "subtitle": chart.caption, "anchor": "start"},
        "description": chart.caption,
        "background": "transparent",
        "config": {
            "axis": {"labelColor": colors["soft"], "titleColor": colors["soft"], "gridColor": colors["grid"]},
            "title": {"color": colors["ink"], "subtitleColor": colors["soft"]},
            "legend": {"labelColor": colors["ink"], "titleColor": colors["soft"]},
            "view": {"stroke": None},
        },
    }
    if chart.form == "multiples":
        panels: list[Json] = [
            {"title": panel.title, **_unit(panel, colors, 200, 130)} for panel in chart.panels
        ]
        return spec | {"concat": panels, "columns": 3}
    return spec | _unit(chart, colors, width, 260)


def _unit(chart: Chart, colors: Mapping[str, str], width: int, height: int) -> Spec:
    if chart.form in SPANS:
        layers, rows = _span_layers(chart, colors), _span_rows(chart)
        return {"width": width, "data": {"values": rows}, "layer": layers}
    layers = _LAYERS[chart.form](chart, colors) + _mark_layers(chart, colors)
    return {"width": width, "height": height, "data": {"values": _rows(chart)}, "layer": layers}


def _out(chart: Chart, x: X) -> Json:
    if chart.form == "heat":
        return say_x(chart, x)
    return iso(x) if chart.x_kind == "time" and isinstance(x, int) else x


def _value(chart: Chart, y: float | None) -> Json:
    """Return a value as it is drawn: durations in seconds, everything else as it is."""
    return y / SECOND if y is not None and chart.y_kind == "duration" else y


def _rows(chart: Chart) -> list[Json]:
    rows: list[Json] = []
    for one in chart.series:
        lows, highs = one.lower or (None,) * len(one.y), one.upper or (None,) * len(one.y)
        for k, (x, y, low, high) in enumerate(zip(one.x, one.y, lows, highs, strict=False)):
            row: Spec = {"series": one.name, "x": _out(chart, x), "y": _value(chart, y)}
            if one.lower is not None:
                row |= {"lower": _value(chart, low), "upper": _value(chart, high)}
            if chart.form == "histogram":
                row["x2"] = _out(chart, one.x[k + 1])
            rows.append(row)
    return rows


def _span_rows(chart: Chart) -> list[Json]:
    return [
        {"row": one.name, "x": _out(chart, start), "x2": _out(chart, end), "state": state, "label": label}
        for one in chart.series
        for start, end, state, label in zip(
            one.x, one.ends, one.states, one.labels or one.states, strict=True
        )
    ]


def _x(chart: Chart) -> Spec:
    field: Spec = {"field": "x", "type": _TYPES[chart.x_kind], "title": chart.x_label or None}
    if chart.x_kind == "category":
        return field | {"sort": None}
    scale: Spec = {"zero": False} | ({"type": "utc"} if chart.x_kind == "time" else {})
    if chart.x_range is not None:
        scale["domain"] = [_out(chart, x) for x in chart.x_range]
    return field | {
        "scale": scale,
        "title": chart.x_label or ("time, UTC" if chart.x_kind == "time" else None),
    }


def _y(chart: Chart, field: str = "y", zero: bool = False) -> Spec:
    scale: Spec = {"zero": zero}
    if chart.y_range is not None:
        scale["domain"] = [_value(chart, end) for end in chart.y_range]
    axis: Spec = {"format": _FORMATS[chart.y_kind]}
    seconds = "seconds" if chart.y_kind == "duration" else ""
    title = ", ".join(part for part in (chart.unit, seconds) if part) or None
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def _color(chart: Chart, colors: Mapping[str, str]) -> Spec:
    styles = looks(chart.series)
    scale: Spec = {
        "domain": [one.name for one in chart.series],
        "range": [colors[look.color] for look in styles],
    }
    return {"field": "series", "type": "nominal", "title": None, "scale": scale}


def _dash(chart: Chart) -> Spec:
    dashes: list[Json] = [[float(n) for n in look.dash.split()] or [1, 0] for look in looks(chart.series)]
    scale: Spec = {"domain": [one.name for one in chart.series], "range": dashes}
    return {"field": "series", "type": "nominal", "title": None, "scale": scale}


def _has_interval(chart: Chart) -> bool:
    return any(one.lower is not None for one in chart.series)


def _interval(chart: Chart, mark: Json, colors: Mapping[str, str], sideways: bool = False) -> list[Json]:
    if not _has_interval(chart):
        return []
    place, low, high = ("y", "x", "x2") if sideways else ("x", "y", "y2")
    encoding: Spec = {
        place: _x(chart),
        low: _y(chart, "lower"),
        high: {"field": "upper"},
        "color": _color(chart, colors),
    }
    return [{"mark": mark, "encoding": encoding}]


def _line(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    encoding: Spec = {
        "x": _x(chart),
        "y": _y(chart),
        "color": _color(chart, colors),
        "strokeDash": _dash(chart),
    }
    line: Spec = {
        "mark": {"type": "line", "tooltip": True, "invalid": "break-paths-show-domains"},
        "encoding": encoding,
    }
    return [*_interval(chart, {"type": "area", "opacity": 0.15}, colors), line]


def _bars(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    color = _color(chart, colors)
    if chart.x_kind == "category":
        encoding: Spec = {"y": _x(chart), "x": _y(chart, zero=True), "color": color}
        encoding |= {"yOffset": {"field": "series"}} if len(chart.series) > 1 else {}
        return [
            {"mark": {"type": "bar", "tooltip": True}, "encoding": encoding},
            *_interval(chart, "rule", colors, True),
        ]
    encoding = {"x": _x(chart), "y": _y(chart, zero=True), "color": color}
    size = max(2, 400 // max([1, *(len(one.y) for one in chart.series)]))
    return [{"mark": {"type": "bar", "tooltip": True, "size": size}, "encoding": encoding}]


def _histogram(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    y: Spec = _y(chart, zero=True) | {"stack": None}
    encoding: Spec = {"x": _x(chart), "x2": {"field": "x2"}, "y": y, "y2": {"datum": 0}}
    encoding["color"] = _color(chart, colors)
    return [{"mark": {"type": "rect", "opacity": 0.5, "tooltip": True}, "encoding": encoding}]


def _dot(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    sideways = chart.x_kind == "category"
    place, value = ("y", "x") if sideways else ("x", "y")
    encoding: Spec = {place: _x(chart), value: _y(chart), "color": _color(chart, colors)}
    shape: Spec = {"field": "series", "type": "nominal", "title": None}
    lines: list[Json] = []
    if not sideways:
        thin: Spec = {"type": "line", "strokeWidth": 1}
        lines.append({"mark": thin, "encoding": {**encoding, "strokeDash": _dash(chart)}})
    mark: Spec = {"type": "point", "filled": True, "size": 60, "tooltip": True}
    points: Spec = {"mark": mark, "encoding": {**encoding, "shape": shape}}
    return [*lines, *_interval(chart, "rule", colors, sideways), points]


def _heat(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    x = _x(chart) | {"type": "ordinal", "scale": {}}
    shade: Spec = {"field": "y", "type": "quantitative", "title": chart.unit or None}
    shade["scale"] = {"range": [colors["shade"], colors["heat"]]}
    row: Spec = {"field": "series", "type": "nominal", "title": None, "sort": None}
    return [{"mark": {"type": "rect", "tooltip": True}, "encoding": {"x": x, "y": row, "color": shade}}]


def _scatter(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    encoding: Spec = {"x": _x(chart), "y": _y(chart), "color": _color(chart, colors)}
    encoding["shape"] = {"field": "series", "type": "nominal", "title": None}
    return [{"mark": {"type": "point", "opacity": 0.6, "tooltip": True}, "encoding": encoding}]


_LAYERS: Mapping[str, Callable[[Chart, Mapping[str, str]], list[Json]]] = MappingProxyType(
    {"line": _line, "bars": _bars, "histogram": _histogram, "dot": _dot, "heat": _heat, "scatter": _scatter}
)


def _mark_layers(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    """Return shaded ranges and marks; in sideways forms values lie on x, so levels become upright lines."""
    sideways = chart.x_kind == "category" and chart.form in ("bars", "dot")
    layers: list[Json] = []
    for band in () if chart.x_kind == "category" else chart.bands:
        data: Spec = {
            "values": [{"x": _out(chart, band.start), "x2": _out(chart, band.end), "label": band.label}]
        }
        area: Spec = {"type": "rect", "color": colors["soft"], "opacity": 0.12}
        layers.append({"data": data, "mark": area, "encoding": {"x": _x(chart), "x2": {"field": "x2"}}})
    for mark in chart.marks:
        row: Spec = {"label": f"{STATUSES[mark.status].glyph} {mark.label}" if mark.status else mark.label}
        encoding: Spec = {}
        if mark.x is not None:
            row["x"] = _out(chart, mark.x)
            encoding["y" if sideways else "x"] = _x(chart)
        if mark.y is not None:
            row["y"] = _value(chart, mark.y)
            encoding["x" if sideways else "y"] = _y(chart)
        text: Spec = {"type": "text", "align": "left", "dx": 4, "dy": -6, "color": colors["ink"]}
        rule: Spec = {"type": "rule", "strokeDash": [3, 3], "color": colors["soft"]}
        words: Spec = {**encoding, "text": {"field": "label"}}
        if mark.y is None:
            words["y"] = {"value": 0}
        shapes: list[Json] = [{"mark": text, "encoding": words}]
        if mark.x is None or mark.y is None:
            shapes.insert(0, {"mark": rule, "encoding": encoding})
        layers.append({"data": {"values": [row]}, "layer": shapes})
    return layers


def _span_layers(chart: Chart, colors: Mapping[str, str]) -> list[Json]:
    seen = list(dict.fromkeys(state for one in chart.series for state in one.states))
    hues: list[Json] = [
        colors[STATUSES[state].color] if state in STATUSES else colors["c1"] for state in seen
    ]
    domain: list[Json] = [*seen]
    color: Spec = {
        "field": "state",
        "type": "nominal",
        "title": None,
        "scale": {"domain": domain, "range": hues},
    }
    row: Spec = {"field": "row", "type": "nominal", "title": None, "sort": None}
    base: Spec = {"x": _x(chart), "y": row, "color": color}
    tooltip: list[Json] = [{"field": name} for name in ("row", "label", "state", "x", "x2")]
    bar: Spec = {
        "mark": {"type": "bar", "opacity": 0.6},
        "encoding": {**base, "x2": {"field": "x2"}, "tooltip": tooltip},
    }
    event: Spec = {
        "transform": [{"filter": "datum.x === datum.x2"}],
        "mark": {"type": "point", "filled": True, "size": 70},
        "encoding": {**base, "tooltip": tooltip},
    }
    return [bar, event]
