import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pictures.samples import BARS, FORMS, LINE, MONTHS, STRIP
from treadle.pictures.chart import Chart, Form, Mark, Series, XKind
from treadle.pictures.forms.line import MOST_POINTS, thin
from treadle.pictures.palette import DARK, LIGHT, Theme, looks
from treadle.pictures.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a\x00b\x1b[31mc\ud800d",
    "evil\u202etxt.exe",
    "x" * 10_000,
    "]]>&amp;<!--",
    "表" * 200,
)


def texts(picture: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(picture).iter(f"{SVG}text")]


def attribute(element: ET.Element, name: str) -> str:
    value = element.get(name)
    assert value is not None
    return value


def number(element: ET.Element, name: str) -> float:
    return float(attribute(element, name))


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
@pytest.mark.parametrize("width", [240, 360, 720, 1400])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_well_formed_and_inside_its_box(form, width, theme):
    root = ET.fromstring(svg(FORMS[form], width=width, theme=theme, heading=False))
    assert attribute(root, "viewBox").split()[:3] == ["0", "0", str(width)]
    height = number(root, "height")
    if form == "multiples":
        return
    for element in root.iter(f"{SVG}text"):
        assert -1 <= number(element, "x") <= width + 1
        assert 0 <= number(element, "y") <= height


@pytest.mark.parametrize("form", FORMS)
def test_the_same_chart_gives_the_same_bytes(form):
    assert svg(FORMS[form]) == svg(replace(FORMS[form]))


def test_drawing_does_not_depend_on_the_hash_seed():
    code = (
        "import hashlib; from tests.pictures.samples import FORMS; from treadle.pictures.svg import svg\n"
        "print(hashlib.sha256(''.join(map(svg, FORMS.values())).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", FORMS)
def test_hostile_names_stay_text(form, name):
    chart = FORMS[form]
    hostile = replace(chart, title=name, caption=name, unit=name, x_label=name)
    if chart.series:
        first = replace(chart.series[0], name=name)
        if chart.x_kind == "category":
            first = replace(first, x=(name, *first.x[1:]))
        if first.labels:
            first = replace(first, labels=(name,) * len(first.labels))
        marks = () if chart.form in ("strip", "gantt", "multiples") else (Mark(name, y=0.7),)
        hostile = replace(hostile, series=(first, *chart.series[1:]), marks=marks)
    for width in (300, 720):
        picture = svg(hostile, width=width)
        tags = {e.tag for e in ET.fromstring(picture).iter()}
        assert tags <= {SVG + t for t in ("svg", "style", "g", "path", "rect", "text", "title")}
        assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\ud800-\udfff]", picture)
        assert len(picture) < 400_000


def test_a_picture_refers_to_nothing_outside():
    for chart in FORMS.values():
        picture = svg(chart).replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"https?:|//|url\(|@import|href|<script|\bon\w+=", picture)


def test_a_picture_needs_no_inline_style():
    # The console's content security policy allows none.
    for chart in FORMS.values():
        picture = svg(chart, style=False)
        assert "style=" not in picture
        assert "<style" not in picture


def test_the_label_says_the_finding_and_the_last_values():
    label = ET.fromstring(svg(LINE)).get("aria-label")
    assert (
        label == "The loop stays above the frozen model. Last values: loop 0.722, frozen 0.671, target 0.72."
    )
    assert ET.fromstring(svg(LINE)).get("role") == "img"


@pytest.mark.parametrize("form", ["line", "bars", "histogram", "dot", "heat", "scatter", "strip", "gantt"])
def test_an_empty_chart_says_no_data(form: Form) -> None:
    kind: XKind = "category" if form in ("bars", "dot") else "number"
    chart = Chart(form, "Nothing yet", "No labels have arrived.", x_kind=kind)
    assert "no data" in texts(svg(chart))
    assert "No data." in attribute(ET.fromstring(svg(chart)), "aria-label")


def test_a_value_that_is_not_known_is_never_drawn_as_zero():
    chart = replace(BARS, series=(Series("v6", ("a", "b"), (None, 0.5)),))
    assert "no data" in texts(svg(chart))
    assert "0" not in texts(svg(chart))


def test_a_gap_parts_the_line():
    whole = replace(LINE, series=(Series("a", MONTHS, tuple(range(9))),), marks=(), bands=())
    gap = replace(whole, series=(Series("a", MONTHS, (0.0, 1.0, 2.0, None, None, 5.0, 6.0, 7.0, 8.0)),))
    assert lines_of(svg(whole), "c1") == 1
    assert lines_of(svg(gap), "c1") == 2


def lines_of(picture, token):
    paths = [
        attribute(e, "d")
        for e in ET.fromstring(picture).iter(f"{SVG}path")
        if e.get("stroke") == f"var(--tr-{token})"
        and e.get("stroke-width") == "2"
        and "transform" not in e.attrib
    ]
    return sum(d.count("M") for d in paths)


def test_at_most_300_points_of_a_line_are_drawn():
    n = 50_000
    series = Series.of("a", range(n), [math.sin(i / 900) + (5 if i == 31_337 else 0) for i in range(n)])
    chart = Chart("line", "t", "c", series=(series,))
    (line,) = [
        attribute(e, "d")
        for e in ET.fromstring(svg(chart)).iter(f"{SVG}path")
        if e.get("stroke") == "var(--tr-c1)" and e.get("stroke-width") == "2"
    ]
    points = line.count("L") + 1
    assert 200 < points <= MOST_POINTS


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=2_000),
    st.integers(min_value=10, max_value=300),
)
def test_thinning_keeps_the_ends_the_order_and_the_extremes(values, most):
    x = list(range(len(values)))
    kept = thin(x, values, most)
    assert len(kept) <= max(most, 1)
    assert [at for at, _ in kept] == sorted({at for at, _ in kept})
    assert kept[0] == (0, values[0])
    assert kept[-1] == (x[-1], values[-1])
    assert all(y is None or values[at] == y for at, y in kept)
    known = [v for v in values if v is not None]
    if known:
        seen = [v for _, v in kept if v is not None]
        assert (min(seen), max(seen)) == (min(known), max(known))


def test_names_beside_lines_do_not_overlap():
    close = tuple(Series.of(f"replica {k}", range(5), [1 + k / 1000] * 5) for k in range(12))
    picture = svg(Chart("line", "t", "c", series=close), heading=False)
    ends = sorted(
        number(e, "y")
        for e in ET.fromstring(picture).iter(f"{SVG}text")
        if (e.text or "").startswith("replica")
    )
    assert len(ends) == 12
    assert min(b - a for a, b in pairwise(ends)) >= 14


def test_words_of_marks_do_not_overlap_in_one_lane():
    marks = tuple(
        Mark(f"v{k} inconclusive", MONTHS[0] + k * 20 * 86_400_000_000, status="inconclusive")
        for k in range(12)
    )
    picture = svg(replace(LINE, marks=marks), heading=False)
    shown = [
        (number(e, "y"), number(e, "x"))
        for e in ET.fromstring(picture).iter(f"{SVG}text")
        if (e.text or "").endswith("inconclusive") and e.get("text-anchor") is None
    ]
    assert len(shown) >= 6
    for lane in {y for y, _ in shown}:
        places = sorted(x for y, x in shown if y == lane)
        assert all(b - a > 80 for a, b in pairwise(places))


def test_a_status_has_its_word_and_its_glyph_not_colour_alone():
    words = texts(svg(STRIP))
    assert {"ok", "alert", "no data"} <= set(words)


def test_no_two_of_eight_series_look_the_same():
    styles = looks([Series(str(k), (), ()) for k in range(8)])
    assert len({(look.color, look.dash) for look in styles}) == 8
    assert len({(look.color, look.shape) for look in styles}) == 8


def test_the_champion_is_blue_and_solid_and_nobody_else_is():
    styles = looks(
        [Series("a", (), ()), Series("b", (), (), role="champion"), Series("c", (), (), role="challenger")]
    )
    assert (styles[1].color, styles[1].dash) == ("c1", "")
    assert styles[2].color == "c2"
    assert styles[2].dash
    assert styles[0].color not in ("c1", "c2")


def test_fixed_themes_carry_colours_as_attributes():
    themes: list[tuple[Theme, Mapping[str, str]]] = [("light", LIGHT), ("dark", DARK)]
    for theme, colors in themes:
        picture = svg(LINE, theme=theme)
        assert "var(" not in picture
        assert "<style" not in picture
        assert f'stroke="{colors["c1"]}"' in picture


def test_the_light_value_comes_first_and_dark_by_the_readers_system():
    picture = svg(LINE)
    light, dark = picture.index(LIGHT["c1"]), picture.index(DARK["c1"])
    assert light < picture.index("prefers-color-scheme:dark") < dark
    assert "light-dark(" not in picture


def luminance(color):
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_contrast_of_at_least_four_and_a_half(colors):
    for token in ("ink", "soft", "c1", "c2", "c3", "c4", "good", "bad", "busy", "idle", "held"):
        assert contrast(colors[token], colors["paper"]) >= 4.5, token
    assert contrast(colors["ink"], colors["heat"]) >= 4.5
    assert contrast(colors["ink"], colors["shade"]) >= 4.5
    assert contrast(colors["axis"], colors["paper"]) >= 3


def test_the_year_and_the_zone_are_on_a_time_axis():
    assert any(text == "2013 UTC" for text in texts(svg(LINE)))


def test_pictures_load_no_heavy_library():
    code = (
        "import sys, treadle.pictures.report, treadle.pictures.notebook, treadle.pictures.text\n"
        "heavy = ('numpy', 'polars', 'pandas', 'matplotlib', 'altair', 'msgspec', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
