"""Every operator's meaning on values written down by hand, over frames and over rows."""
# ruff: noqa: PLW0108 - a lambda is what is traced here: its parameters name the inputs

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

import treadle as tr
from treadle.define.row_features import RowFeature
from treadle.stages.features.rows.frame import DTYPES
from treadle.stages.features.rows.program import compile_rows

MAX, MIN = 2**63 - 1, -(2**63)
INF, NAN = math.inf, math.nan


def both(feature: RowFeature, types: dict[str, str], rows: list[tuple[object, ...]]) -> list[object]:
    """The feature's values of the rows, which both lowerings must give alike."""
    program = compile_rows([feature], types)
    order = [list(types).index(name) for name in program.inputs]
    one_by_one: list[object] = [program.row(*(row[i] for i in order))[0] for row in rows]
    columns = {}
    for name, values in zip(types, zip(*rows, strict=True), strict=True):
        physical = pl.Int64() if types[name] in ("time", "duration") else DTYPES[types[name]]
        columns[name] = pl.Series(values, dtype=physical).cast(DTYPES[types[name]])
    found = pl.DataFrame(columns).with_columns(program.expressions())[feature.name]
    if program.types[feature.name] in ("time", "duration"):
        found = found.cast(pl.Int64)
    at_once = found.to_list()
    assert list(map(repr, at_once)) == list(map(repr, one_by_one)), program.source
    return one_by_one


def trace(function) -> RowFeature:
    function.__name__ = "found"
    return tr.row_feature(function)


def one(function, kind: str, *values: object) -> list[object]:
    return both(trace(function), {"x": kind}, [(value,) for value in values])


def two(function, kinds: str, *rows: tuple[object, object]) -> list[object]:
    x, y = kinds.split()
    return both(trace(function), {"x": x, "y": y}, list(rows))


def same(found: list[object], expected: Sequence[object]) -> None:
    assert list(map(repr, found)) == list(
        map(repr, expected)
    )  # repr tells 1 from 1.0 from True, 0.0 from -0.0


INTS = [(7, 2), (-7, 2), (7, -2), (MAX, 1), (MIN, -1), (5, 0), (None, 1), (1, None)]

INT_CASES = {
    "+": (lambda x, y: x + y, [9, -5, 5, MIN, MAX, 5, None, None]),
    "-": (lambda x, y: x - y, [5, -9, 9, MAX - 1, MIN + 1, 5, None, None]),
    "*": (lambda x, y: x * y, [14, -14, -14, MAX, MIN, 0, None, None]),
    "//": (lambda x, y: x // y, [3, -4, -4, MAX, MIN, None, None, None]),
    "%": (lambda x, y: x % y, [1, 1, -1, 0, 0, None, None, None]),
    "/": (lambda x, y: x / y, [3.5, -3.5, -3.5, 2.0**63, 2.0**63, INF, None, None]),
    "==": (lambda x, y: x == y, [False] * 6 + [None, None]),
    "!=": (lambda x, y: x != y, [True] * 6 + [None, None]),
    "<": (lambda x, y: x < y, [False, True, False, False, True, False, None, None]),
    "minimum": (lambda x, y: tr.minimum(x, y), [2, -7, -2, 1, MIN, 0, None, None]),
    "maximum": (lambda x, y: tr.maximum(x, y), [7, 2, 7, MAX, -1, 5, None, None]),
    "coalesce": (lambda x, y: tr.coalesce(x, y), [7, -7, 7, MAX, MIN, 5, 1, 1]),
}


@pytest.mark.parametrize(("function", "expected"), INT_CASES.values(), ids=INT_CASES.keys())
def test_integers_wrap_divide_downwards_and_are_null_over_zero(function, expected) -> None:
    same(two(function, "int int", *INTS), expected)


def test_the_least_integer_negates_and_is_absolute_to_itself() -> None:
    same(one(lambda x: -x, "int", MIN, 5, None), [MIN, -5, None])
    same(one(lambda x: abs(x), "int", MIN, -5, None), [MIN, 5, None])


def test_a_chain_of_integer_operations_wraps_as_if_each_step_had() -> None:
    same(
        one(lambda x: (x * x * x + x) // 3, "int", MAX, 10),
        [((MAX**3 + MAX + 2**63) % 2**64 - 2**63) // 3, 336],
    )


def test_integers_divide_as_floats_not_as_fractions() -> None:
    big = 2**53 + 1
    same(two(lambda x, y: x / y, "int int", (big, 3), (MAX, MAX - 1)), [float(big) / 3.0, 1.0])


def test_an_integer_meets_a_float_as_a_float_in_comparisons_too() -> None:
    same(two(lambda x, y: x == y, "int float", (2**53 + 1, 2.0**53), (3, 3.0), (3, NAN)), [True, True, False])
    same(two(lambda x, y: x + y, "int float", (2**53 + 1, 1.0), (None, 1.0)), [2.0**53 + 1.0, None])


FLOATS: list[tuple[object, object]] = [
    (7.5, 2.0),
    (-7.5, 2.0),
    (1.0, 0.0),
    (-1.0, 0.0),
    (1.0, -0.0),
    (0.0, 0.0),
    (NAN, 1.0),
    (1.0, NAN),
    (1e308, 1e-10),
]
FLOATS += [(None, 0.0), (0.0, None), (INF, INF), (NAN, None)]

FLOAT_CASES = {
    "/": (lambda x, y: x / y, [3.75, -3.75, INF, -INF, -INF, NAN, NAN, NAN, INF, None, None, NAN, None]),
    "//": (lambda x, y: x // y, [3.0, -4.0, INF, -INF, -INF, NAN, NAN, NAN, INF, None, None, NAN, None]),
    "%": (lambda x, y: x % y, [1.5, 0.5, NAN, NAN, NAN, NAN, NAN, NAN, -INF, None, None, NAN, None]),
    "<": (
        lambda x, y: x < y,
        [False, True, False, True, False, False, False, False, False, None, None, False, None],
    ),
    "<=": (
        lambda x, y: x <= y,
        [False, True, False, True, False, True, False, False, False, None, None, True, None],
    ),
    ">": (
        lambda x, y: x > y,
        [True, False, True, False, True, False, False, False, True, None, None, False, None],
    ),
    ">=": (
        lambda x, y: x >= y,
        [True, False, True, False, True, True, False, False, True, None, None, True, None],
    ),
    "==": (lambda x, y: x == y, [False] * 5 + [True] + [False] * 3 + [None, None, True, None]),
    "!=": (lambda x, y: x != y, [True] * 5 + [False] + [True] * 3 + [None, None, False, None]),
    "minimum": (
        lambda x, y: tr.minimum(x, y),
        [2.0, -7.5, 0.0, -1.0, -0.0, 0.0, NAN, NAN, 1e-10, None, None, INF, None],
    ),
    "maximum": (
        lambda x, y: tr.maximum(x, y),
        [7.5, 2.0, 1.0, 0.0, 1.0, 0.0, NAN, NAN, 1e308, None, None, INF, None],
    ),
}


@pytest.mark.parametrize(("function", "expected"), FLOAT_CASES.values(), ids=FLOAT_CASES.keys())
def test_floats_follow_ieee_and_null_beats_nan(function, expected) -> None:
    same(two(function, "float float", *FLOATS), expected)


def test_a_division_by_a_constant_is_a_division() -> None:
    # Times the rounded reciprocal, which Polars would take, is another float for many of these.
    values = [i / 7 for i in range(1, 400)]
    same(one(lambda x: x / 10, "float", *values), [value / 10 for value in values])
    same(one(lambda x: x / 10, "float", values[4]), [values[4] / 10])
    same(one(lambda x: (x / -0.0).round(1), "float", 1.0), [-INF])


ROUNDING = {
    "halves go to even": (lambda x: x.round(), [0.5, 1.5, -2.5, -0.2, NAN, INF, None], [0.0, 2.0, -2.0, -0.0, NAN, INF, None]),
    "by scaling, not by decimals": (lambda x: x.round(2), [2.675, 0.125, 1e300, 4.5e15], [2.68, 0.12, 1e300, 4.5e15]),
    "floor": (lambda x: x.floor(), [1.5, -1.5, -0.0, 1e300, -INF, None], [1.0, -2.0, -0.0, 1e300, -INF, None]),
    "ceil": (lambda x: x.ceil(), [1.5, -1.5, -0.5, 1e300, NAN, None], [2.0, -1.0, -0.0, 1e300, NAN, None]),
    "clip": (lambda x: x.clip(0, 10), [-5.0, 5.0, 15.0, NAN, -0.0, None], [0.0, 5.0, 10.0, NAN, -0.0, None]),
    "clip one side": (lambda x: x.clip(upper=1.5), [-5.0, 5.0, NAN, None], [-5.0, 1.5, NAN, None]),
    "sqrt": (lambda x: x.sqrt(), [4.0, -4.0, -0.0, INF, None], [2.0, NAN, -0.0, INF, None]),
    "log": (lambda x: x.log(), [1.0, 0.0, -1.0, INF, NAN, None], [0.0, -INF, NAN, INF, NAN, None]),
    "log1p": (lambda x: x.log1p(), [0.0, -1.0, -2.0, INF, None], [0.0, -INF, NAN, INF, None]),
    "exp": (lambda x: x.exp(), [0.0, 1000.0, -1000.0, NAN, None], [1.0, INF, 0.0, NAN, None]),
    "sin": (lambda x: x.sin(), [0.0, 1.0, INF, None], [0.0, math.sin(1.0), NAN, None]),
    "cos": (lambda x: x.cos(), [0.0, 1.0, -INF, None], [1.0, math.cos(1.0), NAN, None]),
    "x ** 2": (lambda x: x**2, [1.1, -3.0, 1e200, NAN, None], [1.1 * 1.1, 9.0, INF, NAN, None]),
    "x ** -2": (lambda x: x**-2, [2.0, 0.0, None], [0.25, INF, None]),
    "x ** 0": (lambda x: x**0, [2.0, NAN, None], [1.0, 1.0, None]),
    "x ** 0.5": (lambda x: x**0.5, [2.0, -1.0, None], [math.sqrt(2.0), NAN, None]),
    "x ** 1.5": (lambda x: x**1.5, [2.0, -1.0, 0.0, 1e300, None], [math.pow(2.0, 1.5), NAN, 0.0, INF, None]),
    "x ** -1.5": (lambda x: x**-1.5, [0.0, 4.0, None], [INF, 0.125, None]),
    "is_in": (lambda x: x.is_in([0, 1.5]), [0.0, -0.0, 1.5, 2.0, NAN, None], [True, True, True, False, False, None]),
    "fill_null": (lambda x: x.fill_null(7), [1.0, NAN, None], [1.0, NAN, 7.0]),
    "is_null": (lambda x: x.is_null(), [1.0, NAN, None], [False, False, True]),
    "is_not_null": (lambda x: x.is_not_null(), [1.0, NAN, None], [True, True, False]),
    "to int": (
        lambda x: x.cast("int"),
        [1.9, -1.9, -0.0, NAN, INF, 2.0**63, -(2.0**63), None],
        [1, -1, 0, None, None, None, MIN, None],
    ),
    "to bool": (lambda x: x.cast("bool"), [0.0, -0.0, 0.1, NAN, None], [False, False, True, True, None]),
    "when": (
        lambda x: tr.when(x > 1).then(x).when(x < -1).then(-x).otherwise(0),
        [2.0, -3.0, 1.0, NAN, None],
        [2.0, 3.0, 0.0, 0.0, 0.0],
    ),
    "when, null inside": (lambda x: tr.when(x > 1).then(None).otherwise(x), [2.0, 1.0, None], [None, 1.0, None]),
}  # fmt: skip


@pytest.mark.parametrize(("function", "values", "expected"), ROUNDING.values(), ids=ROUNDING.keys())
def test_functions_of_one_float(function, values, expected) -> None:
    same(one(function, "float", *values), expected)


def test_adding_a_constant_zero_keeps_the_sign_that_ieee_gives() -> None:
    same(one(lambda x: x + 0.0, "float", -0.0, 0.0), [0.0, 0.0])
    same(one(lambda x: 0.0 - x, "float", -0.0, 0.0), [0.0, 0.0])


def test_a_column_of_one_repeated_value_gives_what_a_full_one_gives() -> None:
    program = compile_rows([trace(lambda x, y: (x - y) / y)], {"x": "float", "y": "int"})
    frame = pl.DataFrame({"x": [0.5, 17.6, 0.3]}).with_columns(y=pl.lit(7))
    assert frame.with_columns(program.expressions())["found"].to_list() == [
        (x - 7.0) / 7.0 for x in frame["x"].to_list()
    ]


def test_a_whole_power_of_an_integer_is_an_integer_that_wraps() -> None:
    same(one(lambda x: x**3, "int", 3, -3, 2**21, None), [27, -27, MIN, None])
    same(one(lambda x: x**2.0, "int", 3, None), [9.0, None])


def test_booleans_are_three_valued() -> None:
    table = [(a, b) for a in (True, False, None) for b in (True, False, None)]
    same(
        two(lambda x, y: x & y, "bool bool", *table),
        [True, False, None, False, False, False, None, False, None],
    )
    same(
        two(lambda x, y: x | y, "bool bool", *table), [True, True, True, True, False, None, True, None, None]
    )
    same(one(lambda x: ~x, "bool", True, False, None), [False, True, None])


def test_text() -> None:
    text = ["Straße ", "ΑΣ", "", None, "\t\xa0😀b\n"]
    same(one(lambda x: x.str.lower(), "string", *text), ["straße ", "ας", "", None, "\t\xa0😀b\n"])
    same(one(lambda x: x.str.upper(), "string", *text), ["STRASSE ", "ΑΣ", "", None, "\t\xa0😀B\n"])
    same(one(lambda x: x.str.strip(), "string", *text), ["Straße", "ΑΣ", "", None, "\xa0😀b"])
    same(one(lambda x: x.str.length(), "string", *text), [7, 2, 0, None, 5])
    same(one(lambda x: x.str.slice(1, 2), "string", *text), ["tr", "Σ", "", None, "\xa0😀"])
    same(one(lambda x: x.str.slice(-3), "string", *text), ["ße ", "ΑΣ", "", None, "😀b\n"])
    same(one(lambda x: x.str.slice(-6, 2), "string", *text), ["tr", "", "", None, "\t"])
    same(one(lambda x: x.str.starts_with("S"), "string", *text), [True, False, False, None, False])
    same(one(lambda x: x.str.ends_with(" "), "string", *text), [True, False, False, None, False])
    same(one(lambda x: x.str.contains("."), "string", "a.b", "ab", None), [True, False, None])
    same(two(lambda x, y: x + "-" + y, "string string", ("a", "b"), ("a", None)), ["a-b", None])
    same(
        two(lambda x, y: x < y, "string string", ("Z", "a"), ("é", "z"), ("\uffff", "😀"), ("a", None)),
        [True, False, True, None],
    )


def test_letters_differ_in_case_only_where_python_does_not_know_them_yet() -> None:
    import sys
    import unicodedata

    letters = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c <= 0xDFFF]
    frame = pl.DataFrame({"x": letters, "python": [letter.lower() + letter.upper() for letter in letters]})
    program = compile_rows([trace(lambda x: x.str.lower() + x.str.upper())], {"x": "string"})
    different = frame.with_columns(program.expressions()).filter(pl.col("found") != pl.col("python"))
    for mapped in different["found"]:
        assert any(unicodedata.category(letter) == "Cn" for letter in mapped)


def test_text_is_a_number_only_when_all_of_it_is() -> None:
    text = [
        "12",
        "+3",
        "-0",
        "1.5",
        ".5",
        "1.",
        "1e3",
        "1e999",
        " 1",
        "1_0",
        "inf",
        "nan",
        "0x1",
        "\uff11",
        "",
        "1\n",
        None,
    ]
    floats = [12.0, 3.0, -0.0, 1.5, 0.5, 1.0, 1000.0, INF] + [None] * 9
    same(one(lambda x: x.cast("float"), "string", *text), floats)
    same(one(lambda x: x.cast("int"), "string", *text), [12, 3, 0] + [None] * 14)
    edges = [str(MAX), str(MAX + 1), str(MIN), str(MIN - 1), "0" * 30 + "7", "9" * 30]
    same(one(lambda x: x.cast("int"), "string", *edges), [MAX, None, MIN, None, 7, None])
    same(
        one(lambda x: x.cast("bool"), "string", "true", "false", "True", "1", None),
        [True, False, None, None, None],
    )


def test_casts_between_the_other_types() -> None:
    same(one(lambda x: x.cast("string"), "int", 12, MIN, None), ["12", str(MIN), None])
    same(one(lambda x: x.cast("string"), "bool", True, False, None), ["true", "false", None])
    same(one(lambda x: x.cast("int"), "bool", True, False, None), [1, 0, None])
    same(one(lambda x: x.cast("float"), "bool", True, False, None), [1.0, 0.0, None])
    same(one(lambda x: x.cast("bool"), "int", 2, 0, None), [True, False, None])
    same(one(lambda x: x.cast("float"), "int", 2**53 + 1, None), [2.0**53, None])
    same(one(lambda x: x.cast("int"), "time", -1, None), [-1, None])


def test_lookup() -> None:
    same(
        one(lambda x: x.lookup({"a": 1, "b": 2.5}, default=0), "string", "a", "b", "z", None),
        [1.0, 2.5, 0.0, None],
    )
    same(one(lambda x: x.lookup({1: "one"}), "int", 1, 2, None), ["one", None, None])
    same(one(lambda x: x.lookup({True: 5}, default=6) + 1, "bool", True, False, None), [6, 7, None])


def test_cyclic_puts_the_ends_of_a_period_side_by_side() -> None:
    angle = 2 * math.pi / 24
    same(one(lambda x: tr.cyclic(x, 24)[0], "int", 0, 5, None), [0.0, math.sin(5 * angle), None])
    same(one(lambda x: tr.cyclic(x, 24)[1], "int", 0, 5, None), [1.0, math.cos(5 * angle), None])


def test_instants_and_durations() -> None:
    hour, day = 3_600_000_000, 86_400_000_000
    same(two(lambda x, y: x - y, "time time", (day, hour), (MIN, 1), (None, 1)), [day - hour, MAX, None])
    same(two(lambda x, y: x + y, "time duration", (5, -7), (MAX, 1), (1, None)), [-2, MIN, None])
    same(two(lambda x, y: x * y, "duration int", (hour, 3), (hour, None)), [3 * hour, None])
    same(one(lambda x: x.dt.offset_by("-1d2h"), "time", day, None), [-2 * hour, None])
    same(
        one(lambda x: x + timedelta(hours=1) > datetime(1970, 1, 1, 1, tzinfo=UTC), "time", 0, 1, None),
        [False, True, None],
    )
    spans = [day - 1, day, -day, -day + 1, 90_000_000, -90_000_000, 0, MIN, None]
    same(one(lambda x: x.dt.total_days(), "duration", *spans), [0, 1, -1, 0, 0, 0, 0, -106_751_991, None])
    same(one(lambda x: x.dt.total_minutes(), "duration", *spans[4:7]), [1, -1, 0])
    same(one(lambda x: x.dt.total_hours(), "duration", *spans[:4]), [23, 24, -24, -23])
    same(one(lambda x: x.dt.total_seconds(), "duration", 1_999_999, -1_999_999), [1, -1])
