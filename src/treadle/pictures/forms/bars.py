"""Bars: horizontal with their value written out for categories, upright columns for times and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

from treadle.pictures.canvas import Canvas, Sample
from treadle.pictures.chart import Chart, Series
from treadle.pictures.frame import categories, draw_level_marks, open_frame, say_all, say_point, y_domain
from treadle.pictures.markup import clip, text_width
from treadle.pictures.palette import Look, looks
from treadle.pictures.scales import Scale, scale


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form."""
    if chart.x_kind == "category":
        return _rows(chart, canvas)
    return _columns(chart, canvas, height)


def label_room(canvas: Canvas, labels: Sequence[str]) -> float:
    """Return the pixels that row labels get: what they need, at most a good third of the sheet."""
    return min(max([24.0, *(text_width(label) for label in labels)]) + 10, canvas.width * 0.36)


def heading(chart: Chart, canvas: Canvas, styles: Sequence[Look], sample: Sample = "area") -> float:
    """Write unit and, for several series, the legend above rows; return where the rows begin."""
    top = 0.0
    if len(chart.series) > 1 and canvas.names:
        items = [(one.name, look, "") for one, look in zip(chart.series, styles, strict=True)]
        top = canvas.legend(items, sample=sample)
    if chart.unit and canvas.names:
        canvas.text(0, top + 12, chart.unit, color="soft")
        top += 22
    return top + 2


def whisker(canvas: Canvas, low: float, high: float, y: float, color: str = "ink") -> None:
    """Draw a horizontal interval with end strokes."""
    d = f"M{low:.1f} {y:.1f}H{high:.1f}M{low:.1f} {y - 3:.1f}v6M{high:.1f} {y - 3:.1f}v6"
    canvas.path(d, stroke=color, width=1.2)


def _rows(chart: Chart, canvas: Canvas) -> float:
    styles, places = looks(chart.series), categories(chart)
    many = max(1, len(chart.series))
    thick, gap = (13, 9) if many > 1 else (16, 7)
    left = label_room(canvas, list(places))
    # On a phone names that do not fit beside the bars stand above them.
    above = 17 if canvas.narrow and any(text_width(name) > left - 10 for name in places) else 0
    left = 8 if above else left
    row = thick * many + gap + above
    top = heading(chart, canvas, styles)
    to_px = _bar_scale(chart, canvas, left)
    words = say_all(chart, [v for one in chart.series for v in one.y])
    bottom = top + len(places) * row
    for name, place in places.items():
        y = top + place * row
        if above:
            canvas.text(0, y + 11, clip(name, canvas.width))
        else:
            canvas.text(left - 8, y + (row - gap) / 2 + 3, clip(name, left - 10), anchor="end")
    for k, (one, look) in enumerate(zip(chart.series, styles, strict=True)):
        texts, words = words[: len(one.y)], words[len(one.y) :]
        for i, text in enumerate(texts):
            y = top + places[cast("str", one.x[i])] * row + above + k * thick
            _draw_row(chart, canvas, one, i, look, text, to_px, y, thick)
    for k in range(len(places) if above else 1):
        y, end = (top + k * row + above, top + (k + 1) * row) if above else (top, bottom)
        canvas.line(to_px(0), y - 2, to_px(0), end - gap + 2, "axis")
    for mark in chart.marks:
        if mark.y is not None and mark.x is None:
            canvas.line(to_px(mark.y), top - 2, to_px(mark.y), bottom, "soft", 1, "5 4")
            canvas.text(to_px(mark.y) + 4, bottom + 9, clip(mark.label, 200, 11), color="soft", size=11)
            bottom += 14
    return bottom


def _bar_scale(chart: Chart, canvas: Canvas, left: float) -> Scale:
    """Return the scale that leaves room for the words behind the bars, at either end where bars reach it."""
    low, high = y_domain(chart, zero=True)
    values = [v for one in chart.series for v in one.y]
    tails = [text_width(text) + 12 for text in say_all(chart, values)]
    after = max((t for t, v in zip(tails, values, strict=True) if v is None or v >= 0), default=10.0)
    before = max((t for t, v in zip(tails, values, strict=True) if v is not None and v < 0), default=0.0)
    # Words left of a short negative bar need less room than they are wide: the positive side is not theirs.
    return scale((low, high), (left + before, canvas.width - after))


def _draw_row(
    chart: Chart,
    canvas: Canvas,
    one: Series,
    i: int,
    look: Look,
    text: str,
    to_px: Scale,
    y: float,
    thick: float,
) -> None:
    value, zero = one.y[i], to_px(0)
    baseline, size = y + thick / 2 + 3, 12 if thick > 13 else 11
    if value is None:
        canvas.text(zero + 6, baseline, "no data", color="soft", size=size)
        return
    end = to_px(value)
    low = one.lower[i] if one.lower is not None else None
    high = one.upper[i] if one.upper is not None else None
    title = say_point(chart, one.name, one.x[i], value, low, high)
    opacity = 0.22 if look.hollow else 0.85
    left = min(zero, end)
    canvas.rect(
        left, y, abs(end - zero), thick - 3, look.color, opacity=opacity, stroke=look.color, title=title
    )
    reach = end
    if low is not None and high is not None:
        whisker(canvas, to_px(low), to_px(high), y + (thick - 3) / 2)
        reach = to_px(high) if value >= 0 else to_px(low)
    side, step = ("end", -6) if value < 0 else ("start", 6)
    canvas.text(reach + step, baseline, text, anchor=side, size=size)


def _columns(chart: Chart, canvas: Canvas, height: float) -> float:
    styles, top = looks(chart.series), 0.0
    if len(chart.series) > 1 and canvas.names:
        items = [(one.name, look, "") for one, look in zip(chart.series, styles, strict=True)]
        top = canvas.legend(items, sample="area")
    xs = sorted({cast("float", x) for one in chart.series for x in one.x})
    step = min((b - a for a, b in pairwise(xs)), default=1.0)
    frame = open_frame(_with_room(chart, xs, step), canvas, height + top, top=top, zero=True)
    each = max(1.0, step * frame.x.k * 0.7 / len(chart.series))
    for k, (one, look) in enumerate(zip(chart.series, styles, strict=True)):
        opacity = 0.22 if look.hollow else 0.85
        for x, value in zip(one.x, one.y, strict=True):
            if value is None:
                continue
            at = frame.px(x) + (k - len(chart.series) / 2) * each
            y0, y1 = sorted((frame.y(0), frame.y(value)))
            title = say_point(chart, one.name, x, value)
            canvas.rect(
                at, y0, max(each - 1, 1), y1 - y0, look.color, opacity=opacity, stroke=look.color, title=title
            )
    draw_level_marks(chart, canvas, frame)
    return frame.height


def _with_room(chart: Chart, xs: Sequence[float], step: float) -> Chart:
    """Return the chart with half a column's room at both ends."""
    if chart.x_range is not None or not xs:
        return chart
    low, high = xs[0] - step / 2, xs[-1] + step / 2
    return replace(chart, x_range=(int(low), int(high)) if chart.x_kind == "time" else (low, high))
