"""Points in a plane; above 1,500 of them their density, because a cloud of ink says nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias, cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart
from treadle.pictures.frame import Frame, draw_level_marks, open_frame
from treadle.pictures.markup import clip
from treadle.pictures.palette import Look, looks

MOST_POINTS = 1_500
_CELL = 9
_SHADES = 8
_SHAPES = ("", "m-2-2h4v4h-4z", "m0-2.4l2.4 4.4h-4.8z", "m0-2.8l2.8 2.8l-2.8 2.8l-2.8-2.8z")

Points: TypeAlias = Sequence[tuple[float, float]]


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form."""
    styles, top = looks(chart.series), 0.0
    clouds = [
        [(cast("float", x), y) for x, y in zip(one.x, one.y, strict=True) if y is not None]
        for one in chart.series
    ]
    dense = sum(map(len, clouds)) > MOST_POINTS
    if canvas.names and len(chart.series) > 1 and not dense:
        items = [(one.name, look, "") for one, look in zip(chart.series, styles, strict=True)]
        top = canvas.legend(items, sample="dot")
    if dense and canvas.names:
        top = 16
    frame = open_frame(chart, canvas, height + top, top=top)
    if dense:
        _draw_density(canvas, frame, [point for points in clouds for point in points])
    else:
        for points, look in zip(clouds, styles, strict=True):
            _draw_points(canvas, frame, points, look)
    draw_level_marks(chart, canvas, frame)
    return frame.height


def _draw_points(canvas: Canvas, frame: Frame, points: Points, look: Look) -> None:
    """Draw a series as one path: discs as strokes without length, other shapes as outlines."""
    if not points:
        return
    shape = _SHAPES[look.shape] or "h0"
    d = "".join(f"M{frame.x(x):.1f} {frame.y(y):.1f}{shape}" for x, y in points)
    canvas.path(d, stroke=look.color, width=1.1 if look.shape else 4.6, round_ends=True)


def _draw_density(canvas: Canvas, frame: Frame, points: Points) -> None:
    """Draw square cells, the darker the more points; darkness follows the logarithm of the count."""
    across, down = int((frame.right - frame.left) // _CELL), int((frame.bottom - frame.top) // _CELL)
    cells = Counter(
        (
            min(int((frame.x(x) - frame.left) // _CELL), across),
            min(int((frame.y(y) - frame.top) // _CELL), down),
        )
        for x, y in points
    )
    most = max(cells.values())
    shades: dict[int, list[str]] = {}
    for (i, j), count in sorted(cells.items()):
        shade = math.ceil(_SHADES * math.log1p(count) / math.log1p(most))
        shades.setdefault(shade, []).append(
            f"M{frame.left + i * _CELL:.0f} {frame.top + j * _CELL:.0f}h9v9h-9z"
        )
    for shade, squares in sorted(shades.items()):
        canvas.path("".join(squares), fill="c1", opacity=0.12 + 0.88 * shade / _SHADES)
    if canvas.names:
        words = f"{len(points):,} points as density; the darkest square holds {most:,}"
        canvas.text(0, 11, clip(words, canvas.width, 11), color="soft", size=11)
