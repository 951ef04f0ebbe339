"""Window aggregates against a brute-force oracle: offline, and online in the order in which rows became known."""

from __future__ import annotations

import random

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


KEYS = [("x", 1), ("1", 11), (None, 1)]
# How far apart events are, and how they are rounded: many ties, the edges of tiles, gaps.
PACES = [(30 * MINUTE, MINUTE), (30 * HOUR, 5 * MINUTE), (5 * DAY, HOUR), (40 * DAY, 1), (40 * DAY, DAY)]


def some_rows(seed, late):
    """Events of three keys: seeded, so that they are many and out of order, as drawing one by one rarely makes them."""
    picker = random.Random(seed)
    span, step = picker.choice(PACES)
    rows = []
    for number in range(picker.randrange(60)):
        at = T0 + picker.randrange(span) // step * step
        made = at + (picker.choice([0, 0, step, MINUTE]) if late else 0)
        lateness = picker.choice([0, 0, 4 * MINUTE, span // 10, span // 2, 20 * DAY]) if late else 0
        rows.append(
            {
                "key": picker.choice([KEYS[0], KEYS[0], *KEYS]),
                "x": picker.choice([None, 0.0, -0.0, 1.5, 2.0, -3.25, 1e9, 0.1, picker.uniform(-1e6, 1e6)]),
                "n": picker.choice([None, *range(-5, 6)]),
                "word": picker.choice(["a", "b", "", "é", None]),
                "flag": picker.choice([True, False, None]),
                "event_time": at,
                "created_time": made,
                "known_at": max(made, at + lateness),
                "row": number,
                "tombstone": picker.randrange(12) == 0,
            }
        )
    return rows


def some_questions(seed, rows):
    """Keys and instants: near events, at them, when they became known, and anywhere."""
    picker = random.Random(seed)
    asked = []
    for _ in range(12):
        at = T0 + picker.randrange(40 * DAY)
        if rows and picker.randrange(5):
            at = picker.choice(rows)[picker.choice(["event_time", "known_at"])]
            at += picker.choice([0, 0, 1, -1, 7 * MINUTE, 2 * HOUR, 3 * HOUR + 1])
        asked.append((picker.choice([KEYS[0], KEYS[0], *KEYS, ("z", 1)]), at))
    return asked


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


@pytest.mark.parametrize("pairs", [7, ranges.PAIRS], ids=["portions", "whole"])
@pytest.mark.parametrize("late", [False, True], ids=["punctual", "late"])
@pytest.mark.parametrize("accuracy", ["exact", "tile"])
def test_offline_and_online_are_the_oracles(accuracy, late, pairs, monkeypatch):
    monkeypatch.setattr(ranges, "PAIRS", pairs)
    known = list(AGGREGATES | (VALUES_ONLY if accuracy == "exact" else {}))

    @given(
        seed=st.integers(0, 2**32),
        names=st.lists(st.sampled_from(known), min_size=1, max_size=5, unique=True),
        windows=st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3, unique=True),
    )
    @settings(max_examples=80, deadline=None, derandomize=True)
    def check(seed, names, windows):
        view, questions = make_view(accuracy, names, windows)
        rows = some_rows(seed, late)
        spine = some_questions(seed, rows)
        expected = [[oracle.answer(rows, key, at, **q) for q in questions] for key, at in spine]
        assert offline(view, rows, spine) == expected
        assert online(view, rows, spine) == expected

    check()


@pytest.mark.parametrize("accuracy", ["exact", "tile"])
@pytest.mark.parametrize("width", [2 * MINUTE, 40 * MINUTE, 5 * HOUR])
def test_events_that_become_known_together_may_come_in_any_order(accuracy, width):
    """The newest is at T itself and is out; those before it may reach the store after it, and ties are many."""
    known = list(AGGREGATES | (VALUES_ONLY if accuracy == "exact" else {}))

    @given(
        seed=st.integers(0, 2**32),
        names=st.lists(st.sampled_from(known), min_size=1, max_size=4, unique=True),
    )
    @settings(max_examples=60, deadline=None, derandomize=True)
    def check(seed, names):
        view, questions = make_view(accuracy, names, ["2h", "3d"])
        picker = random.Random(seed)
        end = T0 + picker.choice([0, 7 * MINUTE, 3 * HOUR])
        rows = [
            row
            | {
                "event_time": (at := end - picker.choice([0, MINUTE, width, 2 * width])),
                "created_time": picker.choice([at, end]),
                "known_at": end,
                "key": KEYS[0],
            }
            for row in some_rows(seed, late=False)[:10]
        ]
        spine = [(KEYS[0], end), (KEYS[0], end + 1), (KEYS[0], end + HOUR)]
        expected = [[oracle.answer(rows, key, at, **q) for q in questions] for key, at in spine]
        assert offline(view, rows, spine) == expected
        assert online(view, rows, spine) == expected

    check()


def simple(features, **given):
    return tr.WindowView("w", entity=ENTITY, source=SOURCE, features=features, **given)


def fact(at, x, **given):
    return {
        "key": ("x", 1), "x": x, "n": None, "word": None, "flag": None, "event_time": T0 + at, "created_time": T0 + at,
        "known_at": T0 + at, "row": 0, "tombstone": False,
    } | given  # fmt: skip


@pytest.mark.parametrize("accuracy", ["exact", "tile"])
class TestWhatOtherTilingsGetWrong:
    def both(self, accuracy, features, rows, at):
        view = simple(features, accuracy=accuracy)
        rows = [row | {"row": i} for i, row in enumerate(rows)]
        spine = [(("x", 1), T0 + at)]
        (found,) = offline(view, rows, spine)
        assert online(view, rows, spine) == [found]
        return found

    def test_the_largest_value_leaves_with_its_window_though_nothing_follows_it_for_long(self, accuracy):
        rows = [fact(30 * MINUTE, 100.0), fact(5 * HOUR + 30 * MINUTE, 1.0)]
        assert self.both(accuracy, [tr.largest("x", over="2h")], rows, 6 * HOUR) == [1.0]

    def test_a_sum_is_the_windows_when_no_tile_ends_where_it_begins(self, accuracy):
        rows = [fact(30 * MINUTE, 100.0), fact(5 * HOUR + 30 * MINUTE, 1.0)]
        assert self.both(accuracy, [tr.total("x", over="2h"), tr.count(over="2h")], rows, 6 * HOUR) == [
            1.0,
            1.0,
        ]

    def test_nothing_is_left_when_the_last_event_is_long_past(self, accuracy):
        features = [
            tr.total("x", over="2h"),
            tr.largest("x", over="2h"),
            tr.last("x", over="2h"),
            tr.mean("x", over="2h"),
        ]
        assert self.both(accuracy, features, [fact(30 * MINUTE, 100.0)], 9 * HOUR) == [0.0, None, None, None]

    def test_an_event_at_t_is_out_and_one_exactly_a_window_ago_is_in(self, accuracy):
        rows = [fact(2 * HOUR - 1, 1.0), fact(2 * HOUR, 10.0), fact(3 * HOUR, 100.0), fact(4 * HOUR, 1000.0)]
        assert self.both(accuracy, [tr.total("x", over="2h")], rows, 4 * HOUR) == [110.0]


def test_a_tile_window_begins_at_its_hop():
    view = simple([tr.total("x", over="2h")], accuracy="tile")
    rows = [fact(4 * MINUTE, 1.0, row=0), fact(5 * MINUTE, 10.0, row=1), fact(6 * MINUTE, 100.0, row=2)]
    spine = [(("x", 1), T0 + 2 * HOUR + 7 * MINUTE)]
    assert offline(view, rows, spine) == online(view, rows, spine) == [[110.0]]
    exact = simple([tr.total("x", over="2h")])
    assert offline(exact, rows, spine) == online(exact, rows, spine) == [[0.0]]


def test_a_late_event_of_an_earlier_tile_does_not_slip_into_the_tile_of_the_newest():
    view = simple([tr.smallest("x", over=["2m", "7m"])], accuracy="tile")
    end = 7 * MINUTE  # the windows begin at 5 minutes and at 0
    times = [(end, 9.0), (6 * MINUTE, 5.0), (MINUTE, 1.0)]
    rows = [fact(at, x, row=i, known_at=T0 + end) for i, (at, x) in enumerate(times)]
    spine = [(("x", 1), T0 + end)]
    assert offline(view, rows, spine) == online(view, rows, spine) == [[5.0, 1.0]]


def test_an_event_that_comes_late_into_the_oldest_tile_of_a_window_counts():
    view = simple([tr.total("x", over="7m")], accuracy="tile")
    at = 12 * MINUTE  # the window begins at 5 minutes
    rows = [fact(11 * MINUTE, 1.0, row=0), fact(5 * MINUTE, 10.0, row=1, known_at=T0 + at)]
    rows.append(fact(5 * MINUTE - 1, 100.0, row=2, known_at=T0 + at))
    spine = [(("x", 1), T0 + at)]
    assert offline(view, rows, spine) == online(view, rows, spine) == [[11.0]]
    assert offline(view, rows[1:2], spine) == online(view, rows[1:2], spine) == [[10.0]]


@pytest.mark.parametrize("spread", [1e-6, 0.5, 3.0])
def test_a_variance_has_no_cancellation_however_far_from_zero_the_values_are(spread):
    values = [2.0e9 + spread, 2.0e9 - spread, 2.0e9]
    view = simple([tr.var("x", over="2h")])
    rows = [fact(i * MINUTE, value, row=i) for i, value in enumerate(values)]
    spine = [(("x", 1), T0 + HOUR)]
    asked = {"function": "var", "column": "x", "over": 2 * HOUR, "accuracy": "exact"}
    expected = oracle.answer(rows, *spine[0], **asked)
    assert offline(view, rows, spine) == online(view, rows, spine) == [[expected]]
    assert expected == pytest.approx(spread**2, rel=0.5)


def test_a_tile_state_does_not_grow_with_the_number_of_events():
    view = simple([tr.mean("x", over=["1h", "3d"]), tr.largest("x", over="1h")], accuracy="tile")
    append = window_writer(view).append
    sizes, state = [], None
    for i in range(20_000):
        at = T0 + i * MINUTE // 2
        state = append(state, at, at, i, at, [1.0])
        sizes.append(len(state))
    assert max(sizes[-5_000:]) <= (3 + 15 * 6 + 77 * 4 + 4 * 6) * 8


@pytest.mark.parametrize("accuracy", ["exact", "tile"])
@pytest.mark.parametrize("other", ["a longer window", "another filter", "the former format"])
def test_state_of_another_layout_is_refused_and_never_misread(accuracy, other):
    view = simple([tr.mean("x", over="2h", where=high)], accuracy=accuracy)
    if other == "a longer window":
        written = simple([tr.mean("x", over="2h", where=high), tr.largest("x", over="2d")], accuracy=accuracy)
    else:
        written = simple([tr.mean("x", over="2h", where=lambda x: x > 2, name="m")], accuracy=accuracy)
    state = window_writer(written).append(None, T0, T0, 0, T0, [3.0])
    if other == "the former format":  # it began with the number of columns
        state = (1).to_bytes(8, "little") + state[8:]
    with pytest.raises(Corrupt):
        window_reader(view, view.features).read(state, T0 + HOUR)
    with pytest.raises(Corrupt):
        window_writer(view).append(state, T0, T0, 1, T0, [3.0])


def test_several_windows_of_one_definition_are_features_of_their_own():
    view = simple(
        [tr.mean("x", over=["1h", "2d"]), tr.quantile("x", 0.999, over="1h"), tr.count(over="1h", where=high)]
    )
    assert view.columns == ("w_x_mean_1h", "w_x_mean_2d", "w_x_p99_9_1h", "w_count_high_1h")
    assert simple([tr.count(over=["1h", "2h"], where=lambda x: x > 1, name="big")]).columns == (
        "w_big_1h",
        "w_big_2h",
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tr.count(over="1h", where=lambda x: x > 1), "filter without a name"),
        (lambda: tr.count(over=[]), "window of"),
        (lambda: tr.count(over=["1h", "60m"]), "stands twice"),
        (lambda: tr.quantile("x", 90, over="1h"), "not between 0 and 1"),
        (lambda: tr.count(over="1h", where="x > 1"), "the filter of"),
    ],
)
def test_an_aggregate_that_cannot_be_is_refused_where_it_is_written(make, message):
    with pytest.raises(InvalidInput, match=message):
        make()


def test_a_view_lists_what_its_filters_and_accuracy_cannot_do():
    features = [
        tr.count(over="1h", name="a", where=lambda weight: weight > 1),
        tr.count(over="1h", name="b", where=lambda x: x + 1),
        tr.count(over="1h", name="c", where=lambda word: word > 1),
        tr.distinct("word", over="1h"),
        tr.mean("word", over="1h"),
    ]
    with pytest.raises(InvalidInput) as refused:
        simple(features, accuracy="tile")
    assert [fault.split(":")[1].strip() for fault in refused.value.faults] == [
        "column 'word' is string; aggregates need float, int or bool",
        "'word_distinct_1h' needs accuracy='exact'",
        "the filter of 'a' reads 'weight', which is not in source 'facts'",
        "the filter of 'b' is float; a filter is true or false, e.g. lambda x",
        "the filter of 'c'",
    ]
