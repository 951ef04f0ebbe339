"""What a leak looks like: windows keyed by the schedule promise more offline than they keep in replay."""

from __future__ import annotations

import pytest

from tests.examples.leak import BY_REQUEST, Leakage, serve

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def leakage(flights_project, flights_rows):
    return Leakage(flights_project, flights_rows)


@pytest.fixture(scope="module")
def honest(leakage):
    return leakage.run(leakage.honest, leakage.honest)


@pytest.fixture(scope="module")
def truth(leakage):
    """The mistaken windows over rows that say when they became known: what replay really has at T."""
    return leakage.keyed_by(BY_REQUEST, known=True)


@pytest.fixture(scope="module")
def leaky(leakage, truth):
    return leakage.run(leakage.keyed_by(BY_REQUEST, known=False), truth)


def test_the_projects_own_definition_keeps_in_replay_exactly_what_it_promised_offline(honest):
    assert honest.promised.equals(honest.served)
    assert honest.replay == honest.offline
    assert 0.73 < honest.offline < 0.77


def test_delays_keyed_by_the_schedule_jump_offline(honest, leaky):
    assert leaky.offline > honest.offline + 0.03


def test_and_fall_in_replay_below_the_honest_model(honest, leaky):
    assert leaky.replay < leaky.offline - 0.04
    assert leaky.replay < honest.replay - 0.003


def test_the_same_windows_with_known_at_neither_jump_nor_fall(leakage, truth):
    """Offline equals replay for any definition that says when a row became known; no model is needed to see it."""
    sample = leakage.judged.head(4_000)
    offline = leakage.frame(truth, sample).rows.select(truth.features.names)
    assert offline.equals(serve(truth, sample))


def test_the_skew_of_single_vectors_names_the_leaking_features_without_any_label(leakage, leaky, honest):
    """Comparing what was looked up with what offline says is how a leak is found in production."""
    assert skewed(honest) == set()
    on_delays = [view for view in leakage.endpoint.features.views if view.source.name in BY_REQUEST]
    delays = {column for view in on_delays for column in view.columns}
    # A route is flown once a day: its last delay has long been known, whatever time it is filed under.
    assert skewed(leaky) == delays - {"route_late_rate_28d"}


def skewed(outcome):
    """The features that differ in some vector."""
    names = outcome.promised.columns
    return {name for name in names if outcome.promised[name].ne_missing(outcome.served[name]).any()}
