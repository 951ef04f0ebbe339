"""What a trigger may be, how it reads, and its JSON form."""

import pytest

from treadle.define.triggers import (
    Trigger,
    calibration_off,
    every,
    manual,
    metric,
    new_labels,
    on,
    score_drift_alert,
)
from treadle.records.digests import canonical
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY

FULL = (
    (metric("auc").drops(0.02, over="28d") & new_labels(5_000))
    | every("30d")
    | score_drift_alert(monitor="delay")
    | calibration_off()
    | manual()
)


def test_a_trigger_reads_aloud():
    trigger = on(FULL, run="train_delay", cooldown="7d")
    assert trigger.name == (
        "train_delay: (auc drops by 0.02 over 28d and 5,000 new labels) or every 30d or "
        "score drift alerts in 2 of the last 3 readings of delay or calibration is off or a person asks"
    )
    assert trigger.cooldown == 7 * DAY
    assert str((every("1d") | manual()) & new_labels(1)) == "(every 1d or a person asks) and 1 new labels"


def test_a_pipeline_is_given_by_itself_or_by_name():
    class Pipeline:
        name = "train_delay"

    assert on(manual(), run=Pipeline()) == on(manual(), run="train_delay")
    assert on(manual(), run="a", name="mine").name == "mine"


def test_a_trigger_comes_back_from_json_equal():
    trigger = on(FULL, run="train_delay", cooldown="7d")
    assert Trigger.from_json(trigger.as_json()) == trigger
    assert canonical(Trigger.from_json(trigger.as_json()).as_json()) == canonical(trigger.as_json())


def test_python_words_are_refused_because_they_would_drop_a_part():
    for join in (lambda: every("1d") or manual(), lambda: every("1d") and manual(), lambda: not every("1d")):
        with pytest.raises(InvalidInput, match="no truth value") as caught:
            join()
        assert "| and &" in str(caught.value)


def test_conditions_that_make_no_sense_are_refused():
    for build in (
        lambda: metric("auc").drops(0),
        lambda: metric("f1").drops(0.1),
        lambda: every(0),
        lambda: every("a month"),
        lambda: new_labels(0),
        lambda: score_drift_alert(4, 3),
        lambda: score_drift_alert(0, 3),
        lambda: every("1d") | "manual",  # type: ignore[operator]  # a mistake that a type checker sees
        lambda: Trigger.from_json(
            {"name": "t", "condition": {"is": "full_moon"}, "pipeline": "p", "cooldown": 0}
        ),
    ):
        with pytest.raises(InvalidInput):
            build()
