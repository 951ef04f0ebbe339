"""A heat map: rows are series, columns places on x; the greater the darker, numbers where they fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, X
from treadle.pictures.forms.bars import label_room
from treadle.pictures.frame import say_all, say_point, say_x, say_y
from treadle.pictures.markup import clip, text_width
from treadle.pictures.scales import extent, time_ticks

_FAINT = 0.05


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form; the height follows from the number of rows."""
    columns = list(dict.fromkeys(x for one in chart.series for x in one.x))
    if chart.x_kind != "category":
        columns.sort(key=lambda x: cast("float", x))
    low, high = chart.y_range or extent(v for one in chart.series for v in one.y) or (0.0, 1.0)
    top = 4.0
    if chart.unit and canvas.names:
        canvas.text(0, 12, chart.unit, color="soft")
        top = 20
    left = label_room(canvas, [one.name for one in chart.series])
    wide, tall = (canvas.width - left) / len(columns), 22.0 if len(chart.series) <= 30 else 14.0
    words = say_all(chart, [v for one in chart.series for v in one.y])
    fits = tall > 16 and max(text_width(text, 11) for text in words) < wide - 4
    for r, one in enumerate(chart.series):
        y = top + r * tall
        canvas.text(
            left - 8, y + tall / 2 + 4, clip(one.name, left - 10), anchor="end", size=12 if tall > 16 else 11
        )
        texts, words = words[: len(one.y)], words[len(one.y) :]
        known = dict(zip(one.x, zip(one.y, texts, strict=True), strict=True))
        for i, x in enumerate(columns):
            value, text = known.get(x, (None, "no data"))
            box = (left + i * wide, y, wide, tall)
            _draw_cell(
                canvas, box, value, (low, high), text if fits else "", say_point(chart, one.name, x, value)
            )
    bottom = top + len(chart.series) * tall
    _column_labels(chart, canvas, columns, left, wide, bottom)
    return _scale_bar(chart, canvas, (low, high), left, bottom + (36 if chart.x_kind == "time" else 22))


def _draw_cell(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    value: float | None,
    ends: tuple[float, float],
    words: str,
    title: str,
) -> None:
    """Draw one cell; the pointer reads what is not written."""
    x, y, wide, tall = box
    if value is None:
        canvas.rect(x + 1, y + 1, wide - 2, tall - 2, "paper", stroke="axis", dash="2 2", title=title)
    else:
        part = min(max((value - ends[0]) / ((ends[1] - ends[0]) or 1.0), 0.0), 1.0)
        shade = _FAINT + (1 - _FAINT) * part
        canvas.rect(x + 0.5, y + 0.5, wide - 1, tall - 1, "heat", opacity=shade, title="" if words else title)
    if words:
        color = "ink" if value is not None else "soft"
        canvas.text(x + wide / 2, y + tall / 2 + 4, words, anchor="middle", size=11, color=color)


def _column_labels(
    chart: Chart, canvas: Canvas, columns: list[X], left: float, wide: float, bottom: float
) -> None:
    if chart.x_kind == "time":
        places = [cast("float", x) for x in columns]
        ticks = time_ticks(places[0], max(places[-1], places[0] + 1), int(wide * len(columns) // 58))
        for tick in ticks:
            i = _nearest(places, tick.at)
            canvas.text(left + (i + 0.5) * wide, bottom + 15, tick.label, color="soft", anchor="middle")
            canvas.text(left + (i + 0.5) * wide, bottom + 29, tick.context, color="soft", anchor="middle")
        return
    free = left - 4
    for i, at in enumerate(columns):
        words = clip(say_x(chart, at), max(wide - 4, 60))
        half = text_width(words) / 2
        middle = min(left + (i + 0.5) * wide, canvas.width - half)
        if middle - half >= free:
            canvas.text(middle, bottom + 15, words, color="soft", anchor="middle")
            free = middle + half + 6


def _nearest(places: Sequence[float], at: float) -> int:
    return min(range(len(places)), key=lambda i: abs(places[i] - at))


def _scale_bar(chart: Chart, canvas: Canvas, ends: tuple[float, float], left: float, top: float) -> float:
    low, high = say_y(chart, ends[0]), say_y(chart, ends[1])
    canvas.text(left, top + 13, low, color="soft", size=11)
    x = left + text_width(low, 11) + 6
    for k in range(8):
        canvas.rect(x + k * 14, top + 4, 14, 10, "heat", opacity=_FAINT + (1 - _FAINT) * k / 7)
    canvas.text(x + 8 * 14 + 6, top + 13, high, color="soft", size=11)
    return top + 22
