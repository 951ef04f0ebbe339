"""The pictures of a replay: its report in, charts out. All that show time share one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from treadle.loop.replay_figures import LOOP, PSI_LEVELS, own_trainings, policies_of, side_trainings
from treadle.loop.replay_words import (
    calibration_words,
    cost_words,
    importance_words,
    positives_words,
    psi_words,
    reliability_words,
    scores_words,
    short_reason,
    tally_words,
    time_words,
    timeline_words,
)
from treadle.pictures.chart import Chart, Form, Mark, Role, Series, X, YKind
from treadle.records.estimates import Auc, Window
from treadle.records.instants import DAY, SECOND, Instant
from treadle.records.models import Verdict
from treadle.records.replays import Decided, RaisedAlert, ReplayReport

TOP_FEATURES = 15
_MOST_EVENTS = 60
_ALERT_SLOTS = 60
_Event = TypeVar("_Event")
_KINDS = {"auc": "AUC", "score_drift": "score drift"}


def auc_chart(report: ReplayReport) -> Chart:
    """Return AUC by month and policy, the loop's with its interval, and where a version was promoted."""
    series = []
    for policy in _drawn(report):
        areas = [row.auc.get(policy) for row in report.months]
        bounds = [area.interval() if area else None for area in areas]
        # Bands over one another cannot be told apart; the dots of a single month can each have their interval.
        shown = policy == LOOP or _single(report)
        series.append(
            Series.of(
                policy,
                _places(report),
                [area.value if area else None for area in areas],
                role=_role(policy),
                lower=[b.low if b else None for b in bounds] if shown else None,
                upper=[b.high if b else None for b in bounds] if shown else None,
            )
        )
    marks = [
        Mark(f"v{one.model_version} promoted", one.at, status="promoted")
        for one in _newest(_promotions(report))
    ]
    found = [tally_words(report, policy) for policy in policies_of(report) if policy != LOOP]
    shaded = [] if _single(report) or not report.months else ["Shaded: the loop's 95 % interval."]
    return _by_month(
        report,
        "line",
        f"AUC of {report.endpoint} by month",
        " ".join([*found, *shaded]),
        series,
        unit="AUC",
        marks=() if _single(report) else marks,
    )


def positives_chart(report: ReplayReport) -> Chart:
    """Return the share of positive labels by month."""
    rates = Series.of("positive labels", _places(report), [row.late_rate for row in report.months])
    return _by_month(
        report,
        "bars",
        "Positive labels by month",
        positives_words(report),
        [rates],
        unit="share of labels",
        y_kind="share",
    )


def calibration_chart(report: ReplayReport) -> Chart:
    """Return mean score over share of positives by month; 1 is right."""
    right = Series.of("as promised", _places(report), [1.0] * len(report.months), role="reference")
    series = [
        Series.of(
            policy,
            _places(report),
            [row.calibration.get(policy) for row in report.months],
            role=_role(policy),
        )
        for policy in _drawn(report)
    ]
    return _by_month(
        report,
        "line",
        "Calibration by month",
        calibration_words(report),
        [right, *series],
        unit="mean score / share of positives",
    )


def psi_chart(report: ReplayReport) -> Chart:
    """Return the population stability index of the served scores by month, with its customary levels."""
    values = Series.of(
        "score PSI", _places(report), [row.score_psi for row in report.months], role="champion"
    )
    named = zip(PSI_LEVELS, ("notable", "large"), strict=True)
    most = max((v for v in values.y if v is not None), default=0.0)
    return _by_month(
        report,
        "bars",
        "Drift of the served scores by month",
        psi_words(report),
        [values],
        unit="PSI against the reference scores",
        marks=[Mark(f"{level:g}: {word}", y=level) for level, word in named],
        # Room for the words above the upper level.
        y_range=(0.0, max(most * 1.08, 1.25 * PSI_LEVELS[-1])),
    )


def _single(report: ReplayReport) -> bool:
    return len(report.months) == 1


def _places(report: ReplayReport) -> list[X]:
    """Return each month's place: its middle day; a single month, which makes no line, by its name."""
    if _single(report):
        return [report.months[0].month]
    return [_middle(row.window) for row in report.months]


def _by_month(
    report: ReplayReport,
    form: Form,
    title: str,
    caption: str,
    series: Sequence[Series],
    *,
    unit: str,
    y_kind: YKind = "number",
    marks: Sequence[Mark] = (),
    y_range: tuple[float, float] | None = None,
) -> Chart:
    """Return a picture of the months on the axis they all share; of a single month, rows instead of lines."""
    single = _single(report)
    return Chart(
        "dot" if single and form == "line" else form,
        title,
        caption,
        series=tuple(series) if report.months else (),
        marks=tuple(marks),
        unit=unit,
        x_kind="category" if single else "time",
        y_kind=y_kind,
        x_label="month" if single else "middle of each month",
        x_range=None if single else _span(report),
        y_range=y_range,
    )


def scores_chart(report: ReplayReport) -> Chart:
    """Return the distribution of the served scores over that of the reference."""
    pair = [one for one in report.scores[:2] if one.shares]
    ends = [
        max((k + 1 for k, part in enumerate(one.shares) if part > 0), default=1) / len(one.shares)
        for one in pair
    ]
    series = tuple(
        Series.of(
            one.name,
            [k / len(one.shares) for k in range(len(one.shares) + 1)],
            one.shares,
            role="reference" if one is report.scores[0] and len(pair) > 1 else None,
        )
        for one in pair
    )
    return Chart(
        "histogram",
        "Distribution of the scores",
        scores_words(report.scores),
        series=series,
        unit="share of answers",
        y_kind="share",
        x_label="score",
        x_range=(0.0, min(1.0, math.ceil(max(ends) * 10) / 10)) if ends else None,
    )


def reliability_chart(report: ReplayReport) -> Chart:
    """Return what scores promised against what came true, by policy, with the diagonal."""
    found = [(policy, report.reliability.get(policy, ())) for policy in _drawn(report)]
    places = [v for _, bins in found for one in bins for v in (one.mean_score, one.base_rate)]
    end = min(1.0, math.ceil(max(places, default=1.0) * 10) / 10) or 1.0
    series = [
        Series.of(
            policy,
            [one.mean_score for one in bins],
            [one.base_rate for one in bins],
            role=_role(policy),
        )
        for policy, bins in found
        if bins
    ]
    diagonal = Series("as promised", (0.0, end), (0.0, end), role="reference")
    return Chart(
        "dot",
        "What scores promised and what came true",
        reliability_words(report),
        series=(diagonal, *series) if series else (),
        unit="share of positives",
        x_label="mean score of the bin",
        x_range=(0.0, end),
        y_range=(0.0, end),
    )


def timeline_chart(report: ReplayReport) -> Chart:
    """Return alerts, triggers, verdicts and what served over time."""
    lanes = [
        _alert_lane(report, kind, [alert for alert in report.alerts if alert.kind == kind])
        for kind in dict.fromkeys(alert.kind for alert in report.alerts)
    ][:20]
    own = _newest(own_trainings(report))
    if own:
        lanes.append(Series.spans("trained because", ((t.at, t.at, "", short_reason(t.reason)) for t in own)))
    if report.verdicts:
        decided = _newest(sorted(report.verdicts, key=lambda one: one.at))
        lanes.append(
            Series.spans(
                "gate",
                (
                    (one.at, one.at, one.verdict.value, f"v{one.model_version} {one.verdict.value}")
                    for one in decided
                ),
            )
        )
    served = _served(report)
    if served:
        lanes.append(Series.spans("serves", served))
    for policy in dict.fromkeys(t.policy for t in side_trainings(report)):
        times = _newest([t for t in side_trainings(report) if t.policy == policy])
        lanes.append(Series.spans(f"trained: {policy}", ((t.at, t.at, "", "") for t in times)))
    return Chart(
        "gantt",
        "The wheel over time",
        timeline_words(report),
        series=tuple(lanes),
        x_kind="time",
        x_range=_span(report),
    )


def importance_chart(report: ReplayReport) -> Chart:
    """Return the most important features of the last champion."""
    top = sorted(report.importance, key=lambda one: -one.drop)[:TOP_FEATURES]
    drops = Series.of(
        f"v{report.champion}",
        [one.feature for one in top],
        [one.drop for one in top],
        lower=[one.drop - abs(one.spread) for one in top],
        upper=[one.drop + abs(one.spread) for one in top],
        role="champion",
    )
    more = len(report.importance) - len(top)
    return Chart(
        "bars",
        f"Importance of the features of version {report.champion}" if top else "Importance of the features",
        importance_words(report) + (f" The {len(top)} largest are shown." if more else ""),
        series=(drops,) if top else (),
        unit="AUC lost when shuffled, and its spread",
        x_kind="category",
    )


def cost_chart(report: ReplayReport) -> Chart:
    """Return each policy as a dot: what its fits took, and the AUC over all months with its interval."""
    costs = {one.policy: one for one in report.costs}
    series = []
    for policy in _drawn(report):
        cost = costs.get(policy)
        area: Auc | None = cost.auc if cost else None
        if cost is None or area is None:
            continue
        bounds = area.interval()
        series.append(
            Series.of(
                policy,
                [cost.fit_seconds],
                [area.value],
                lower=[bounds.low],
                upper=[bounds.high],
                role=_role(policy),
            )
        )
    most = max((one.fit_seconds for one in report.costs), default=0.0)
    return Chart(
        "dot",
        "What each policy cost and gave",
        cost_words(report),
        series=tuple(series),
        unit="AUC over all months, with its 95 % interval",
        x_label="seconds of model fits",
        x_range=(0.0, most * 1.15) if most > 0 else None,
    )


def time_chart(report: ReplayReport) -> Chart:
    """Return where the wall time went."""
    parts = sorted(report.time_spent.items(), key=lambda item: -item[1])[:TOP_FEATURES]
    spent = Series.of("wall time", [name for name, _ in parts], [seconds * SECOND for _, seconds in parts])
    return Chart(
        "bars",
        "Wall time by part of the work",
        time_words(report),
        series=(spent,) if parts else (),
        x_kind="category",
        y_kind="duration",
    )


def _drawn(report: ReplayReport) -> list[str]:
    """Return the policies in the order they are drawn: the loop's lies over the others."""
    return sorted(policies_of(report), key=lambda policy: policy == LOOP)


def _role(policy: str) -> Role | None:
    return "champion" if policy == LOOP else None


def _middle(window: Window) -> Instant:
    return (window.start + window.end) // 2 // DAY * DAY


def _span(report: ReplayReport) -> tuple[Instant, Instant] | None:
    """Return whole days that hold all months and events, None when there are none."""
    moments = [t for row in report.months for t in (row.window.start, row.window.end - 1)]
    for events in (report.trainings, report.verdicts, report.alerts):
        moments += [event.at for event in events]
    return (min(moments) // DAY * DAY, (max(moments) // DAY + 1) * DAY) if moments else None


def _promotions(report: ReplayReport) -> list[Decided]:
    return sorted((one for one in report.verdicts if one.verdict is Verdict.PROMOTED), key=lambda one: one.at)


def _newest(events: Sequence[_Event]) -> Sequence[_Event]:
    """Return the last events, as many as a picture can hold."""
    return events[-_MOST_EVENTS:]


def _served(report: ReplayReport) -> list[tuple[Instant, Instant, str, str]]:
    """Return which version served from when to when, as the promotions say."""
    promoted, whole = _newest(_promotions(report)), _span(report)
    if whole is None or not promoted:
        return []
    ends = [*(one.at for one in promoted[1:]), whole[1]]
    return [(one.at, end, "", f"v{one.model_version}") for one, end in zip(promoted, ends, strict=True)]


def _alert_lane(report: ReplayReport, kind: str, alerts: Sequence[RaisedAlert]) -> Series:
    """Return the alerts of a kind, those of neighbouring days as one event with their number."""
    first, last = _span(report) or (0, 1)
    slot = max((last - first) // _ALERT_SLOTS, 1)
    groups: dict[int, list[Instant]] = {}
    for alert in alerts:
        groups.setdefault((alert.at - first) // slot, []).append(alert.at)
    events = (
        (min(at), min(at), "alert", f"{len(at)} alerts" if len(at) > 1 else "") for at in groups.values()
    )
    return Series.spans(f"{_KINDS.get(kind, kind.replace('_', ' '))} alert", events)
