"""Lines with bands: each line in its look, named at its end, gaps left open where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, Series, X
from treadle.pictures.frame import Frame, draw_level_marks, open_frame, say_all, say_point
from treadle.pictures.markup import clip, text_width
from treadle.pictures.palette import Look, looks

MOST_POINTS = 300
"""A line is drawn with at most this many points."""
_MARKED = 40

Point: TypeAlias = tuple[X, float | None]


def thin(x: Sequence[X], y: Sequence[float | None], most: int = MOST_POINTS) -> list[Point]:
    """Return at most `most` points of the same outline: both ends, and least and greatest of each bucket.

    A bucket of which nothing is known stays one gap; a gap shorter than a bucket (under half a percent of the
    width) closes.
    """
    if len(y) <= most:
        return list(zip(x, y, strict=True))
    out: list[Point] = [(x[0], y[0])]
    inner, buckets = len(y) - 2, (most - 2) // 2
    for k in range(buckets):
        start, stop = 1 + k * inner // buckets, 1 + (k + 1) * inner // buckets
        known = [i for i in range(start, stop) if y[i] is not None]
        if not known:
            out.append((x[start], None))
            continue
        value = cast("Sequence[float]", y)
        low, high = min(known, key=value.__getitem__), max(known, key=value.__getitem__)
        out += [(x[i], y[i]) for i in sorted({low, high})]
    return [*out, (x[-1], y[-1])]


def runs(points: Sequence[Point]) -> list[list[tuple[X, float]]]:
    """Return the stretches of points without a gap."""
    out: list[list[tuple[X, float]]] = [[]]
    for x, y in points:
        if y is None:
            if out[-1]:
                out.append([])
        else:
            out[-1].append((x, y))
    return out if out[-1] else out[:-1]


@dataclass(slots=True)
class _End:
    """The name beside a line's last point, before and after it is pushed clear of its neighbours."""

    y: float
    at: tuple[float, float]
    words: str
    look: Look


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form."""
    styles = looks(chart.series)
    beside = canvas.names and not canvas.narrow
    names = _names(chart)
    top, right = 0.0, 14.0
    if beside and names:
        right = min(max(text_width(n) for n in names) + 20, canvas.width * 0.34)
        height = max(height, 60 + 15 * len(names))
    elif canvas.names:
        few = all(len(one.y) <= _MARKED for one in chart.series)
        items = [(name, look, "") for name, look in zip(names, styles, strict=True)]
        top = canvas.legend(items, sample="marked" if few else "line")
        height += top
    frame = open_frame(chart, canvas, height, right=right, top=top)
    for one, look in zip(chart.series, styles, strict=True):
        _draw_band(canvas, frame, one, look)
    # The champion and the named lines lie over the reference.
    order = sorted(range(len(styles)), key=lambda i: chart.series[i].role != "reference")
    for i in order:
        _draw_line(chart, canvas, frame, chart.series[i], styles[i])
    draw_level_marks(chart, canvas, frame)
    if beside:
        _draw_ends(canvas, frame, chart, names, styles)
    return frame.height


def _names(chart: Chart) -> list[str]:
    """Return each line's name with its last value."""
    last = [next((v for v in reversed(one.y) if v is not None), None) for one in chart.series]
    return [
        f"{clip(one.name, 170)} {words}"
        for one, words in zip(chart.series, say_all(chart, last), strict=True)
    ]


def _draw_band(canvas: Canvas, frame: Frame, one: Series, look: Look) -> None:
    if one.lower is None or one.upper is None:
        return
    both = [low is not None and high is not None for low, high in zip(one.lower, one.upper, strict=True)]
    uppers = runs(thin(one.x, [v if ok else None for v, ok in zip(one.upper, both, strict=True)]))
    lowers = runs(thin(one.x, [v if ok else None for v, ok in zip(one.lower, both, strict=True)]))
    for above, below in zip(uppers, lowers, strict=True):
        points = _pixels(frame, above) + _pixels(frame, below)[::-1]
        if len(points) > 2:
            canvas.path(f"M{'L'.join(points)}Z", fill=look.color, opacity=0.15)


def _draw_line(chart: Chart, canvas: Canvas, frame: Frame, one: Series, look: Look) -> None:
    width = 1.5 if one.role == "reference" else 2
    marked = canvas.names and one.role != "reference" and len(one.y) <= _MARKED
    d, lonely = [], []
    for run in runs(thin(one.x, one.y)):
        if len(run) > 1:
            d.append(f"M{'L'.join(_pixels(frame, run))}")
        elif not marked:
            lonely.append(run[0])
    if d:
        canvas.path("".join(d), stroke=look.color, width=width, dash=look.dash)
    for x, y in lonely:
        canvas.marker(frame.px(x), frame.y(y), look, 2)
    if marked:
        lows, highs = one.lower or (None,) * len(one.y), one.upper or (None,) * len(one.y)
        for at, value, low, high in zip(one.x, one.y, lows, highs, strict=True):
            if value is not None:
                title = say_point(chart, one.name, at, value, low, high)
                canvas.marker(frame.px(at), frame.y(value), look, 3, title)


def _pixels(frame: Frame, run: Sequence[tuple[X, float]]) -> list[str]:
    ky, by = frame.y.k, frame.y.b
    if frame.places:
        return [f"{frame.px(x):.1f} {y * ky + by:.1f}" for x, y in run]
    kx, bx = frame.x.k, frame.x.b
    points = cast("Sequence[tuple[float, float]]", run)
    return [f"{x * kx + bx:.1f} {y * ky + by:.1f}" for x, y in points]


def _draw_ends(
    canvas: Canvas, frame: Frame, chart: Chart, names: Sequence[str], styles: Sequence[Look]
) -> None:
    ends = []
    for one, words, look in zip(chart.series, names, styles, strict=True):
        known = [(x, y) for x, y in zip(one.x, one.y, strict=True) if y is not None]
        at = (frame.px(known[-1][0]), frame.y(known[-1][1])) if known else (frame.right, frame.bottom)
        ends.append(_End(at[1], at, words, look))
    ends.sort(key=lambda end: end.y)
    _push_apart(ends, 15, frame.top + 4, frame.bottom - 2)
    room = canvas.width - frame.right - 14
    for end in ends:
        x = frame.right + 14
        canvas.path(
            f"M{end.at[0] + 5:.1f} {end.at[1]:.1f}L{x - 3:.1f} {end.y:.1f}",
            stroke=end.look.color,
            width=0.8,
            dash="1 2",
        )
        canvas.text(x, end.y + 4, clip(end.words, room), color=end.look.color)


def _push_apart(ends: list[_End], gap: float, top: float, bottom: float) -> None:
    """Move labels, ordered from the top, until none overlaps: down first, then up from the lower edge."""
    floor = top
    for end in ends:
        end.y = max(end.y, floor)
        floor = end.y + gap
    ceiling = bottom
    for end in reversed(ends):
        end.y = min(end.y, ceiling)
        ceiling = end.y - gap
