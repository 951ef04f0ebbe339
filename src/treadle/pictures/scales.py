"""Axes: where the ticks stand, what they say, and how a value becomes a pixel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from treadle.pictures.chart import YKind
from treadle.pictures.numbers import MINUS, share, span
from treadle.records.instants import DAY, HOUR, MINUTE, SECOND, instant, to_datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis, its label, and the coarser context (year, day, zone) when that changes here."""

    at: float
    label: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from values to pixels: `value * k + b`."""

    k: float
    b: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        return value * self.k + self.b


def scale(domain: tuple[float, float], pixels: tuple[float, float]) -> Scale:
    """Return the scale that maps the ends of the domain to the two pixels."""
    (low, high), (start, end) = domain, pixels
    k = (end - start) / ((high - low) or 1.0)
    return Scale(k, start - low * k)


def extent(values: Iterable[float | None]) -> tuple[float, float] | None:
    """Return the least and greatest known value."""
    known = [v for v in values if v is not None]
    return (min(known), max(known)) if known else None


def padded(low: float, high: float) -> tuple[float, float]:
    """Return a range that is not a single point."""
    if high > low:
        return low, high
    room = abs(low) * 0.05 or 1.0
    return low - room, high + room


def nice_step(width: float, most: int) -> float:
    """Return the smallest of 1, 2, 2.5 and 5 times a power of ten that makes at most `most` steps."""
    raw = width / max(most, 1)
    power: float = 10.0 ** math.floor(math.log10(raw))
    return next((m * power for m in (1, 2, 2.5, 5) if m * power >= raw * 0.999), 10 * power)


def axis_step(low: float, high: float, most: int, kind: YKind = "number") -> float:
    """Return the round distance between ticks that makes at most `most` steps of the range."""
    return _duration_step((high - low) / max(most, 1)) if kind == "duration" else nice_step(high - low, most)


def ticks(low: float, high: float, step: float, kind: YKind = "number") -> list[Tick]:
    """Return the ticks inside the range at whole multiples of the step."""
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [Tick(i * step, tick_label(i * step, step, kind)) for i in range(first, last + 1)]


def outward(low: float, high: float, step: float) -> tuple[float, float]:
    """Return the range widened to whole steps."""
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def tick_label(value: float, step: float, kind: YKind) -> str:
    """Return a tick's label with just the digits that its step needs."""
    if kind == "duration":
        return span(round(value)) if value else "0"
    if kind == "share":
        return share(value, _places(step * 100))
    for unit, size in ((" G", 1e9), (" M", 1e6)):
        if step >= size / 10 and abs(value) >= size / 10:
            return f"{value / size:,.{_places(step / size)}f}{unit}".replace("-", MINUS)
    return f"{value:,.{_places(step)}f}".replace("-", MINUS)


def _places(step: float) -> int:
    """Return how many decimals tell two neighbours of this step apart."""
    for places in range(9):
        if abs(round(step, places) - step) < step * 1e-6:
            return places
    return 9


_SPANS = [
    u * n
    for u, ns in ((SECOND, (1, 2, 5, 10, 15, 30)), (MINUTE, (1, 2, 5, 10, 15, 30)), (HOUR, (1, 2, 3, 6, 12)))
    for n in ns
]
_DAYS = (1, 2, 7, 14)
_MONTHS = (1, 2, 3, 6, 12)


def _duration_step(raw: float) -> float:
    if raw < SECOND or raw > 12 * HOUR:
        unit = 1 if raw < SECOND else DAY
        return max(1.0, nice_step(raw / unit, 1)) * unit
    return next(s for s in _SPANS if s >= raw * 0.999)


def time_ticks(low: float, high: float, most: int) -> list[Tick]:
    """Return ticks on round seconds, hours, days, months or years of UTC, at most about `most`.

    Args:
        low: the first instant, microseconds.
        high: the last instant.
        most: how many labels have room.
    """
    most = max(most, 1)
    raw = (high - low) / most
    if raw <= 12 * HOUR:
        step = next((s for s in _SPANS if s >= raw * 0.999), 12 * HOUR)
        return _even(low, high, step, "%H:%M" if step >= MINUTE else "%H:%M:%S", "%-d %b %Y")
    if raw <= 14 * DAY:
        step = next(d for d in _DAYS if d * DAY >= raw * 0.999) * DAY
        return _even(low, high, step, "%-d %b", "%Y")
    months = next((m for m in _MONTHS if m * 30.4 * DAY >= raw), 0)
    years = 0 if months and months < 12 else max(1, math.ceil(nice_step(raw / (365.25 * DAY), 1)))
    return _calendar(low, high, months or 12, years)


def _even(low: float, high: float, step: int, label: str, context: str) -> list[Tick]:
    places = range(math.ceil(low / step) * step, math.floor(high) + 1, step)
    return _with_context([(at, _show(at, label), _show(at, context)) for at in places])


def _calendar(low: float, high: float, months: int, years: int) -> list[Tick]:
    first, last = to_datetime(int(low)), to_datetime(int(high))
    if years:
        rows = [(y, 1) for y in range(-(-first.year // years) * years, last.year + 1, years)]
    else:
        start, stop = first.year * 12 + first.month - 1, last.year * 12 + last.month
        rows = [(m // 12, m % 12 + 1) for m in range(-(-start // months) * months, stop, months)]
    places = [instant(datetime(y, m, 1, tzinfo=UTC)) for y, m in rows]
    shown = [at for at in places if low <= at <= high]
    if years:
        return [Tick(at, _show(at, "%Y"), "" if k else "UTC") for k, at in enumerate(shown)]
    return _with_context([(at, _show(at, "%b"), _show(at, "%Y")) for at in shown])


def _show(at: int, form: str) -> str:
    when = to_datetime(at)
    # "%-d" is not known everywhere.
    return when.strftime(form.replace("%-d", str(when.day)))


def _with_context(rows: Sequence[tuple[int, str, str]]) -> list[Tick]:
    out, before = [], ""
    for at, label, context in rows:
        zone = "" if before else " UTC"
        out.append(Tick(at, label, context + zone if context != before else ""))
        before = context
    return out
