"""Offline lookups against the brute-force oracle, on random rows with ties, nulls, lateness and deletions."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.features import oracle
from treadle.define.aggregates import count, mean, total
from treadle.define.entities import Entity
from treadle.define.sources import Source
from treadle.define.views import FeatureView, WindowView
from treadle.stages.features.latest import LatestTable
from treadle.stages.features.state import Latest, latest_values, newer
from treadle.stages.features.window_state import window_reader, window_writer
from treadle.stages.features.windows import WindowTable

ENTITY = Entity("pair", keys=["a", "b"])
SOURCE = Source.parquet(
    "facts",
    path="facts.parquet",
    columns={"a": "string", "b": "int", "v": "float", "t": "time", "gone": "bool"},
    event_time="t",
    tombstone="gone",
)
TTL = 7
LATEST = FeatureView("now", entity=ENTITY, source=SOURCE, features=["v"], ttl=TTL)
WINDOWS = WindowView(
    "recent",
    entity=ENTITY,
    source=SOURCE,
    features=[mean("v", over=5), total("v", over=5), count("v", over=5), count(over=5), mean("v", over=11)],
)

values = st.one_of(
    st.none(),
    st.integers(-50, 50).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).filter(lambda v: v == 0 or abs(v) > 1e-2),
)


VARIED = st.integers(0, 6)


@st.composite
def facts(draw, *, lateness=VARIED):
    rows = []
    for number in range(draw(st.integers(0, 25))):
        event = draw(st.integers(0, 30))
        rows.append(
            {
                "key": (draw(st.sampled_from(["x", "y", "1"])), draw(st.sampled_from([1, 11]))),
                "v": draw(values),
                "event_time": event,
                "known_at": event + draw(lateness),
                "created_time": event + draw(st.integers(0, 2)),
                "row": number,
                "tombstone": draw(st.integers(0, 9)) == 0,
            }
        )
    return rows


spines = st.lists(
    st.tuples(
        st.sampled_from(["x", "y", "1", "z", None]), st.sampled_from([1, 11, None]), st.integers(-2, 45)
    ),
    min_size=1,
    max_size=12,
)


def stored(rows):
    return pl.DataFrame(
        {
            "a": pl.Series([r["key"][0] for r in rows], dtype=pl.String),
            "b": pl.Series([r["key"][1] for r in rows], dtype=pl.Int64),
            "v": pl.Series([r["v"] for r in rows], dtype=pl.Float64),
            "__event_time": pl.Series([r["event_time"] for r in rows], dtype=pl.Int64),
            "__known_at": pl.Series([r["known_at"] for r in rows], dtype=pl.Int64),
            "__created_time": pl.Series([r["created_time"] for r in rows], dtype=pl.Int64),
            "__row": pl.Series([r["row"] for r in rows], dtype=pl.Int64),
            "__tombstone": pl.Series([r["tombstone"] for r in rows], dtype=pl.Boolean),
        }
    )


def spine_frame(spine):
    frame = pl.DataFrame(
        {
            "a": pl.Series([a for a, _, _ in spine], dtype=pl.String),
            "b": pl.Series([b for _, b, _ in spine], dtype=pl.Int64),
        }
    )
    return frame, np.array([t for _, _, t in spine], dtype=np.int64)


def expected_windows(rows, spine):
    return [
        [oracle.window(rows, (a, b), at, f.over, f.function, f.column) for f in WINDOWS.features]
        for a, b, at in spine
    ]


@given(facts(), spines)
@settings(max_examples=150, deadline=None)
def test_latest_value_is_the_oracles(rows, spine):
    frame, at = spine_frame(spine)
    found = LatestTable(LATEST, stored(rows)).lookup(frame, at)["now_v"].to_list()
    assert found == [oracle.latest(rows, (a, b), t, TTL, "v") for a, b, t in spine]


@pytest.mark.parametrize("lateness", [st.just(0), st.just(3), VARIED], ids=["none", "constant", "varied"])
def test_window_is_the_oracles(lateness):
    @given(facts(lateness=lateness), spines)
    @settings(max_examples=120, deadline=None)
    def check(rows, spine):
        frame, at = spine_frame(spine)
        found = WindowTable(WINDOWS, stored(rows)).lookup(frame, at)
        assert [list(row) for row in found.iter_rows()] == expected_windows(rows, spine)

    check()


@given(facts(), st.lists(st.integers(0, 40), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_online_state_replayed_in_known_order_gives_the_same_answers(rows, moments):
    """Law 2: what the writer holds at T is what the offline join finds at T."""
    waiting = sorted(rows, key=lambda r: (r["known_at"], r["row"]))
    latest_state: dict = {}
    window_state: dict = {}
    reader, writer = window_reader(WINDOWS, WINDOWS.features), window_writer(WINDOWS)
    for at in sorted(moments):
        while waiting and waiting[0]["known_at"] <= at:
            r = waiting.pop(0)
            key = r["key"]
            candidate = Latest(
                r["event_time"], r["created_time"], r["row"], r["known_at"], r["tombstone"], [r["v"]]
            )
            changed = newer(latest_state.get(key), candidate)
            if changed is not None:
                latest_state[key] = changed
            if not r["tombstone"]:
                times = (r["event_time"], r["created_time"], r["row"], r["known_at"])
                window_state[key] = writer.append(window_state.get(key), *times, [r["v"]])
        for key in [("x", 1), ("y", 11), ("1", 1), ("z", 1)]:
            held = latest_values(latest_state.get(key), at, TTL)
            assert (held[0] if held else None) == oracle.latest(rows, key, at, TTL, "v")
            assert reader.read(window_state.get(key), at) == expected_windows(rows, [(*key, at)])[0]


def test_event_at_t_is_out_and_event_exactly_one_window_ago_is_in():
    rows = [
        {
            "key": ("x", 1),
            "v": v,
            "event_time": t,
            "known_at": t,
            "created_time": t,
            "row": i,
            "tombstone": False,
        }
        for i, (t, v) in enumerate([(4, 1.0), (5, 10.0), (10, 100.0)])
    ]
    frame, at = spine_frame([("x", 1, 10)])
    assert WindowTable(WINDOWS, stored(rows)).lookup(frame, at)["recent_v_sum_5us"].to_list() == [10.0]


def test_value_expires_one_microsecond_after_its_ttl():
    rows = [
        {
            "key": ("x", 1),
            "v": 5.0,
            "event_time": 0,
            "known_at": 0,
            "created_time": 0,
            "row": 0,
            "tombstone": False,
        }
    ]
    frame, at = spine_frame([("x", 1, TTL), ("x", 1, TTL + 1)])
    assert LatestTable(LATEST, stored(rows)).lookup(frame, at)["now_v"].to_list() == [5.0, None]


def test_correction_is_seen_only_once_it_is_known():
    first = {
        "key": ("x", 1),
        "v": 1.0,
        "event_time": 3,
        "created_time": 3,
        "known_at": 3,
        "row": 0,
        "tombstone": False,
    }
    better = {**first, "v": 2.0, "created_time": 6, "known_at": 6, "row": 1}
    frame, at = spine_frame([("x", 1, 5), ("x", 1, 6)])
    assert LatestTable(LATEST, stored([better, first])).lookup(frame, at)["now_v"].to_list() == [1.0, 2.0]


def test_newest_row_wins_even_if_its_value_is_null():
    rows = [
        {
            "key": ("x", 1),
            "v": v,
            "event_time": t,
            "created_time": t,
            "known_at": t,
            "row": t,
            "tombstone": False,
        }
        for t, v in [(1, 7.0), (2, None)]
    ]
    frame, at = spine_frame([("x", 1, 3)])
    assert LatestTable(LATEST, stored(rows)).lookup(frame, at)["now_v"].to_list() == [None]


def test_empty_tables_give_nulls_and_zeros_with_the_right_types():
    frame, at = spine_frame([("x", 1, 3), ("y", 1, 4)])
    assert LatestTable(LATEST, stored([])).lookup(frame, at)["now_v"].to_list() == [None, None]
    found = WindowTable(WINDOWS, stored([])).lookup(frame, at)
    assert found.row(0) == (None, 0.0, 0.0, 0.0, None)
    assert set(found.schema.values()) == {pl.Float64()}
