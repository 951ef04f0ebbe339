"""Reading a monitor: the predictions and labels of its window, held against what the champion promised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.monitors import Monitor, ScoreDrift
from treadle.loop.observations import served_between, with_labels
from treadle.loop.training import Store
from treadle.loop.turn import load_reference, load_report
from treadle.loop.world import World
from treadle.records.estimates import Window
from treadle.records.frames import LABEL
from treadle.records.instants import DAY, Duration, Instant
from treadle.records.models import ModelVersion
from treadle.records.readings import MonitorReading
from treadle.stages.evaluation.probabilities import calibration
from treadle.stages.evaluation.ranking import auc_estimate
from treadle.stages.monitoring.drift import distance, score_drift
from treadle.stages.monitoring.performance import auc_reading, calibration_reading
from treadle.stages.monitoring.windows import label_window, score_window

_PSI = ScoreDrift(statistic="psi", warn=0.1, alert=0.2)


def read_monitor(
    world: World, store: Store, endpoint: Endpoint, monitor: Monitor, champion: ModelVersion, at: Instant
) -> list[MonitorReading]:
    """Return a monitor's readings at an instant, of the present champion's predictions only."""
    columns = list(dict.fromkeys(["prediction_id", "at", "version", "score", *endpoint.labels.key]))
    longest = max((rule.maturity for rule in (monitor.performance, monitor.calibration) if rule), default=0)
    rows = served_between(world, endpoint, at - longest - monitor.window, at + 1, columns)
    everything = rows.select("at", *endpoint.labels.key)  # a label may belong to another version's answer
    rows = rows.filter(pl.col("version") == champion.version)
    readings = []
    if monitor.drift is not None:
        window = score_window(monitor, at)
        readings.append(
            score_drift(
                monitor.drift,
                load_reference(world, champion),
                _inside(rows, window)["score"].to_numpy(),
                monitor=monitor.name,
                window=window,
                at=at,
                model_version=champion.version,
            )
        )
    if monitor.performance is not None or monitor.calibration is not None:
        rows = with_labels(store, endpoint, rows, at, everything)
    if monitor.performance is not None:
        readings.append(_auc(world, monitor, rows, champion, at))
    if monitor.calibration is not None:
        readings.append(_calibration(monitor, rows, champion, at))
    return readings


def psi_against(world: World, version: ModelVersion, scores: npt.NDArray[np.float64]) -> float | None:
    """Return the population stability index of scores against a version's reference, or None without one."""
    reference = load_reference(world, version)
    return None if reference is None or not len(scores) else distance(_PSI, reference, scores)


def _auc(
    world: World, monitor: Monitor, rows: pl.DataFrame, champion: ModelVersion, at: Instant
) -> MonitorReading:
    rule = monitor.performance
    assert rule is not None
    window, served, judged = _matured(monitor, rule.maturity, rows, at)
    report = load_report(world, champion)
    return auc_reading(
        rule,
        auc_estimate(judged[LABEL].to_numpy(), judged["score"].to_numpy(), _days(judged)),
        report.auc if report else None,
        monitor=monitor.name,
        window=window,
        at=at,
        labelled=judged.height,
        predicted=served.height,
        model_version=champion.version,
    )


def _calibration(monitor: Monitor, rows: pl.DataFrame, champion: ModelVersion, at: Instant) -> MonitorReading:
    rule = monitor.calibration
    assert rule is not None
    window, served, judged = _matured(monitor, rule.maturity, rows, at)
    return calibration_reading(
        rule,
        calibration(judged[LABEL].to_numpy(), judged["score"].to_numpy(), _days(judged)),
        monitor=monitor.name,
        window=window,
        at=at,
        labelled=judged.height,
        predicted=served.height,
        model_version=champion.version,
    )


def _matured(
    monitor: Monitor, maturity: Duration, rows: pl.DataFrame, at: Instant
) -> tuple[Window, pl.DataFrame, pl.DataFrame]:
    """Return the window of predictions old enough for their labels, its rows, and those of them that have one."""
    window = label_window(monitor, maturity, at)
    served = _inside(rows, window)
    return window, served, served.filter(pl.col(LABEL).is_not_null())


def _inside(rows: pl.DataFrame, window: Window) -> pl.DataFrame:
    at = pl.col("at").to_physical()
    return rows.filter((at >= window.start) & (at < window.end))


def _days(rows: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the day of each row: what happens on one day is alike, and intervals have to allow for it."""
    days: npt.NDArray[np.int64] = rows["at"].to_physical().to_numpy() // DAY
    return days
