"""Compiled programs: names, order, types, sharing, and all faults at once."""

import polars as pl
import pytest

import treadle as tr
from treadle.stages.features.rows.program import compile_rows


@tr.row_feature
def minutes(sched_dep, sched_arr):
    return (sched_arr - sched_dep).dt.total_minutes()


@tr.row_feature
def hours(minutes):
    return minutes / 60


@tr.row_feature
def long(hours, limit):
    return hours > limit


TYPES = {"limit": "float", "unread": "string", "sched_arr": "time", "sched_dep": "time"}


def test_inputs_are_those_read_in_the_order_of_the_types_and_outputs_in_the_order_given() -> None:
    program = compile_rows([long, minutes, hours], TYPES)
    assert program.inputs == ("limit", "sched_arr", "sched_dep")
    assert program.outputs == ("long", "minutes", "hours")
    assert program.types == {"long": "bool", "minutes": "int", "hours": "float"}
    assert program.row(1.0, 5_400_000_000, 0) == (True, 90, 1.5)
    assert program.row(1.0, None, 0) == (None, None, None)


def test_expressions_read_inputs_alone_and_are_named_like_the_features() -> None:
    program = compile_rows([long, minutes, hours], TYPES)
    frame = pl.DataFrame({"limit": [1], "sched_arr": [5_400_000_000], "sched_dep": [0]}).with_columns(
        pl.col("sched_arr", "sched_dep").cast(pl.Datetime("us", "UTC"))
    )
    found = frame.with_columns(program.expressions()).select(program.outputs)
    assert found.rows() == [(True, 90, 1.5)]
    assert frame.lazy().with_columns(program.expressions()).collect().select(program.outputs).equals(found)


def test_narrow_columns_are_read_as_their_declared_types() -> None:
    @tr.row_feature
    def double(x):
        return x * 2

    frame = pl.DataFrame({"x": [100]}, schema={"x": pl.Int8})
    assert frame.with_columns(compile_rows([double], {"x": "int"}).expressions())["double"].to_list() == [200]


def test_a_part_used_by_several_features_is_computed_once() -> None:
    @tr.row_feature
    def hour(at):
        return at.dt.convert_time_zone("America/New_York").dt.hour()

    @tr.row_feature
    def day(at):
        return at.dt.convert_time_zone("America/New_York").dt.weekday()

    assert compile_rows([hour, day], {"at": "time"}).source.count("bisect_right") == 1


def test_every_fault_of_every_feature_is_listed_with_its_expression_and_place() -> None:
    @tr.row_feature
    def wrong(name, at):
        return (name + 1) == at.dt.total_hours()

    @tr.row_feature
    def lost(nowhere):
        return nowhere + 1

    @tr.row_feature
    def mixed(at, name):
        return tr.when(name == "a").then(at).otherwise(at.dt.convert_time_zone("America/New_York"))

    @tr.row_feature
    def vague(flag):
        return tr.when(flag).then(None).otherwise(None)

    @tr.row_feature
    def logic(count, flag):
        return (count & flag) | (flag > False)

    with pytest.raises(tr.InvalidInput) as caught:
        compile_rows(
            [wrong, lost, mixed, vague, logic],
            {"name": "string", "at": "time", "flag": "bool", "count": "int", "x": "decimal"},
        )
    faults = "\n".join(caught.value.faults)
    assert "input 'x' has type 'decimal'" in faults
    assert "`name + 1` joins string and int" in faults
    assert "`at.dt.total_hours()` needs duration, got time" in faults
    assert "'lost' reads 'nowhere', which is neither an input nor a feature" in faults
    assert "mixes instants read in America/New_York and UTC" in faults
    assert "'vague' is always null" in faults
    assert "`count & flag` needs bool, got int" in faults
    assert "orders booleans" in faults
    assert len(caught.value.faults) == 8
    assert __file__ in faults


MISFITS = {
    "bool in arithmetic": (lambda b, i: b + i, 'x.cast("int")'),
    "string in arithmetic": (lambda s, i: s * i, 'x.cast("float")'),
    "duration as a number": (lambda t, i: (t - t) / i, "total_minutes"),
    "instants added": (lambda t, i: t + t + i, "adds two instants"),
    "float to text": (lambda f, i: f.cast("string") + i.cast("string"), "no one text"),
    "parts of a duration": (lambda t, i: (t - t).dt.hour() + i, "totals"),
    "comparison": (lambda s, i: s == i, "compares string and int"),
    "lookup": (lambda s, i: s.lookup({1: 2}) + i, "looks up string among keys of type int"),
    "is_in": (lambda s, i: s.is_in([1]) & (i > 0), "looks for int in string"),
    "branches": (lambda s, i: tr.when(i > 0).then(s).otherwise(i), "mixes string and int"),
    "text of a number": (lambda i: i.str.lower(), 'x.cast("string")'),
}


@pytest.mark.parametrize(("function", "hint"), MISFITS.values(), ids=MISFITS.keys())
def test_types_that_dont_fit_are_refused_with_a_hint(function, hint: str) -> None:
    types = {"b": "bool", "i": "int", "s": "string", "f": "float", "t": "time"}
    function.__name__ = "found"
    with pytest.raises(tr.InvalidInput) as caught:
        compile_rows([tr.row_feature(function)], types)
    assert any(hint in fault for fault in caught.value.faults), caught.value.faults


def test_features_that_read_each_other_in_a_circle_are_refused() -> None:
    @tr.row_feature
    def a(b):
        return b + 1

    @tr.row_feature
    def b(c):
        return c + 1

    @tr.row_feature
    def c(a):
        return a + 1

    with pytest.raises(tr.InvalidInput) as caught:
        compile_rows([a, b, c], {})
    assert caught.value.faults == ("row features read each other in a circle: a → b → c → a",)


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(tr.InvalidInput) as caught:
        compile_rows([minutes, minutes], {**TYPES, "minutes": "int"})
    assert "the name 'minutes' stands twice" in caught.value.faults


def test_an_expression_too_large_for_polars_is_refused_and_still_runs_row_by_row() -> None:
    def step(i: int):
        name = f"f{i - 1}" if i else "x"
        return tr.row_feature(name=f"f{i}")(eval(f"lambda {name}: {name}.round(1) + {name}"))

    program = compile_rows([step(i) for i in range(40)], {"x": "float"})
    assert program.row(0.0)[-1] == 0.0
    with pytest.raises(tr.InvalidInput, match="too large"):
        program.expressions()


def test_generated_code_reaches_only_its_helpers() -> None:
    program = compile_rows([minutes], TYPES)
    reachable = program.row.__globals__
    assert reachable["__builtins__"] == {}
    assert not {"open", "eval", "exec", "__import__"} & set(reachable)
