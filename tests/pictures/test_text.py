import pytest

from tests.pictures.samples import FORMS, GANTT, LINE, STRIP
from treadle.pictures.chart import Chart
from treadle.pictures.text import block_bars, chart_text, plain, sparkline, text_table


def test_sparkline_golden():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, None, 7]) == "▁ █"
    assert sparkline([3, 3]) == "▅▅"
    assert sparkline([]) == "no data"
    assert sparkline([None, float("nan")]) == "no data"
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], unicode=False) == "_.-=+*#@"


def test_a_long_row_is_averaged_to_its_width():
    assert sparkline([0] * 50 + [7] * 50, width=4) == "▁▁██"


def test_block_bars_golden():
    rows = [
        ("frozen", 11.0, "11 s"),
        ("loop", 88.0, "1 min 28 s"),
        ("none", None, "no data"),
        ("less", -44.0, "−44 s"),
    ]
    assert block_bars(rows, width=32).split("\n") == [
        "frozen  █▌                  11 s",
        "loop    ████████████  1 min 28 s",
        "none                     no data",
        "less    −██████            −44 s",
    ]
    assert block_bars(rows, width=32, unicode=False).split("\n")[1] == "loop    ############  1 min 28 s"
    assert block_bars([]) == "no data"


def test_text_table_golden():
    text = text_table(("model", "AUC"), [("loop", 0.7221), ("frozen", None)])
    assert text.split("\n") == [
        "model       AUC",
        "──────  ───────",
        "loop     0.7221",
        "frozen  no data",
    ]


def test_long_words_are_cut_in_the_middle_and_control_characters_shown():
    text = text_table(("name",), [("a" * 30 + "\x1b[31m" + "b" * 30,)], widest=20)
    assert "\x1b" not in text
    assert "…" in text
    assert max(map(len, text.split("\n"))) == 20


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_a_text_within_the_width(form):
    chart = FORMS[form]
    text = chart_text(chart, width=70)
    assert text.startswith(chart.title)
    assert chart.caption in text
    assert max(map(len, text.split("\n"))) <= 70


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_an_ascii_text(form):
    assert chart_text(FORMS[form], unicode=False).isascii()


def test_the_text_of_a_line_ends_with_first_and_last_value():
    assert "loop    ▇▇█ ▇▅▆▆▅  0.742 to 0.722" in chart_text(LINE)


def test_an_alert_is_not_hidden_by_calmer_neighbours():
    row = chart_text(STRIP, width=24).split("\n")[3]
    assert row.startswith("AUC")
    assert "!" in row


def test_spans_name_their_states():
    assert "! alert" in chart_text(GANTT)


def test_an_empty_chart_says_no_data():
    assert chart_text(Chart("line", "t", "c")).endswith("no data")


def test_plain_replaces_what_ascii_does_not_have():
    assert plain("−1 … ✓ µs 表") == "-1 ~ v us ?"
