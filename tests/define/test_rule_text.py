"""Row rules as text: what they may say, and that nothing else can be said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.columns import parameter, traced
from treadle.define.expressions import Expression, text
from treadle.define.rule_text import parse_rule
from treadle.define.tracing import coalesce, when
from treadle.records.errors import InvalidInput

a, b, c, x, t, u = map(parameter, "abcxtu")


@pytest.mark.parametrize(
    ("rule", "column"),
    [
        ("a > b", a > b),
        ("0 <= x < 5", (x >= 0) & (x < 5)),
        ("a is None or b in ['AA', 'UA']", a.is_null() | b.is_in(["AA", "UA"])),
        ("a is not None and not (b == 3)", ~a.is_null() & ~(b == 3)),
        ("x not in (1, 2)", ~x.is_in([1, 2])),
        ("(t - u).dt.total_minutes() <= a * 1.5 + 10", (t - u).dt.total_minutes() <= a * 1.5 + 10),
        ("x.str.length() == 3", x.str.length() == 3),
        ("x.str.slice(0, length=2) == 'AA'", x.str.slice(0, length=2) == "AA"),
        ("when(a > 1, b, c) == -4", when(a > 1).then(b).otherwise(c) == -4),
        ("tr.coalesce(a, b) > 0", coalesce(a, b) > 0),
        ("x.lookup({'AA': 1}, default=0) > 0", x.lookup({"AA": 1}, default=0) > 0),
        ('col("a") > 1', a > 1),
        ("a % 2 == 0", a % 2 == 0),
    ],
)
def test_a_rule_says_what_a_row_feature_would(rule, column):
    assert parse_rule(rule) == traced(column)


@pytest.mark.parametrize(
    "rule",
    [
        "__import__('os').system('x')",
        "a.__class__.__mro__",
        "(lambda: 1)()",
        "[y for y in a]",
        "open('x') == a",
        "f'{a}' == 'x'",
        "9 ** 9 ** 9 > a",
        "'a' * 10 ** 10 == x",
        "a if b else c",
        "(a := 1) > 0",
        "a.dt",
        "a._expression",
        "a.str.__init__('x')",
        "a == b, 1",
        "a[0] > 1",
        "a is 5",
        "1 < 2",
        "a >",
        "",
        "a; b",
        "x" * 3_000,
        "(" * 500 + "a" + ")" * 500,
        "-" * 1_000 + "a > 1",
    ],
)
def test_anything_else_is_refused(rule):
    with pytest.raises(InvalidInput):
        parse_rule(rule)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="abx01. ()[]'\"+-*/<>=!&|~,:{}@%#\\\n", max_size=40) | st.text(max_size=30))
def test_any_text_is_an_expression_or_refused(rule):
    try:
        found: Expression | None = parse_rule(rule)
    except InvalidInput:
        found = None
    assert found is None or text(found)
