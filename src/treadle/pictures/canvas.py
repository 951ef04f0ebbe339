"""A sheet that collects SVG elements: colours are given as tokens, outside text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from treadle.pictures.markup import clip, escape, text_width
from treadle.pictures.palette import Look
from treadle.pictures.status import STATUSES

Sample: TypeAlias = Literal["line", "marked", "dot", "area"]

NARROW = 520
"""Below this width names move from beside the lines into a legend above them."""

_MARKERS = (
    "M-{r} 0a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0-{d} 0Z",
    "M-{r}-{r}h{d}v{d}h-{d}Z",
    "M0-{r}L{r} {r}H-{r}Z",
    "M0-{d}L{d} 0L0 {d}L-{d} 0Z",
)


class Canvas:
    """Elements in drawing order.

    Args:
        width: pixels to draw in; text keeps its size at every width.
        ink: what stands for each colour token.
        names: whether series are named here; panels of small multiples leave that to the sheet around them.
    """

    __slots__ = ("ink", "names", "parts", "width")

    def __init__(self, width: float, ink: Mapping[str, str], names: bool = True) -> None:
        self.width, self.ink, self.names = width, ink, names
        self.parts: list[str] = []

    @property
    def narrow(self) -> bool:
        """Whether the sheet is as small as a phone."""
        return self.width < NARROW

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        color: str = "ink",
        anchor: str = "start",
        size: float = 12,
        bold: bool = False,
        halo: bool = False,
    ) -> None:
        """Write one line of text, its baseline at y; a halo keeps it readable over lines."""
        extra = "" if anchor == "start" else f' text-anchor="{anchor}"'
        extra += "" if size == 12 else f' font-size="{size:g}"'
        extra += ' font-weight="600"' if bold else ""
        if halo:
            extra += (
                f' stroke="{self.ink["paper"]}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"'
            )
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{self.ink[color]}"{extra}>{escape(words)}</text>'
        )

    def line(
        self, x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1, dash: str = ""
    ) -> None:
        """Draw a straight line."""
        extra = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{self.ink[color]}"'
            f' stroke-width="{width:g}"{extra}/>'
        )

    def path(
        self,
        d: str,
        *,
        stroke: str = "",
        fill: str = "",
        width: float = 1,
        dash: str = "",
        opacity: float = 1,
        at: tuple[float, float] | None = None,
        title: str = "",
        round_ends: bool = False,
    ) -> None:
        """Draw a path, moved to `at` if given; the title is what the pointer shows."""
        extra = f' stroke="{self.ink[stroke]}" stroke-width="{width:g}"' if stroke else ""
        extra += f' stroke-dasharray="{dash}"' if dash else ""
        extra += f' fill="{self.ink[fill]}"' if fill else ""
        extra += f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
        extra += f' transform="translate({at[0]:.1f} {at[1]:.1f})"' if at else ""
        extra += ' stroke-linecap="round"' if round_ends else ""
        self.parts.append(f'<path d="{d}"{extra}{_titled("path", title)}')

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        *,
        opacity: float = 1,
        stroke: str = "",
        dash: str = "",
        radius: float = 0,
        title: str = "",
    ) -> None:
        """Draw a rectangle; one narrower than a pixel is drawn a pixel wide."""
        extra = f' fill-opacity="{opacity:.2f}"' if opacity < 1 else ""
        extra += f' stroke="{self.ink[stroke]}"' if stroke else ""
        extra += f' stroke-dasharray="{dash}"' if dash else ""
        extra += f' rx="{radius:g}"' if radius else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{max(height, 0):.1f}"'
            f' fill="{self.ink[fill]}"{extra}{_titled("rect", title)}'
        )

    def marker(self, x: float, y: float, look: Look, size: float = 3, title: str = "") -> None:
        """Draw a series' point: disc, square, triangle or diamond, filled or hollow."""
        size = size * 0.7 if look.shape == 3 else size
        d = _MARKERS[look.shape].format(
            r=f"{size:g}", d=f"{2 * size:g}" if look.shape != 3 else f"{1.9 * size:g}"
        )
        fill = "paper" if look.hollow else look.color
        self.path(d, stroke=look.color, fill=fill, width=1.5, at=(x, y), title=title)

    def glyph(self, word: str, x: float, y: float, title: str = "", badge: bool = False) -> None:
        """Draw a status glyph centred on (x, y), on a small disc of paper when it lies over other things."""
        status = STATUSES[word]
        if badge:
            self.path(
                "M-7.5 0a7.5 7.5 0 1 0 15 0a7.5 7.5 0 1 0-15 0",
                stroke=status.color,
                fill="paper",
                width=1.2,
                at=(x, y),
            )
        width = 2.2 if status.loud else 1.7
        fill = status.color if status.solid else ""
        self.path(
            status.path, stroke=status.color, fill=fill, width=width, at=(x, y), title=title, round_ends=True
        )

    def legend(
        self, items: Sequence[tuple[str, Look | None, str]], y: float = 0, *, sample: Sample = "line"
    ) -> float:
        """Write names in a row, wrapping, each behind a sample of how it is drawn; return the y below.

        Args:
            items: (text, look, status word): the sample shows the look, or the status' glyph when there is
                none.
            y: top of the row.
            sample: what stands for a look: a line, a line with its marker, the marker alone, or an area.
        """
        x = 0.0
        for name, look, status in items:
            words = clip(name, self.width - 34)
            lead = 16 if look is None or sample == "dot" else 30
            room = lead + text_width(words) + 14
            if x > 0 and x + room > self.width:
                x, y = 0.0, y + 18
            if look is None:
                self.glyph(status, x + 6, y + 9)
            else:
                self._sample(x, y + 9, look, sample)
            self.text(x + lead, y + 13, words, color="soft" if look is None else "ink")
            x += room
        return y + 24 if items else y

    def _sample(self, x: float, y: float, look: Look, sample: Sample) -> None:
        if sample == "area":
            self.rect(
                x + 1, y - 5, 20, 10, look.color, opacity=0.22 if look.hollow else 0.85, stroke=look.color
            )
            return
        if sample != "dot":
            self.line(x, y, x + 24, y, look.color, 2, look.dash)
        # A reference is a plain line everywhere but in rows of dots.
        if sample == "dot" or (sample == "marked" and look.color != "soft"):
            self.marker(x + (6 if sample == "dot" else 12), y, look)

    def no_data(self, height: float) -> float:
        """Say that there is nothing to draw, in a box of the height; return it."""
        self.rect(0.5, 0.5, self.width - 1, height - 1, "paper", stroke="axis", dash="3 3", radius=3)
        self.text(self.width / 2, height / 2 + 5, "no data", color="soft", anchor="middle", size=14)
        return height


def _titled(tag: str, title: str) -> str:
    return f"><title>{escape(title, 300)}</title></{tag}>" if title else "/>"
