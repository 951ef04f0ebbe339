"""The rollback: where an alias goes back to, read from the history of its moves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle import InvalidInput, NotFound
from treadle.records.models import AliasChange
from treadle.stages.registry.rollback import plan_rollback, previous_version, rollback_reason


def history(*moves: tuple[int | None, str]) -> list[AliasChange]:
    """Moves as (version, reason), told from the oldest; returned as the store does, the newest first."""
    told: list[AliasChange] = []
    for number, (version, reason) in enumerate(moves):
        previous = told[-1].version if told else None
        told.append(
            AliasChange(
                model="m",
                alias="champion",
                version=version,
                previous=previous,
                at=number,
                reason=reason,
                cursor=number,
            )
        )
    return told[::-1]


GATE, BACK, HAND = "gate: better", "rollback from version 9: why", "by hand: why"


@pytest.mark.parametrize(
    ("moves", "previous"),
    [
        ([], None),
        ([(1, GATE)], None),
        ([(1, GATE), (2, GATE)], 1),
        ([(1, GATE), (2, GATE), (3, GATE)], 2),
        ([(1, GATE), (2, GATE), (3, GATE), (2, BACK)], 1),  # back once more, not to and fro
        ([(1, GATE), (2, GATE), (3, GATE), (2, BACK), (1, BACK)], None),
        ([(1, GATE), (2, GATE), (1, BACK), (3, GATE)], 1),  # what was rolled back is passed over
        ([(1, GATE), (2, GATE), (1, HAND)], 2),  # chosen by hand: forward, even to an old version
        ([(1, GATE), (None, "gone"), (2, GATE)], 1),
        ([(1, GATE), (2, GATE), (1, BACK), (2, BACK)], 1),  # a rollback undone
    ],
)
def test_a_rollback_goes_to_the_version_before_the_present_one(moves, previous):
    assert previous_version(history(*moves)) == previous


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
@settings(max_examples=200)
def test_rolling_back_to_the_end_visits_the_promotions_backwards_and_stops(promoted):
    distinct = [version for i, version in enumerate(promoted) if i == 0 or promoted[i - 1] != version]
    moves = [(version, GATE) for version in distinct]
    visited = [distinct[-1]]
    while (back := previous_version(history(*moves))) is not None:
        moves.append((back, BACK))
        visited.append(back)
        assert len(visited) <= len(distinct)
    assert visited[0] == distinct[-1]
    assert all(version in distinct for version in visited)
    assert len(set(distinct)) > 1 or visited == distinct


def test_the_plan_says_since_when_and_until_when_each_served():
    plan = plan_rollback("m", "champion", history((1, GATE), (2, GATE), (3, "gate: AUC rose")))
    assert (plan.version, plan.to) == (3, 2)
    assert (plan.since, plan.last_served, plan.moved_because) == (2, 2, "gate: AUC rose")
    assert rollback_reason(plan, " complaints ") == "rollback from version 3: complaints"
    assert rollback_reason(plan, "") == "rollback from version 3"


def test_any_version_can_be_named_even_one_that_never_served():
    plan = plan_rollback("m", "champion", history((1, GATE), (2, GATE)), to=7)
    assert (plan.to, plan.last_served) == (7, None)


def test_there_must_be_somewhere_to_go():
    with pytest.raises(NotFound, match="names no version"):
        plan_rollback("m", "champion", [])
    with pytest.raises(NotFound, match="names no version"):
        plan_rollback("m", "champion", history((1, GATE), (None, "deleted")))
    with pytest.raises(NotFound, match="no version before 1"):
        plan_rollback("m", "champion", history((1, GATE)))
    with pytest.raises(InvalidInput, match="already"):
        plan_rollback("m", "champion", history((1, GATE), (2, GATE)), to=2)
