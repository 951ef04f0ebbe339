"""A planted leak is found, what looks like one and is none is not."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from treadle.records.anomalies import Severity
from treadle.records.frames import AT, KNOWN_AT, LABEL, Frame
from treadle.records.instants import DAY, HOUR
from treadle.stages.validation.leaks import find_leaks, find_overlaps, single_area

ROWS = 4_000


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def y(rng):
    return rng.random(ROWS) < 0.2


def frame_of(y, features, **others) -> Frame:
    at = np.arange(len(y)) * HOUR
    columns = {**features, AT: at, KNOWN_AT: at + DAY, LABEL: y.astype(float), **others}
    return Frame(pl.DataFrame(columns), tuple(features))


def kinds(found):
    return {(one.kind, one.where) for one in found}


def test_a_feature_made_of_the_label_is_found_whatever_its_direction(y, rng):
    noise = rng.normal(0, 0.05, ROWS)
    frame = frame_of(y, {"good": rng.normal(size=ROWS) + y, "up": y + noise, "down": 5 - y + noise})
    found = find_leaks(frame)
    assert kinds(found) == {("feature_tells_label", "up"), ("feature_tells_label", "down")}
    assert all(one.severity is Severity.STOP for one in found)


def test_a_feature_that_is_only_there_for_one_outcome_is_found(y, rng):
    cause = pl.Series(rng.normal(size=ROWS)).set(pl.Series(~y), None)
    rarely = pl.Series(rng.normal(size=ROWS)).set(pl.Series(rng.random(ROWS) < 0.5), None)
    assert kinds(find_leaks(frame_of(y, {"cause": cause, "rarely": rarely}))) == {
        ("feature_tells_label", "cause")
    }


def test_a_category_made_of_the_label_is_found_and_one_of_many_values_is_not(y, rng):
    told = pl.Series(["late" if one else "early" for one in y])
    many = pl.Series([f"id{n}" for n in rng.integers(0, ROWS, ROWS)])
    unique = pl.Series([f"row{n}" for n in range(ROWS)])
    frame = frame_of(y, {"told": told, "many": many, "unique": unique})
    assert kinds(find_leaks(frame)) == {("feature_tells_label", "told")}


def test_a_feature_that_somebody_has_accepted_is_let_pass(y):
    assert find_leaks(frame_of(y, {"told": y.astype(float)}), accept=["told"]) == []


def test_too_few_rows_of_a_class_tell_nothing():
    y = np.arange(200) < 49
    assert find_leaks(frame_of(y, {"told": y.astype(float)})) == []
    y = np.arange(200) < 50
    assert kinds(find_leaks(frame_of(y, {"told": y.astype(float)}))) == {("feature_tells_label", "told")}


def test_the_area_is_that_of_the_textbook(y, rng):
    values = np.round(rng.normal(size=ROWS) + 0.7 * y, 1)  # with ties
    assert single_area(pl.Series(values), y) == pytest.approx(roc_auc_score(y, values), abs=1e-12)
    assert single_area(pl.Series(-values), y) == pytest.approx(roc_auc_score(y, values), abs=1e-12)


def test_a_long_set_is_judged_by_rows_from_all_over_it(rng):
    y = rng.random(100_000) < 0.3
    honest = rng.normal(size=100_000)
    told = np.where(np.arange(100_000) < 50_000, honest, y)  # only its newer half tells
    assert find_leaks(frame_of(y, {"told": told, "honest": honest})) == []
    assert kinds(find_leaks(frame_of(y, {"told": y + honest / 100}))) == {("feature_tells_label", "told")}


def test_a_time_that_comes_with_the_outcome_is_found_and_a_schedule_is_not(y):
    at = np.arange(ROWS) * HOUR

    def times(values):
        return pl.Series(values).cast(pl.Datetime("us", "UTC"))

    frame = frame_of(
        y, {"x": np.zeros(ROWS)}, landed=times(at + DAY), scheduled=times(at + 2 * HOUR), asked=times(at)
    )
    assert kinds(find_leaks(frame)) == {("value_after_request", "landed")}


def test_labels_known_before_their_request_are_told_not_stopped(y):
    frame = frame_of(y, {"x": np.zeros(ROWS)})
    early = Frame(
        frame.rows.with_columns(pl.when(pl.col(AT) < DAY).then(-1).otherwise(KNOWN_AT).alias(KNOWN_AT)),
        ("x",),
    )
    (found,) = find_leaks(early)
    assert (found.kind, found.count, found.severity) == ("label_before_request", 24, Severity.WARN)


def test_rows_and_entities_on_both_sides_are_counted(y, rng):
    customers = pl.Series([f"c{n}" for n in rng.integers(0, 50, ROWS)])
    frame = frame_of(y, {"x": rng.normal(size=ROWS)}, customer=customers)
    older, newer = (Frame(frame.rows.filter(pl.Series(side)), ("x",)) for side in (rng.random(ROWS) < 0.5, y))
    found = {one.kind: one for one in find_overlaps(older, newer, ["customer"])}
    both = set(older.rows[AT]) & set(newer.rows[AT])
    assert (found["rows_overlap"].count, found["rows_overlap"].severity) == (len(both), Severity.STOP)
    assert found["entity_overlap"].count == len(newer)
    one, other = (Frame(frame.rows.filter(pl.col("customer") == name), ("x",)) for name in ("c1", "c2"))
    assert find_overlaps(one, other, ["customer"]) == []
