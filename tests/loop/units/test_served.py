"""A loop closes over what it was asked itself: served requests are a spine, with features looked up anew."""

from __future__ import annotations

import polars as pl
import pytest

import treadle as tr
from tests.loop.units.conftest import FIRST
from tests.loop.units.shop import RETURNS, outcomes, project
from tests.loop.units.shops import able, log_predictions, make_store, plain_rows, turn, with_project
from treadle.loop.observations import served_between, with_labels
from treadle.loop.replay import Requests
from treadle.loop.served import served_requests
from treadle.loop.training import build_frame, labelled_requests
from treadle.records.errors import InvalidInput
from treadle.records.frames import AT, KNOWN_AT, LABEL
from treadle.records.instants import DAY

named = tr.Source.parquet(
    "outcomes",
    path="outcomes.parquet",
    columns={**outcomes.columns, "prediction": "string"},
    event_time="decided_at",
    tombstone="withdrawn",
)


def endpoint(labels):
    return tr.Endpoint(
        "returns", model="returns@champion", features=RETURNS, requests=tr.Requests.served(), labels=labels
    )


BY_KEY = endpoint(tr.Labels("returned", source=outcomes, key="number", value="returned"))
BY_ID = endpoint(tr.Labels("returned", source=named, value="returned", prediction_id="prediction"))
UNTIL = FIRST + 6 * DAY


@pytest.fixture
def served(world, store):
    log_predictions(world, store, 1, FIRST, FIRST + 10 * DAY, able)
    return world


def test_the_spine_is_what_was_asked_before_the_instant_also_what_is_in_the_log_alone(served):
    found = served_requests(served, BY_KEY, UNTIL)
    assert found["__event_time"].to_list() == sorted(found["__event_time"])
    assert found.height == 6 * 48
    assert found["__event_time"].max() < UNTIL
    assert served_requests(served, project.endpoints[0], UNTIL) is None


def test_features_are_those_of_the_stored_rows_and_not_those_that_were_served(served, store):
    spine = labelled_requests(store, BY_KEY, UNTIL, served=served_requests(served, BY_KEY, UNTIL))
    of_source = labelled_requests(store, project.endpoints[0], UNTIL, since=FIRST)
    assert spine.rows(named=True) == of_source.select(spine.columns).rows(named=True)
    frame = build_frame(store, BY_KEY, spine, UNTIL)
    assert frame.rows.equals(
        build_frame(store, project.endpoints[0], of_source, UNTIL).rows.select(frame.rows.columns)
    )
    logged = served_between(served, BY_KEY, FIRST, UNTIL)
    assert logged["waiting_wait_mean_6h"].null_count() == logged.height
    assert frame.rows["waiting_wait_mean_6h"].null_count() == 0


def test_labels_by_id_alone_give_the_same_training_set_and_the_same_observations(served, store):
    rows = plain_rows()["outcomes"].with_columns(pl.format("1-{}", "number").alias("prediction"))
    world = with_project(
        served, sources=[named if s is outcomes else s for s in project.sources], endpoints=[BY_ID]
    )
    by_id = make_store(world, outcomes=rows.with_columns(pl.lit(None, pl.Int64).alias("number")))
    spine = labelled_requests(by_id, BY_ID, UNTIL, served=served_requests(world, BY_ID, UNTIL))
    by_key = labelled_requests(store, BY_KEY, UNTIL, served=served_requests(served, BY_KEY, UNTIL))
    columns = ["number", AT, KNOWN_AT, LABEL]
    assert spine.sort(AT).select(columns).equals(by_key.sort(AT).select(columns))
    logged = served_between(world, BY_ID, FIRST, UNTIL)
    assert with_labels(by_id, BY_ID, logged, UNTIL)[LABEL].equals(
        with_labels(store, BY_KEY, logged, UNTIL)[LABEL]
    )


def test_a_model_is_trained_and_judged_on_what_was_served_alone(served, store):
    world = with_project(served, endpoints=[BY_KEY])
    result = turn(world, store, FIRST + 12 * DAY, key="again")
    [version] = result.trained.versions
    assert version.version == 2
    assert int(version.tags["trained_since"]) >= FIRST
    assert result.decision is not None
    log_predictions(world, store, 1, FIRST + 10 * DAY, FIRST + 11 * DAY, able)
    assert (
        turn(world, store, FIRST + 12 * DAY, key="once more").trained.versions[0].tags["training_data"]
        != (version.tags["training_data"])
    )


def test_there_is_no_history_to_replay(store):
    with pytest.raises(InvalidInput, match="its own predictions"):
        Requests.of(store, BY_KEY)


def test_labels_that_name_predictions_alone_need_requests_with_ids():
    with pytest.raises(InvalidInput) as refused:
        tr.Endpoint(
            "returns",
            model="returns@champion",
            features=RETURNS,
            requests=project.endpoints[0].requests,
            labels=BY_ID.labels,
        )
    assert "name predictions alone" in refused.value.faults[0]
