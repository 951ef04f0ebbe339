"""One distribution, or two over each other: the reference as a grey area, the other as an outline."""

from __future__ import annotations

from typing import cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, Series
from treadle.pictures.frame import Frame, draw_level_marks, open_frame, say_point
from treadle.pictures.palette import Look

_BEHIND = Look("soft", "", 0, True)
_FRONT = Look("c1", "", 0, False)


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form."""
    pair = sorted(chart.series, key=lambda one: one.role != "reference")
    styles = [_BEHIND, _FRONT][-len(pair) :] if pair else []
    top = 0.0
    if canvas.names and len(pair) == 2:
        top = canvas.legend(
            [(one.name, look, "") for one, look in zip(pair, styles, strict=True)], sample="area"
        )
    frame = open_frame(chart, canvas, height + top, top=top, zero=True)
    for one, look in zip(pair, styles, strict=True):
        _draw_steps(chart, canvas, frame, one, look)
    draw_level_marks(chart, canvas, frame)
    return frame.height


def _draw_steps(chart: Chart, canvas: Canvas, frame: Frame, one: Series, look: Look) -> None:
    """Draw an outline over the bins, filled lightly; a bin that is not known stays open."""
    edges = [frame.x(cast("float", x)) for x in one.x]
    ground = frame.y(0.0)
    outline = ""
    before: float | None = None
    for k, value in enumerate(one.y):
        if value is None:
            before = None
            continue
        y = frame.y(value)
        start = f"M{edges[k]:.1f} {ground:.1f}V{y:.1f}" if before is None else f"V{y:.1f}"
        outline += f"{start}H{edges[k + 1]:.1f}"
        closes = k + 1 == len(one.y) or one.y[k + 1] is None
        outline += f"V{ground:.1f}" if closes else ""
        before = y
    canvas.path(outline, fill=look.color, opacity=0.28 if look.hollow else 0.1)
    canvas.path(outline, stroke=look.color, width=1 if look.hollow else 2)
    if look.hollow or len(one.y) > 60:
        return
    for k, value in enumerate(one.y):
        if value is not None:
            title = say_point(chart, one.name, f"{one.x[k]:g} to {one.x[k + 1]:g}", value)
            canvas.rect(
                edges[k],
                frame.top,
                edges[k + 1] - edges[k],
                ground - frame.top,
                "paper",
                opacity=0,
                title=title,
            )
