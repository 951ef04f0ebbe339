"""Random streams of rows with ties, lateness, deletions and holes, and the views that look at them."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import strategies as st

import treadle as tr
from treadle.stages.data.canonical import add_canonical
from treadle.stages.features.offline import OfflineFeatures

T0 = 1_000
pair = tr.Entity("pair", keys=["a", "b"])
known_pair = tr.Entity("known_pair", keys=["a", "b"], must_exist=True)
facts = tr.Source.parquet(
    "facts",
    path="facts.parquet",
    columns={
        "a": "string", "b": "string", "v": "float", "flag": "bool",
        "t": "time", "seen": "time", "made": "time", "gone": "bool",
    },
    event_time="t", known_at="seen", created_time="made", tombstone="gone", known_after=1,
)  # fmt: skip
names = tr.Source.parquet("names", path="names.parquet", columns={"a": "string", "size": "int"}, unique=["a"])
latest = tr.FeatureView("latest", entity=pair, source=facts, features=["v", "flag"], ttl=7)
lasting = tr.FeatureView("lasting", entity=pair, source=facts, features=["v"])
windows = tr.WindowView(
    "windows",
    entity=pair,
    source=facts,
    features=[
        tr.mean("v", over=5), tr.total("v", over=5), tr.count("v", over=5), tr.count(over=5), tr.mean("v", over=13),
        tr.mean("flag", over=13, name="share"),
    ],
)  # fmt: skip
sizes = tr.FeatureView("sizes", entity=tr.Entity("name", keys=["a"]), source=names, features=["size"])


@tr.row_feature
def gap(lasting_v, windows_v_mean_13us):
    """A row feature over looked-up values, null where one of them is."""
    return lasting_v - windows_v_mean_13us


FEATURES = tr.FeatureSet(
    "all",
    request={"a": "string", "b": "string"},
    features=[latest, lasting, windows, sizes, gap, tr.category("a")],
)

keys = st.sampled_from([("1", "23"), ("12", "3"), ("1", "2"), (None, "3"), ("12", None)])
values = st.none() | st.sampled_from([0.5, -3.0, 1e6, 0.1, 7.0])


@st.composite
def fact_rows(draw, longest=30):
    """Rows as they come from outside; times are microseconds after T0, lateness differs from row to row."""
    rows = []
    for _ in range(draw(st.integers(0, longest))):
        event = draw(st.integers(0, 40))
        rows.append(
            {
                "key": draw(keys),
                "v": draw(values),
                "flag": draw(st.sampled_from([True, False, None])),
                "t": event,
                "seen": draw(st.sampled_from([event, event + 3, event + 25])),
                "made": draw(st.sampled_from([event, event + 4])),
                "gone": draw(st.integers(0, 7)) == 0,
            }
        )
    return stored(rows)


def stored(rows):
    """The rows of both sources with their canonical columns."""

    def instants(name):
        column = [T0 + row[name] for row in rows]
        return pl.Series(name, column, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))

    plain = pl.DataFrame(
        {
            "a": pl.Series([row["key"][0] for row in rows], dtype=pl.String),
            "b": pl.Series([row["key"][1] for row in rows], dtype=pl.String),
            "v": pl.Series([row["v"] for row in rows], dtype=pl.Float64),
            "flag": pl.Series([row["flag"] for row in rows], dtype=pl.Boolean),
            "t": instants("t"),
            "seen": instants("seen"),
            "made": instants("made"),
            "gone": pl.Series([row["gone"] for row in rows], dtype=pl.Boolean),
        }
    )
    known = pl.DataFrame({"a": ["1", "12"], "size": [5, None]}, schema={"a": pl.String, "size": pl.Int64})
    return {
        "facts": add_canonical(plain, facts.timing, facts.unique),
        "names": add_canonical(known, names.timing, names.unique),
    }


ASKED = [
    ("1", "23"),
    ("12", "3"),
    ("1", "2"),
    (None, "3"),
    ("12", None),
    ("123", ""),
    ("", "123"),
    ("never", "seen"),
]


def offline(rows, at, features=FEATURES):
    """The vectors of all the keys at an instant, from the stored rows."""
    spine = pl.DataFrame(ASKED, schema={"a": pl.String, "b": pl.String}, orient="row")
    found = OfflineFeatures(rows.__getitem__).vectors(features, spine, np.full(len(ASKED), at, np.int64))
    return [list(row) for row in found.iter_rows()]


def online(plan, snapshot, at):
    """The vectors of all the keys at an instant, from what an online store holds."""
    return [plan.vector(snapshot, fields, at) for fields in ASKED]
