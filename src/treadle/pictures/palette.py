"""Colours as tokens: a light and a dark value each, given out as CSS variables or as fixed values.

Contrast of every token on its own background was measured: text at least 4.5:1, lines at least 3:1. Four hues
for series, no fifth; more series repeat the hues with another dash, and every line carries its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias

Theme: TypeAlias = Literal["auto", "light", "dark"]
"""`auto` follows the reader's system through CSS variables, the others write colours out (PNG, mail)."""

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#ffffff",
        "ink": "#1f2328",
        "soft": "#57606a",
        "grid": "#e3e7ec",
        "axis": "#8c959f",
        "shade": "#eef1f5",
        "heat": "#5aa9dc",
        "c1": "#0072b2",
        "c2": "#c04f00",
        "c3": "#007a5a",
        "c4": "#b0448a",
        "good": "#0b6e4f",
        "bad": "#b3261e",
        "busy": "#0b5cad",
        "idle": "#57606a",
        "held": "#8a5300",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "paper": "#12161c",
        "ink": "#e6edf3",
        "soft": "#9aa4b1",
        "grid": "#2a313a",
        "axis": "#6b7683",
        "shade": "#1d232b",
        "heat": "#1f6296",
        "c1": "#56b4e9",
        "c2": "#f0a25a",
        "c3": "#2fc6a0",
        "c4": "#e79cc8",
        "good": "#4cc38a",
        "bad": "#ff8577",
        "busy": "#6cb2ff",
        "idle": "#9aa4b1",
        "held": "#f0b429",
    }
)

_VARIABLES: Mapping[str, str] = MappingProxyType({token: f"var(--tr-{token})" for token in LIGHT})
DASHES = ("", "10 3", "4 2.5", "10 3 2 3")


def inks(theme: Theme) -> Mapping[str, str]:
    """Return what stands for each token in a drawing of the theme: a CSS variable, or the colour itself."""
    if theme == "light":
        return LIGHT
    return DARK if theme == "dark" else _VARIABLES


def _declare(colors: Mapping[str, str]) -> str:
    return "".join(f"--tr-{token}:{color};" for token, color in colors.items())


def stylesheet(selector: str = ".tr-chart") -> str:
    """Return the CSS that gives the tokens their values.

    The light values come first and stand for browsers that know nothing of schemes; dark follows the system,
    and an ancestor's `data-theme` (a reader's own choice) or a notebook's dark mark overrides it. Paper is
    always light.
    """
    light, dark = _declare(LIGHT), _declare(DARK)
    on = ",".join(
        f"{host} {selector}"
        for host in (
            "[data-theme=dark]",
            '[data-jp-theme-light="false"]',
            ".vscode-dark",
            ".vscode-high-contrast",
        )
    )
    off = ",".join(
        f"{host} {selector}"
        for host in ("[data-theme=light]", '[data-jp-theme-light="true"]', ".vscode-light")
    )
    return (
        f"{selector}{{{light}font-variant-numeric:tabular-nums}}"
        f"@media (prefers-color-scheme:dark){{{selector}{{{dark}}}}}"
        f"{on}{{{dark}}}{off}{{{light}}}"
        f"@media print{{{selector}{{{light}}}}}"
    )


@dataclass(frozen=True, slots=True)
class Look:
    """How one series is told from the others: hue, then dash and marker, and always its name beside it.

    Attributes:
        color: a palette token.
        dash: an SVG dash array; empty for a solid line.
        shape: the marker: 0 disc, 1 square, 2 triangle, 3 diamond.
        hollow: whether areas and markers are drawn as outlines.
    """

    color: str
    dash: str
    shape: int
    hollow: bool


class _Named(Protocol):
    @property
    def role(self) -> str | None: ...


_ROLES = {
    "champion": Look("c1", "", 0, False),
    "challenger": Look("c2", "9 4", 1, True),
    "reference": Look("soft", "3 3", 3, True),
}


def looks(series: Sequence[_Named]) -> list[Look]:
    """Return a look for each series; no two of the first eight are the same.

    The champion is always blue and solid, the challenger orange and dashed, a reference grey.
    """
    taken = {one.role for one in series}
    free = [
        i
        for i, role in enumerate(("champion", "challenger", None, None))
        if role is None or role not in taken
    ]
    out, turn = [], 0
    for one in series:
        if one.role in _ROLES:
            out.append(_ROLES[one.role])
            continue
        hue, lap = free[turn % len(free)], turn // len(free)
        style = (hue + lap) % 4
        out.append(Look(f"c{hue + 1}", DASHES[style], style, style % 2 == 1))
        turn += 1
    return out
