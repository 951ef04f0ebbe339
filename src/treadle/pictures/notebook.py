"""A chart shown in a notebook: SVG, text, and a Vega-Lite v5 specification for hosts that draw it."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.pictures.chart import Chart
from treadle.pictures.svg import svg
from treadle.pictures.text import chart_text
from treadle.pictures.vega import vega_lite

VEGA_MIME = "application/vnd.vegalite.v5+json"


def mimebundle(chart: Chart, *, width: int = 720) -> dict[str, object]:
    """Return the chart by MIME type; nothing in it needs a network."""
    return {
        "image/svg+xml": svg(chart, width=width),
        "text/html": svg(chart, width=width),
        "text/plain": chart_text(chart),
        VEGA_MIME: vega_lite(chart),
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """A chart as a notebook's cell shows it: leave one as the last value of a cell."""

    chart: Chart
    width: int = 720

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        """Answer the notebook's display protocol; the host chooses among the types."""
        return mimebundle(self.chart, width=self.width)
