import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from tests.loop.replays import AUCS, MONTHS, auc, lead, nothing, unlabelled, year
from treadle.loop.replay_figures import beyond_chance, overlap, own_trainings, policies_of, tally
from treadle.loop.replay_lines import WIDTH, closing_lines, month_header, month_line, turn_lines
from treadle.loop.replay_pictures import auc_chart, calibration_chart, timeline_chart
from treadle.loop.replay_report import readme_picture, replay_html
from treadle.loop.replay_words import compared, cost_words, headline, psi_words, tally_words
from treadle.pictures.palette import DARK, LIGHT
from treadle.records.evaluation import ReliabilityBin
from treadle.records.instants import DAY, instant
from treadle.records.models import Verdict
from treadle.records.replays import Decided, RaisedAlert, ReplayReport, ScoreHistogram

SVG = "{http://www.w3.org/2000/svg}"


class Page(HTMLParser):
    """What a reader finds: words in order, captions, and the rows of every table."""

    def __init__(self, text):
        super().__init__()
        self.words: list[str] = []
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.ids: list[str] = []
        self._into: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag == "table":
            self.tables.append(("", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th", "caption"):
            self._into = []

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.tables[-1][1][-1].append("".join(self._into or []))
        elif tag == "caption":
            self.tables[-1] = ("".join(self._into or []), self.tables[-1][1])
        if tag in ("td", "th", "caption"):
            self._into = None

    def handle_data(self, data):
        self.words.append(data)
        if self._into is not None:
            self._into.append(data)

    @property
    def text(self):
        return "".join(self.words)

    def table(self, column):
        """Return the rows of the first table that has the column."""
        return next(rows for _, rows in self.tables if column in rows[0])


@pytest.fixture(scope="module")
def report():
    return year()


@pytest.fixture(scope="module")
def page(report):
    return Page(replay_html(report))


def with_aucs(report, ahead=None, **values):
    """Return the report with other AUCs over all months, and other paired differences: none unless given."""
    costs = tuple(
        replace(cost, auc=auc(values[cost.policy], 250_000, 0.25), loop_over=ahead) for cost in report.costs
    )
    return replace(report, costs=costs)


# What is said


def test_the_headline_gives_both_figures_with_intervals_their_rows_and_their_difference(report):
    said = headline(report)
    loop, frozen = report.costs[1].auc, report.costs[0].auc
    for figure in (loop, frozen):
        bounds = figure.interval()
        assert f"{figure.value:.4f} (95 % {bounds.low:.4f} to {bounds.high:.4f})" in said
    assert f"{loop.n:,} labelled answers" in said
    assert said.endswith(
        "0.0162 higher, more than chance explains (95 % +0.0119 to +0.0205 on the same answers)."
    )


def test_a_loop_that_lost_is_said_to_have_lost(report):
    lost = with_aucs(report, lead(-0.03, 0.004), loop=0.71, frozen=0.74, last3=0.7)
    assert "0.0300 lower, more than chance explains (95 % −0.0382 to −0.0218" in headline(lost)
    close = with_aucs(report, lead(0.001, 0.004), loop=0.741, frozen=0.74, last3=0.7)
    assert "0.0010 higher, which chance may explain" in headline(close)


def test_without_a_paired_test_the_intervals_are_compared(report):
    def end(loop, frozen):
        return headline(with_aucs(report, loop=loop, frozen=frozen, last3=0.7)).rpartition(": ")[2]

    assert end(0.71, 0.74) == "0.0300 lower, and the intervals do not overlap."
    assert end(0.7401, 0.74) == "0.0001 higher, though the intervals overlap."
    assert end(0.74, 0.74) == "no difference to four decimals."


def test_a_difference_is_beyond_chance_only_if_its_interval_leaves_out_zero():
    assert [beyond_chance(lead(value, 0.01)) for value in (-0.03, -0.01, 0.0, 0.01, 0.03)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    assert not beyond_chance(lead(0.0, 0.0))


def test_the_gap_is_that_of_the_figures_as_shown(report):
    # 0.75004 shows as 0.7500 and 0.74996 too: no reader should see a gap between equal figures.
    assert compared(auc(0.75004, 900, 0.3), auc(0.74996, 900, 0.3)) == "no difference to four decimals"


def test_months_are_tallied_as_a_hand_count_of_the_figures(report):
    found = tally(report, "frozen")
    pairs = list(zip(AUCS["loop"], AUCS["frozen"], strict=True))
    assert found.above == sum(a > b for a, b in pairs) == 7
    assert found.level == sum(a == b for a, b in pairs) == 1
    assert found.below == sum(a < b for a, b in pairs) == 1
    # The standard error is 0.0031 and Student's t of 29 degrees of freedom 2.0452: 0.0063 is needed.
    assert found.clear_above == sum(a - b > 0.0063 for a, b in pairs) == 7
    assert found.clear_below == 0
    assert tally_words(report, "last3") == (
        "The loop against last3, of 9 months: above in 6 (3 of them by more than chance), level in 1 and below in 2"
        " (perhaps by chance)."
    )


def test_months_without_a_paired_test_are_clear_when_their_intervals_are_apart(report):
    untested = replace(report, months=tuple(replace(row, loop_over={}) for row in report.months))
    apart = [
        row for row in report.months if row.auc["frozen"].interval().high < row.auc["loop"].interval().low
    ]
    assert tally(untested, "frozen").clear_above == len(apart) == 5


def test_overlap_is_symmetric_and_holds_for_equals():
    a, b, c = auc(0.70, 20_000, 0.2), auc(0.705, 20_000, 0.2), auc(0.76, 20_000, 0.2)
    assert [overlap(*pair) for pair in ((a, a), (a, b), (b, a), (a, c), (c, a))] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_the_cost_sentence_names_the_best_policy_even_when_it_is_not_the_loop(report):
    beaten = with_aucs(report, loop=0.74, last3=0.77, frozen=0.70)
    assert (
        "The highest AUC is that of last3, 0.0300 above the loop, more than chance explains."
        in cost_words(beaten)
    )
    assert "The highest AUC is that of the loop, 0.0051 above last3, which chance may explain." in cost_words(
        report
    )


def test_psi_is_counted_against_its_levels(report):
    assert (
        psi_words(report)
        == "The largest index was 0.214, in 2013-10; of 9 months, 3 at or above 0.1 and 1 at or above 0.2."
    )
    calm = replace(report, months=tuple(replace(row, score_psi=0.01) for row in report.months))
    assert psi_words(calm).endswith("of 9 months, none at or above 0.1 and none at or above 0.2.")


def test_the_first_model_counts_among_the_loops_trainings_and_last3_does_not(report):
    own = own_trainings(report)
    assert [training.model_version for training in own] == [1, 2, 3, 4, 5, 6, 7]
    assert {training.policy for training in own} == {"first", "loop"}


# The page


def test_the_page_has_every_month_with_its_figures(page):
    aucs, leads, served = (page.table(column) for column in ("AUC loop", "loop over last3", "score PSI"))
    for rows in (aucs, leads, served):
        assert [row[0] for row in rows[1:]] == list(MONTHS)
    assert [row[aucs[0].index("AUC loop")][:6] for row in aucs[1:]] == [
        f"{value:.4f}" for value in AUCS["loop"]
    ]
    assert leads[2] == ["2013-05", "+0.0124 (+0.0061 to +0.0187)", "−0.0001 (−0.0064 to +0.0062)"]
    assert served[1] == ["2013-04", "28,330", "27,564", "28.6 %", "0.913", "0.913", "0.004", "v1"]


def test_every_training_stands_with_its_reason_and_verdict(page, report):
    rows = page.table("verdict")
    assert rows[0] == ["at, UTC", "version", "rows", "fit", "verdict", "reason"]
    by_version = {one.model_version: one.verdict.value for one in report.verdicts}
    for row, training in zip(rows[1:], own_trainings(report), strict=True):
        assert row[1] == f"v{training.model_version}"
        assert row[4] == by_version[training.model_version]
        assert row[5] == training.reason


def test_every_gates_sentence_and_every_alert_is_on_the_page(page, report):
    for sentence in (reason for one in report.verdicts for reason in one.reasons):
        assert sentence in page.text
    for alert in report.alerts:
        assert alert.message in page.text
    for digest in report.digests.values():
        assert digest in page.text


def test_each_verdict_is_a_word_beside_its_glyph(report):
    text = replay_html(report)
    for verdict in Verdict:
        assert re.search(
            rf'<svg class="glyph" aria-hidden="true"[^>]*>.{{0,160}}</svg>{verdict.value}</span>', text
        )


def test_the_page_is_small_and_refers_to_nothing_outside(report):
    text = replay_html(report)
    assert len(text.encode()) < 400_000
    bare = text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?:|url\(|@import|<script|\bon\w+=", bare)
    assert len(set(Page(text).ids)) == len(Page(text).ids)


def test_the_same_report_gives_the_same_page(report):
    assert replay_html(year()) == replay_html(report)


def test_nothing_of_the_demo_is_in_the_wording(report):
    other = replace(nothing(), project="shop", endpoint="churn", months=report.months, costs=report.costs)
    text = Page(replay_html(other)).text
    assert "churn" in text
    assert not re.search(r"flight|late rate|\blate\b|airline|carrier|delay", text)


def test_names_from_outside_stay_text(report):
    evil = "<script>alert(1)</script>"
    text = replay_html(
        replace(
            report,
            project=evil,
            endpoint=evil,
            verdicts=tuple(replace(one, reasons=(evil,)) for one in report.verdicts),
            alerts=(RaisedAlert(at=report.months[0].window.start, monitor=evil, kind=evil, message=evil),),
        )
    )
    assert "<script" not in text


# Little or nothing to report


@pytest.mark.parametrize("sparse", [nothing(), unlabelled()], ids=["nothing", "unlabelled"])
def test_a_report_without_figures_says_no_data(sparse):
    found = Page(replay_html(sparse))
    assert "no data" in found.text
    assert not re.search(r"\bnan\b|\bNone\b", found.text)
    assert (
        headline(sparse)
        == f"No labels of `{sparse.endpoint}` to judge by: whether the loop was worth it cannot be said."
    )
    ET.fromstring(readme_picture(sparse))


def test_a_single_month_can_be_reported(report):
    one = replace(
        report,
        months=report.months[:1],
        trainings=report.trainings[:1],
        verdicts=report.verdicts[:1],
        alerts=(),
    )
    found = Page(replay_html(one))
    assert "in replay, 2013-04" in found.text
    assert "of 1 month: level in 1." in found.text
    assert {auc_chart(one).form, calibration_chart(one).form} == {"dot"}
    assert "No alert" in found.text


def test_an_absent_policy_is_left_out_and_the_others_stay(report):
    months = tuple(
        replace(row, auc={"loop": row.auc["loop"]}, calibration={"loop": row.calibration["loop"]})
        for row in report.months
    )
    alone = replace(
        report, months=months, costs=report.costs[1:2], reliability={"loop": report.reliability["loop"]}
    )
    assert policies_of(alone) == ("frozen", "loop")
    found = Page(replay_html(alone))
    assert "there is no frozen model to compare it with" in found.text
    assert "last3" not in replay_html(replace(alone, trainings=()))


def test_months_that_lack_a_figure_leave_a_gap_not_a_zero(report):
    gap = replace(report.months[3], auc={}, calibration={}, late_rate=None, score_psi=None, versions=())
    months = (*report.months[:3], gap, *report.months[4:])
    holed = replace(report, months=months)
    loop = next(one for one in auc_chart(holed).series if one.name == "loop")
    assert loop.y[3] is None
    assert loop.lower is not None
    assert loop.lower[3] is None
    assert Page(replay_html(holed)).table("loop over frozen")[4] == ["2013-07", *["no data"] * 2]


def test_figures_that_are_not_numbers_read_no_data(report):
    broken = replace(
        report.months[0], late_rate=float("nan"), score_psi=float("inf"), calibration={"loop": float("nan")}
    )
    found = Page(replay_html(replace(report, months=(broken,))))
    assert found.table("score PSI")[1][3:7] == ["no data"] * 4
    assert month_line(broken).count("no data") == 3


def test_thousands_of_alerts_and_verdicts_still_make_a_page(report):
    start = report.months[0].window.start
    alerts = tuple(
        RaisedAlert(at=start + k * DAY // 24, monitor="m", kind="auc", message=f"alert number {k}")
        for k in range(5_000)
    )
    verdicts = tuple(
        Decided(at=start + k * DAY // 12, model_version=k + 1, verdict=Verdict.PROMOTED, reasons=("x",))
        for k in range(2_000)
    )
    text = replay_html(replace(report, alerts=alerts, verdicts=verdicts))
    assert "alert number 4999" in text
    assert "alert number 0" not in text
    assert "the newest 200 of 5,000 rows" in text


def test_empty_bins_and_an_all_zero_histogram_can_be_drawn(report):
    odd = replace(
        report,
        scores=(ScoreHistogram(name="a", shares=(0.0, 0.0)), ScoreHistogram(name="b", shares=())),
        reliability={"loop": (ReliabilityBin(low=0, high=0, n=0, mean_score=0.0, base_rate=0.0),)},
        importance=(),
        time_spent={},
    )
    assert "No scores were kept." in Page(replay_html(odd)).text


# Pictures


def test_the_loop_looks_the_same_in_every_picture_and_alone_has_the_band(report):
    for chart in (auc_chart(report), calibration_chart(report)):
        assert [one.role for one in chart.series if one.name == "loop"] == ["champion"]
    assert [one.name for one in auc_chart(report).series if one.lower is not None] == ["loop"]


def test_every_promotion_is_marked_where_it_happened(report):
    chart = auc_chart(report)
    promoted = [one for one in report.verdicts if one.verdict is Verdict.PROMOTED]
    assert [(mark.x, mark.label) for mark in chart.marks] == [
        (one.at, f"v{one.model_version} promoted") for one in promoted
    ]
    assert chart.x_range == (instant("2013-04-01"), instant("2014-01-02"))


def test_versions_serve_from_their_promotion_to_the_next_one(report):
    lanes = {one.name: one for one in timeline_chart(report).series}
    serves = lanes["serves"]
    assert serves.labels == ("v1", "v2", "v3", "v5", "v6")
    assert serves.x[1:] == serves.ends[:-1]
    assert lanes["gate"].states == tuple(one.verdict.value for one in report.verdicts)


def test_alerts_of_neighbouring_days_are_one_event_with_their_number(report):
    at = report.months[4].window.start
    alerts = tuple(RaisedAlert(at=at + k * DAY // 8, monitor="m", kind="auc", message="") for k in range(3))
    lane = timeline_chart(replace(report, alerts=alerts)).series[0]
    assert lane.labels == ("3 alerts",)


def test_the_readme_picture_stands_alone_in_light_and_dark(report):
    picture = readme_picture(report)
    root = ET.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    style = "".join(next(root.iter(f"{SVG}style")).itertext())
    light, dark = style.split("prefers-color-scheme:dark", 1)
    assert f"--tr-paper:{LIGHT['paper']}" in light
    assert f"--tr-paper:{DARK['paper']}" in dark
    ground = next(root.iter(f"{SVG}rect")).attrib
    assert ground["fill"] == "var(--tr-paper)"
    assert (ground["width"], ground["height"]) == (root.attrib["width"], root.attrib["height"])
    assert not re.search(r"href|url\(|https?:", picture.replace("http://www.w3.org/2000/svg", ""))
    assert len(list(root.iter(f"{SVG}style"))) == 1


# Lines


def test_month_lines_stand_under_their_header(report):
    head = month_header()
    for row, line in zip(report.months, map(month_line, report.months), strict=True):
        assert len(line) <= WIDTH
        assert line.startswith(row.month)
        for name, value in (
            ("labelled", f"{row.labelled:,}"),
            ("PSI", f"{row.score_psi:.3f}"),
            ("last3", f"{row.auc['last3'].value:.4f}"),
        ):
            end = head.index(name) + len(name)
            assert line[:end].endswith(value)
        assert line[head.index("loop (95 %)") :].startswith(f"{row.auc['loop'].value:.4f} (")
        assert line[head.index("served by") :] == ", ".join(f"v{version}" for version in row.versions)


def test_a_month_line_says_no_data_where_nothing_is_known():
    line = month_line(unlabelled().months[0])
    assert line.count("no data") == 6
    assert line.index("v1") == month_header().index("served by")


def test_events_end_the_line_and_are_cut_before_they_break_it(report):
    assert month_line(report.months[0], events=("2 alerts", "v2 promoted")).endswith(
        "  2 alerts, v2 promoted"
    )
    assert len(month_line(report.months[0], events=("x" * 300,))) == WIDTH


def test_a_turn_says_why_what_and_each_gates_reason(report):
    training, decided = own_trainings(report)[3], report.verdicts[3]
    lines = turn_lines(training, decided)
    text = " ".join(line.strip() for line in lines)
    assert lines[0].startswith("2013-08-29  calibration is off: ratio 1.214")
    assert "trained v4 on 214,310 rows" in text
    assert "✕ rejected: version 4" in text
    for reason in decided.reasons:
        assert f"- {reason}" in text
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.startswith(" " * 12) for line in lines[1:])


def test_a_turn_without_a_gate_has_no_verdict(report):
    assert "verdict" not in " ".join(turn_lines(report.trainings[0], None))
    bare = Decided(at=0, model_version=9, verdict=Verdict.INCONCLUSIVE, reasons=())
    assert (
        turn_lines(report.trainings[0], bare)[-1].strip()
        == "? inconclusive: version 9, though no gate gave a reason"
    )


def test_the_end_says_where_the_time_went_who_serves_and_what_to_do_next(report):
    text = "\n".join(closing_lines(report, home="my home", page="my home/replay.html"))
    assert headline(report)[:60] in text
    spent = [line.split("  ")[1] for line in text.split("\n") if "█" in line]
    assert spent == sorted(report.time_spent, key=lambda name: -report.time_spent[name])
    assert "Version 6 is champion" in text
    assert "treadle up --home 'my home'" in text
    assert "my home/replay.html" in text


@pytest.mark.parametrize("sample", [year(), nothing(), unlabelled()], ids=["year", "nothing", "unlabelled"])
def test_every_line_is_narrow_and_has_an_ascii_form(sample):
    decided = {one.model_version: one for one in sample.verdicts}
    for unicode in (True, False):
        lines = [month_header(unicode=unicode), *closing_lines(sample, home="/h", page="/p", unicode=unicode)]
        lines += [month_line(row, unicode=unicode) for row in sample.months]
        for training in sample.trainings:
            lines += turn_lines(training, decided.get(training.model_version), unicode=unicode)
        assert all(len(line) <= WIDTH and line == line.rstrip() and "\n" not in line for line in lines)
        if not unicode:
            assert all(line.isascii() for line in lines)
            assert not any("?" in line for line in lines)


def test_control_characters_from_names_never_reach_the_terminal(report):
    evil = "ring\x07 \x1b[2Jcleared\r\nnew\u202eline"
    training = replace(own_trainings(report)[0], reason=evil)
    decided = replace(report.verdicts[0], reasons=(evil,))
    lines = turn_lines(training, decided) + closing_lines(
        replace(report, endpoint=evil, time_spent={evil: 1.0}), home=evil
    )
    assert all(char.isprintable() for line in lines for char in line)


def test_the_fixture_is_a_report_that_survives_its_json_form(report):
    assert ReplayReport.from_json(json.loads(json.dumps(report.as_json()))) == report
