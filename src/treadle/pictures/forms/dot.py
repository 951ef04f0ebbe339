"""Estimates as dots with intervals: rows for categories, a plane for numbers and times (calibration)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, Series
from treadle.pictures.forms.bars import heading, label_room, whisker
from treadle.pictures.frame import (
    Frame,
    categories,
    draw_level_marks,
    open_frame,
    say_point,
    say_y,
    value_axis,
    y_domain,
)
from treadle.pictures.markup import clip, text_width
from treadle.pictures.numbers import estimate
from treadle.pictures.palette import Look, looks
from treadle.pictures.scales import axis_step, outward

_LINE = 13


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form."""
    styles = looks(chart.series)
    if chart.x_kind == "category":
        return _rows(chart, canvas, styles)
    top = 0.0
    if canvas.names and len(chart.series) > 1:
        # A reference without intervals is drawn as a line, the diagonal of a calibration picture for one.
        lines = [(one.name, look, "") for one, look in zip(chart.series, styles, strict=True)]
        top = canvas.legend(lines, sample="marked")
    frame = open_frame(chart, canvas, height + top, top=top)
    for one, look in zip(chart.series, styles, strict=True):
        _draw_plane(chart, canvas, frame, one, look)
    draw_level_marks(chart, canvas, frame)
    return frame.height


def _draw_plane(chart: Chart, canvas: Canvas, frame: Frame, one: Series, look: Look) -> None:
    known = [(frame.px(x), frame.y(y)) for x, y in zip(one.x, one.y, strict=True) if y is not None]
    if len(known) > 1:
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in known)
        canvas.path(d, stroke=look.color, width=1, dash=look.dash)
    if one.role == "reference" and one.lower is None:
        return
    lows, highs = one.lower or (None,) * len(one.y), one.upper or (None,) * len(one.y)
    for at, value, low, high in zip(one.x, one.y, lows, highs, strict=True):
        if value is None:
            continue
        x = frame.px(at)
        if low is not None and high is not None:
            y1, y2 = frame.y(low), frame.y(high)
            d = f"M{x:.1f} {y1:.1f}V{y2:.1f}M{x - 3:.1f} {y1:.1f}h6M{x - 3:.1f} {y2:.1f}h6"
            canvas.path(d, stroke=look.color, width=1.5)
        title = say_point(chart, one.name, at, value, low, high)
        canvas.marker(x, frame.y(value), look, 3, title)


def _rows(chart: Chart, canvas: Canvas, styles: Sequence[Look]) -> float:
    places, many = categories(chart), len(chart.series)
    row = _LINE * many + 11
    top = heading(chart, canvas, styles, "dot") + (14 if chart.marks else 0)
    left = label_room(canvas, list(places))
    texts = {(k, name): _words(chart, one, name) for k, one in enumerate(chart.series) for name in places}
    tail = max(text_width(text, 11) for text in texts.values()) + 12
    if canvas.narrow and tail > canvas.width * 0.3:
        texts = {key: text.split(" (")[0] for key, text in texts.items()}
        tail = max(text_width(text, 11) for text in texts.values()) + 12
    bottom = top + row * len(places)
    low, high = y_domain(chart)
    if chart.y_range is None:
        most = max(2, int((canvas.width - tail - left) // 76))
        low, high = outward(low, high, axis_step(low, high, most, chart.y_kind))
    to_px = value_axis(chart, canvas, (low, high), (left + 6, canvas.width - tail - 8), top, bottom)
    for name, place in places.items():
        middle = top + row * (place + 0.5)
        canvas.text(left - 8, middle + 4, clip(name, left - 10), anchor="end")
        for k, one in enumerate(chart.series):
            y = middle + (k - (many - 1) / 2) * _LINE
            value, lower, upper = _at(one, name)
            color = "ink" if value is not None else "soft"
            canvas.text(canvas.width, y + 4, texts[k, name], anchor="end", size=11, color=color)
            if value is None:
                continue
            if lower is not None and upper is not None:
                whisker(canvas, to_px(lower), to_px(upper), y, styles[k].color)
            title = say_point(chart, one.name, name, value, lower, upper)
            canvas.marker(to_px(value), y, styles[k], 3.5, title)
    return bottom + 22


def _at(one: Series, name: str) -> tuple[float | None, float | None, float | None]:
    known: Mapping[object, int] = {x: i for i, x in enumerate(one.x)}
    i = known.get(name)
    if i is None:
        return None, None, None
    return one.y[i], one.lower[i] if one.lower else None, one.upper[i] if one.upper else None


def _words(chart: Chart, one: Series, name: str) -> str:
    value, lower, upper = _at(one, name)
    if value is None or lower is None or upper is None:
        return say_y(chart, value)
    if chart.y_kind != "number":
        return f"{say_y(chart, value)} ({say_y(chart, lower)} to {say_y(chart, upper)})"
    return estimate(value, lower, upper)
