"""Rule R15: late, out-of-order and corrected events give the same online state whatever the order in which they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import treadle as tr
from tests.redis_server import redis_server
from treadle.adapters.online import LmdbOnline
from treadle.adapters.online_redis import RedisOnline
from treadle.ports.online import Online
from treadle.stages.features.keys import pack_key
from treadle.stages.features.rebuilding import stored_names
from treadle.stages.features.window_state import window_reader, window_writer
from treadle.stages.features.writer import make_applier

KNOWN = 1_000
thing = tr.Entity("thing", keys=["key"])
facts = tr.Source.parquet(
    "facts",
    path="f",
    columns={"key": "int", "x": "float", "name": "string", "t": "time", "made": "time", "gone": "bool"},
    event_time="t",
    created_time="made",
    tombstone="gone",
)
latest = tr.FeatureView(
    "latest",
    entity=thing,
    source=facts,
    features=["x", "name", tr.column("x", name="filled", fill="last_non_null")],
    ttl=20,
)
exact = tr.WindowView(
    "exact",
    entity=thing,
    source=facts,
    features=[tr.total("x", over=9), tr.count(over=30), tr.last("x", over=30), tr.largest("x", over=12)],
)
tiled = tr.WindowView(
    "tiled", entity=thing, source=facts, features=[tr.total("x", over="2h"), tr.smallest("x", over="3h")],
    accuracy="tile",
)  # fmt: skip
VIEWS = (latest, exact, tiled)
APPLIER = make_applier("facts", VIEWS)

events = st.lists(
    st.tuples(
        st.integers(0, 4),  # event time: ties are corrections
        st.integers(0, 2),  # created time
        st.none() | st.sampled_from([0.1, 0.2, -7.0, 1e6]),
        st.sampled_from(["a", "b", None]),
        st.integers(0, 6).map(lambda n: n == 0),
    ),
    min_size=2,
    max_size=5,
)


@pytest.fixture(scope="module", params=["lmdb", "redis"])
def store(request, tmp_path_factory) -> Iterator[Online]:
    folder = tmp_path_factory.mktemp("online")
    if request.param == "lmdb":
        online = LmdbOnline(folder / "store", durable=False, map_size=1 << 26)
        yield online
        online.close()
        return
    with redis_server(folder) as url:
        redis = RedisOnline(url, namespace="order")
        yield redis
        redis.close()


def applied(store: Online, found: list[tuple], orders: list[tuple[int, ...]]) -> None:
    """Write the events once in each order, the n-th under the key n."""
    with store.begin() as batch:
        for key, order in enumerate(orders):
            for row in order:
                event_time, created, x, name, gone = found[row]
                given = {"key": key, "x": x, "name": name, "__event_time": event_time,
                         "__created_time": created, "__tombstone": gone}  # fmt: skip
                APPLIER.apply(batch, KNOWN, row, [given[column] for column in APPLIER.columns])


def test_every_order_of_arrival_gives_the_same_state(store):
    @settings(max_examples=12)
    @given(events)
    def check(found):
        for view in VIEWS:
            for name in stored_names(view):
                store.drop(name)
        orders = list(permutations(range(len(found))))
        applied(store, found, orders)
        keys = [pack_key([key]) for key in range(len(orders))]
        for name in stored_names(latest):
            assert len(set(store.get_many(name, keys))) == 1
        for view in (exact, tiled):
            held = store.get_many(view.name, keys)
            empty = window_writer(view).empty
            assert len({window_writer(view).canonical(one or empty, KNOWN) for one in held}) == 1
            reader = window_reader(view, view.features)
            for at in (1, 3, 6, 12, 40):
                assert len({tuple(reader.read(one, at)) for one in held}) == 1

    check()


def test_the_greatest_event_time_then_created_time_wins(store):
    """An oracle that shares no code: sort, and take the last."""

    @settings(max_examples=40)
    @given(events)
    def check(found):
        for name in stored_names(latest):
            store.drop(name)
        applied(store, found, [tuple(reversed(range(len(found))))])
        with store.read([("latest", pack_key([0]))]) as snapshot:
            import msgspec

            held = msgspec.msgpack.decode(snapshot.get("latest", pack_key([0])))
        best = max(range(len(found)), key=lambda row: (found[row][0], found[row][1], row))
        event_time, created, x, name, gone = found[best]
        assert held == [event_time, created, best, KNOWN, gone, [x, name]]

    check()
