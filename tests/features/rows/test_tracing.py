"""What can't be traced is refused with file, line, form and the nearest supported form."""
# ruff: noqa: PLW0108, C416 - a lambda is what is traced here: its body is the form under test

import inspect
import math
from typing import Any

import numpy as np
import pytest

import treadle as tr

HERE = __file__


def refused(function) -> tr.InvalidInput:
    function.__name__ = "found" if function.__name__ == "<lambda>" else function.__name__
    with pytest.raises(tr.InvalidInput) as caught:
        tr.row_feature(function)
    return caught.value


def branching(x):
    if x > 3:
        return x
    return 1


def looping(x):
    total = 0
    for value in x:
        total = total + value
    return total


def waiting(x):
    while x < 3:
        x = x + 1
    return x


FORMS = {
    "if": (branching, "an `if` statement", "tr.when(condition).then(a).otherwise(b)"),
    "if expression": (lambda x: 1 if x else 2, "`a if condition else b`", "tr.when"),
    "if expression with a comparison": (lambda x: 1 if x > 2 else 2, "`a if condition else b`", "tr.when"),
    "for": (looping, "a loop over a column", "window views"),
    "while": (waiting, "a `while` loop", "no loops"),
    "and": (lambda x: (x > 1) and (x < 3), "`and`/`or`", "& or |"),
    "or": (lambda x: (x > 1) or (x < 3), "`and`/`or`", "& or |"),
    "not": (lambda x: not x, "`not`", "~"),
    "chained comparison": (lambda x: 1 < x < 3, "a chained comparison", "(low <= x) & (x <= high)"),
    "in a list": (lambda x: x in [1, 2], "`in`", ".is_in([...])"),
    "in a column": (lambda x: "a" in x, "`in`", '.str.contains("...")'),
    "min": (lambda x: min(x, 3), "`min(x, 3)`", "tr.minimum(a, b)"),
    "max": (lambda x: max(3, x), "`max(3, x)`", "tr.maximum(a, b)"),
    "len": (lambda x: len(x), "`len(x)`", "x.str.length()"),
    "int": (lambda x: int(x), "`int(x)`", 'x.cast("int")'),
    "float": (lambda x: float(x), "`float(x)`", 'x.cast("float")'),
    "str": (lambda x: str(x), "`str(x)`", 'x.cast("string")'),
    "round": (lambda x: round(x, 1), "`round(x, 1)`", "x.round(n)"),
    "math.floor": (lambda x: math.floor(x), "`math.floor(x)`", "x.floor()"),
    "math.log": (lambda x: math.log(x) + 1, "`math.log(x)`", "x.log()"),
    "numpy": (lambda x: np.sin(x), "`np.sin(x)`", "x.sin()"),
    "numpy on the left": (lambda x: np.float64(2) * x, "numpy's `multiply`", "operators and methods"),
    "divmod": (lambda x: divmod(x, 2)[0], "`divmod(...)`", "x // y and x % y"),
    "dict": (lambda x: {1: 2}[x], "a key of a dict", "x.lookup({...}"),
    "range": (lambda x: [i for i in range(x)], "a plain integer", "no loops"),
}  # fmt: skip


@pytest.mark.parametrize(("function", "form", "fix"), FORMS.values(), ids=FORMS.keys())
def test_python_that_needs_a_value_is_refused_naming_form_and_fix(function, form: str, fix: str) -> None:
    error = refused(function)
    assert form in error.what
    assert "cannot be traced" in error.what
    assert fix in (error.fix or "")
    assert f"{HERE}:" in (error.where or "")


def test_an_assert_is_refused(tmp_path) -> None:
    # In a file of its own: pytest rewrites the asserts of this one.
    source = tmp_path / "features.py"
    source.write_text("def found(x):\n    assert x > 0\n    return x\n")
    names: dict[str, object] = {}
    exec(compile(source.read_text(), str(source), "exec"), names)
    error = refused(names["found"])
    assert "an `assert` cannot be traced" in error.what
    assert error.where == f"{source}:2, in found"


def test_the_line_is_that_of_the_offending_statement() -> None:
    line = inspect.getsourcelines(branching)[1] + 1
    assert refused(branching).where == f"{HERE}:{line}, in branching"


FLAG: Any = True  # what a person may pass where a column belongs

MISUSES = {
    "f-string": (lambda x: f"{x}-1", "f-string", '+ "-" +'),
    "index": (lambda x: x[0], "indexed", "x.str.slice"),
    "call": (lambda x: x(), "called", "parentheses"),
    "typo": (lambda x: x.dt.huor(), "no `.huor`", "x.dt.hour(...)"),
    "typo without a neighbour": (lambda x: x.qqqqq(), "no `.qqqqq`", "methods are"),
    "pandas": (lambda x: x.fillna(0), "no `.fillna`", "x.fill_null(value)"),
    "apply": (lambda x: x.apply(len), "no `.apply`", "one expression"),
    "other rows": (lambda x: x.shift(1), "no `.shift`", "window view"),
    "namespace forgotten": (lambda x: x.hour(), "no `.hour`", "x.dt.hour(...)"),
    "cast": (lambda x: x.cast("float32"), "casts go to", None),
    "zone": (lambda x: x.dt.convert_time_zone("America/NewYork"), "did you mean 'America/New_York'", None),
    "month": (lambda x: x.dt.offset_by("1mo"), "'1mo' is not a duration", "months have no fixed length"),
    "whole exponent": (lambda x: x**40, "between -16 and 16", None),
    "exponent": (lambda x, y: x**y, "constant", "(y * x.log()).exp()"),
    "base": (lambda x: 2**x, "constant", "math.log(base)"),
    "None as an operand": (lambda x: x + None, "None in `a + b`", "x.fill_null(value)"),
    "places": (lambda x: x.round(-1), "between 0 and 15", None),
    "empty list": (lambda x: x.is_in([]), "never be true", None),
    "text as a list": (lambda x: x.is_in("AA"), "list of constants", None),
    "empty table": (lambda x: x.lookup({}), "at least one entry", None),
    "table of two types": (lambda x: x.lookup({"a": 1, 2: 3}), "all text, all integers or all booleans", None),
    "crossed bounds": (lambda x: x.clip(3, 1), "no values between", "smaller, larger"),
    "condition of a constant": (lambda x: tr.when(FLAG).then(x).otherwise(0), "not a column", "compare a parameter"),
    "constants only": (lambda x: tr.minimum(1, 2) + x, "every argument is a constant", None),
    "huge integer": (lambda x: x + 2**64, "64 bits", "float"),
    "a list as a constant": (lambda x: x - [1], "a list cannot be a constant", "numbers"),
    "unfinished condition inside": (lambda x: x + tr.when(x > 1).then(2), "tr.when without its end", ".otherwise"),
    "period": (lambda x: tr.cyclic(x, 0)[0], "positive", None),
}  # fmt: skip


@pytest.mark.parametrize(("function", "what", "fix"), MISUSES.values(), ids=MISUSES.keys())
def test_misuse_is_refused_in_words(function, what: str, fix: str | None) -> None:
    error = refused(function)
    assert what in error.what
    assert fix is None or fix in (error.fix or "")
    assert f"{HERE}:" in (error.where or "")


RESULTS = {
    "nothing": (lambda x: None, "returns nothing"),
    "a constant": (lambda x: 3, "returns a int"),
    "several": (lambda x: tr.cyclic(x, 24), "returns several values"),
    "unfinished": (lambda x: tr.when(x > 1).then(2), "returns a tr.when without its end"),
}


@pytest.mark.parametrize(("function", "what"), RESULTS.values(), ids=RESULTS.keys())
def test_a_result_that_is_no_column_is_refused(function, what: str) -> None:
    assert what in refused(function).what


def test_the_function_is_named_and_all_faults_of_its_signature_are_listed() -> None:
    def Bad(x, *more, y=1):
        return x

    error = refused(Bad)
    assert len(error.faults) == 3
    assert "lower-case" in error.faults[0]
    assert "parameter *more" in error.faults[1]
    assert "parameter y=1" in error.faults[2]


def test_unused_parameters_missing_ones_and_self_reference_are_refused() -> None:
    def unused(x, y):
        return x + 1

    def alone():
        return 1

    def mirror(mirror):
        return mirror + 1

    assert "parameter 'y' is not used" in refused(unused).faults[0]
    assert "no parameters" in refused(alone).faults[0]
    assert "reads itself" in refused(mirror).faults[0]


def test_a_failure_while_tracing_names_its_line_and_a_forgotten_pair_of_parentheses() -> None:
    def age(at, year):
        return at.dt.year - year

    error = refused(age)
    assert "parentheses" in (error.fix or "")
    assert f"{HERE}:{inspect.getsourcelines(age)[1] + 1}, in age" == error.where


def test_endless_doubling_is_refused_before_it_costs_anything() -> None:
    def doubled(x):
        for _ in range(60):
            x = x + x
        return x

    assert "nodes" in refused(doubled).what


def test_a_traced_feature_knows_name_inputs_words_and_place() -> None:
    @tr.row_feature(owner="ops", tags=["time"])
    def planned(sched_dep, sched_arr):
        """Minutes in the plan."""
        return (sched_arr - sched_dep).dt.total_minutes()

    assert (planned.name, planned.inputs) == ("planned", ("sched_dep", "sched_arr"))
    assert (planned.owner, planned.tags, planned.description) == ("ops", ("time",), "Minutes in the plan.")
    assert f"{HERE}:" in planned.where


def test_equal_functions_have_equal_digests_and_json_and_others_not() -> None:
    @tr.row_feature(name="hour")
    def first(at):
        return at.dt.hour() * 2

    @tr.row_feature(name="hour")
    def second(at):
        twice = 2
        return at.dt.hour() * twice

    @tr.row_feature(name="hour")
    def third(at):
        return at.dt.hour() * 2.0

    assert first == second
    assert first.as_json() == second.as_json()
    assert first.digest == second.digest != third.digest


def test_a_feature_survives_json_and_the_reader_takes_only_the_closed_set() -> None:
    from treadle.define.row_features import RowFeature

    @tr.row_feature
    def late(x):
        return tr.when(x.is_in([1, 2])).then(math.inf).otherwise(x.lookup({3: -0.0}))

    stored = late.as_json()
    assert RowFeature.from_json(stored) == late
    for broken in [
        {"call": "system", "arguments": [{"field": "x"}]},
        {"call": "add", "arguments": [{"field": "x"}]},
        {"call": "cast", "arguments": [{"field": "x"}, {"string": "object"}]},
        {"call": "convert_time_zone", "arguments": [{"field": "x"}, {"string": "../../etc/passwd"}]},
        {"code": "1"}, {"int": "1"}, {"int": 2**64}, {"field": 3}, 5, None,
    ]:  # fmt: skip
        with pytest.raises(tr.InvalidInput):
            RowFeature.from_json({**stored, "expression": broken})
    deep: object = {"field": "x"}
    for _ in range(5_000):
        deep = {"call": "neg", "arguments": [deep]}
    with pytest.raises(tr.InvalidInput, match="deep"):
        RowFeature.from_json({**stored, "expression": deep})
    with pytest.raises(tr.InvalidInput, match="inputs"):
        RowFeature.from_json({**stored, "inputs": ["y"]})
