"""Work and events over time, a lane each: bars with words, events as glyphs, staggered to be readable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import Chart, Series
from treadle.pictures.forms.bars import label_room
from treadle.pictures.frame import Frame, say_x, x_axis, x_domain
from treadle.pictures.markup import clip, text_width
from treadle.pictures.numbers import span
from treadle.pictures.scales import Scale, scale
from treadle.pictures.status import STATUSES

_ROW = 20
_MOST_ROWS = 4


@dataclass(frozen=True, slots=True)
class _Item:
    """A span or an event with its pixels and the row it found in its lane."""

    x1: float
    x2: float
    state: str
    words: str
    title: str
    row: int
    labelled: bool
    before: bool


def draw(chart: Chart, canvas: Canvas, height: float) -> float:
    """Draw the form; the height follows from lanes and from how much their words collide."""
    left = label_room(canvas, [one.name for one in chart.series])
    words = list(dict.fromkeys(state for one in chart.series for state in one.states if state))
    top = canvas.legend([(word, None, word) for word in words]) if canvas.names and words else 4.0
    right = canvas.width - 10
    to_px = scale(x_domain(chart, {}), (left + 8, right))
    lanes = [(one, _arrange(chart, one, to_px, left, right)) for one in chart.series]
    bottom = top + sum(_lane_height(items) for _, items in lanes)
    frame = Frame(left, right, top, bottom, to_px, Scale(1, 0), {}, bottom + 38)
    _draw_bands(chart, canvas, frame)
    x_axis(chart, canvas, frame)
    y = top
    for one, items in lanes:
        tall = _lane_height(items)
        canvas.line(0, y + tall, right, y + tall, "grid")
        canvas.text(left - 8, y + tall / 2 + 4, clip(one.name, left - 10), anchor="end")
        for item in items:
            _draw_item(canvas, item, y + 4 + _ROW * (item.row + 0.5))
        y += tall
    return frame.height


def _lane_height(items: list[_Item]) -> float:
    return 8 + _ROW * (1 + max([0, *(item.row for item in items)]))


def _arrange(chart: Chart, one: Series, to_px: Scale, left: float, right: float) -> list[_Item]:
    """Give each item the first row with room for it and its words, else for it alone, else the emptiest."""
    free = [left - 2] * _MOST_ROWS
    out = []
    for start, end, state, words in zip(one.x, one.ends, one.states, one.labels or one.states, strict=True):
        first, last = cast("float", start), cast("float", end)
        x1, x2 = max(to_px(first), left), min(max(to_px(last), to_px(first)), right)
        half = 9 if last == first else 0
        room = text_width(clip(words, 180), 11) + (14 if half else 6 + (14 if state else 0))
        inside = not half and room + 4 <= x2 - x1
        before = not inside and x2 + room > right + 8
        begin, reach = x1 - half - (room if before else 0), x2 + half
        if not inside and not before:
            reach = x2 + room
        row = _row(free, begin)
        labelled = row >= 0
        if not labelled:
            begin, reach = x1 - half, x2 + half
            row = _row(free, begin)
            row = row if row >= 0 else free.index(min(free))
        # Bars with their words inside may touch: one follows the other in the same row.
        free[row] = max(free[row], reach - 0.5 if inside else reach + 3)
        title = _title(chart, one.name, (first, last), state, words)
        out.append(_Item(x1, x2, state, words, title, row, labelled, before))
    return out


def _row(free: list[float], begin: float) -> int:
    return next((i for i, at in enumerate(free) if begin >= at), -1)


def _title(chart: Chart, name: str, ends: tuple[float, float], state: str, words: str) -> str:
    title = f"{words or name}: {say_x(chart, ends[0])}"
    if ends[1] > ends[0]:
        title += f" to {say_x(chart, ends[1])}"
        title += f", {span(ends[1] - ends[0])}" if chart.x_kind == "time" else ""
    return f"{title}, {state}" if state else title


def _draw_item(canvas: Canvas, item: _Item, y: float) -> None:
    status = STATUSES.get(item.state)
    color = status.color if status else "c1"
    words = clip(item.words, 180, 11) if item.labelled else ""
    if item.x1 == item.x2:
        if status:
            canvas.glyph(item.state, item.x1, y, title=item.title, badge=True)
        else:
            canvas.path("M0-4L4 0L0 4L-4 0Z", fill=color, at=(item.x1, y), title=item.title)
        side, gap = ("end", -11) if item.before else ("start", 11)
        canvas.text(item.x1 + gap, y + 4, words, size=11, anchor=side)
        return
    canvas.rect(
        item.x1, y - 8, item.x2 - item.x1, 16, color, opacity=0.2, stroke=color, radius=2, title=item.title
    )
    inside = text_width(words, 11) + (24 if status else 10) <= item.x2 - item.x1
    x = item.x1 + 5 if inside else (item.x1 - 5 if item.before else item.x2 + 5)
    if status and (inside or not item.before):
        canvas.glyph(item.state, x + 5, y)
        x += 14
    if words:
        canvas.text(x, y + 4, words, size=11, anchor="end" if item.before and not inside else "start")


def _draw_bands(chart: Chart, canvas: Canvas, frame: Frame) -> None:
    for band in chart.bands:
        x1 = max(frame.left, frame.px(band.start))
        x2 = min(frame.right, frame.px(band.end))
        if x2 > x1:
            canvas.rect(x1, frame.top, x2 - x1, frame.bottom - frame.top, "shade", title=band.label)
            canvas.text(
                (x1 + x2) / 2,
                frame.top + 10,
                clip(band.label, x2 - x1 - 4, 11),
                size=11,
                color="soft",
                anchor="middle",
            )
