"""Pictures for a terminal: sparklines, block bars, plain tables, and any chart as a few lines of text.

Every function has an ASCII form for terminals and logs that know no Unicode.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

from treadle.pictures.chart import SPANS, Chart, Series
from treadle.pictures.frame import say_x, say_y
from treadle.pictures.numbers import MINUS, known, number
from treadle.pictures.scales import extent
from treadle.pictures.status import STATUSES
from treadle.pictures.tabular import table as chart_table

_LEVELS = "▁▂▃▄▅▆▇█"
_ASCII_LEVELS = "_.-=+*#@"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_PLAIN = str.maketrans(
    {MINUS: "-", "…": "~", "µ": "u", "–": "-", "—": "-", "·": "-"}
    | {status.glyph: status.letter for status in STATUSES.values() if status.glyph > "\x7f"}
)


def plain(text: str) -> str:
    """Return the text in ASCII: our own signs by their letters, whatever else is left by a question mark."""
    return text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")


def sparkline(
    values: Sequence[float | None],
    *,
    width: int | None = None,
    limits: tuple[float, float] | None = None,
    unicode: bool = True,
) -> str:
    """Return the values as a row of blocks, the least lowest: `▁▂▅█`; a value that is not known is a space.

    Args:
        values: what to show, in order.
        width: most characters; longer rows are averaged into as many buckets.
        limits: values of the lowest and the highest block; found from the values otherwise.
        unicode: whether the terminal shows block characters.
    """
    row = _bucketed(values, width) if width is not None and len(values) > width else list(values)
    levels = _LEVELS if unicode else _ASCII_LEVELS
    found = limits or extent(v for v in row if known(v))
    if found is None:
        return "no data"
    low, high = found
    top = len(levels) - 1
    out = []
    for value in row:
        if value is None or not math.isfinite(value):
            out.append(" ")
            continue
        part = (value - low) / (high - low) if high > low else 0.5
        out.append(levels[min(max(round(part * top), 0), top)])
    return "".join(out)


def _bucketed(values: Sequence[float | None], width: int) -> list[float | None]:
    out: list[float | None] = []
    for k in range(width):
        part = values[k * len(values) // width : (k + 1) * len(values) // width]
        seen = [v for v in part if v is not None and math.isfinite(v)]
        out.append(math.fsum(seen) / len(seen) if seen else None)
    return out


def block_bars(
    rows: Sequence[tuple[str, float | None, str]], *, width: int = 72, unicode: bool = True
) -> str:
    """Return horizontal bars, a line each: name, bar, what the value reads.

    Args:
        rows: (name, value, the value in words); bars start at zero, a negative one is drawn with its sign
            before it.
        width: characters of a line.
        unicode: whether the terminal shows block characters.
    """
    if not rows:
        return "no data"
    name_room = min(max(len(name) for name, _, _ in rows), width // 3)
    tail = max(len(words) for _, _, words in rows)
    room = max(width - name_room - tail - 4, 8)
    most = max((abs(v) for _, v, _ in rows if v is not None), default=0.0) or 1.0
    lines = []
    for name, value, words in rows:
        bar = "" if value is None else _bar(abs(value) / most * room, unicode)
        sign = MINUS if value is not None and value < 0 else ""
        lines.append(f"{_fit(name, name_room):<{name_room}}  {sign + bar:<{room}}  {words:>{tail}}".rstrip())
    text = "\n".join(lines)
    return text if unicode else plain(text)


def _bar(length: float, unicode: bool) -> str:
    if not unicode:
        return "#" * max(round(length), 1 if length > 0 else 0)
    eighths = round(length * 8)
    full, rest = divmod(max(eighths, 1 if length > 0 else 0), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def text_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str | float | None]],
    *,
    unicode: bool = True,
    widest: int = 40,
) -> str:
    """Return a table with aligned columns: numbers right, words left, long words cut in the middle.

    Args:
        head: column names.
        rows: cells; numbers are written as everywhere, None reads "no data".
        unicode: whether the terminal shows box characters.
        widest: most characters of a column.
    """
    body = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in rows]
    right = [all(not isinstance(row[i], str) for row in rows) and bool(rows) for i in range(len(head))]
    wide = [min(widest, max(len(name), *(len(row[i]) for row in body), 1)) for i, name in enumerate(head)]
    lines = [_aligned(head, wide, right), "  ".join(("─" if unicode else "-") * w for w in wide)]
    lines += [_aligned(row, wide, right) for row in body]
    text = "\n".join(line.rstrip() for line in lines)
    return text if unicode else plain(text)


def _aligned(cells: Sequence[str], wide: Sequence[int], right: Sequence[bool]) -> str:
    fitted = (_fit(cell, w) for cell, w in zip(cells, wide, strict=True))
    return "  ".join(
        f"{c:>{w}}" if to_right else f"{c:<{w}}" for c, w, to_right in zip(fitted, wide, right, strict=True)
    )


def _fit(text: str, room: int) -> str:
    """Return one line of at most `room` characters without control characters, cut in the middle."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    if len(text) <= room:
        return text
    head = (room - 1 + 1) // 2
    return f"{text[:head]}…{text[len(text) - (room - 1 - head) :]}"


def chart_text(chart: Chart, *, width: int = 80, unicode: bool = True) -> str:
    """Return a chart as text: title, the finding, then sparklines, bars, states or a short table.

    Args:
        chart: what to show.
        width: characters of a line.
        unicode: whether the terminal shows block characters.
    """
    lines = [_fit(chart.title, width), _fit(chart.caption, 4 * width), ""]
    lines += _body(chart, width, unicode)
    text = "\n".join(lines)
    return text if unicode else plain(text)


def _body(chart: Chart, width: int, unicode: bool) -> list[str]:
    if chart.empty:
        return ["no data"]
    if chart.form == "multiples":
        out: list[str] = []
        for panel in chart.panels:
            out += [_fit(panel.title, width), *(f"  {line}" for line in _body(panel, width - 2, unicode))]
        return out
    if chart.form in SPANS:
        return _span_lines(chart, width)
    if chart.form in ("bars", "dot") and chart.x_kind == "category":
        rows = [
            (f"{x} {one.name}" if len(chart.series) > 1 else str(x), y, say_y(chart, y))
            for one in chart.series
            for x, y in zip(one.x, one.y, strict=True)
        ]
        return block_bars(rows, width=width, unicode=unicode).split("\n")
    if chart.form == "scatter":
        head, body, count = chart_table(chart, 12)
        more = [f"({count:,} rows, 12 shown)"] if count > 12 else []
        return [*text_table(head, body, unicode=unicode).split("\n"), *more]
    return _spark_lines(chart, width, unicode)


def _spark_lines(chart: Chart, width: int, unicode: bool) -> list[str]:
    room = min(max(len(one.name) for one in chart.series), width // 3)
    limits = extent(v for one in chart.series for v in one.y)
    tails = [_ends(chart, one) for one in chart.series]
    wide = max(width - room - max(map(len, tails)) - 4, 8)
    lines = []
    for one, tail in zip(chart.series, tails, strict=True):
        spark = sparkline(one.y, width=wide, limits=limits, unicode=unicode) if any(map(known, one.y)) else ""
        lines.append(f"{_fit(one.name, room):<{room}}  {spark}  {tail}")
    first, last = chart.series[0].x[0], chart.series[0].x[-1]
    zone = " UTC" if chart.x_kind == "time" else ""
    lines.append(f"{'':<{room}}  {say_x(chart, first)} to {say_x(chart, last)}{zone}")
    return lines


def _ends(chart: Chart, one: Series) -> str:
    seen = [v for v in one.y if v is not None]
    return f"{say_y(chart, seen[0])} to {say_y(chart, seen[-1])}" if seen else "no data"


def _span_lines(chart: Chart, width: int) -> list[str]:
    """Return one line of state glyphs per row; in a slice with several states, a loud one shows."""
    room = min(max(len(one.name) for one in chart.series), width // 3)
    wide = max(width - room - 2, 8)
    ends = [cast("float", x) for one in chart.series for x in (*one.x, *one.ends)]
    low, high = min(ends), max(ends)
    slice_ = (high - low) / wide or 1.0
    lines, words = [], dict.fromkeys(s for one in chart.series for s in one.states if s)
    for one in chart.series:
        row = [" "] * wide
        spans = sorted(zip(one.x, one.ends, one.states, strict=True), key=lambda span: _loud(span[2]))
        for start, end, state in spans:
            first = min(int((cast("float", start) - low) / slice_), wide - 1)
            last = min(max(math.ceil((cast("float", end) - low) / slice_), first + 1), wide)
            row[first:last] = (STATUSES[state].glyph if state in STATUSES else "─") * (last - first)
        lines.append(f"{_fit(one.name, room):<{room}}  {''.join(row)}".rstrip())
    lines.append("  ".join(f"{STATUSES[word].glyph} {word}" for word in words))
    return lines


def _loud(state: str) -> bool:
    return state in STATUSES and STATUSES[state].loud
