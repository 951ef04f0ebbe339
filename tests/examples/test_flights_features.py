"""The flights features: exactly the oracle's, nothing from the future, and the same online as offline."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest

from tests.examples.flights_oracle import FlightsOracle
from treadle.adapters.online import LmdbOnline
from treadle.loop.feed import Feed
from treadle.loop.training import Store, build_frame, labelled_requests
from treadle.records.frames import AT, KNOWN_AT
from treadle.records.instants import instant
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.features.plan import ServingPlan


@pytest.fixture(scope="module")
def endpoint(flights_project):
    return flights_project.endpoints[0]


@pytest.fixture(scope="module")
def offline(flights_rows):
    return OfflineFeatures(flights_rows.__getitem__)


def spine_of(rows):
    return rows["schedule"].sort("asked_at", "__row")


@pytest.mark.slow
def test_5000_random_pairs_equal_the_brute_force_oracle(endpoint, offline, flights_rows, raw_tables):
    oracle = FlightsOracle(**raw_tables)
    by_key = {(f["carrier"], f["flight"], f["origin"], f["sched"]): f for f in oracle.flights}
    chooser = random.Random(2013)
    spine = spine_of(flights_rows)
    chosen = spine[sorted(chooser.sample(range(spine.height), 500))]
    vectors = offline.vectors(endpoint.features, chosen, chosen["__event_time"].to_numpy())
    different = []
    checked = 0
    for row, found in zip(chosen.iter_rows(named=True), vectors.iter_rows(named=True), strict=True):
        flight = by_key[row["carrier"], row["flight"], row["origin"], row["sched_dep"]]
        for name in chooser.sample(endpoint.features.names, 10):
            checked += 1
            if found[name] != oracle.feature(flight, name):
                different.append((row["carrier"], row["flight"], row["sched_dep"], name, found[name]))
    assert checked == 5_000
    assert different == []


def test_no_training_row_holds_a_label_or_value_from_its_future(endpoint, flights_rows):
    """Cut off everything that was not known by the latest T, and the vectors stay as they are."""
    until = instant("2013-02-10")
    store = Store(flights_rows, {}, OfflineFeatures(flights_rows.__getitem__))
    spine = labelled_requests(store, endpoint, until)
    frame = build_frame(store, endpoint, spine, until)
    assert (frame.rows[KNOWN_AT] < until).all()
    assert (frame.rows[KNOWN_AT] > frame.rows[AT]).all()
    for at in (instant("2013-01-20T18:00:00Z"), instant("2013-02-05T12:30:00Z")):
        asked = spine.filter((pl.col(AT) <= at) & (pl.col(AT) > at - 3_600_000_000))
        assert asked.height > 5
        past = {name: rows.filter(pl.col("__known_at") <= at) for name, rows in flights_rows.items()}
        moments = np.full(asked.height, at)
        whole = store.offline.vectors(endpoint.features, asked, moments)
        known = OfflineFeatures(past.__getitem__).vectors(endpoint.features, asked, moments)
        assert whole.equals(known)


@pytest.mark.slow
def test_online_vector_equals_the_offline_one_for_1000_random_flights(
    endpoint, offline, flights_rows, flights_project, tmp_path
):
    chooser = random.Random(77)
    spine = spine_of(flights_rows)
    begin = int(spine["__event_time"].search_sorted(instant("2013-06-10")))
    span = range(begin, begin + 14_000)
    chosen = spine[sorted(chooser.sample(span, 1_000))]
    expected = offline.vectors(endpoint.features, chosen, chosen["__event_time"].to_numpy())
    online = LmdbOnline(tmp_path / "online", durable=False)
    feed = Feed(flights_project.views, flights_rows)
    plan = ServingPlan(endpoint.features)
    fields = chosen.select(
        pl.col(c).to_physical() if t.is_temporal() else pl.col(c)
        for c, t in chosen.select(plan.fields).schema.items()
    )
    reached = instant("2013-06-09")
    feed.advance(online, reached)
    changes = feed.changes(reached, chosen["__event_time"].max())
    pending = next(changes, None)
    with online.begin() as batch:
        for at, values, offline_row in zip(
            chosen["__event_time"].to_list(), fields.iter_rows(), expected.iter_rows(), strict=True
        ):
            while pending is not None and pending[0] <= at:
                feed.apply(batch, pending)
                pending = next(changes, None)
            assert plan.vector(batch, values, at) == list(offline_row)
    online.close()
