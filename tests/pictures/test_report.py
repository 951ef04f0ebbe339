import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from tests.pictures.samples import FORMS, LINE
from treadle.pictures.chart import Chart, Series
from treadle.pictures.report import (
    LARGEST,
    Figure,
    Figures,
    Picture,
    Prose,
    Section,
    State,
    Table,
    html_report,
)
from treadle.records.errors import InvalidInput
from treadle.records.instants import instant

AT = instant("2014-01-01T06:30:00Z")
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Tags in order, with a check that every element is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.said.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def sample():
    return [
        Section(
            "What the year says",
            (
                Figures(
                    (Figure("AUC", 0.7221, "+0.05 over `frozen`"), Figure("serving", State("promoted", "v6")))
                ),
                Prose("First paragraph.\n\n- one\n- two `code`"),
                *(Picture(chart) for chart in FORMS.values()),
            ),
        ),
        Section(
            "Trainings",
            (
                Table(
                    "Six trainings.",
                    ("at", "rows", "AUC", "verdict"),
                    (
                        ("2013-05-15", 80_000, 0.7, State("promoted")),
                        ("2013-06-14", 1_051, 0.7215, State("rejected")),
                        ("2013-07-14", None, None, "–"),
                    ),
                ),
            ),
        ),
    ]


@pytest.fixture(scope="module")
def page():
    return html_report("A year of flights", "The loop held.", sample(), AT)


def test_the_page_is_well_formed_and_has_its_landmarks(page):
    parsed = Page(page)
    for tag in ("header", "main", "footer", "h1"):
        assert len(parsed.all(tag)) == 1
    assert parsed.all("nav") == [{"aria-label": "Contents"}]
    assert parsed.all("html") == [{"lang": "en"}]
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for a in parsed.all("a")} <= set(ids)
    assert {s["aria-labelledby"] for s in parsed.all("section")} <= set(ids)


def test_headings_go_down_one_step_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in Page(page).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_the_page_needs_no_network_and_no_script(page):
    bare = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|//|url\(|@import|<script|\bon\w+=|javascript:", bare)
    assert Page(page).all("link") == [{"rel": "icon", "href": "data:,"}]
    policy = next(a["content"] for a in Page(page).all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'")


def test_light_comes_first_dark_follows_the_system_and_paper_is_light(page):
    assert page.index(":root{--tr-paper:#ffffff") < page.index("prefers-color-scheme:dark")
    assert "@media print{:root{--tr-paper:#ffffff" in page


def test_every_picture_is_drawn_for_wide_and_narrow_and_has_its_table(page):
    parsed = Page(page)
    pictures = [a for a in parsed.all("svg") if a.get("role") == "img"]
    assert len(pictures) == 2 * len(FORMS)
    assert {a["width"] for a in pictures} == {"760", "328"}
    assert len(parsed.all("details")) == len(FORMS)
    assert len(parsed.all("figcaption")) == len(FORMS)


def test_svg_inside_is_well_formed_xml(page):
    for picture in re.findall(r"<svg xmlns=.*?</svg>", page, flags=re.DOTALL):
        ET.fromstring(picture)


def test_columns_of_numbers_are_right_aligned_with_shared_decimals(page):
    table = page[page.index("Six trainings.") :]
    assert re.findall(r"<th scope=\"col\"( class=\"\w\")?>(\w+)", table)[:4] == [
        (' class="w"', "at"),
        (' class="n"', "rows"),
        (' class="n"', "AUC"),
        (' class="w"', "verdict"),
    ]
    assert re.findall(r'<td class="n">([^<]+)</td>', table)[:6] == [
        "80,000",
        "0.7000",
        "1,051",
        "0.7215",
        "no data",
        "no data",
    ]


def test_a_state_is_a_glyph_and_a_word(page):
    assert re.search(r'<svg class="glyph" aria-hidden="true".*?</svg>rejected', page)


def test_the_same_report_gives_the_same_bytes(page):
    assert html_report("A year of flights", "The loop held.", sample(), AT) == page


def test_the_time_of_making_is_shown_in_utc(page):
    assert "2014-01-01 06:30 UTC" in page


def test_hostile_text_stays_text():
    evil = "<img src=x onerror=alert(1)>\"'\x00\u202e"
    chart = Chart("line", evil, evil, series=(Series(evil, (1.0, 2.0), (1.0, 2.0)),), unit=evil)
    block = (
        Prose(evil),
        Picture(chart),
        Figures((Figure(evil, evil, evil),)),
        Table(evil, (evil,), ((evil,), (State("ok", evil),))),
    )
    parsed = Page(html_report(evil, evil, [Section(evil, block)], AT))
    assert not parsed.all("img")
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    assert "\x00" not in "".join(parsed.said)


def test_faults_are_listed_together():
    bad = (Table("", ("a", "b"), ((1,),)), Figures((Figure("x", State("great")),)))
    with pytest.raises(InvalidInput) as caught:
        html_report(" ", "", [Section("s", bad)], AT)
    assert len(caught.value.faults) == 4


def test_a_large_report_shortens_its_tables_and_says_so():
    wide = Chart(
        "line",
        "t",
        "c",
        series=tuple(Series.of(f"s{k}", range(400), [k + i / 7 for i in range(400)]) for k in range(20)),
    )
    page = html_report("t", "s", [Section("a", (Picture(wide),) * 4)], AT)
    assert len(page.encode()) <= LARGEST
    assert re.search(r"\(\d+ of 400 rows\)", page)


def test_a_report_that_cannot_be_small_is_refused_with_the_culprit():
    rows = tuple((f"row {k}", "x" * 90) for k in range(12_000))
    with pytest.raises(InvalidInput) as caught:
        html_report(
            "t",
            "s",
            [Section("all rows", (Table("c", ("a", "b"), rows),)), Section("fine", (Picture(LINE),))],
            AT,
        )
    assert "all rows" in caught.value.faults[0]


def test_an_empty_picture_and_an_empty_table_say_no_data():
    blocks = (Picture(Chart("line", "t", "c")), Table("c", ("a",), ()))
    assert Page(html_report("t", "s", [Section("a", blocks)], AT)).said.count("no data") == 3
