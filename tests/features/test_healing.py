"""A rebuild from the tables finds state that differs, mends it, and goes on where it was killed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.features.test_windows import ENTITY, SOURCE, T0, WINDOWS, Held, some_questions, some_rows, stored
from treadle.adapters.online_memory import MemoryOnline
from treadle.stages.features import healing
from treadle.stages.features.healing import WindowRows, heal
from treadle.stages.features.keys import pack_key
from treadle.stages.features.window_state import window_reader
from treadle.stages.features.writer import make_applier

END = T0 + 10**15


def view_of(accuracy):
    features = [
        tr.count(over=WINDOWS),
        tr.var("x", over="2h"),
        tr.largest("n", over=["2h", "13d"]),
        tr.first("x", over="13h"),
        tr.last("x", over=WINDOWS, where=lambda flag: flag, name="flagged"),
    ]
    return tr.WindowView("w", entity=ENTITY, source=SOURCE, features=features, accuracy=accuracy)


def applied(view, rows, until=END):
    applier, held = make_applier("facts", [view]), Held()
    for known_at, row, values in applier.events(stored(rows)):
        if known_at <= until:
            applier.apply(held, known_at, row, values)
    return held


@pytest.mark.parametrize("accuracy", ["exact", "tile"])
def test_state_made_event_by_event_and_rebuilt_state_answer_alike(accuracy):
    view = view_of(accuracy)
    reader = window_reader(view, view.features)

    @given(seed=st.integers(0, 2**32))
    @settings(max_examples=80, deadline=None, derandomize=True)
    def check(seed):
        rows = some_rows(seed, late=True)
        moments = sorted(at for _, at in some_questions(seed, rows))
        at = moments[3]
        held = applied(view, rows, at)
        table = WindowRows(view, stored(rows))
        for key, state in table.states(table.keys, at):
            assert table.healthy(held.get("w", key), state, at)
            for later in moments[3:]:
                assert reader.read(held.get("w", key), later) == reader.read(state, later)

    check()


def many(count):
    return [
        {
            "key": (f"k{number:03}", 1), "x": float(number), "n": 1, "word": None, "flag": True, "event_time": T0,
            "created_time": T0, "known_at": T0, "row": number, "tombstone": False,
        }
        for number in range(count)
    ]  # fmt: skip


def filled(view, rows):
    online = MemoryOnline()
    with online.begin() as batch:
        for key, state in applied(view, rows).items():
            batch.put("w", key, state)
    return online


@pytest.mark.parametrize("accuracy", ["exact", "tile"])
def test_what_differs_is_replaced_and_what_does_not_is_left(accuracy):
    view, rows = view_of(accuracy), many(20)
    online = filled(view, rows)
    right = dict(online.scan("w"))
    with online.begin() as batch:
        batch.put("w", pack_key(("k003", 1)), right[pack_key(("k004", 1))])
        batch.put("w", pack_key(("k005", 1)), b"no state at all")
        batch.put("w", pack_key(("k006", 1)), right[pack_key(("k006", 1))][:-8])
        batch.put("w", pack_key(("k007", 1)), bytes(8) + right[pack_key(("k007", 1))][8:])
        batch.delete("w", pack_key(("k008", 1)))
        batch.put("w", pack_key(("stranger", 1)), right[pack_key(("k001", 1))])
    found = heal(online, view, stored(rows), version="one", position=lambda batch: T0)
    assert (found.keys, found.changed, found.removed) == (20, 5, 1)
    assert dict(online.scan("w")) == right
    again = heal(online, view, stored(rows), version="two", position=lambda batch: T0)
    assert (again.keys, again.changed, again.removed) == (20, 0, 0)


def test_a_rebuild_that_was_killed_is_taken_up_where_it_stood(monkeypatch):
    monkeypatch.setattr(healing, "KEYS_A_BATCH", 6)
    view, rows = view_of("tile"), many(20)
    online = MemoryOnline()
    calls = []

    def position(_batch):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return T0

    with pytest.raises(KeyboardInterrupt):
        heal(online, view, stored(rows), version="one", position=position)
    assert len(dict(online.scan("w"))) == 12
    assert heal(online, view, stored(rows), version="one", position=position).keys == 8
    assert dict(online.scan("w")) == dict(applied(view, rows))
    assert heal(online, view, stored(rows), version="one", position=position).keys == 0


def test_a_newer_version_begins_anew():
    view, rows = view_of("tile"), many(20)
    online = filled(view, rows[:10])
    assert heal(online, view, stored(rows), version="one", position=lambda batch: T0).changed == 10
    assert heal(online, view, stored(rows[:5]), version="two", position=lambda batch: T0).removed == 15
