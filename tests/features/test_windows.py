"""Window aggregates against a brute-force oracle: offline, and online in the order in which rows became known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.features import window_oracle as oracle
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.instants import DAY, HOUR, MINUTE
from treadle.stages.features import ranges
from treadle.stages.features.keys import pack_key
from treadle.stages.features.window_state import window_reader, window_writer
from treadle.stages.features.windows import WindowTable
from treadle.stages.features.writer import make_applier

T0 = 10_000 * DAY
ENTITY = tr.Entity("thing", keys=["a", "b"])
SOURCE = tr.Source.parquet(
    "facts",
    path="facts.parquet",
    columns={
        "a": "string", "b": "int", "x": "float", "n": "int", "word": "string", "flag": "bool", "t": "time",
        "made": "time", "seen": "time", "gone": "bool",
    },
    event_time="t", created_time="made", known_at="seen", tombstone="gone",
)  # fmt: skip


@tr.row_feature
def high(x):
    """Whether a value is high."""
    return x > 1


# Each as the definition says it, and as the oracle is asked.
AGGREGATES = {
    "count": (tr.count, {}, {}),
    "counted": (tr.count, {"column": "x"}, {"column": "x"}),
    "sum": (tr.total, {"column": "x"}, {"column": "x"}),
    "mean": (tr.mean, {"column": "x"}, {"column": "x"}),
    "var": (tr.var, {"column": "x"}, {"column": "x"}),
    "std": (tr.std, {"column": "n"}, {"column": "n"}),
    "min": (tr.smallest, {"column": "x"}, {"column": "x"}),
    "max": (tr.largest, {"column": "n"}, {"column": "n"}),
    "first": (tr.first, {"column": "x"}, {"column": "x"}),
    "last": (tr.last, {"column": "x"}, {"column": "x"}),
    "share": (tr.mean, {"column": "flag"}, {"column": "flag"}),
    "count where": (tr.count, {"where": high}, {"keep": lambda r: r["x"] is not None and r["x"] > 1}),
    "sum where": (
        tr.total,
        {"column": "n", "where": lambda word, n: (word == "a") | (n < 0)},
        {"column": "n", "keep": lambda r: r["word"] == "a" or (r["n"] is not None and r["n"] < 0)},
    ),
    "max where": (
        tr.largest,
        {"column": "x", "where": high},
        {"column": "x", "keep": lambda r: r["x"] is not None and r["x"] > 1},
    ),
    "last where": (
        tr.last,
        {"column": "x", "where": lambda flag: flag},
        {"column": "x", "keep": lambda r: r["flag"] is True},
    ),
}
VALUES_ONLY = {
    "distinct words": (tr.distinct, {"column": "word"}, {"column": "word"}),
    "distinct numbers": (tr.distinct, {"column": "x"}, {"column": "x"}),
    "distinct where": (
        tr.distinct,
        {"column": "n", "where": high},
        {"column": "n", "keep": lambda r: r["x"] is not None and r["x"] > 1},
    ),
    "median": (tr.quantile, {"column": "x", "level": 0.5}, {"column": "x", "level": 0.5}),
    "upper": (tr.quantile, {"column": "n", "level": 0.9}, {"column": "n", "level": 0.9}),
}
FUNCTIONS = {
    tr.count: "count", tr.total: "sum", tr.mean: "mean", tr.var: "var", tr.std: "std", tr.smallest: "min",
    tr.largest: "max", tr.first: "first", tr.last: "last", tr.distinct: "distinct", tr.quantile: "quantile",
}  # fmt: skip
WINDOWS = ["7m", "2h", "13h", "3d", "13d"]


def make_view(accuracy, names, windows):
    known = AGGREGATES | (VALUES_ONLY if accuracy == "exact" else {})
    features, questions = [], []
    for name in names:
        make, given, asked = known[name]
        called = name.replace(" ", "_")
        features.append(make(**given, over=windows, name=called))
        questions += [
            asked | {"function": FUNCTIONS[make], "over": tr_duration(w), "accuracy": accuracy}
            for w in windows
        ]
    return tr.WindowView("w", entity=ENTITY, source=SOURCE, features=features, accuracy=accuracy), questions


def tr_duration(text):
    return int(text[:-1]) * {"m": MINUTE, "h": HOUR, "d": DAY}[text[-1]]


# Times close together, on the edges of tiles, and far apart.
moments = st.one_of(
    st.integers(0, 20).map(lambda m: m * MINUTE),
    st.integers(0, 40).map(lambda m: m * 5 * MINUTE),
    st.integers(0, 40 * 24).map(lambda h: h * HOUR),
    st.integers(0, 40 * DAY),
)
KEYS = [("x", 1), ("1", 11), (None, 1)]
numbers = (
    st.none()
    | st.sampled_from([0.0, -0.0, 1.5, 2.0, -3.25, 1e9, 0.1])
    | st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-2)
)


@st.composite
def events(draw, late):
    rows = []
    for number in range(draw(st.integers(0, 30))):
        at = T0 + draw(moments)
        made = at + draw(st.sampled_from([0, MINUTE])) if late else at
        seen = max(
            made, at + (draw(st.sampled_from([0, 4 * MINUTE, 3 * HOUR, 2 * DAY, 20 * DAY])) if late else 0)
        )
        rows.append(
            {
                "key": draw(st.sampled_from(KEYS)),
                "x": draw(numbers),
                "n": draw(st.none() | st.integers(-5, 5)),
                "word": draw(st.sampled_from(["a", "b", "", "é", None])),
                "flag": draw(st.sampled_from([True, False, None])),
                "event_time": at,
                "created_time": made,
                "known_at": seen,
                "row": number,
                "tombstone": draw(st.integers(0, 9)) == 0,
            }
        )
    return rows


def stored(rows):
    kinds = {"x": pl.Float64, "n": pl.Int64, "word": pl.String, "flag": pl.Boolean}
    times = {"event_time", "known_at", "created_time", "row"}
    return pl.DataFrame(
        {
            "a": pl.Series([r["key"][0] for r in rows], dtype=pl.String),
            "b": pl.Series([r["key"][1] for r in rows], dtype=pl.Int64),
            **{name: pl.Series([r[name] for r in rows], dtype=kind) for name, kind in kinds.items()},
            **{f"__{name}": pl.Series([r[name] for r in rows], dtype=pl.Int64) for name in times},
            "__tombstone": pl.Series([r["tombstone"] for r in rows], dtype=pl.Boolean),
        }
    )


def offline(view, rows, spine):
    frame = pl.DataFrame(
        {
            "a": pl.Series([key[0] for key, _ in spine], dtype=pl.String),
            "b": pl.Series([key[1] for key, _ in spine], dtype=pl.Int64),
        }
    )
    at = np.array([at for _, at in spine], dtype=np.int64)
    return [list(row) for row in WindowTable(view, stored(rows)).lookup(frame, at).iter_rows()]


class Held(dict):
    """A batch that is a dictionary."""

    def get(self, view, key):
        return super().get(key)

    def put(self, view, key, value):
        self[key] = value


def online(view, rows, spine):
    """Feed rows in the order they became known, and answer each question when all known by its T are in."""
    applier = make_applier("facts", [view])
    waiting = list(applier.events(stored(rows)))
    reader = window_reader(view, view.features)
    held, out = Held(), {}
    for position in sorted(range(len(spine)), key=lambda i: spine[i][1]):
        key, at = spine[position]
        while waiting and waiting[0][0] <= at:
            known_at, row, values = waiting.pop(0)
            applier.apply(held, known_at, row, values)
        out[position] = reader.read(None if None in key else held.get("w", pack_key(key)), at)
    return [out[i] for i in range(len(spine))]


def the_same(found, expected):
    """Equal numbers; zero has no sign and an integer equals its float."""
    return found == expected


@pytest.mark.parametrize("pairs", [7, ranges.PAIRS], ids=["portions", "whole"])
@pytest.mark.parametrize("late", [False, True], ids=["punctual", "late"])
@pytest.mark.parametrize("accuracy", ["exact", "tile"])
def test_offline_and_online_are_the_oracles(accuracy, late, pairs, monkeypatch):
    monkeypatch.setattr(ranges, "PAIRS", pairs)
    known = list(AGGREGATES | (VALUES_ONLY if accuracy == "exact" else {}))

    @given(
        rows=events(late),
        names=st.lists(st.sampled_from(known), min_size=1, max_size=5, unique=True),
        windows=st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True),
        asked=st.lists(st.tuples(st.sampled_from([*KEYS, ("z", 1)]), moments), min_size=1, max_size=8),
        at_events=st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 29)), max_size=6),
    )
    @settings(max_examples=60, deadline=None)
    def check(rows, names, windows, asked, at_events):
        view, questions = make_view(accuracy, names, windows)
        spine = [(key, T0 + at) for key, at in asked]
        spine += [
            (key, rows[i][field])
            for key, i in at_events
            if i < len(rows)
            for field in ("event_time", "known_at")
        ]
        expected = [[oracle.answer(rows, key, at, **q) for q in questions] for key, at in spine]
        assert offline(view, rows, spine) == expected
        assert online(view, rows, spine) == expected

    check()
