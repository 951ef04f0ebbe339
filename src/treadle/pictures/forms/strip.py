"""Rows of states over time: what is well is a thin bar, what asks for attention a thick one with glyph."""

from __future__ import annotations

from typing import cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, Series
from treadle.pictures.forms.bars import label_room
from treadle.pictures.frame import Frame, say_x, x_axis, x_domain
from treadle.pictures.markup import clip
from treadle.pictures.scales import Scale, scale
from treadle.pictures.status import STATUSES

_ROW = 26


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form; the height follows from the number of rows."""
    left = label_room(canvas, [one.name for one in chart.series])
    words = list(dict.fromkeys(state for one in chart.series for state in one.states if state))
    top = canvas.legend([(word, None, word) for word in words]) if canvas.names else 4.0
    bottom = top + _ROW * len(chart.series) + 4
    right = canvas.width - 10
    to_px = scale(x_domain(chart, {}), (left, right))
    frame = Frame(left, right, top, bottom, to_px, Scale(1, 0), {}, bottom + 38)
    x_axis(chart, canvas, frame)
    for r, one in enumerate(chart.series):
        y = top + _ROW * (r + 0.5)
        canvas.text(left - 8, y + 4, clip(one.name, left - 10), anchor="end")
        for start, end, state in _merged(one):
            _draw_state(chart, canvas, frame, one.name, (start, end, state), y)
    return frame.height


def _merged(one: Series) -> list[tuple[float, float, str]]:
    """Return the spans with neighbours of one state joined."""
    out: list[tuple[float, float, str]] = []
    for start, end, state in zip(one.x, one.ends, one.states, strict=True):
        first, last = cast("float", start), cast("float", end)
        if out and out[-1][2] == state and out[-1][1] >= first:
            out[-1] = (out[-1][0], max(last, out[-1][1]), state)
        else:
            out.append((first, last, state))
    return out


def _draw_state(
    chart: Chart, canvas: Canvas, frame: Frame, name: str, item: tuple[float, float, str], y: float
) -> None:
    start, end, state = item
    x1, x2 = max(frame.left, frame.x(start)), min(frame.right, frame.x(end))
    if x2 < x1:
        return
    status = STATUSES.get(state)
    title = f"{name}: {state or 'no state'}, {say_x(chart, start)} to {say_x(chart, end)}"
    if status is None or status.color == "idle":
        canvas.rect(x1, y - 4, x2 - x1, 8, "paper", stroke="axis", dash="2 2", title=title)
    elif not status.loud:
        canvas.rect(x1, y - 4, x2 - x1, 8, status.color, opacity=0.6, title=title)
    else:
        canvas.rect(x1, y - 10, x2 - x1, 20, status.color, opacity=0.25, stroke=status.color, title=title)
        if x2 - x1 >= 12:
            canvas.glyph(state, (x1 + x2) / 2, y)
