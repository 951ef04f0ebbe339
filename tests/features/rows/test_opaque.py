"""Opaque features: any Python of one row, held to its type, and never taken for portable."""

import inspect
from datetime import timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.features.rows.agreement import bits, by_rows, integers_of, relation_of
from tests.features.rows.trees import INPUTS, rows
from treadle.define.describe import definition_digest
from treadle.define.expressions import text
from treadle.define.row_features import RowFeature
from treadle.stages.features.rows.frame import DTYPES
from treadle.stages.features.rows.program import compile_rows

HERE = __file__


@tr.opaque_feature(returns="int")
def vowels(s1):
    """How many vowels."""
    return None if s1 is None else sum(letter in "aeiou" for letter in s1)


@tr.opaque_feature(returns="time")
def monday(t1, d1):
    if t1 is None or d1 is None:
        return None
    back = t1 - timedelta(days=t1.weekday())
    return back if back.year > 2 else None


@tr.opaque_feature(returns="float")
def swinging(f1, i1):
    return f1 if i1 is None else i1


@tr.row_feature
def doubled(vowels):
    return vowels * 2 + 1


FEATURES = [vowels, monday, swinging, doubled]


@settings(max_examples=40, deadline=None)
@given(rows(4))
def test_frames_and_rows_give_the_same(values: list[dict[str, object]]) -> None:
    program = compile_rows(FEATURES, INPUTS)
    frame = integers_of(values).with_columns(pl.col(name).cast(DTYPES[kind]) for name, kind in INPUTS.items())
    found = frame.with_columns(program.expressions()).select(program.outputs)
    assert found.schema == {
        "vowels": pl.Int64,
        "monday": DTYPES["time"],
        "swinging": pl.Float64,
        "doubled": pl.Int64,
    }
    held = found.with_columns(pl.col("monday").cast(pl.Int64)).rows()
    assert [[bits(v) for v in row] for row in held] == [
        [bits(v) for v in row] for row in by_rows(program, values)
    ]


def test_the_function_sees_plain_values() -> None:
    seen = []

    @tr.opaque_feature(returns="bool")
    def looked(t1, d1, s1, f1):
        seen.append((t1, d1, s1, f1))

    program = compile_rows([looked], INPUTS)
    values = {"t1": 1_772_953_200_000_000, "d1": 60_000_000, "s1": "x", "f1": None}
    assert program.row(*(values[name] for name in program.inputs)) == (None,)
    ((at, span, word, number),) = seen
    assert at.isoformat() == "2026-03-08T07:00:00+00:00"
    assert (span, word, number) == (timedelta(minutes=1), "x", None)


def failing(i1):
    inner = i1 + 1
    return 1 / (inner - 1)


def test_an_exception_names_the_function_its_line_and_its_values() -> None:
    feature = tr.opaque_feature(returns="float")(failing)
    place = f"{HERE}:{inspect.getsourcelines(failing)[1] + 2}, in failing"
    row = compile_rows([feature], INPUTS).row
    with pytest.raises(tr.InvalidInput, match="'failing' failed: ZeroDivisionError") as caught:
        row(0)
    assert caught.value.where == place
    assert "given 0" in (caught.value.fix or "")
    # Polars hands the error on as text.
    frame = pl.DataFrame({"i1": [2, 0]})
    with pytest.raises(tr.InvalidInput, match="'failing' failed: ZeroDivisionError") as caught:
        tr.compute(feature, frame)
    assert place in str(caught.value)


WRONG = {
    "float": ("x", True, 1j),
    "int": (1.0, True, 2**63),
    "string": (b"x", 1, "\ud800"),
    "bool": (1, "true"),
    "time": (0, "2026-01-01T00:00:00Z", timedelta(1)),
    "duration": (0, "1d"),
}


@pytest.mark.parametrize(("kind", "result"), [(kind, one) for kind, held in WRONG.items() for one in held])
def test_a_result_of_another_type_is_refused_with_the_place_of_the_function(
    kind: str, result: object
) -> None:
    @tr.opaque_feature(returns=kind)
    def wrong(i1):
        return result

    with pytest.raises(tr.InvalidInput, match="'wrong' returned") as caught:
        compile_rows([wrong], INPUTS).row(1)
    assert f"it returns {kind}" in caught.value.what
    assert (caught.value.where or "").startswith(f"{HERE}:")


def test_engines_without_python_refuse_the_feature_and_what_reads_it() -> None:
    with duckdb.connect() as connection:
        relation = relation_of(connection, pl.DataFrame({"s1": ["a"]}))
        with pytest.raises(tr.InvalidInput, match="opaque features cannot be computed by duckdb") as caught:
            tr.compute([vowels, doubled], relation)
    assert caught.value.faults == (
        "row feature 'vowels' calls the opaque feature 'vowels'",
        "row feature 'doubled' calls the opaque feature 'vowels'",
    )


def test_only_opaque_features_are_not_portable() -> None:
    assert [feature.portable for feature in FEATURES] == [False, False, False, True]
    assert text(vowels.expression) == "vowels(s1)"
    assert vowels.description == "How many vowels."


def test_the_digest_follows_the_code_and_not_its_words() -> None:
    def made(source):
        return tr.opaque_feature(returns="float", name="same")(source)

    def first(x):
        """One."""
        return x + 1.0

    def again(x):
        """Other words."""
        return x + 1.0

    def other(x):
        return x + 2.0

    again.__name__ = "first"
    a, c = made(first), made(other)
    assert a.digest != c.digest
    assert definition_digest(a) != definition_digest(c)
    assert a == made(first)
    assert a.digest == made(first).digest


def test_an_opaque_feature_has_json_but_is_never_made_from_it() -> None:
    stored = vowels.as_json()
    assert "function" not in repr(stored)
    with pytest.raises(tr.InvalidInput):
        RowFeature.from_json(stored)


@given(st.sampled_from(["decimal", "", "Float"]))
def test_a_type_that_is_none_and_parameters_that_are_not_plain_are_listed_together(kind: str) -> None:
    def broken(x, *more):
        return x

    with pytest.raises(tr.InvalidInput) as caught:
        tr.opaque_feature(returns=kind)(broken)
    assert len(caught.value.faults) == 2
    assert "parameter *more" in caught.value.faults[0]


def test_a_filter_of_a_window_cannot_be_opaque() -> None:
    @tr.opaque_feature(returns="bool")
    def odd(x):
        return x % 2 == 1

    with pytest.raises(tr.InvalidInput, match="opaque") as caught:
        tr.count(over="1h", where=odd)
    assert "tr.row_feature" in (caught.value.fix or "")
