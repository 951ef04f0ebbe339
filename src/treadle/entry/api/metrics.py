"""What the server measures of itself, written in the Prometheus text format (version 0.0.4).

Everything is counted on the event loop, so plain numbers suffice. Format:
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

CONTENT_TYPE = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the latency histogram's buckets, in seconds."""


class Histogram:
    """How many observations fell under each bound, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Metrics:
    """The server's counters."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}
        """(route, status) → requests answered."""
        self.errors: dict[str, int] = {}
        """Kind of error → requests that ended in it."""
        self.seconds: dict[str, Histogram] = {}
        """Route → how long it took, from the headers' arrival until the response was handed over."""
        self.rows: dict[str, int] = {}
        """Endpoint → rows answered; every one of them was logged before it was answered."""
        self.in_flight = 0

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = (route, status)
        self.requests[key] = self.requests.get(key, 0) + 1
        histogram = self.seconds.get(route)
        if histogram is None:
            histogram = self.seconds[route] = Histogram()
        histogram.observe(seconds)

    def failed(self, kind: str) -> None:
        """Count one request that ended in an error."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def predicted(self, endpoint: str, rows: int) -> None:
        """Count answered rows."""
        self.rows[endpoint] = self.rows.get(endpoint, 0) + rows


def render(metrics: Metrics, gauges: Sequence[tuple[str, str, Mapping[str, float]]]) -> bytes:
    """Return the text that a scraper reads. Pure.

    Args:
        metrics: the counters.
        gauges: (name, help, labels as written inside the braces → value).
    """
    lines: list[str] = []
    requests = {f"{_label('route', route)},{_label('status', str(status))}": float(count)
                for (route, status), count in sorted(metrics.requests.items())}  # fmt: skip
    _family(lines, "treadle_requests_total", "counter", "Requests answered.", requests)
    errors = {_label("kind", kind): float(count) for kind, count in sorted(metrics.errors.items())}
    _family(lines, "treadle_request_errors_total", "counter", "Requests that ended in an error.", errors)
    rows = {_label("endpoint", name): float(count) for name, count in sorted(metrics.rows.items())}
    _family(lines, "treadle_rows_total", "counter", "Rows answered.", rows)
    _family(lines, "treadle_predictions_logged_total", "counter", "Predictions in the log.", rows)
    _histograms(lines, metrics.seconds)
    for name, text, values in gauges:
        _family(lines, name, "gauge", text, values)
    return ("\n".join(lines) + "\n").encode()


def _family(lines: list[str], name: str, kind: str, text: str, values: Mapping[str, float]) -> None:
    lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{{{labels}}} {_number(v)}" if labels else f"{name} {_number(v)}"
              for labels, v in values.items()]  # fmt: skip


def _histograms(lines: list[str], histograms: Mapping[str, Histogram]) -> None:
    name = "treadle_request_seconds"
    lines += [f"# HELP {name} Time to answer, from headers to response.", f"# TYPE {name} histogram"]
    for route, histogram in sorted(histograms.items()):
        label, below = _label("route", route), 0
        for bound, count in zip((*map(_number, BOUNDS), "+Inf"), histogram.counts, strict=True):
            below += count
            lines.append(f'{name}_bucket{{{label},le="{bound}"}} {below}')
        lines += [f"{name}_sum{{{label}}} {_number(histogram.total)}", f"{name}_count{{{label}}} {below}"]


def label(**labels: str) -> str:
    """Return labels as they stand inside the braces. Pure."""
    return ",".join(_label(name, value) for name, value in labels.items())


def _label(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{escaped}"'


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
