"""The page, the JSON and the notebook's view of a profile: what they say, and that outside text does nothing in them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from treadle.loop.profile_findings import remarks
from treadle.loop.profile_pictures import distribution, edges_of
from treadle.loop.profiling import ProfileReport, examine
from treadle.pictures.report import LARGEST
from treadle.records.instants import instant
from treadle.records.quantile_sketch import Quantiles
from treadle.stages.validation.profile.builder import profile_frame

MADE = instant("2024-05-01")
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></svg><svg onload=alert(1)>",
    "`</code><b>bold`",
    "a\x00b\u202ec\ud800",
    "javascript:alert(1)",
    "",
    " ",
    "\n",
    "all others",
    "x" * 3_000,
    "]]>&amp;{{7*7}}",
]


class Page(HTMLParser):
    """Which elements and attributes a page really has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shop(n: int = 3_000, shift: float = 0.0) -> pl.DataFrame:
    r = np.random.default_rng(1)
    price = r.lognormal(2 + shift, 0.6, n)
    bought = r.random(n) < 0.3
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "price": pl.Series(price).set(pl.Series(r.random(n) < 0.1), None),
            "stuck": np.where(np.arange(n) < 400, 7.25, r.normal(size=n)),
            "ratio": np.where(np.arange(n) == 5, np.inf, r.normal(size=n)),
            "city": r.choice(["Rome", "rome ", "Oslo"], n),
            "always": ["yes"] * n,
            "never": pl.Series([None] * n, dtype=pl.Float64),
            "order": [f"o-{i}" for i in range(n)],
            "refund": np.where(bought, price, 0.0),
            "bought": bought,
            "at": [start + timedelta(hours=i if i < n // 2 else i + 100) for i in range(n)],
        }
    )


@pytest.fixture(scope="module")
def report() -> ProfileReport:
    return examine(
        shop(), "shop", made=MADE, label="bought", time="at", reference=profile_frame(shop(shift=0.4), "old")
    )


@pytest.mark.parametrize(
    ("column", "status", "words"),
    [
        ("never", "alert", "no value in any row"),
        ("ratio", "alert", "1 infinite values, e.g. in row 5"),
        ("refund", "alert", "AUC 1.000 for the label `bought`"),
        ("stuck", "held", "stays at `7.25` for 400 rows from row 0"),
        ("city", "held", "differ in case or spaces only"),
        ("always", "held", "is `yes` in every row"),
        ("order", "no data", "almost every value is different"),
        ("refund", "no data", "zeros"),
    ],
)
def test_what_stands_out_is_said(report: ProfileReport, column: str, status: str, words: str) -> None:
    found = [one for one in remarks(report.profile, report.associations) if one.column == column]
    assert any(one.status == status and words in one.words for one in found), found


def test_what_is_ordinary_is_passed_over() -> None:
    r = np.random.default_rng(0)
    rows = pl.DataFrame(
        {"x": r.normal(size=500), "i": r.integers(0, 90, 500), "c": r.choice(["a", "b"], 500)}
    )
    found = examine(rows, "calm", made=MADE)
    assert remarks(found.profile, found.associations) == ()
    assert "Nothing stands out" in Page(found.html()).text


def test_the_page_has_every_column_and_every_part(report: ProfileReport) -> None:
    page = Page(report.html())
    for part in ("At a glance", "What has moved", "Columns", "Time", "Missing values", "What goes together"):
        assert part in page.text
    for name in shop().columns:
        assert name in page.text
    assert "3,000 rows of 10 columns" in page.text
    assert "2024-03-04 2024-03-06 3" in page.text  # the hundred hours without a row
    assert "2024-05-01" in page.text


def test_the_page_needs_nothing_from_outside_and_runs_nothing(report: ProfileReport) -> None:
    page = report.html()
    assert "script" not in Page(page).tags
    for name, value in Page(page).attributes:
        assert not name.startswith("on")
        assert name not in ("src", "action") or value == "data:,"
        if name == "href":
            assert value is not None
            assert value.startswith(("#", "data:,"))
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page)
    assert len(page.encode()) < LARGEST


def test_hostile_names_and_values_are_only_text() -> None:
    rows = pl.DataFrame(
        {
            name.encode("utf-8", "replace").decode(): [v.encode("utf-8", "replace").decode() for v in HOSTILE]
            for name in HOSTILE
        }
    ).with_columns(y=pl.Series([0, 1] * (len(HOSTILE) // 2)))
    found = examine(
        rows, HOSTILE[0], made=MADE, label="y", reference=profile_frame(rows.reverse(), HOSTILE[1])
    )
    for page in (found.html(), found._repr_html_()):
        tags = Page(page).tags
        assert not tags & {"script", "img", "b", "object", "embed", "link rel"}
        assert not [name for name, _ in Page(page).attributes if name.startswith("on")]
        assert "\x00" not in page
        assert "\u202e" not in page
    assert json.loads(json.dumps(found.as_json()))["rows"] == len(HOSTILE)


def test_a_notebook_shows_the_page_in_a_frame_that_runs_nothing(report: ProfileReport) -> None:
    shown = Page(report._repr_html_())
    assert shown.tags == {"iframe"}
    attributes = dict(shown.attributes)
    assert attributes["sandbox"] == ""
    assert attributes["srcdoc"] == report.html()
    assert "price" in repr(report)
    assert "3,000 rows" in repr(report)


def test_json_says_what_the_page_says(report: ProfileReport) -> None:
    said = json.loads(json.dumps(report.as_json(), allow_nan=False))
    columns = {column["name"]: column for column in said["columns"]}
    assert said["rows"] == 3_000
    assert columns["price"]["nulls"] == shop()["price"].null_count()
    assert columns["at"]["lowest"][0]["value"] == "2024-01-01T00:00:00Z"
    assert columns["city"]["distinct_exact"]
    assert said["comparison"]["reference_rows"] == 3_000
    assert next(c for c in said["comparison"]["columns"] if c["column"] == "price")["ks"] > 0.2
    assert said["label_hints"][0]["column"] == "refund"


@pytest.mark.parametrize(
    "rows",
    [
        pl.DataFrame(),
        pl.DataFrame({"a": []}),
        pl.DataFrame({"a": [1]}),
        pl.DataFrame({"a": [None, None]}),
        pl.DataFrame(
            {"a": [1e308, -1e308, 5e-324], "b": [2**62, 2**62 + 1, -(2**62)], "c": [1.0, 1.0 + 2**-52, 1.0]}
        ),
        pl.DataFrame({"a": [float("nan")] * 3, "b": [float("inf")] * 3}),
        pl.DataFrame({"t": pl.Series([-(2**60), 2**62], dtype=pl.Datetime("us"))}),
        pl.DataFrame({"t": [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]}),
        pl.DataFrame({"l": [[1], [2]], "b": [b"x", None], "d": [timedelta(1), None]}),
    ],
)
def test_odd_tables_have_a_page_too(rows: pl.DataFrame) -> None:
    found = examine(rows, "odd", made=MADE, reference=profile_frame(rows))
    assert "odd" in Page(found.html()).text
    json.dumps(found.as_json(), allow_nan=False)


def test_a_wide_table_stays_within_a_megabyte() -> None:
    r = np.random.default_rng(0)
    rows = pl.DataFrame({f"column number {i}": r.normal(size=60) for i in range(600)})
    assert len(examine(rows, "wide", made=MADE).html().encode()) <= LARGEST


def test_a_histogram_holds_every_value_unless_far_ones_would_hide_the_rest() -> None:
    r = np.random.default_rng(0)
    near = Quantiles().add(r.normal(size=5_000))
    assert (edges_of([near], whole=False)[0], edges_of([near], whole=False)[-1]) == pytest.approx(
        (near.low, near.high)
    )
    far = Quantiles().add(np.concatenate([r.normal(size=5_000), [1e9]]))
    assert edges_of([far], whole=False)[-1] < 10
    die = edges_of([Quantiles().add(r.integers(1, 7, 100))], whole=True)
    assert die.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5]


def test_shares_of_a_histogram_add_up() -> None:
    rows = pl.DataFrame({"x": [0.0] * 30 + list(range(70)), "i": list(range(100))})
    for column in profile_frame(rows).columns:
        shares = distribution(column).series[0].y
        assert sum(share or 0.0 for share in shares) == pytest.approx(1.0)
