"""Small multiples: charts of one form side by side on the same scales, to be compared at a glance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from treadle.pictures.canvas import Canvas
from treadle.pictures.chart import SPANS, Chart
from treadle.pictures.frame import categories, x_domain, y_domain
from treadle.pictures.markup import clip
from treadle.pictures.palette import looks
from treadle.pictures.scales import axis_step, outward

Draw: TypeAlias = Callable[[Chart, Canvas, float], float]

_PANEL = 230
_GAP = 18


def draw(chart: Chart, canvas: Canvas, height: float, draw_panel: Draw) -> float:
    """Draw the form.

    Args:
        chart: the picture that holds the panels.
        canvas: the sheet.
        height: not used: panels have a fixed shape.
        draw_panel: draws the panels' own form.
    """
    panels = shared(chart.panels)
    first = max(panels, key=lambda panel: len(panel.series))
    top = 0.0
    if len(first.series) > 1 and first.form not in SPANS:
        top = canvas.legend(
            [(one.name, look, "") for one, look in zip(first.series, looks(first.series), strict=True)]
        )
    across = max(1, min(len(panels), int((canvas.width + _GAP) // (_PANEL + _GAP))))
    wide = (canvas.width - _GAP * (across - 1)) / across
    bottom = top
    for k, panel in enumerate(panels):
        if k % across == 0:
            top = bottom + (10 if k else 0)
        sheet = Canvas(wide, canvas.ink, names=False)
        used = draw_panel(panel, sheet, 140)
        x = (k % across) * (wide + _GAP)
        canvas.parts.append(f'<g transform="translate({x:.1f} {top + 16:.1f})">')
        canvas.text(0, -3, clip(panel.title, wide - 4), bold=True)
        canvas.parts += [*sheet.parts, "</g>"]
        bottom = max(bottom, top + 16 + used)
    return bottom


def shared(panels: tuple[Chart, ...]) -> list[Chart]:
    """Return the panels on common scales: the widest x and y of them all."""
    if panels[0].form in (*SPANS, "heat"):
        return list(panels)
    filled = [panel for panel in panels if not panel.empty]
    if not filled:
        return list(panels)
    ends = [y_domain(panel, zero=panel.form in ("bars", "histogram")) for panel in filled]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    y_range = outward(low, high, axis_step(low, high, 3, panels[0].y_kind))
    out = [replace(panel, y_range=panel.y_range or y_range) for panel in panels]
    if panels[0].x_kind == "category":
        return out
    sides = [x_domain(panel, categories(panel)) for panel in filled]
    whole = panels[0].x_kind == "time"
    first, last = min(side[0] for side in sides), max(side[1] for side in sides)
    x_range = (int(first), int(last)) if whole else (first, last)
    return [replace(panel, x_range=panel.x_range or x_range) for panel in out]
