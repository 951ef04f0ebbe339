"""The gate's verdicts: rules on made-up evidence, then error rates on simulated models."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.gates import (
    BetterThanChampion,
    Gate,
    better_than_champion,
    gate_from_json,
    loads_and_answers,
    no_worse_slice,
)
from treadle.records.decisions import Evidence, GateDecision, LoadCheck
from treadle.records.digests import canonical
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.estimates import Auc, Difference, Window
from treadle.records.evaluation import Comparison, SliceComparison
from treadle.records.instants import instant
from treadle.records.models import Verdict
from treadle.stages.evaluation.comparison import compare
from treadle.stages.registry.gate import decide, holm

JUNE = Window(instant("2013-06-01"), instant("2013-06-15"))


def comparison(value, error=0.002, *, slices=(), n=12_431):
    return Comparison(
        n=n,
        positives=n // 4,
        window=JUNE,
        champion={"auc": 0.7402},
        challenger={"auc": 0.7402 + value},
        differences={"auc": Difference(value=value, standard_error=error, n=n)},
        slices=slices,
    )


def evidence(found, champion_version=2, load_check=LoadCheck(ok=True), trained_until=None):  # noqa: B008 - frozen
    return Evidence(
        comparison=found,
        challenger_version=3,
        champion_version=champion_version,
        load_check=load_check,
        trained_until=trained_until,
    )


def part(value, difference, n=2_000, error=0.004, column="origin"):
    return SliceComparison(
        column=column,
        value=value,
        n=n,
        positives=n // 4,
        difference=None if difference is None else Difference(value=difference, standard_error=error, n=n),
    )


def verdict(gates, found, **changes):
    return decide(gates, evidence(found, **changes)).verdict


def test_a_clear_gain_is_promoted_with_a_sentence_that_holds_the_numbers():
    decision = decide([better_than_champion()], evidence(comparison(0.0129, 0.0014)))
    assert decision.verdict is Verdict.PROMOTED
    assert decision.reasons == (
        "AUC 0.7531 against 0.7402 of version 2 on 12,431 rows labelled 2013-06-01…2013-06-15: "
        "+0.0129 (95 % +0.0102 to +0.0156), p < 0.0001: clearly better",
    )
    assert decision.window == JUNE
    assert GateDecision.from_json(decision.as_json()) == decision


@pytest.mark.parametrize(
    ("value", "margin", "expected"),
    [
        (0.0040, 0.0, Verdict.PROMOTED),  # 2 errors above
        (0.0030, 0.0, Verdict.INCONCLUSIVE),  # 1.5 errors above
        (-0.0030, 0.0, Verdict.INCONCLUSIVE),
        (-0.0040, 0.0, Verdict.REJECTED),
        (0.0040, 0.005, Verdict.INCONCLUSIVE),
        (0.0040, 0.010, Verdict.REJECTED),
        (0.0000, -0.005, Verdict.PROMOTED),  # not inferior
        (-0.0090, -0.005, Verdict.REJECTED),
    ],
)
def test_the_one_sided_bound_is_held_against_the_margin(value, margin, expected):
    assert verdict([better_than_champion(margin=margin)], comparison(value)) is expected


ORDER = [Verdict.REJECTED, Verdict.INCONCLUSIVE, Verdict.PROMOTED]
VALUES = st.floats(-0.2, 0.2)


@given(VALUES, VALUES, st.floats(0.0, 0.05), st.floats(-0.05, 0.05))
def test_a_larger_gain_never_has_a_lower_verdict(one, two, error, margin):
    low, high = (
        verdict([better_than_champion(margin=margin)], comparison(value, error))
        for value in sorted((one, two))
    )
    assert ORDER.index(low) <= ORDER.index(high)


@given(VALUES, st.floats(0.0, 0.05), st.floats(1.0, 5.0))
def test_less_sure_evidence_of_the_same_gain_never_decides_more(value, error, factor):
    sure = verdict([better_than_champion()], comparison(value, error))
    vague = verdict([better_than_champion()], comparison(value, error * factor))
    assert vague in (sure, Verdict.INCONCLUSIVE)


def test_an_equal_model_is_held_and_passes_only_where_equal_is_enough():
    assert verdict([better_than_champion()], comparison(0.0, 0.0)) is Verdict.INCONCLUSIVE
    assert verdict([better_than_champion(margin=-0.001)], comparison(0.0, 0.0)) is Verdict.PROMOTED


def test_no_data_is_inconclusive_never_promoted():
    nothing = compare([], [], [], {"origin": []}, window=JUNE)
    for gate in (better_than_champion(), better_than_champion("brier"), no_worse_slice("origin")):
        assert verdict([gate], nothing) is Verdict.INCONCLUSIVE
    one_class = compare([0, 0, 0], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert verdict([better_than_champion()], one_class) is Verdict.INCONCLUSIVE
    assert verdict([], comparison(0.1)) is Verdict.INCONCLUSIVE
    assert verdict([loads_and_answers()], comparison(0.1), load_check=None) is Verdict.INCONCLUSIVE
    assert verdict([better_than_champion()], nothing, champion_version=None) is Verdict.INCONCLUSIVE


def first(auc, error=0.02, n=1_000):
    return Comparison(
        n=n,
        positives=n // 4,
        challenger={"auc": auc},
        challenger_auc=Auc(value=auc, standard_error=error, n=n, positives=n // 4),
    )


@pytest.mark.parametrize(
    ("auc", "expected"),
    [
        (0.60, Verdict.PROMOTED),
        (0.53, Verdict.INCONCLUSIVE),
        (0.40, Verdict.REJECTED),
        (0.5, Verdict.INCONCLUSIVE),
    ],
)
def test_the_first_model_has_to_beat_guessing(auc, expected):
    gates: list[Gate] = [better_than_champion(), no_worse_slice("origin", required=["EWR"])]
    decision = decide([*gates, loads_and_answers()], evidence(first(auc), champion_version=None))
    assert decision.verdict is expected
    assert decision.reasons[0].startswith(f"no champion yet: AUC {auc:.4f} on 1,000 rows")


def test_a_package_that_does_not_load_is_rejected_however_good():
    decision = decide(
        [better_than_champion(), loads_and_answers()],
        evidence(comparison(0.1), load_check=LoadCheck(ok=False, detail="scores differ by 0.8")),
    )
    assert decision.verdict is Verdict.REJECTED
    assert [outcome.result for outcome in decision.outcomes] == ["pass", "fail"]
    assert "scores differ by 0.8" in decision.reasons[1]


def test_one_failing_gate_outweighs_an_inconclusive_one():
    gates = [better_than_champion(), loads_and_answers()]
    assert verdict(gates, comparison(0.0), load_check=LoadCheck(ok=False)) is Verdict.REJECTED
    assert verdict(gates, comparison(0.0)) is Verdict.INCONCLUSIVE


def test_rows_that_a_model_was_trained_on_hold_the_verdict():
    gates = [better_than_champion()]
    assert verdict(gates, comparison(0.1), trained_until=JUNE.start) is Verdict.PROMOTED
    decision = decide(gates, evidence(comparison(0.1), trained_until=JUNE.start + 1))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "2013-06-01" in decision.reasons[0]


def test_a_slice_that_clearly_lost_rejects_and_is_named():
    slices = (part("EWR", 0.01), part("JFK", -0.04), part("LGA", 0.0))
    decision = decide([no_worse_slice("origin")], evidence(comparison(0.01, slices=slices)))
    assert decision.verdict is Verdict.REJECTED
    assert "JFK -0.0400 (95 % -0.0478 to -0.0322) on 2,000 rows, p < 0.0001" in decision.reasons[0]
    assert "EWR" not in decision.reasons[0]


def test_a_fall_within_the_margin_or_within_chance_is_no_loss():
    gate = [no_worse_slice("origin", margin=0.02)]
    assert verdict(gate, comparison(0.01, slices=(part("EWR", -0.018),))) is Verdict.PROMOTED
    assert verdict(gate, comparison(0.01, slices=(part("EWR", -0.026),))) is Verdict.PROMOTED
    assert verdict(gate, comparison(0.01, slices=(part("EWR", -0.028),))) is Verdict.REJECTED


def test_more_slices_ask_for_more_evidence_by_holm():
    lost = part("EWR", -0.018)  # 2 errors below the margin of 0.01: p = 0.023 alone
    others = tuple(part(f"A{i}", 0.01) for i in range(9))
    assert verdict([no_worse_slice("origin")], comparison(0.01, slices=(lost,))) is Verdict.REJECTED
    assert verdict([no_worse_slice("origin")], comparison(0.01, slices=(lost, *others))) is Verdict.PROMOTED


def test_small_slices_are_not_judged_but_required_ones_must_be_there():
    small = comparison(0.01, slices=(part("EWR", 0.0), part("LGA", -0.3, n=499)))
    assert verdict([no_worse_slice("origin")], small) is Verdict.PROMOTED
    assert verdict([no_worse_slice("origin", required=["EWR"])], small) is Verdict.PROMOTED
    for value in ("LGA", "JFK"):
        decision = decide([no_worse_slice("origin", required=["EWR", value])], evidence(small))
        assert decision.verdict is Verdict.REJECTED
        assert decision.reasons[0].endswith(f"rows: {value}")
    only_small = comparison(0.01, slices=(part("LGA", -0.3, n=499), part("X", None)))
    assert verdict([no_worse_slice("origin")], only_small) is Verdict.INCONCLUSIVE
    assert verdict([no_worse_slice("carrier")], small) is Verdict.REJECTED


@pytest.mark.parametrize(
    ("slices", "said"),
    [
        (
            (part("LGA", 0.0, n=499), part("X", None)),
            "the largest, LGA, has 499 of the 800 there are; wait for more labels",
        ),
        ((part("LGA", 0.0, n=499), part("X", None)), "no_worse_slice('origin', min_rows=450)"),
        (
            (part("LGA", 0.0, n=99), part("X", 0.0, n=20)),
            "has 99 of the 800 there are; wait for more labels, or guard a",
        ),
        ((part("X", None), part("Y", None)), "none of the 2 has both, in 800 rows"),
    ],
)
def test_a_gate_without_evidence_says_what_it_asks_for_what_there_was_and_what_to_do(slices, said):
    decision = decide([no_worse_slice("origin")], evidence(comparison(0.01, slices=slices, n=800)))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert "no slice of origin has min_rows=500 labelled rows of both classes" in decision.reasons[0]
    assert said in decision.reasons[0]


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_holm_corrects_as_stepping_down_by_hand(p_values):
    corrected = holm(p_values)
    for alpha in (0.01, 0.05, 0.2):
        left, rejected = sorted(range(len(p_values)), key=lambda i: p_values[i]), set()
        while left and p_values[left[0]] * len(left) <= alpha:
            rejected.add(left.pop(0))
        assert {i for i, p in enumerate(corrected) if p <= alpha} == rejected


def simulate(rng, n, gain=0.0):
    """Labels and two correlated scores; `gain` moves the second one's classes apart."""
    y = rng.random(n) < 0.25
    shared, a, b = rng.normal(size=(3, n))
    logit = lambda noise, shift: 1 / (1 + np.exp(-(0.8 * shared + 0.6 * noise + shift * y - 1)))  # noqa: E731
    return y, logit(a, 1.0), logit(b, 1.0 + gain)


@pytest.mark.parametrize("clustered", [False, True])
def test_an_equally_good_model_is_promoted_in_about_5_of_100_cases(clustered):
    rng, n, runs = np.random.default_rng(11), 600, 2_000
    days = np.arange(n) // 20 if clustered else None
    decisions = [
        verdict([better_than_champion()], compare(*simulate(rng, n), groups=days)) for _ in range(runs)
    ]
    assert decisions.count(Verdict.PROMOTED) / runs == pytest.approx(0.05, abs=0.015)
    assert decisions.count(Verdict.REJECTED) / runs == pytest.approx(0.05, abs=0.015)


def test_days_with_a_mood_of_their_own_fool_the_plain_test_but_not_the_grouped_one():
    rng, runs, days, rows = np.random.default_rng(12), 400, 20, 40
    plain, grouped = 0, 0
    for _ in range(runs):
        y, a, b = simulate(rng, days * rows)
        day = np.repeat(np.arange(days), rows)
        # On some days one model is helped, on others the other: equal on the whole, dependent within a day.
        mood = rng.normal(0, 1.5, days)[day] * (y - 0.25)
        b = 1 / (1 + np.exp(-(np.log(b / (1 - b)) + mood)))
        a = 1 / (1 + np.exp(-(np.log(a / (1 - a)) - mood)))
        gates = [better_than_champion()]
        plain += verdict(gates, compare(y, a, b)) is Verdict.PROMOTED
        grouped += verdict(gates, compare(y, a, b, groups=day)) is Verdict.PROMOTED
    assert plain / runs > 0.15
    assert grouped / runs < 0.09


def test_a_better_model_is_promoted_nearly_always_given_the_rows():
    rng = np.random.default_rng(13)
    runs = [verdict([better_than_champion()], compare(*simulate(rng, 6_000, gain=0.2))) for _ in range(60)]
    assert runs.count(Verdict.PROMOTED) >= 57
    few = [verdict([better_than_champion()], compare(*simulate(rng, 150, gain=0.2))) for _ in range(60)]
    assert few.count(Verdict.REJECTED) <= 1
    assert few.count(Verdict.INCONCLUSIVE) >= 25


@settings(max_examples=30)
@given(
    st.one_of(
        st.builds(better_than_champion, st.sampled_from(["auc", "brier"]), margin=st.floats(-0.1, 0.1)),
        st.builds(no_worse_slice, st.text(min_size=1), required=st.lists(st.text(), max_size=3)),
        st.just(loads_and_answers()),
    )
)
def test_a_gate_comes_back_from_json_equal(gate):
    assert gate_from_json(gate.as_json()) == gate
    assert canonical(gate_from_json(gate.as_json()).as_json()) == canonical(gate.as_json())


def test_gates_that_make_no_sense_are_refused():
    with pytest.raises(InvalidInput) as caught:
        better_than_champion(margin=2.0, confidence=95)
    assert len(caught.value.faults) == 2
    with pytest.raises(NotFound, match="'AUC'"):
        better_than_champion("AUC")
    with pytest.raises(InvalidInput):
        no_worse_slice("", min_rows=0)
    with pytest.raises(InvalidInput, match="is not a gate"):
        gate_from_json({"is": "prettier_than_champion"})
    with pytest.raises(InvalidInput, match="marign"):
        gate_from_json({"is": "better_than_champion", "marign": 0.1})
    assert gate_from_json({"is": "better_than_champion"}) == BetterThanChampion()


def test_a_margin_is_named_in_the_sentence():
    for value, words in (
        (0.03, "clearly above"),
        (-0.03, "clearly below"),
        (0.005, "neither clearly above nor clearly below"),
    ):
        (sentence,) = decide([better_than_champion(margin=0.005)], evidence(comparison(value))).reasons
        assert sentence.endswith(f": {words} the margin of +0.005")
