"""What was served, and which labels had come in for it by an instant."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import treadle as tr
from tests.loop.units.conftest import FIRST
from tests.loop.units.shop import project
from tests.loop.units.shops import able, log_predictions, plain_rows
from treadle.loop.observations import labels_known, served_between, with_labels
from treadle.loop.readings import psi_against, read_monitor
from treadle.records.frames import LABEL
from treadle.records.instants import DAY, HOUR
from treadle.stages.serving.prediction_log import PredictionFlusher

[ENDPOINT] = project.endpoints
[MONITOR] = project.monitors


@pytest.fixture
def served(world, store):
    """Three days of answers, in their table."""
    log_predictions(world, store, 1, FIRST, FIRST + 3 * DAY, able)
    PredictionFlusher([ENDPOINT], world.predictions, world.tables).flush()
    return world


def test_before_anything_was_served_there_are_the_columns_and_no_rows(world, store):
    nothing = served_between(world, ENDPOINT, FIRST, FIRST + DAY)
    assert nothing.height == 0
    assert {"prediction_id", "at", "model", "version", "score", "number", "amount"} <= set(nothing.columns)
    assert with_labels(store, ENDPOINT, nothing, FIRST + DAY).columns == [*nothing.columns, LABEL]
    assert served_between(world, ENDPOINT, FIRST, FIRST + DAY, ["at", "number"]).columns == ["at", "number"]


def test_the_empty_frame_has_the_types_of_a_full_one(served):
    full = served_between(served, ENDPOINT, FIRST, FIRST + 3 * DAY)
    empty = served_between(served, ENDPOINT, FIRST - DAY, FIRST)
    assert (full.height, empty.height) == (144, 0)
    assert full.schema == empty.schema


def test_the_first_instant_is_in_and_the_last_is_not(served):
    found = served_between(served, ENDPOINT, FIRST + HOUR, FIRST + 2 * HOUR, ["at"])
    assert found["at"].to_physical().to_list() == [FIRST + HOUR, FIRST + HOUR + HOUR // 2]


def test_rows_come_in_order_of_t_and_id(served):
    found = served_between(served, ENDPOINT, FIRST, FIRST + 3 * DAY)
    assert found.select("at", "prediction_id").rows() == sorted(found.select("at", "prediction_id").rows())


def test_a_label_is_there_from_the_instant_it_is_known(served, store):
    outcome = (
        plain_rows()["outcomes"].filter(pl.col("decided_at").to_physical() > FIRST + DAY).row(0, named=True)
    )
    known = int(outcome["decided_at"].timestamp() * 1_000_000)
    for by, there in ((known - 1, False), (known, True)):
        labels = dict(labels_known(store, ENDPOINT, by).iter_rows())
        assert (outcome["number"] in labels) == there
        if there:
            assert labels[outcome["number"]] == float(outcome["returned"])


def test_every_answer_keeps_its_row_and_gets_the_label_that_was_known(served, store):
    rows = served_between(served, ENDPOINT, FIRST, FIRST + 3 * DAY)
    joined = with_labels(store, ENDPOINT, rows, FIRST + 2 * DAY)
    assert joined["prediction_id"].to_list() == rows["prediction_id"].to_list()
    outcomes = plain_rows()["outcomes"].filter(pl.col("decided_at").to_physical() <= FIRST + 2 * DAY)
    truth = dict(outcomes.select("number", pl.col("returned").cast(pl.Float64)).iter_rows())
    assert joined[LABEL].to_list() == [truth.get(number) for number in joined["number"]]
    assert 0 < joined[LABEL].null_count() < joined.height


def test_a_monitor_that_watches_one_thing_gives_one_reading(served, store):
    with served.metadata.read() as view:
        version = view.models.get_version("returns", 1)
    alone = tr.Monitor("returns", window="2d", every="1d", drift=tr.score_drift(min_rows=50))
    [reading] = read_monitor(served, store, ENDPOINT, alone, version, FIRST + 3 * DAY)
    assert (reading.kind, reading.n, reading.model_version) == ("score_drift", 96, 1)
    kinds = [r.kind for r in read_monitor(served, store, ENDPOINT, MONITOR, version, FIRST + 3 * DAY)]
    assert kinds == ["score_drift", "auc", "calibration"]


def test_the_stability_index_of_no_scores_is_unknown(world):
    with world.metadata.read() as view:
        version = view.models.get_version("returns", 1)
    assert psi_against(world, version, np.empty(0)) is None
    found = psi_against(world, version, np.full(100, 0.99))
    assert found is not None
    assert found > 1.0
