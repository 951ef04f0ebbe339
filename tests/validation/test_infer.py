"""Schemas inferred from profiles: they hold for what they were made of, with room, and not for what is off."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.schema_reader import parse_schema
from treadle.define.schema_writer import schema_text
from treadle.records.schemas import ColumnSchema, KeySchema, TimeSchema
from treadle.stages.validation.profile.builder import profile_frame
from treadle.stages.validation.schema.infer import infer_schema
from treadle.stages.validation.schema.validate import validate, validate_rows

cells = [
    (pl.Float64, st.floats(width=32)),
    (pl.Float64, st.floats(-1e9, 1e9)),
    (pl.Int64, st.integers(-(2**60), 2**60)),
    (pl.String, st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(["a", "b"])),
    (pl.Boolean, st.booleans()),
    (pl.Datetime("us", "UTC"), st.datetimes().map(lambda at: at.replace(microsecond=0))),
    (pl.Null, st.none()),
]


@st.composite
def frames(draw):
    height = draw(st.integers(0, 40))
    names = draw(
        st.lists(
            st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), min_size=1, max_size=4, unique=True
        )
    )
    frame = {}
    for name in names:
        dtype, values_of = draw(st.sampled_from(cells))
        values = draw(st.lists(st.none() | values_of, min_size=height, max_size=height))
        zone = isinstance(dtype, pl.Datetime)
        series = pl.Series(values, dtype=pl.Datetime("us") if zone else dtype, strict=False)
        frame[name] = series.dt.replace_time_zone("UTC") if zone else series
    return pl.DataFrame(frame)


@settings(max_examples=80, deadline=None)
@given(frames())
def test_data_keep_the_schema_inferred_from_them(rows):
    profile = profile_frame(rows, "data")
    schema = infer_schema(profile)
    assert not validate(profile, schema).anomalies
    assert not validate_rows(rows, schema).anomalies
    assert parse_schema(schema_text(schema)).schema == schema


def test_what_is_inferred_has_room():
    rows = pl.DataFrame(
        {
            "delay": [float(i - 20) for i in range(100)],
            "distance": [80 + 10 * i for i in range(100)],
            "carrier": ["AA", "UA"] * 50,
            "tail": [f"N{i:04}" for i in range(100)],
            "note": [None] * 40 + ["x"] * 60,
            "at": pl.datetime_range(
                pl.datetime(2013, 1, 2), pl.datetime(2013, 1, 2, 1, 39), "1m", time_zone="UTC", eager=True
            ),
            "coming": pl.Series([None] * 100, dtype=pl.Null),
        }
    )
    schema = infer_schema(profile_frame(rows, "flights"), keys=[["tail"]], event_time="at")
    assert schema.columns == {
        "delay": ColumnSchema(
            type="float", min_fraction=1.0, min=-120.0, max=180.0, nan=False, infinite=False
        ),
        "distance": ColumnSchema(type="int", min_fraction=1.0, min=0, max=2100),
        "carrier": ColumnSchema(type="string", min_fraction=1.0, values=("AA", "UA"), min_domain_mass=0.99),
        "tail": ColumnSchema(type="string", min_fraction=1.0, min_length=1, max_length=10),
        "note": ColumnSchema(type="string", min_fraction=0.053, values=("x",), min_domain_mass=0.99),
        "at": ColumnSchema(type="time", min_fraction=1.0, min=1_356_998_400_000_000),
        "coming": ColumnSchema(type="string", lifecycle="planned"),
    }
    assert schema.keys == (KeySchema(columns=("tail",)),)
    assert schema.time == TimeSchema(column="at")
    later = rows.with_columns(pl.col("delay") * 1.5, pl.col("distance") + 500)
    assert not validate_rows(later, schema).anomalies
    broken = rows.with_columns(pl.col("delay") * 60, carrier=pl.lit("ZZ"))
    assert [one.kind for one in validate_rows(broken, schema).anomalies] == [
        "below_min",
        "above_max",
        "value_unexpected",
    ]


def test_a_number_that_identifies_rows_has_no_bounds():
    rows = pl.DataFrame({"order": range(100), "price": range(100)})
    columns = infer_schema(profile_frame(rows, "orders"), keys=[["order"]]).columns
    assert (columns["order"].min, columns["order"].max) == (None, None)
    assert columns["price"].max == 200
