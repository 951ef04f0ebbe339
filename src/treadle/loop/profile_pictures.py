"""The pictures of a profile: distributions, alone or over a reference; strength of associations; missing values; time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from treadle.pictures.chart import Chart, Form, Series, X
from treadle.pictures.numbers import number, share
from treadle.records.associations import Associations, Pair
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, Instant, instant, iso
from treadle.records.profiles import ColumnProfile
from treadle.records.quantile_sketch import Quantiles

BINS = 24
LEVELS = 6
MOST_HEAT = 24
"""Columns of a heat map: more cannot be read."""
_TIMES = 36
_FARTHEST = 1e300
"""No axis reaches farther: the span between the ends must be a float too."""
_FIRST, _LAST = instant("0100-01-01"), instant("9900-01-01")
"""Times outside are not drawn: axes reach a little further than what they show."""
Floats = NDArray[np.float64]


def distribution(column: ColumnProfile, reference: ColumnProfile | None = None) -> Chart:
    """Return the distribution of a column as a small picture, over that of a reference if there is one."""
    if reference is not None and reference.kind != column.kind:
        reference = None
    if column.kind in ("string", "bool"):
        return _levels(column, reference)
    if column.kind == "time":
        return _times(column)
    if column.numeric:
        return _numbers(column, reference)
    return Chart("bars", _title(column), f"{column.name}: values of type {column.dtype} are not looked into")


def edges_of(sketches: Sequence[Quantiles], *, whole: bool) -> Floats:
    """Return bin edges over all of these distributions.

    The ends are the extremes, unless those lie so far out that all the rest would be one bar: then the outermost 0.5 % on
    each side are not drawn.
    """
    known = [sketch for sketch in sketches if sketch.n]
    low, high = min(s.low for s in known), max(s.high for s in known)
    inner = [s.quantiles([0.005, 0.995]) for s in known]
    near, far = min(float(q[0]) for q in inner), max(float(q[1]) for q in inner)
    if far > near and high - low > 3 * (far - near):
        low, high = near, far
    low, high = (min(max(end, -_FARTHEST), _FARTHEST) for end in (low, high))
    if whole:
        step = max(1, math.ceil((high - low + 1) / (2 * BINS if high - low < 2 * BINS else BINS)))
        edges = np.arange(math.floor(low), high + step + 1, step, dtype=np.float64) - 0.5
    elif low == high:
        edges = np.array([low, low])
    else:
        edges = np.linspace(low, high, BINS + 1)
    edges = np.unique(edges)
    if len(edges) < 2:  # one value, or several that lie closer than floats can part them
        reach = abs(low) * 0.25 or 0.5
        edges = np.array([low - reach, low + reach])
    return edges


def _numbers(column: ColumnProfile, reference: ColumnProfile | None) -> Chart:
    sides = [("now", column.sketch)]
    if reference is not None:
        sides.insert(0, ("reference", reference.sketch))
    sides = [(name, sketch) for name, sketch in sides if sketch.n]
    if not sides:
        return Chart("histogram", _title(column), f"{column.name} has no number in it")
    edges = edges_of([sketch for _, sketch in sides], whole=column.kind == "int")
    series = [
        Series.of(
            name,
            edges.tolist(),
            _shares(sketch, edges).tolist(),
            role="reference" if name == "reference" else None,
        )
        for name, sketch in sides
    ]
    ends = f"from {number(_float(column.low))} to {number(_float(column.high))}"
    caption = f"{column.name}: median {number(column.quantile(0.5))}, {ends}"
    return Chart("histogram", _title(column), caption, tuple(series), y_kind="share")


def _shares(sketch: Quantiles, edges: Floats) -> Floats:
    upto = sketch.cdf(edges)
    upto[0] = sketch.cdf(edges[:1], inclusive=False)[0]  # the lowest value belongs to the first bin
    return np.diff(upto)


def _levels(column: ColumnProfile, reference: ColumnProfile | None) -> Chart:
    parts = _level_shares(column)
    before = {} if reference is None else _level_shares(reference)
    names = [*list(parts)[:LEVELS]]
    names += [level for level in list(before)[:LEVELS] if level not in names][: LEVELS // 2]
    if not names:
        return Chart("bars", _title(column), f"{column.name} has no value", x_kind="category")
    shown: dict[str, str] = {}
    for level in names:
        short = _level_name(level)
        shown[level] = short if short not in shown.values() else f"{short} ({len(shown) + 1})"
    series = [_level_series("now", parts, shown, None)]
    if before:
        series.insert(0, _level_series("reference", before, shown, "reference"))
    caption = f"{column.name}: most often {names[0]!r:.60}, {share(parts.get(names[0]))} of its values"
    return Chart("bars", _title(column), caption, tuple(series), x_kind="category", y_kind="share")


def _level_series(name: str, parts: dict[str, float], shown: dict[str, str], role: str | None) -> Series:
    x: list[X] = [shown[level] for level in shown]
    y = [parts.get(level, 0.0) for level in shown]
    rest = max(0.0, 1.0 - sum(y))
    if rest > 1e-9:
        x, y = [*x, "all others"], [*y, rest]
    return Series.of(name, x, y, role="reference" if role else None)


def _level_shares(column: ColumnProfile) -> dict[str, float]:
    if column.frequent is None or not column.frequent.total:
        return {}
    return {str(level): count / column.frequent.total for level, count in column.counts().items()}


def _level_name(level: str) -> str:
    # "all others" is our own word for the rest: a level of that name must not be taken for it.
    text = " ".join(level.split()) or "(empty text)"
    text = f"“{text}”" if text == "all others" else text
    return text if len(text) <= 40 else f"{text[:38]}…"


def _times(column: ColumnProfile) -> Chart:
    low, high = column.low, column.high
    if not isinstance(low, int) or not isinstance(high, int):
        return Chart("bars", _title(column), f"{column.name} has no time in it", x_kind="time")
    if low < _FIRST or high > _LAST:
        return Chart("bars", _title(column), f"{column.name} has times that no calendar holds", x_kind="time")
    step = max(1, (high - low) // _TIMES)
    edges = np.arange(low, low + step * (_TIMES + 1), step, dtype=np.int64)[: _TIMES + 1]
    upto = column.sketch.cdf(edges.astype(np.float64))
    upto[0], upto[-1] = 0.0, 1.0
    series = Series.of("now", edges[:-1].tolist(), np.diff(upto).tolist())
    caption = f"{column.name}: from {_when(low)} to {_when(high)}"
    return Chart("bars", _title(column), caption, (series,), x_kind="time", y_kind="share")


def coverage(column: ColumnProfile) -> Chart | None:
    """Return rows by day, exactly; None where days were too many to be counted, or there are none."""
    days = rows_by_day(column)
    if not days:
        return None
    empty = sum(count == 0 for count in days.values())
    caption = (
        f"{len(days):,} days, {empty:,} of them without a row"
        if empty
        else f"every one of {len(days):,} days has rows"
    )
    series = Series.of("rows", [day * DAY for day in days], [float(count) for count in days.values()])
    form: Form = "bars" if len(days) <= 60 else "line"
    return Chart(form, f"Rows by day of {column.name}", caption, (series,), unit="rows", x_kind="time")


def rows_by_day(column: ColumnProfile) -> dict[int, int]:
    """Return the rows of each day (days since 1970) from the first to the last; empty where they were not all counted."""
    if column.kind != "time" or column.frequent is None or not column.frequent.exact:
        return {}
    try:
        counts = {date.fromisoformat(str(day)).toordinal() - _EPOCH: n for day, n in column.counts().items()}
    except ValueError:  # years before 1 or after 9999: no calendar holds them
        return {}
    if (
        not counts
        or max(counts) - min(counts) > 5_000
        or not _FIRST < min(counts) * DAY < max(counts) * DAY + 1 < _LAST
    ):
        return {}
    return {day: counts.get(day, 0) for day in range(min(counts), max(counts) + 1)}


def strength(found: Associations) -> list[Chart]:
    """Return heat maps of how strongly columns go together: numbers by rank, levels by Cramér's V."""
    out = []
    for names, measure, what in (
        (found.numeric, "Size of the rank correlation", "Numbers that go together"),
        (found.levels, "Cramér's V", "Levels that go together"),
    ):
        pairs = [pair for pair in found.pairs if pair.one in names and pair.other in names]
        if len(names) < 2 or not pairs:
            continue
        best = pairs[0]
        caption = (
            f"Size of the {measure}; the strongest is {best.one} with {best.other}, {best.strength:.2f}."
        )
        out.append(_heat(what, caption, _strongest(names, pairs), pairs))
    return out


def _strongest(names: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    """Return the columns of the strongest pairs, in the order of the table, as many as can be read."""
    if len(names) <= MOST_HEAT:
        return list(names)
    wanted: dict[str, None] = {}
    for pair in pairs:
        wanted |= {pair.one: None, pair.other: None}
        if len(wanted) >= MOST_HEAT:
            break
    return [name for name in names if name in list(wanted)[:MOST_HEAT]]


def _heat(title: str, caption: str, names: Sequence[str], pairs: Sequence[Pair]) -> Chart:
    by_names = {frozenset((pair.one, pair.other)): pair.strength for pair in pairs}
    shown = _unlike(names)
    series = [
        Series.of(
            shown[row],
            [shown[column] for column in names],
            [1.0 if row == column else by_names.get(frozenset((row, column))) for column in names],
        )
        for row in names
    ]
    return Chart("heat", title, caption, tuple(series), x_kind="category", y_range=(0.0, 1.0))


def missing_picture(found: Associations) -> Chart | None:
    """Return where values are missing, by column and stretch of rows; None where none is."""
    grid = found.missing
    if grid is None:
        return None
    names = sorted(grid.shares, key=lambda name: -sum(v or 0.0 for v in grid.shares[name]))[:MOST_HEAT]
    shown = _unlike(names)
    series = tuple(
        Series.of(shown[name], [float(s) for s in grid.starts], grid.shares[name]) for name in names
    )
    caption = f"Share of missing values from the first row to the last; most are missing in {names[0]}."
    return Chart(
        "heat", "Where values are missing", caption, series, x_label="row", y_kind="share", y_range=(0.0, 1.0)
    )


def _unlike(names: Sequence[str]) -> dict[str, str]:
    """Return names that can be shown and told apart: a name of blanks alone, for one, cannot."""
    shown: dict[str, str] = {}
    for name in names:
        text = name if name.strip() else f"(blank {len(shown) + 1})"
        shown[name] = text if text not in shown.values() else f"{text} ({len(shown) + 1})"
    return shown


def _title(column: ColumnProfile) -> str:
    return column.name if column.name.strip() else "(blank name)"


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _when(at: Instant) -> str:
    try:
        return iso(at)
    except InvalidInput:
        return f"instant {at}"


_EPOCH = date(1970, 1, 1).toordinal()
