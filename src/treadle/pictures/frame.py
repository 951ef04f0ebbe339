"""The box a picture with two axes is drawn in: grid, ticks, shaded ranges and marks around the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, Mark, X
from treadle.pictures.markup import clip, text_width
from treadle.pictures.numbers import column, moment, number, share, span
from treadle.pictures.scales import Scale, Tick, axis_step, extent, outward, padded, scale, ticks, time_ticks
from treadle.pictures.status import STATUSES

_LANE = 17
_MOST_LANES = 4


@dataclass(frozen=True, slots=True)
class _Placed:
    """An upright mark with its lane above the box (-1: none) and whether its words have room there."""

    mark: Mark
    lane: int
    labelled: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the axes lie, in pixels, how values get there, and the height of the whole drawing."""

    left: float
    right: float
    top: float
    bottom: float
    x: Scale
    y: Scale
    places: dict[str, int]
    height: float

    def px(self, at: X) -> float:
        """Return the pixel of a place on x; the middle of its slot for a category."""
        return self.x(self.places[at] if isinstance(at, str) else at)


def categories(chart: Chart) -> dict[str, int]:
    """Return each category's place in order of first appearance; empty for time and numbers."""
    if chart.x_kind != "category":
        return {}
    return {cast("str", x): i for i, x in enumerate(dict.fromkeys(x for one in chart.series for x in one.x))}


def x_domain(chart: Chart, places: dict[str, int]) -> tuple[float, float]:
    """Return the ends of the x axis: the fixed range, or what the series and bands cover."""
    if places:
        return -0.5, len(places) - 0.5
    if chart.x_range is not None:
        return cast("tuple[float, float]", chart.x_range)
    ends = [cast("float", x) for one in chart.series for x in (*one.x, *one.ends)]
    ends += [cast("float", x) for band in chart.bands for x in (band.start, band.end)]
    ends += [cast("float", mark.x) for mark in chart.marks if mark.x is not None]
    if not ends:
        return 0.0, 1.0
    low, high = padded(min(ends), max(ends))
    if chart.x_kind == "number" and chart.form in ("scatter", "dot"):
        return outward(low, high, axis_step(low, high, 8))
    return low, high


def y_domain(chart: Chart, zero: bool = False) -> tuple[float, float]:
    """Return the ends of the value axis: the fixed range, or what values, intervals and levels cover."""
    if chart.y_range is not None:
        return chart.y_range
    values: list[float | None] = [
        v for one in chart.series for v in (*one.y, *(one.lower or ()), *(one.upper or ()))
    ]
    values += [mark.y for mark in chart.marks]
    found = extent(values)
    if found is None:
        return 0.0, 1.0
    low, high = (min(found[0], 0.0), max(found[1], 0.0)) if zero else found
    return padded(low, high)


def say_x(chart: Chart, at: X) -> str:
    """Return a place on x in words."""
    if isinstance(at, str):
        return at
    return moment(int(at), zone=False) if chart.x_kind == "time" else number(at)


def say_y(chart: Chart, value: float | None) -> str:
    """Return a value in words, as its kind is written."""
    if chart.y_kind == "share":
        return share(value)
    return span(value) if chart.y_kind == "duration" else number(value)


def say_all(chart: Chart, values: Sequence[float | None]) -> list[str]:
    """Return values that stand under each other in words, with the same decimals."""
    return column(values) if chart.y_kind == "number" else [say_y(chart, v) for v in values]


def say_point(
    chart: Chart, name: str, at: X, value: float | None, low: float | None = None, high: float | None = None
) -> str:
    """Return what the pointer reads on one point."""
    text = f"{name}, {say_x(chart, at)}: {say_y(chart, value)}"
    return (
        f"{text} ({say_y(chart, low)} to {say_y(chart, high)})"
        if low is not None and high is not None
        else text
    )


def open_frame(
    chart: Chart, canvas: Canvas, height: float, *, right: float = 14, top: float = 0, zero: bool = False
) -> Frame:
    """Draw grid, axes and shaded ranges, and return the box for the data.

    Args:
        chart: the picture.
        canvas: the sheet.
        height: pixels of the whole drawing.
        right: pixels kept free right of the box.
        top: pixels already used above it.
        zero: whether the value axis must show zero.
    """
    places = categories(chart)
    if chart.unit and canvas.names:
        canvas.text(0, top + 11, chart.unit, color="soft")
    top += 27 if chart.unit and canvas.names else 8
    lanes = _mark_lanes(chart, canvas, places, right)
    head, lanes_high = top, _LANE * (1 + max((one.lane for one in lanes), default=-1))
    # One lane is part of the picture's height; more make the picture higher rather than the box flat.
    top, height = top + lanes_high, height + max(0, lanes_high - _LANE)
    bottom = height - (38 if _has_second_line(chart) else 22)
    most = max(3, int((bottom - top) // 36))
    low, high = y_domain(chart, zero)
    step = axis_step(low, high, most, chart.y_kind)
    if chart.y_range is None:
        low, high = outward(low, high, step)
    y_ticks = ticks(low, high, step, chart.y_kind)
    ends = (_left(y_ticks), canvas.width - right)
    to_x, to_y = scale(x_domain(chart, places), ends), scale((low, high), (bottom, top))
    frame = Frame(*ends, top, bottom, to_x, to_y, places, height)
    _shade(chart, canvas, frame)
    for tick in y_ticks:
        y = frame.y(tick.at)
        canvas.line(frame.left, y, frame.right, y, "axis" if tick.at == 0 and low < 0 else "grid")
        canvas.text(frame.left - 6, y + 4, tick.label, color="soft", anchor="end")
    x_axis(chart, canvas, frame)
    _draw_x_marks(canvas, frame, lanes, head)
    return frame


def _left(y_ticks: Sequence[Tick]) -> float:
    return max([20.0, *(text_width(t.label) for t in y_ticks)]) + 8


def _has_second_line(chart: Chart) -> bool:
    return chart.x_kind == "time" or bool(chart.x_label)


def x_axis(chart: Chart, canvas: Canvas, frame: Frame) -> None:
    """Draw the x axis below the box: ticks, context (year or day) and the axis' name or zone."""
    canvas.line(frame.left, frame.bottom, frame.right, frame.bottom, "axis")
    wide = frame.right - frame.left
    low, high = x_domain(chart, frame.places)
    if frame.places:
        slot = wide / max(1, len(frame.places))
        every = max(1, round(0.5 + max(text_width(clip(c, 90)) + 10 for c in frame.places) / slot))
        every = 1 if every == 2 and max(text_width(clip(c, 90)) + 6 for c in frame.places) <= slot else every
        shown = [Tick(i, clip(c, 90)) for c, i in frame.places.items() if i % every == 0]
    elif chart.x_kind == "time":
        shown = time_ticks(low, high, int(wide // 58))
    else:
        shown = ticks(low, high, axis_step(low, high, max(2, int(wide // 64))))
    free = frame.left - 20
    context_free = free
    for tick in shown:
        x, half = frame.x(tick.at), text_width(tick.label) / 2
        canvas.line(x, frame.bottom, x, frame.bottom + 4, "axis")
        middle = min(max(x, half), canvas.width - half)
        if middle - half > free:
            canvas.text(middle, frame.bottom + 17, tick.label, color="soft", anchor="middle")
            free = middle + half + 4
        if tick.context and x - 12 > context_free:
            start = max(0.0, min(x - half, canvas.width - text_width(tick.context)))
            canvas.text(start, frame.bottom + 32, tick.context, color="soft")
            context_free = start + text_width(tick.context) + 8
    if chart.x_label and canvas.names:
        room = frame.right - max(context_free, frame.left)
        canvas.text(frame.right, frame.bottom + 32, clip(chart.x_label, room), color="soft", anchor="end")


def _shade(chart: Chart, canvas: Canvas, frame: Frame) -> None:
    """Draw shaded ranges; words wider than theirs may reach over its edges where that hits no others."""
    half = abs(frame.x.k) / 2 if frame.places else 0.0
    free = frame.left
    for band in chart.bands:
        if isinstance(band.start, str) and (band.start not in frame.places or band.end not in frame.places):
            continue
        x1 = max(frame.left, frame.px(band.start) - half)
        x2 = min(frame.right, frame.px(band.end) + half)
        if x2 <= x1:
            continue
        canvas.rect(x1, frame.top, x2 - x1, frame.bottom - frame.top, "shade", title=band.label)
        reach = text_width(band.label, 11) / 2
        middle = min(max((x1 + x2) / 2, frame.left + reach), frame.right - reach)
        words = band.label if middle - reach >= free else clip(band.label, x2 - x1 - 6, 11)
        canvas.text(
            middle if words == band.label else (x1 + x2) / 2,
            frame.bottom - 6,
            words,
            color="soft",
            anchor="middle",
            size=11,
        )
        free = middle + reach + 6


def _mark_lanes(chart: Chart, canvas: Canvas, places: dict[str, int], right: float) -> list[_Placed]:
    """Give each upright mark the first lane with room for glyph and words, else for its glyph, else none."""
    upright = [mark for mark in chart.marks if mark.x is not None and mark.y is None]
    to_px = scale(x_domain(chart, places), (40, canvas.width - right))
    ends = [-1e9] * _MOST_LANES
    out = []
    for mark in sorted(upright, key=lambda m: _place(m, places)):
        x = to_px(_place(mark, places))
        start, end = _label_reach(mark, x, canvas.width)
        lane = next((i for i, free in enumerate(ends) if start > free), -1)
        if lane >= 0:
            ends[lane] = end + 8
            out.append(_Placed(mark, lane, True))
            continue
        lane = next((i for i, free in enumerate(ends) if mark.status and x - 8 > free), -1)
        if lane >= 0:
            ends[lane] = x + 8
        out.append(_Placed(mark, lane, False))
    return out


def _place(mark: Mark, places: dict[str, int]) -> float:
    return places.get(mark.x, 0) if isinstance(mark.x, str) else cast("float", mark.x)


def _label_reach(mark: Mark, x: float, width: float) -> tuple[float, float]:
    words = text_width(clip(mark.label, 160), 11) + (18 if mark.status else 6)
    return (x - words, x + 8) if x + words > width else (x - 8, x + words)


def _draw_x_marks(canvas: Canvas, frame: Frame, placed: list[_Placed], head: float) -> None:
    """Draw all upright lines first, so that none crosses another mark's words."""
    shown = [(one, frame.px(cast("X", one.mark.x))) for one in placed]
    shown = [(one, x) for one, x in shown if frame.left - 1 <= x <= frame.right + 1]
    for one, x in shown:
        status = one.mark.status
        y = head + _LANE * one.lane + (14 if status else 6) if one.lane >= 0 else frame.top
        canvas.line(x, y, x, frame.bottom, STATUSES[status].color if status else "soft", 0.8, "1 3")
    for one, x in shown:
        y = head + _LANE * one.lane + 6
        if one.mark.status and one.lane >= 0:
            canvas.glyph(one.mark.status, x, y, title=one.mark.label)
        if one.labelled:
            left_of = _label_reach(one.mark, x, canvas.width)[0] < x - 8
            side, gap = ("end", -1) if left_of else ("start", 1)
            words = clip(one.mark.label, 160, 11)
            canvas.text(
                x + gap * (9 if one.mark.status else 4), y + 4, words, size=11, anchor=side, halo=True
            )


def draw_level_marks(chart: Chart, canvas: Canvas, frame: Frame) -> None:
    """Draw marks on the value axis (a level across the box) and marks at a point."""
    for mark in chart.marks:
        if mark.y is None:
            continue
        y = frame.y(mark.y)
        words = clip(mark.label, 200, 11)
        if mark.x is None:
            canvas.line(frame.left, y, frame.right, y, "soft", 1, "5 4")
            canvas.text(frame.left + 4, y - 4, words, size=11, color="soft", halo=True)
            continue
        x = frame.px(mark.x)
        if mark.status:
            canvas.glyph(mark.status, x, y, title=mark.label, badge=True)
        side, gap = ("end", -11) if x + text_width(words, 11) > frame.right else ("start", 11)
        canvas.text(x + gap, y - 7, words, size=11, anchor=side, halo=True)


def value_axis(
    chart: Chart,
    canvas: Canvas,
    domain: tuple[float, float],
    span_px: tuple[float, float],
    top: float,
    bottom: float,
) -> Scale:
    """Draw a horizontal value axis under rows of categories, with its levels, and return its scale."""
    low, high = domain
    most = max(2, int((span_px[1] - span_px[0]) // 76))
    to_px = scale((low, high), span_px)
    for tick in ticks(low, high, axis_step(low, high, most, chart.y_kind), chart.y_kind):
        x = to_px(tick.at)
        canvas.line(x, top, x, bottom, "axis" if tick.at == 0 else "grid")
        canvas.text(x, bottom + 15, tick.label, color="soft", anchor="middle")
    for mark in chart.marks:
        if mark.y is not None and mark.x is None:
            x = to_px(mark.y)
            canvas.line(x, top, x, bottom, "soft", 1, "5 4")
            side = "end" if x + text_width(mark.label, 11) > canvas.width else "start"
            canvas.text(
                x + (-4 if side == "end" else 4),
                top - 3,
                clip(mark.label, 200, 11),
                size=11,
                color="soft",
                anchor=side,
            )
    return to_px
