"""Law 2 on Redis, through snapshots that fetch what a request wants in one round trip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.loop.units.streams import ASKED, FEATURES, T0, fact_rows, offline
from tests.redis_server import redis_server
from treadle.adapters.online_redis import RedisOnline
from treadle.loop.feed import Feed
from treadle.stages.features.plan import ServingPlan

PLAN = ServingPlan(FEATURES)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def vectors(store: RedisOnline, at: int) -> list[object]:
    found: list[object] = []
    for fields in ASKED:
        with store.read(PLAN.wanted(fields)) as snapshot:
            found.append(PLAN.vector(snapshot, fields, at))
    return found


def test_at_any_moment_a_snapshot_of_what_is_wanted_gives_the_offline_vectors(url: str) -> None:
    raw = Redis.from_url(url)

    @settings(max_examples=25)
    @given(
        rows=fact_rows(), asked_at=st.lists(st.integers(T0 - 2, T0 + 80), min_size=1, max_size=3).map(sorted)
    )
    def check(rows, asked_at):
        raw.flushall()
        store, feed = RedisOnline(url, namespace="law2"), Feed(FEATURES.views, rows)
        for at in asked_at:
            feed.advance(store, at)
            assert vectors(store, at) == offline(rows, at)
        store.close()

    check()
    raw.close()


def test_a_request_is_answered_in_one_round_trip(url: str) -> None:
    raw = Redis.from_url(url)
    raw.flushall()
    store = RedisOnline(url, namespace="one")
    before = raw.info("stats")["total_commands_processed"]
    vectors(store, T0)
    # One MGET a request that has a whole key, one GET of the epoch otherwise, and the INFO that counts.
    assert raw.info("stats")["total_commands_processed"] - before == len(ASKED) + 1
    store.close()
    raw.close()
