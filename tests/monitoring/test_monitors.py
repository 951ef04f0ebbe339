"""What a monitor may be, and its JSON form."""

import pytest

from treadle.define.monitors import Monitor, ScoreDrift, auc, calibration, score_drift, skew
from treadle.records.errors import InvalidInput
from treadle.records.estimates import share_interval
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


class TestSkew:
    def test_a_monitor_that_says_nothing_of_skew_is_what_it_was(self):
        plain = Monitor("delay", window="7d", every="1d", drift=score_drift()).as_json()
        assert isinstance(plain, dict)
        assert "skew" not in plain
        assert Monitor.from_json(plain).skew is None

    def test_a_rule_comes_back_from_json_equal(self):
        monitor = Monitor("delay", window="7d", every="1d", skew=skew(sample=0.2, most=900, tolerance=1e-9))
        assert Monitor.from_json(monitor.as_json()) == monitor

    def test_every_number_out_of_range_is_listed(self):
        with pytest.raises(InvalidInput) as found:
            skew(sample=1.5, least=10, most=5, warn=0.5, alert=0.1, tolerance=1.0, min_rows=0)
        assert len(found.value.faults) == 5


def test_wilsons_interval_agrees_with_published_values():
    """Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for successes, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = share_interval(successes, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert share_interval(20, 20).high == 1.0
    assert (share_interval(0, 0).low, share_interval(0, 0).high) == (0.0, 1.0)
