"""One self-contained HTML file: prose, pictures, tables and key figures; no scripts, no network.

Light and dark follow the reader's system, paper is light. Each picture is drawn twice, for wide and for
narrow windows, because scaled text cannot be read on a phone; each has its table behind "as table".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.pictures.chart import Chart
from treadle.pictures.markup import escape
from treadle.pictures.numbers import column, moment, number
from treadle.pictures.page import page_style
from treadle.pictures.status import STATUSES, Status
from treadle.pictures.svg import svg
from treadle.pictures.tabular import table
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant

LARGEST = 1_000_000
"""A report is at most this many bytes."""
_WIDE, _SLIM = 760, 328
_CARD, _CARD_TALL = 248, 118
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True, slots=True)
class State:
    """A table cell or figure that holds a status: its glyph and its word, or other words beside the glyph."""

    status: str
    words: str = ""


Cell: TypeAlias = str | int | float | State | None


@dataclass(frozen=True, slots=True)
class Prose:
    """Text: paragraphs parted by empty lines; lines that begin with `- ` make a list; `code` in backticks."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with its caption, and its values as a table to unfold."""

    chart: Chart


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Columns of numbers are right-aligned; None reads "no data".

    Attributes:
        caption: what the table says, as a sentence.
        head: column names, with units.
        rows: cells; a number is written as everywhere, text is taken as it is.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure: a name, the value, and what it means or compares to."""

    name: str
    value: Cell
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """A few key figures in a row."""

    items: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """One of many small pictures: a chart and a few facts beside it.

    Attributes:
        chart: drawn small; its title heads the card, its caption is what a screen reader says.
        kind: a word or two beside the title.
        facts: names and values, the values short.
        note: a sentence that asks for attention.
        status: the status word of the note.
    """

    chart: Chart
    kind: str = ""
    facts: tuple[tuple[str, Cell], ...] = ()
    note: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Cards side by side, as many as the window is wide."""

    cards: tuple[Card, ...]


Block: TypeAlias = Prose | Picture | Table | Figures | Gallery


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report with a heading."""

    title: str
    blocks: tuple[Block, ...]


def html_report(title: str, subtitle: str, sections: Sequence[Section], generated_at: Instant) -> str:
    """Return the report as one HTML document of at most a megabyte.

    When it would be larger, the tables behind pictures are shortened first, and say so.

    Args:
        title: heading of the report.
        subtitle: one sentence: what the report found.
        sections: the parts, in order.
        generated_at: when it was made, shown as UTC.

    Raises:
        InvalidInput: a table's rows do not match its head, or the report cannot be made small enough.
    """
    faults = [fault for section in sections for block in section.blocks for fault in _faults(section, block)]
    if not title.strip():
        faults.append("the report has no title")
    if faults:
        raise InvalidInput("the report cannot be written", where=f"report {title!r:.80}", faults=faults)
    page = ""
    for rows in (300, 60, 12, 0):
        page = _page(title, subtitle, sections, generated_at, rows)
        if len(page.encode()) <= LARGEST:
            return page
    sizes = sorted(((len(_section(s, k, 0)), s.title) for k, s in enumerate(sections)), reverse=True)
    raise InvalidInput(
        f"the report would be {len(page.encode()):,} bytes, more than {LARGEST:,}",
        where=f"report {title!r:.80}",
        fix="summarise the largest sections: a report holds sketches, not rows",
        faults=[f"section {name!r:.60}: {size:,} bytes" for size, name in sizes[:3]],
    )


def _faults(section: Section, block: Block) -> list[str]:
    if isinstance(block, Figures):
        cells: Sequence[Cell] = [item.value for item in block.items]
    elif isinstance(block, Table):
        cells = [cell for row in block.rows for cell in row]
    elif isinstance(block, Gallery):
        cells = [State(card.status) for card in block.cards if card.status]
    else:
        return []
    out = [
        f"section {section.title!r:.60}: {cell.status!r} is not a status word"
        for cell in cells
        if isinstance(cell, State) and cell.status not in STATUSES
    ]
    if isinstance(block, Table):
        if not block.caption.strip():
            out.append(f"section {section.title!r:.60}: a table has no caption")
        out += [
            f"table {block.caption!r:.60}: row {k + 1} has {len(row)} cells for {len(block.head)} columns"
            for k, row in enumerate(block.rows)
            if len(row) != len(block.head)
        ]
    return out


def _page(title: str, subtitle: str, sections: Sequence[Section], generated_at: Instant, rows: int) -> str:
    contents = "".join(
        f'<li><a href="#{_anchor(s.title, k)}">{escape(s.title)}</a></li>' for k, s in enumerate(sections)
    )
    body = "".join(_section(section, k, rows) for k, section in enumerate(sections))
    made = moment(generated_at)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{page_style()}</style></head>'
        "<body>"
        '<a class="skip" href="#content">Skip to the report</a>'
        f"<header><h1>{escape(title)}</h1><p>{_inline(subtitle)}</p></header>"
        f'<div class="page"><nav aria-label="Contents"><h2>Contents</h2><ol>{contents}</ol></nav>'
        f'<main id="content">{body}</main></div>'
        f"<footer>Made by treadle, {escape(made)}. All times are UTC.</footer></body></html>\n"
    )


def _anchor(title: str, index: int) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40]
    return f"s{index + 1}-{slug}" if slug else f"s{index + 1}"


def _section(section: Section, index: int, rows: int) -> str:
    anchor = _anchor(section.title, index)
    blocks = "".join(_block(block, rows) for block in section.blocks)
    heading = f'<h2 id="{anchor}-h">{escape(section.title)}</h2>'
    return f'<section id="{anchor}" aria-labelledby="{anchor}-h">{heading}{blocks}</section>'


def _block(block: Block, rows: int) -> str:
    if isinstance(block, Prose):
        return _prose(block.text)
    if isinstance(block, Picture):
        return _picture(block.chart, rows)
    if isinstance(block, Table):
        return _table(block.caption, block.head, block.rows)
    if isinstance(block, Gallery):
        return f'<div class="gallery">{"".join(map(_card, block.cards))}</div>'
    items = "".join(
        f"<div><dt>{escape(item.name)}</dt><dd>{_cell(item.value)}</dd>"
        + (f'<dd class="note">{_inline(item.note)}</dd>' if item.note else "")
        + "</div>"
        for item in block.items
    )
    return f'<dl class="figures">{items}</dl>'


def _card(card: Card) -> str:
    picture = svg(card.chart, width=_CARD, height=_CARD_TALL, heading=False, style=False)
    facts = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{_cell(value)}</dd></div>" for name, value in card.facts
    )
    note = ""
    if card.note:
        words = _inline(card.note)
        glyph = _glyph(STATUSES[card.status]) if card.status else ""
        note = f"<p>{glyph}{words}</p>"
    return (
        f'<article class="card"><h3>{escape(card.chart.title, 120)}<span>{escape(card.kind, 40)}</span></h3>'
        f"{note}{picture}<dl>{facts}</dl></article>"
    )


def _inline(text: str) -> str:
    """Return escaped text with `code` in backticks marked."""
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(text, 20_000))


def _prose(text: str) -> str:
    out = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in paragraph.split("\n")]
        if all(line.startswith("- ") for line in lines):
            out.append("<ul>" + "".join(f"<li>{_inline(line[2:])}</li>" for line in lines) + "</ul>")
        else:
            out.append(f"<p>{_inline(' '.join(lines))}</p>")
    return "".join(out)


def _picture(chart: Chart, rows: int) -> str:
    wide = svg(chart, width=_WIDE, heading=False, style=False)
    slim = svg(chart, width=_SLIM, heading=False, style=False)
    head, body, count = table(chart, rows)
    detail = ""
    if count and not rows:
        detail = "<p>The table is left out: with it the report would be larger than a megabyte.</p>"
    elif body:
        shown = f" ({len(body):,} of {count:,} rows)" if count > len(body) else ""
        inner = _table(f"{chart.title}{shown}", head, body)
        detail = f"<details><summary>as table</summary>{inner}</details>"
    caption = f"<strong>{escape(chart.title)}</strong> <span>{escape(chart.caption)}</span>"
    return (
        f"<figure><figcaption>{caption}</figcaption>"
        f'<div class="wide">{wide}</div><div class="slim">{slim}</div>{detail}</figure>'
    )


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    columns = [_aligned([row[i] for row in rows]) for i in range(len(head))]
    kinds = [_kind(cells) for cells in columns]
    names = "".join(
        f'<th scope="col"{kind}>{escape(name, 200)}</th>' for name, kind in zip(head, kinds, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{_cell(cell)}</td>" for cell, kind in zip(row, kinds, strict=True))
        + "</tr>"
        for row in zip(*columns, strict=True)
    )
    body = body or f'<tr><td colspan="{len(head)}">no data</td></tr>'
    # A wide table scrolls in its own box, which the keyboard can reach.
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption, 200)}" tabindex="0"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_NUMBER = re.compile(
    r"[+\u2212-]?\d[\d,]*\.?\d*(e[+\u2212-]?\d+)?"
    r"( ?(%|[MGT]|[KMGT]iB|B|µs|ms|s|min|h|d)( \d+ (s|min|h))?)?( \(.*\))?"
)


def _aligned(cells: list[Cell]) -> list[Cell]:
    """Return a column of numbers written with the same decimals; any other column as it is."""
    numbers = [cell for cell in cells if cell is None or isinstance(cell, (int, float))]
    if len(numbers) < len(cells):
        return cells
    return [*column(numbers)]


def _numeric(cells: Sequence[Cell]) -> bool:
    known = [cell for cell in cells if cell is not None and cell not in ("no data", "")]
    return bool(known) and all(
        isinstance(cell, (int, float)) or (isinstance(cell, str) and _NUMBER.fullmatch(cell))
        for cell in known
    )


def _short(cells: Sequence[Cell]) -> bool:
    """Return whether every cell is a word or two that should not be broken, a date and time for one."""
    return all(isinstance(cell, State) or len(str(cell)) <= 16 for cell in cells)


def _kind(cells: Sequence[Cell]) -> str:
    if _numeric(cells):
        return ' class="n"'
    return ' class="w"' if _short(cells) else ""


def _glyph(status: Status) -> str:
    fill = f"var(--tr-{status.color})" if status.solid else "none"
    return (
        f'<svg class="glyph" aria-hidden="true" width="14" height="14" viewBox="-7 -7 14 14"'
        f' fill="{fill}"'
        f' stroke="var(--tr-{status.color})" stroke-width="{2.2 if status.loud else 1.7}"'
        f' stroke-linecap="round"><path d="{status.path}"/></svg>'
    )


def _cell(cell: Cell) -> str:
    if isinstance(cell, State):
        status = STATUSES[cell.status]
        return f'<span class="state">{_glyph(status)}{escape(cell.words or status.word)}</span>'
    if isinstance(cell, str):
        return _inline(cell)
    return number(cell)
