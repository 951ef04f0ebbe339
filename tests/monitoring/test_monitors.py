"""What a monitor may be, and its JSON form."""

import pytest

from treadle.define.monitors import Monitor, ScoreDrift, auc, calibration, score_drift
from treadle.records.errors import InvalidInput
from treadle.records.instants import DAY, HOUR


def test_durations_are_written_as_text_and_kept_as_microseconds():
    monitor = Monitor(
        "delay", window="7d", every="12h", drift=score_drift(), performance=auc(maturity="1d12h")
    )
    assert (monitor.window, monitor.every) == (7 * DAY, 12 * HOUR)
    assert monitor.performance is not None
    assert monitor.performance.maturity == 36 * HOUR
    assert monitor.endpoint == "delay"
    assert Monitor("a", window=DAY, every=HOUR, endpoint="b", drift=score_drift()).endpoint == "b"


def test_floors_follow_the_statistic():
    assert (score_drift().warn, score_drift().alert) == (0.10, 0.20)
    assert (score_drift("ks").warn, score_drift("ks").alert) == (0.05, 0.10)
    assert score_drift("ks", alert=0.3) == ScoreDrift(statistic="ks", warn=0.05, alert=0.3)


def test_a_monitor_comes_back_from_json_equal():
    monitor = Monitor(
        "delay",
        window="7d",
        every="1d",
        endpoint="arrivals",
        drift=score_drift("ks"),
        performance=auc(drop=0.03),
        calibration=calibration(tolerance=0.2),
    )
    assert Monitor.from_json(monitor.as_json()) == monitor
    only = Monitor("delay", window="7d", every="1d", calibration=calibration())
    assert Monitor.from_json(only.as_json()) == only


def test_every_fault_is_listed():
    with pytest.raises(InvalidInput) as caught:
        Monitor("Delay!", window=0, every="1d")
    assert len(caught.value.faults) == 3
    with pytest.raises(InvalidInput, match="duration"):
        Monitor("delay", window="a week", every="1d", drift=score_drift())
    for build in (
        lambda: score_drift("hellinger"),  # type: ignore[arg-type]  # a mistake that a type checker would see
        lambda: score_drift(warn=0.3, alert=0.2),
        lambda: score_drift(significance=5),
        lambda: auc(drop=0.0),
        lambda: calibration(tolerance=-1),
        lambda: Monitor.from_json({"name": "delay"}),
    ):
        with pytest.raises(InvalidInput):
            build()
