"""The law that makes validation cheap: what a profile says of a rule is what the rows say, while it counted exactly."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.records.anomalies import Nature
from treadle.records.schemas import ColumnSchema, DatasetSchema, RowsSchema
from treadle.stages.validation.profile.builder import profile_frame
from treadle.stages.validation.schema.validate import validate, validate_rows

small = st.integers(-3, 9)
maybe = st.none() | small
shares = st.none() | st.sampled_from([0.5, 0.8, 1.0])
mostly = st.dictionaries(
    st.sampled_from(["all", "min", "max", "values", "pattern"]), st.sampled_from([0.5, 0.9]), max_size=1
)
presence = {"min_fraction": shares, "min_count": st.none() | st.integers(0, 9), "mostly": mostly}
distinct = {"min_distinct": st.none() | st.integers(0, 4), "max_distinct": st.none() | st.integers(0, 4)}
NUMBERS = {"min": maybe, "max": maybe, **presence, **distinct}

COLUMNS = st.fixed_dictionaries(
    {
        "int": st.builds(
            ColumnSchema, type=st.just("int"), values=st.none() | st.lists(small, min_size=1).map(tuple), **NUMBERS
        ),
        "float": st.builds(ColumnSchema, type=st.just("float"), nan=st.booleans(), infinite=st.booleans(), **NUMBERS),
        "text": st.builds(
            ColumnSchema, type=st.just("string"), values=st.none() | st.just(("a", "bb")), min_length=maybe,
            max_length=maybe, pattern=st.none() | st.just("a+|b."), **presence, **distinct,
        ),
        "truth": st.builds(ColumnSchema, type=st.just("bool"), values=st.none() | st.just((True,)), **presence),
        "number_or_text": st.builds(ColumnSchema, type=st.sampled_from(["int", "float", "bool"]), as_text=st.booleans()),
    }
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.none() | small,
        st.none() | st.sampled_from([0.0, -0.0, 1.5, -2.0, 9.0, float("nan"), float("inf"), float("-inf")]),
        st.none() | st.sampled_from(["", "a", "aa", "bb", "ä", "b\n"]),
        st.none() | st.booleans(),
        st.none() | st.sampled_from(["1", "0", "true", "2.5", "x", "-3"]),
    ),
    max_size=25,
)
TYPES = {
    "int": pl.Int64,
    "float": pl.Float64,
    "text": pl.String,
    "truth": pl.Boolean,
    "number_or_text": pl.String,
}


@settings(max_examples=120, deadline=None)
@given(COLUMNS, ROWS)
def test_a_profile_and_the_rows_agree(columns, values):
    rows = pl.DataFrame(values, schema=TYPES, orient="row")
    schema = DatasetSchema(name="d", rows=RowsSchema(min=3, max=20), columns=columns)
    by_profile = validate(profile_frame(rows, "d"), schema)
    by_rows = validate_rows(rows, schema)
    unknown = {(one.where, one.rule) for one in by_profile.anomalies if one.nature is Nature.UNKNOWN}

    def told(validation):
        return {
            (one.kind, one.where, one.count, one.of)
            for one in validation.anomalies
            if (one.where, one.rule) not in unknown and one.nature is not Nature.UNKNOWN
        }

    assert told(by_profile) == told(by_rows)
    assert all(one.exact for one in by_rows.anomalies)
