"""One picture as a value: what is shown, in which of nine forms, and the sentence it proves.

A chart knows nothing of how it is drawn: the same value becomes SVG, terminal text, a table or a Vega-Lite
dict.

    line        y over x, with a band           heat       series are rows, x columns, y the darkness
    bars        one bar a category or moment    scatter    points, or their density when there are many
    histogram   one or two distributions        strip      a row of states over time
    dot         estimates with intervals        gantt      work and events over time
    multiples   up to 24 small charts of one form on shared scales
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, SupportsFloat, TypeAlias, cast, get_args

from treadle.pictures.status import STATUSES
from treadle.records.errors import InvalidInput

X: TypeAlias = int | float | str
"""A place on the x axis: an instant (UTC microseconds), a number, or a category's name."""

Form: TypeAlias = Literal[
    "line", "bars", "histogram", "dot", "heat", "scatter", "strip", "gantt", "multiples"
]
XKind: TypeAlias = Literal["time", "number", "category"]
YKind: TypeAlias = Literal["number", "share", "duration"]
Role: TypeAlias = Literal["champion", "challenger", "reference"]

FORMS: tuple[Form, ...] = get_args(Form)
SPANS = ("strip", "gantt")
MOST_SERIES = {
    "line": 20,
    "histogram": 2,
    "bars": 8,
    "dot": 8,
    "scatter": 8,
    "heat": 60,
    "strip": 60,
    "gantt": 60,
}
MOST_PANELS = 24


@dataclass(frozen=True, slots=True)
class Series:
    """One named row of values.

    Attributes:
        name: what the reader sees beside it.
        x: places, in order; a histogram gives bin edges, one more than `y`; spans give starts.
        y: values; None where nothing is known.
        role: champion, challenger and reference look the same in every picture.
        lower: lower ends of an interval around `y`.
        upper: upper ends.
        ends: where each span ends (strip, gantt); an end equal to its start is an event.
        states: status word of each span; empty text for work without a state.
        labels: words beside each span.
    """

    name: str
    x: tuple[X, ...]
    y: tuple[float | None, ...] = ()
    role: Role | None = None
    lower: tuple[float | None, ...] | None = None
    upper: tuple[float | None, ...] | None = None
    ends: tuple[X, ...] = ()
    states: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        x: Iterable[X],
        y: Iterable[SupportsFloat | None],
        *,
        lower: Iterable[SupportsFloat | None] | None = None,
        upper: Iterable[SupportsFloat | None] | None = None,
        role: Role | None = None,
    ) -> Series:
        """Return a series from any columns, arrays included; NaN and infinities become None, "no data"."""
        return cls(
            name,
            tuple(_plain(v) for v in x),
            _values(y),
            role,
            None if lower is None else _values(lower),
            None if upper is None else _values(upper),
        )

    @classmethod
    def spans(cls, name: str, items: Iterable[tuple[X, X, str, str]]) -> Series:
        """Return a row of spans from (start, end, state, label) tuples, ordered by start."""
        rows = sorted(items, key=lambda row: cast("float", row[0]))
        return cls(
            name,
            tuple(_plain(row[0]) for row in rows),
            ends=tuple(_plain(row[1]) for row in rows),
            states=tuple(row[2] for row in rows),
            labels=tuple(row[3] for row in rows),
        )


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded range of x with a label."""

    start: X
    end: X
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled place: a moment on x, a level on y, or a point when both are given."""

    label: str
    x: X | None = None
    y: float | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture to be drawn.

    Attributes:
        form: one of nine.
        title: what is shown.
        caption: the finding, as a sentence; it is also what a screen reader says.
        series: the values.
        bands: shaded ranges of x.
        marks: labelled places.
        panels: the small charts of form `multiples`.
        unit: unit or name of y.
        x_label: name of x; for time the zone is added by itself.
        x_kind: what x holds.
        y_kind: number, share (0.831 reads 83.1 %) or duration (microseconds).
        y_range: fixed ends of the value axis.
        x_range: fixed ends of the x axis.

    Raises:
        InvalidInput: with every fault found.
    """

    form: Form
    title: str
    caption: str
    series: tuple[Series, ...] = ()
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    panels: tuple[Chart, ...] = ()
    unit: str = ""
    x_label: str = ""
    x_kind: XKind = "number"
    y_kind: YKind = "number"
    y_range: tuple[float, float] | None = None
    x_range: tuple[X, X] | None = None

    def __post_init__(self) -> None:
        found = faults(self)
        if found:
            raise InvalidInput(
                "the chart cannot be drawn",
                where=f"chart {self.title!r:.80}",
                fix="mend the values named above",
                faults=found,
            )

    @property
    def empty(self) -> bool:
        """Whether there is not one known value."""
        if self.form in SPANS:
            return not any(one.x for one in self.series)
        if self.form == "multiples":
            return all(panel.empty for panel in self.panels)
        return not any(v is not None for one in self.series for v in one.y)


def _plain(value: X) -> X:
    """Return an array's scalar as the Python value it stands for."""
    item = getattr(value, "item", None)
    return cast("X", item()) if callable(item) else value


def _values(column: Iterable[SupportsFloat | None]) -> tuple[float | None, ...]:
    numbers = (None if v is None else float(v) for v in column)
    return tuple(v if v is not None and math.isfinite(v) else None for v in numbers)


def faults(chart: Chart) -> list[str]:
    """Return everything that keeps the chart from being drawn, empty when nothing does."""
    unknown = [
        f"{noun} {value!r} is not one of {', '.join(known)}"
        for noun, value, known in (
            ("form", chart.form, FORMS),
            ("x kind", chart.x_kind, get_args(XKind)),
            ("y kind", chart.y_kind, get_args(YKind)),
        )
        if value not in known
    ]
    out: list[str] = []
    if not chart.title.strip():
        out.append("the title is empty")
    if not chart.caption.strip():
        out.append("the caption is empty; state the finding in a sentence")
    if unknown:
        # What holds for a form or a kind cannot be asked of one that does not exist.
        return unknown + out
    out += _panel_faults(chart) if chart.form == "multiples" else _form_faults(chart)
    for one in chart.series:
        out += _series_faults(chart, one)
    out += _range_faults(chart)
    for mark in chart.marks:
        out += _mark_faults(chart, mark)
    return out


def _range_faults(chart: Chart) -> list[str]:
    out: list[str] = []
    if chart.y_range is not None and not (_finite(chart.y_range) and chart.y_range[0] < chart.y_range[1]):
        out.append(f"the y range {chart.y_range!r} does not rise")
    if chart.x_range is not None:
        if chart.x_kind == "category" or not all(_fits(chart.x_kind, x) for x in chart.x_range):
            out.append(f"the x range {chart.x_range!r} is not of kind {chart.x_kind}")
        elif not _ordered(*chart.x_range, strict=True):
            out.append(f"the x range {chart.x_range!r} does not rise")
    for band in chart.bands:
        if not (_fits(chart.x_kind, band.start) and _fits(chart.x_kind, band.end)):
            out.append(f"band {band.label!r}: its ends are not of x kind {chart.x_kind}")
        elif chart.x_kind != "category" and not _ordered(band.start, band.end):
            out.append(f"band {band.label!r} ends before it starts")
    return out


def _panel_faults(chart: Chart) -> list[str]:
    out = []
    if chart.series or chart.bands or chart.marks:
        out.append("small multiples hold panels, not series, bands or marks of their own")
    if not 1 <= len(chart.panels) <= MOST_PANELS:
        out.append(f"{len(chart.panels)} panels; 1 to {MOST_PANELS} can be read")
    if len({(panel.form, panel.x_kind) for panel in chart.panels}) > 1:
        out.append("the panels are not of one form and one x kind")
    if any(panel.form == "multiples" for panel in chart.panels):
        out.append("a panel holds small multiples itself")
    return out


def _form_faults(chart: Chart) -> list[str]:
    out = ["panels belong to the form multiples"] if chart.panels else []
    if len(chart.series) > MOST_SERIES[chart.form]:
        out.append(
            f"{len(chart.series)} series; a {chart.form} picture can be read with {MOST_SERIES[chart.form]}"
        )
    names = [one.name for one in chart.series]
    out += [f"two series are named {name!r}" for name in sorted({n for n in names if names.count(n) > 1})]
    needs = {
        "histogram": ("number",),
        "scatter": ("number", "time"),
        "strip": ("number", "time"),
        "gantt": ("number", "time"),
    }
    if chart.x_kind not in needs.get(chart.form, get_args(XKind)):
        out.append(
            f"a {chart.form} picture needs x kind {' or '.join(needs[chart.form])}, not {chart.x_kind}"
        )
    return out


def _series_faults(chart: Chart, one: Series) -> list[str]:
    say = f"series {one.name!r:.60}: "
    out = [] if one.name.strip() else ["a series has no name"]
    if one.role is not None and one.role not in get_args(Role):
        out.append(f"{say}role {one.role!r} is not one of {', '.join(get_args(Role))}")
    if chart.form in SPANS:
        return out + _span_faults(chart, one, say)
    edges = 1 if chart.form == "histogram" and one.x else 0
    if len(one.x) != len(one.y) + edges:
        out.append(f"{say}{len(one.x)} x for {len(one.y)} y" + (" (edges are one more)" if edges else ""))
    if not all(_fits(chart.x_kind, x) for x in one.x):
        out.append(f"{say}some x are not of kind {chart.x_kind}")
    elif chart.x_kind != "category" and chart.form in ("line", "histogram"):
        strict = chart.form == "histogram"
        if not all(_ordered(a, b, strict=strict) for a, b in zip(one.x, one.x[1:], strict=False)):
            out.append(f"{say}x does not rise")
    if chart.x_kind == "category" and chart.form in ("bars", "dot", "heat") and len(set(one.x)) < len(one.x):
        out.append(f"{say}a category comes twice")
    if not _finite(one.y):
        out.append(f"{say}some y are not finite numbers; None says no data")
    return out + _interval_faults(one, say)


def _interval_faults(one: Series, say: str) -> list[str]:
    if one.lower is None and one.upper is None:
        return []
    if one.lower is None or one.upper is None:
        return [f"{say}an interval needs both lower and upper"]
    if len(one.lower) != len(one.y) or len(one.upper) != len(one.y):
        return [f"{say}lower and upper are not as long as y"]
    if not _finite(one.lower) or not _finite(one.upper):
        return [f"{say}some ends of intervals are not finite numbers; None says no data"]
    if any(a is not None and b is not None and a > b for a, b in zip(one.lower, one.upper, strict=True)):
        return [f"{say}a lower end lies above its upper end"]
    return []


def _span_faults(chart: Chart, one: Series, say: str) -> list[str]:
    out = []
    if not len(one.x) == len(one.ends) == len(one.states) or len(one.labels) not in (0, len(one.x)):
        return [f"{say}starts, ends, states and labels are not equally many"]
    if not all(_fits(chart.x_kind, x) for x in (*one.x, *one.ends)):
        return [f"{say}some starts or ends are not of kind {chart.x_kind}"]
    if not all(_ordered(a, b) for a, b in zip(one.x, one.ends, strict=True)):
        out.append(f"{say}a span ends before it starts")
    if not all(_ordered(a, b) for a, b in zip(one.x, one.x[1:], strict=False)):
        out.append(f"{say}starts do not rise")
    out += [
        f"{say}{word!r} is not a status word"
        for word in sorted({s for s in one.states if s and s not in STATUSES})
    ]
    return out


def _mark_faults(chart: Chart, mark: Mark) -> list[str]:
    out = []
    if mark.x is None and mark.y is None:
        out.append(f"mark {mark.label!r} has neither x nor y")
    if mark.x is not None and not _fits(chart.x_kind, mark.x):
        out.append(f"mark {mark.label!r}: x is not of kind {chart.x_kind}")
    if not _finite((mark.y,)):
        out.append(f"mark {mark.label!r}: y is not a finite number")
    if mark.status is not None and mark.status not in STATUSES:
        out.append(f"mark {mark.label!r}: {mark.status!r} is not a status word")
    return out


def _fits(kind: XKind, x: X) -> bool:
    if kind == "time":
        return type(x) is int
    if kind == "category":
        return isinstance(x, str)
    return not isinstance(x, (str, bool)) and math.isfinite(x)


def _finite(values: Sequence[float | None]) -> bool:
    return all(v is None or (not isinstance(v, (str, bool)) and math.isfinite(v)) for v in values)


def _ordered(a: X, b: X, strict: bool = False) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str)
    return a < b if strict else a <= b
