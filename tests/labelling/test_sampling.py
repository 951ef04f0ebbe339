"""Predictions are chosen by known chances, and what people say of them is weighed back without bias."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from treadle.records.errors import InvalidInput
from treadle.records.labelling import STRATEGIES, Stratum
from treadle.stages.evaluation.sampling import choose, most_shifted
from treadle.stages.evaluation.weighted import answered_probabilities, weighted_accuracy, weighted_auc

ROWS = 1_200
CHANCE = np.random.default_rng(5)
SCORES = CHANCE.uniform(size=ROWS)
DRIFTED = CHANCE.uniform(size=ROWS) < 0.3
# Worse where it drifted: answers from there alone would tell too bad a story.
TRUE = CHANCE.uniform(size=ROWS) < np.where(DRIFTED, 1 - SCORES, 0.1 + 0.8 * SCORES)
IDS = [f"p{n}" for n in range(ROWS)]


def accuracy():
    return float(((SCORES >= 0.5) == TRUE).mean())


def area():
    higher, lower = SCORES[TRUE], SCORES[~TRUE]
    return float((higher[:, None] > lower[None, :]).mean())


def draws(strategy, estimate, times=150, n=150):
    found = []
    for seed in range(times):
        drawn = choose(IDS, SCORES, strategy=strategy, n=n, seed=seed, drifted=DRIFTED)
        found.append(estimate(TRUE[drawn.places], SCORES[drawn.places], drawn.probabilities))
    return float(np.mean(found)), float(np.std(found) / math.sqrt(times))


@pytest.mark.parametrize("strategy", ["random", "mixed"])
@pytest.mark.parametrize(("estimate", "whole"), [(weighted_accuracy, accuracy), (weighted_auc, area)])
def test_weighed_back_the_mean_of_many_draws_is_that_of_all_predictions(strategy, estimate, whole):
    mean, error = draws(strategy, estimate)
    assert abs(mean - whole()) < 4 * error


@pytest.mark.parametrize(("estimate", "whole"), [(weighted_accuracy, accuracy), (weighted_auc, area)])
def test_unweighed_the_mixed_draw_is_biased(estimate, whole):
    mean, error = draws("mixed", lambda y, score, chance: estimate(y, score, np.ones_like(chance)))
    assert abs(mean - whole()) > 10 * error


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_draw_is_repeatable_has_no_row_twice_and_parts_all_rows(strategy):
    first, again, other = (
        choose(IDS, SCORES, strategy=strategy, n=90, seed=seed, drifted=DRIFTED) for seed in (1, 1, 2)
    )
    assert first.places.tolist() == again.places.tolist()
    assert (first.places.tolist() == other.places.tolist()) == (strategy == "uncertain")
    assert len(set(first.places.tolist())) == len(first.places) == 90
    assert sum(one.rows for one in first.strata) == ROWS
    for one in first.strata:
        chances = first.probabilities[[name == one.name for name in first.names]]
        assert np.allclose(chances, one.chosen / one.rows)


def test_each_strategy_chooses_what_it_says():
    near = choose(IDS, SCORES, strategy="uncertain", n=40, threshold=0.2)
    assert set(near.places) == set(np.argsort(np.abs(SCORES - 0.2))[:40])
    assert DRIFTED[choose(IDS, SCORES, strategy="drifted", n=40, drifted=DRIFTED).places].all()
    mixed = choose(IDS, SCORES, strategy="mixed", n=90, drifted=DRIFTED)
    assert [(one.name, one.chosen) for one in mixed.strata] == [
        ("uncertain", 30),
        ("drifted", 30),
        ("rest", 30),
    ]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("rows", [0, 1, 2, 50])
def test_few_rows_are_all_taken(strategy, rows):
    everywhere = np.ones(rows, np.bool_)
    drawn = choose(IDS[:rows], SCORES[:rows], strategy=strategy, n=100, drifted=everywhere)
    assert drawn.places.tolist() == list(range(rows))
    assert (drawn.probabilities == 1.0).all()


def test_without_a_drifted_slice_a_mixed_draw_has_more_of_the_rest():
    drawn = choose(IDS, SCORES, strategy="mixed", n=90)
    assert [(one.name, one.chosen) for one in drawn.strata] == [("uncertain", 30), ("rest", 60)]


def test_missing_answers_leave_the_chances_of_those_that_came():
    strata = [Stratum(name="a", rows=100, chosen=10), Stratum(name="b", rows=10, chosen=10)]
    assert answered_probabilities(strata, {"a": 5, "b": 10}) == {"a": 0.05, "b": 1.0}
    assert answered_probabilities(strata, {"b": 10}) is None


def test_a_chance_of_nothing_is_refused():
    with pytest.raises(InvalidInput, match="probability"):
        weighted_accuracy([1, 0], [0.5, 0.5], [0.5, 0.0])


def test_the_slice_whose_scores_moved_most_is_found_and_chance_is_not_taken_for_a_move():
    chance = np.random.default_rng(3)
    place, size = chance.choice(["x", "y", "z"], 3_000), chance.choice([1, 2], 3_000)
    before = pl.DataFrame({"place": place, "size": size, "score": chance.uniform(size=3_000)})
    assert most_shifted(before[:1_500], before[1_500:], ["place", "size"]) is None
    moved = before.with_columns(pl.col("score") + pl.when(pl.col("place") == "y").then(0.1).otherwise(0.0))
    found = most_shifted(before[:1_500], moved[1_500:], ["place", "size"])
    assert found is not None
    assert (found.column, found.value) == ("place", "y")
    assert found.now - found.before == pytest.approx(0.1, abs=0.05)
