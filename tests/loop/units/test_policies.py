"""Side policies: trained beside the loop, under a name of their own, on the last months alone."""

from __future__ import annotations

import pytest

from tests.loop.units.shop import project
from tests.loop.units.shops import END, START, registry
from treadle.loop.policies import LAST_MONTHS, MATURITY, SidePolicies
from treadle.loop.span import Span
from treadle.loop.turn import load_model
from treadle.records.errors import TreadleError
from treadle.records.instants import DAY, HOUR, instant

APRIL, MAY = instant("2024-04-01"), instant("2024-05-01")
SPAN = Span(("2024-04",), APRIL + HOUR, END)


@pytest.fixture
def policies(world, store):
    made = SidePolicies(world, store, project.endpoints[0], SPAN, "UTC", "train_returns")
    yield made
    made.close()


def test_months_end_with_the_replay_and_begin_with_it(policies):
    assert instant("2024-04-30") == END
    assert policies.month_bounds("2024-04") == (APRIL + HOUR, END)


def test_a_month_is_trained_when_it_begins_within_a_day_and_only_once(policies):
    policies.start_due(APRIL - DAY)
    assert policies._runs == {}
    policies.start_due(APRIL + HOUR - DAY)
    first = policies._runs["2024-04"]
    policies.start_due(APRIL + DAY)
    assert policies._runs["2024-04"] is first


def test_its_model_learns_from_labels_known_before_the_months_first_request(world, policies):
    policies.start_due(APRIL)
    version = policies.version("2024-04")
    assert version.model == f"returns_last{LAST_MONTHS}" == policies.model_name
    until = policies.first_request("2024-04")
    assert until == APRIL + HOUR
    assert int(version.tags["trained_until"]) == until == version.created
    assert int(version.tags["trained_since"]) == START
    assert load_model(world, version).package.features


def test_nothing_of_the_loop_notices_it(world, policies):
    before = registry(world)
    policies.start_due(APRIL)
    policies.trained("2024-04")
    after = registry(world)
    for part in ("versions", "aliases", "verdicts", "jobs", "turns"):
        assert after[part] == before[part]
    assert len(after["runs"]) == len(before["runs"]) + 1


def test_a_month_that_nobody_started_is_trained_when_it_is_asked_for(policies):
    """A replay that was whole already only reports again."""
    assert policies.version("2024-04").version == 1


def test_the_same_month_again_finds_its_run(world, store, policies):
    first = policies.trained("2024-04")
    again = SidePolicies(world, store, project.endpoints[0], SPAN, "UTC", "train_returns")
    found = again.trained("2024-04")
    again.close()
    assert found.run.run_id == first.run.run_id
    assert found.versions[0].ref == first.versions[0].ref
    assert found.fit_seconds == first.fit_seconds


def test_a_training_that_fails_says_so_where_it_is_waited_for(world, store, monkeypatch):
    monkeypatch.setattr("treadle.loop.training.RUN_STEP", "tests.loop.units.test_turn:out_of_memory")
    policies = SidePolicies(world, store, project.endpoints[0], SPAN, "UTC", "train_returns")
    policies.start_due(APRIL)
    with pytest.raises(TreadleError, match="step 'fit' failed"):
        policies.version("2024-04")
    policies.close()


def test_a_month_is_closed_once_when_its_labels_have_matured_or_at_the_end(policies):
    assert list(policies.closed_months(END + MATURITY - 1)) == []
    assert list(policies.closed_months(END + MATURITY)) == ["2024-04"]
    assert list(policies.closed_months(None)) == []


def test_at_the_end_every_month_is_closed_in_order(world, store):
    span = Span(("2024-03", "2024-04"), START + DAY, END)
    policies = SidePolicies(world, store, project.endpoints[0], span, "UTC", "train_returns")
    assert list(policies.closed_months(instant("2024-04-02"))) == []
    assert list(policies.closed_months(instant("2024-04-03"))) == ["2024-03"]
    assert list(policies.closed_months(None)) == ["2024-04"]
    policies.close()
