"""Which pipelines run: truth tables, cooldowns, hold-offs, merging."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.define.triggers import (
    AllOf,
    AnyOf,
    Condition,
    calibration_off,
    every,
    manual,
    metric,
    new_labels,
    on,
    score_drift_alert,
)
from treadle.loop.triggers import decide, hold_off
from treadle.records.decisions import PipelineHistory, TriggerDecision
from treadle.records.estimates import Window
from treadle.records.instants import DAY
from treadle.records.models import Verdict
from treadle.records.readings import MonitorReading, ReadingKind, ReadingState

NOW = 100 * DAY
P, R, I = Verdict.PROMOTED, Verdict.REJECTED, Verdict.INCONCLUSIVE  # noqa: E741 - one letter each reads as a string


def reading(
    kind: ReadingKind,
    state: ReadingState,
    at: int = NOW,
    *,
    name: str = "delay",
    version: int | None = 1,
    value: float | None = None,
    length: int = 7,
    n: int = 5_000,
    error: float = 0.004,
) -> MonitorReading:
    drop = 0.75 - value if value is not None else 0.0
    reach = 1.959964 * (error**2 + 0.002**2) ** 0.5
    details = {
        "drop": drop,
        "drop_low": drop - reach,
        "drop_high": drop + reach,
        "standard_error": error,
        "baseline_standard_error": 0.002,
        "confidence": 0.95,
    }
    return MonitorReading(
        name=name,
        kind=kind,
        window=Window(at - length * DAY, at),
        at=at,
        model_version=version,
        state=state,
        n=n,
        value=value,
        baseline=None if value is None else 0.75,
        sentence=f"{kind} reads {state}",
        details={} if value is None else details,
    )


def history(pipeline="train", **changes):
    return {pipeline: PipelineHistory(pipeline=pipeline, **changes)}


def outcome(condition, readings=(), now=NOW, **past):
    decision = decide([on(condition, run="train", cooldown="7d", name="t")], readings, history(**past), now)
    return decision.evaluations[0].outcome


def drift(*states, start=NOW):
    return [reading("score_drift", state, start - k * DAY) for k, state in enumerate(reversed(states))]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], "unknown"),
        (["alert"], "not_met"),
        (["alert", "alert"], "fired"),
        (["alert", "ok", "alert"], "fired"),
        (["alert", "alert", "ok", "warn"], "not_met"),  # the first has gone out of the three
        (["alert", "insufficient_data", "ok"], "unknown"),  # the middle one may have been the second
        (["insufficient_data"] * 3, "unknown"),
        (["ok", "ok", "alert"], "not_met"),
    ],
)
def test_drift_fires_when_two_of_the_last_three_readings_alert(states, expected):
    assert outcome(score_drift_alert(), drift(*states)) == expected


def test_one_alert_is_enough_where_one_is_asked():
    assert outcome(score_drift_alert(times=1, of=1), drift("alert")) == "fired"


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (0.72, 0.004, "fired"),
        (0.72, 0.020, "unknown"),  # as large, but perhaps chance
        (0.735, 0.004, "unknown"),  # 0.015, perhaps 0.02
        (0.745, 0.004, "not_met"),
        (0.80, 0.004, "not_met"),
        (None, 0.004, "unknown"),
    ],
)
def test_a_drop_has_its_own_threshold_and_must_not_be_chance(value, error, expected):
    state: ReadingState = "insufficient_data" if value is None else "ok"
    readings = [reading("auc", state, value=value, error=error)]
    assert outcome(metric("auc").drops(0.02), readings) == expected


def test_pooled_windows_show_a_fall_that_no_single_one_does():
    readings = [reading("auc", "inconclusive", NOW - k * 7 * DAY, value=0.728, error=0.012) for k in range(4)]
    assert outcome(metric("auc").drops(0.02), readings) == "unknown"
    assert outcome(metric("auc").drops(0.02, over="28d"), readings) == "fired"
    assert outcome(metric("auc").drops(0.02, over="7d"), readings) == "unknown"


def test_overlapping_windows_are_not_counted_twice():
    readings = [reading("auc", "inconclusive", NOW - k * DAY, value=0.728, error=0.012) for k in range(28)]
    decision = decide([on(metric("auc").drops(0.02, over="28d"), run="t")], readings, {}, NOW)
    assert "over 4 windows and 20,000 labels" in decision.evaluations[0].truth[0].seen


def test_calibration_fires_on_an_alert_only():
    for state, expected in (
        ("alert", "fired"),
        ("warn", "not_met"),
        ("ok", "not_met"),
        ("inconclusive", "unknown"),
        ("insufficient_data", "unknown"),
    ):
        assert outcome(calibration_off(), [reading("calibration", state)]) == expected  # type: ignore[arg-type]  # each is a state


def test_time_labels_and_requests_are_counted_from_the_last_start():
    assert outcome(every("30d"), last_started=NOW - 30 * DAY) == "fired"
    assert outcome(every("30d"), last_started=NOW - 30 * DAY + 1) == "not_met"
    assert outcome(every("30d")) == "fired"
    assert outcome(new_labels(100), new_labels=100) == "fired"
    assert outcome(new_labels(100), new_labels=99) == "not_met"
    assert outcome(new_labels(100)) == "unknown"
    assert outcome(manual()) == "not_met"
    assert outcome(manual(), requested_by="ada") == "fired"


def test_readings_of_an_earlier_model_or_from_later_are_passed_over():
    alerts = drift("alert", "alert", "alert")
    assert outcome(score_drift_alert(), alerts, last_promoted=NOW - 4 * DAY) == "fired"
    assert outcome(score_drift_alert(), alerts, last_promoted=NOW) == "unknown"
    other = [*drift("alert", "alert", start=NOW - DAY), reading("score_drift", "ok", version=2)]
    assert outcome(score_drift_alert(), other) == "not_met"
    assert outcome(score_drift_alert(), drift("alert", "alert", start=NOW + 5 * DAY)) == "unknown"


def test_a_named_monitor_is_asked_alone_and_otherwise_one_of_all_is_enough():
    readings = [
        reading("calibration", "alert", name="east"),
        reading("calibration", "ok", name="west"),
        reading("score_drift", "ok", name="west"),
    ]
    assert outcome(calibration_off(), readings) == "fired"
    assert outcome(calibration_off(monitor="east"), readings) == "fired"
    assert outcome(calibration_off(monitor="west"), readings) == "not_met"
    assert outcome(calibration_off(monitor="north"), readings) == "unknown"


TRUE, FALSE, UNKNOWN = every("1d"), manual(), new_labels(5)


@pytest.mark.parametrize("worths", list(itertools.product([TRUE, FALSE, UNKNOWN], repeat=2)))
def test_any_and_all_follow_kleenes_table(worths):
    a, b = worths
    expected_any = "fired" if TRUE in worths else "unknown" if UNKNOWN in worths else "not_met"
    expected_all = "not_met" if FALSE in worths else "unknown" if UNKNOWN in worths else "fired"
    assert outcome(a | b) == expected_any
    assert outcome(a & b) == expected_all


def test_the_truth_table_shows_every_part_with_what_was_seen():
    condition = (every("1d") & manual()) | every("30d")
    decision = decide([on(condition, run="train", name="t")], [], history(last_started=NOW - 2 * DAY), NOW)
    (found,) = decision.evaluations
    assert [(row.depth, row.condition, row.holds, row.seen) for row in found.truth] == [
        (0, "(every 1d and a person asks) or every 30d", False, "0 of 2 hold, 0 unknown"),
        (1, "every 1d and a person asks", False, "1 of 2 hold, 0 unknown"),
        (2, "every 1d", True, "it last started 2d ago, on 1970-04-09"),
        (2, "a person asks", False, "nobody asked"),
        (1, "every 30d", False, "it last started 2d ago, on 1970-04-09"),
    ]
    assert found.sentence == "does not hold: (every 1d and a person asks) or every 30d"
    assert decision.firings == ()
    assert TriggerDecision.from_json(decision.as_json()) == decision


def test_the_reason_names_only_what_made_it_true():
    condition = (every("1d") & manual()) | every("2d") | metric("auc").drops(0.02)
    readings = [reading("auc", "alert", value=0.70)]
    decision = decide(
        [on(condition, run="train", cooldown=0)], readings, history(last_started=NOW - 2 * DAY), NOW
    )
    assert decision.firings[0].reasons == (
        "every 2d: it last started 2d ago, on 1970-04-09; auc drops by 0.02: auc reads alert",
    )


def test_the_cooldown_counts_from_any_start_and_ends_on_the_microsecond():
    alerts = drift("alert", "alert")
    assert outcome(score_drift_alert(), alerts, last_started=NOW - 7 * DAY + 1) == "cooling_down"
    assert outcome(score_drift_alert(), alerts, last_started=NOW - 7 * DAY) == "fired"
    decision = decide(
        [on(score_drift_alert(), run="train", cooldown="7d")], alerts, history(last_started=NOW - DAY), NOW
    )
    (found,) = decision.evaluations
    assert found.quiet_until == NOW + 6 * DAY
    assert found.sentence.endswith("but quiet until 1970-04-17T00:00:00Z: cooldown 7d")


def test_no_second_run_starts_beside_a_running_one_even_by_hand():
    assert outcome(manual(), running=True, requested_by="ada") == "running"
    assert outcome(every("1d"), running=True) == "running"


def test_a_person_does_not_wait_for_the_cooldown_where_the_condition_listens():
    past = {"last_started": NOW - DAY, "requested_by": "ada", "verdicts": (R,) * 5}
    decision = decide([on(every("30d") | manual(), run="train", name="t")], [], history(**past), NOW)
    assert decision.firings[0].manual
    assert decision.firings[0].reasons == ("a person asks: ada asked",)
    assert outcome(every("1d"), **past) == "cooling_down"


@pytest.mark.parametrize(
    ("verdicts", "factor"),
    [
        ((), 1),
        ((R,), 1),
        ((R, R), 2),
        ((R, R, R), 4),
        ((R,) * 9, 16),
        ((R, R, P), 1),
        ((P, R, R), 2),
        ((R, P, R), 1),
        ((R, I, R, I), 2),
        ((I, I, I), 1),
    ],
)
def test_rejected_models_in_a_row_lengthen_the_cooldown(verdicts, factor):
    assert hold_off(verdicts) == factor
    last = NOW - factor * 7 * DAY
    alerts = drift("alert", "alert")
    assert outcome(score_drift_alert(), alerts, last_started=last, verdicts=verdicts) == "fired"
    assert outcome(score_drift_alert(), alerts, last_started=last + 1, verdicts=verdicts) == "cooling_down"


def test_a_storm_of_alarms_that_no_training_answers_dies_down():
    """A year of daily alerts in which every model is rejected: 7 trainings instead of 52."""
    verdicts: list[Verdict] = []
    last, starts = None, []
    for day in range(1, 366):
        past = history(last_started=last, verdicts=tuple(verdicts[-10:]))
        trigger = on(score_drift_alert(), run="train", cooldown="7d")
        if decide([trigger], drift("alert", "alert", start=day * DAY), past, day * DAY).firings:
            last = day * DAY
            starts.append(day)
            verdicts.append(R)
    assert [b - a for a, b in itertools.pairwise(starts)] == [7, 14, 28, 56, 112, 112]


def test_triggers_of_one_pipeline_make_one_firing_with_both_reasons():
    triggers = [
        on(every("30d"), run="train", name="monthly"),
        on(new_labels(10), run="report", name="report"),
        on(score_drift_alert(), run="train", name="drift"),
        on(manual(), run="train", name="by hand"),
    ]
    histories = {**history(last_started=NOW - 40 * DAY), **history("report", new_labels=11)}
    decision = decide(triggers, drift("alert", "alert"), histories, NOW)
    assert [(f.pipeline, f.triggers) for f in decision.firings] == [
        ("train", ("monthly", "drift")),
        ("report", ("report",)),
    ]
    assert len(decision.firings[0].reasons) == 2
    assert [e.outcome for e in decision.evaluations] == ["fired", "fired", "fired", "not_met"]


def test_the_same_decision_twice_has_the_same_ids_and_another_instant_others():
    triggers = [on(every("1d"), run="train"), on(every("1d"), run="other")]
    once, again, later = (decide(triggers, [], {}, at) for at in (NOW, NOW, NOW + DAY))
    assert once == again
    ids = {firing.id for firing in (*once.firings, *later.firings)}
    assert len(ids) == 4


LEAVES = st.one_of(
    st.builds(score_drift_alert, st.just(1), st.integers(1, 3)),
    st.builds(
        lambda by, over: metric("auc").drops(by, over=over), st.floats(0.001, 0.1), st.none() | st.just("28d")
    ),
    st.just(calibration_off()),
    st.builds(every, st.integers(1, 60 * DAY)),
    st.builds(new_labels, st.integers(1, 1_000)),
    st.just(manual()),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: st.builds(lambda a, b, both: a & b if both else a | b, inner, inner, st.booleans()),
    max_leaves=5,
)
READINGS = st.lists(
    st.builds(
        lambda kind, state, days, value: reading(kind, state, NOW - days * DAY, value=value),
        st.sampled_from(["score_drift", "auc", "calibration"]),
        st.sampled_from(["ok", "warn", "alert", "inconclusive", "insufficient_data"]),
        st.integers(0, 20),
        st.none() | st.floats(0.5, 0.9),
    ),
    max_size=6,
)
PASTS = st.builds(
    lambda last, labels, asked, verdicts: {
        "last_started": last,
        "new_labels": labels,
        "requested_by": asked,
        "verdicts": tuple(verdicts),
    },
    st.none() | st.integers(0, NOW),
    st.none() | st.integers(0, 2_000),
    st.none() | st.just("ada"),
    st.lists(st.sampled_from([P, R, I]), max_size=5),
)


@settings(max_examples=80)
@given(CONDITIONS, CONDITIONS, READINGS, PASTS)
def test_joining_with_or_never_stops_and_joining_with_and_never_starts(one, two, readings, past):
    def holds(condition):
        trigger = on(condition, run="train", cooldown=0)
        decision = decide([trigger], readings, history(**past), NOW)
        assert TriggerDecision.from_json(decision.as_json()) == decision
        return decision.evaluations[0].outcome == "fired"

    assert holds(one | two) == (holds(one) or holds(two))
    assert holds(one & two) == (holds(one) and holds(two))
    assert holds(one | two) == holds(two | one)


@settings(max_examples=60)
@given(CONDITIONS, READINGS, PASTS, st.integers(0, 30), st.integers(0, 30))
def test_a_longer_cooldown_never_fires_more(condition, readings, past, one, two):
    def fires(days):
        trigger = on(condition, run="train", cooldown=days * DAY)
        return len(decide([trigger], readings, history(**past), NOW).firings)

    assert fires(max(one, two)) <= fires(min(one, two))


def test_conditions_flatten_only_their_own_kind():
    a, b, c = every("1d"), manual(), new_labels(1)
    assert (a | b) | c == a | (b | c) == AnyOf((a, b, c))
    assert a | (b & c) == AnyOf((a, AllOf((b, c))))
