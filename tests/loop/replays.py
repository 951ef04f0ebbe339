"""A year's replay as its report would be: the size of a real one, its numbers round about what one finds."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from treadle.records.digests import digest_value
from treadle.records.estimates import Auc, Difference, Window
from treadle.records.evaluation import ReliabilityBin
from treadle.records.importances import FeatureImportance
from treadle.records.instants import instant
from treadle.records.models import Verdict
from treadle.records.replays import (
    Decided,
    MonthRow,
    PolicyCost,
    RaisedAlert,
    ReplayReport,
    ScoreHistogram,
    Training,
)

ZONE = "America/New_York"
MONTHS = tuple(f"2013-{month:02d}" for month in range(4, 13))
ANSWERED = (28_330, 28_796, 28_243, 29_425, 29_327, 27_574, 28_889, 27_268, 28_135)
LABELLED = (27_564, 28_128, 27_075, 28_293, 28_756, 27_010, 28_618, 26_971, 27_020)
RATES = (0.286, 0.234, 0.312, 0.317, 0.248, 0.141, 0.176, 0.179, 0.342)
AUCS = {
    "frozen": (0.7466, 0.7666, 0.7644, 0.7547, 0.7306, 0.7126, 0.7156, 0.7179, 0.7434),
    "loop": (0.7466, 0.7790, 0.7790, 0.7800, 0.7490, 0.7520, 0.7330, 0.7260, 0.7400),
    "last3": (0.7466, 0.7791, 0.7840, 0.7774, 0.7474, 0.7459, 0.7130, 0.7099, 0.7277),
}
RATIOS = {
    "frozen": (0.913, 1.126, 0.884, 0.871, 1.082, 1.731, 1.364, 1.337, 0.783),
    "loop": (0.913, 1.084, 0.921, 0.942, 1.061, 1.523, 1.187, 1.124, 0.742),
    "last3": (0.913, 1.104, 0.933, 0.981, 1.142, 1.662, 1.041, 0.972, 0.628),
}
PSIS = (0.004, 0.021, 0.018, 0.026, 0.047, 0.128, 0.214, 0.108, 0.031)
SERVED = ((1,), (1, 2), (2, 3), (3,), (3,), (3, 5), (5,), (5, 6), (6,))


@dataclass(frozen=True)
class Turn:
    day: str
    reason: str
    rows: int
    verdict: Verdict
    reasons: tuple[str, ...]


def gates(better, slices="no slice of origin lost clearly more than 0.01 of AUC: 3 of 3 had 500 rows"):
    return better, slices, "the package loads and answers: 256 rows, largest difference 0.00000006"


def against(new, old, version, window, difference, meaning):
    return f"AUC {new} against {old} of version {version} on 12,890 rows labelled {window}: {difference}: {meaning}"


MORE, LESS, UNCLEAR = (
    "clearly more than +0",
    "clearly less than +0",
    "not clearly more than +0, nor clearly less",
)
WORSE = "AUC fell by more than 0.01 in slices of carrier: EV -0.0213 (95 % -0.0301 to -0.0125) on 4,120 rows, p = 0.0003 (Holm)"
TURNS = (
    Turn(
        "2013-04-01T09:00:00Z",
        "the first model, on the first 3 months",
        78_416,
        Verdict.PROMOTED,
        gates("no champion yet: AUC 0.7512 on 12,410 rows (95 % 0.7401 to 0.7620), better than guessing"),
    ),
    Turn(
        "2013-05-16T03:59:59.999999Z",
        "every 45d: 45d since the last run of train_delay",
        119_120,
        Verdict.PROMOTED,
        gates(
            against(
                0.7781,
                0.7688,
                1,
                "2013-05-02…2013-05-16",
                "+0.0093 (95 % +0.0061 to +0.0125), p < 0.0001",
                MORE,
            )
        ),
    ),
    Turn(
        "2013-06-20T03:59:59.999999Z",
        "auc drops by 0.02: 0.7460 now, 0.7701 at promotion, a drop of 0.0241 (95 % 0.0102 to 0.0380)",
        150_480,
        Verdict.PROMOTED,
        gates(
            against(
                0.7802,
                0.7755,
                2,
                "2013-06-06…2013-06-20",
                "+0.0047 (95 % +0.0011 to +0.0083), p = 0.0052",
                MORE,
            )
        ),
    ),
    Turn(
        "2013-08-29T03:59:59.999999Z",
        "calibration is off: ratio 1.214 (95 % 1.180 to 1.249), more than 15 % off",
        214_310,
        Verdict.REJECTED,
        gates(
            against(
                0.7461,
                0.7512,
                3,
                "2013-08-08…2013-08-29",
                "-0.0051 (95 % -0.0088 to -0.0014), p = 0.0041",
                LESS,
            ),
            WORSE,
        ),
    ),
    Turn(
        "2013-09-19T03:59:59.999999Z",
        "calibration is off: ratio 1.402 (95 % 1.351 to 1.455), more than 15 % off; score drift alert: PSI 0.212",
        233_006,
        Verdict.PROMOTED,
        gates(
            against(
                0.7533,
                0.7482,
                3,
                "2013-09-05…2013-09-19",
                "+0.0051 (95 % +0.0009 to +0.0093), p = 0.0089",
                MORE,
            )
        ),
    ),
    Turn(
        "2013-11-07T04:59:59.999999Z",
        "every 45d: 49d since the last run of train_delay",
        276_402,
        Verdict.PROMOTED,
        gates(
            against(
                0.7281,
                0.7244,
                5,
                "2013-10-24…2013-11-07",
                "+0.0037 (95 % +0.0002 to +0.0072), p = 0.0193",
                MORE,
            )
        ),
    ),
    Turn(
        "2013-12-22T04:59:59.999999Z",
        "auc drops by 0.02: 0.7066 now, 0.7281 at promotion, a drop of 0.0215 (95 % 0.0061 to 0.0369)",
        313_870,
        Verdict.INCONCLUSIVE,
        gates(
            against(
                0.7419,
                0.7402,
                6,
                "2013-12-10…2013-12-22",
                "+0.0017 (95 % -0.0024 to +0.0058), p = 0.2083",
                UNCLEAR,
            )
        ),
    ),
)
ALERTS = (
    (
        "2013-06-20T03:59:59.999999Z",
        "auc",
        "the AUC fell by more than the 0.02 put up with: 0.7460, 0.7701 at promotion",
    ),
    (
        "2013-08-21T03:59:59.999999Z",
        "calibration",
        "the scores are too high by more than the 15% put up with: ratio 1.214",
    ),
    (
        "2013-09-12T03:59:59.999999Z",
        "score_drift",
        "the scores of 2013-08-29…2013-09-12 have drifted: PSI 0.212",
    ),
    (
        "2013-09-14T03:59:59.999999Z",
        "calibration",
        "the scores are too high by more than the 15% put up with: ratio 1.402",
    ),
    (
        "2013-12-21T04:59:59.999999Z",
        "auc",
        "the AUC fell by more than the 0.02 put up with: 0.7066, 0.7281 at promotion",
    ),
    (
        "2013-12-22T04:59:59.999999Z",
        "calibration",
        "the scores are too low by more than the 15% put up with: ratio 0.746",
    ),
)
FEATURES = (
    "origin_mean_dep_delay_3h", "minute_of_day", "dest_mean_arr_delay_6h", "carrier", "carrier_origin_mean_dep_delay_6h",
    "tail_mean_arr_delay_1d", "origin_mean_dep_delay_1h", "route_late_rate_28d", "dest", "carrier_mean_arr_delay_1d",
    "pressure", "humid", "planned_air_minutes", "weekday", "wind_speed", "visib", "distance", "temp", "seats", "precip",
    "plane_age", "origin", "wind_gust", "wind_dir",
)  # fmt: skip


def auc(value, n, rate):
    """Return an AUC with the standard error of Hanley and McNeil, so that the bands have their natural width."""
    positives = round(n * rate)
    q1, q2 = value / (2 - value), 2 * value * value / (1 + value)
    negatives = n - positives
    square = value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    return Auc(
        value=value, standard_error=math.sqrt(square / (positives * negatives)), n=n, positives=positives
    )


def lead(value, standard_error):
    return Difference(value=value, standard_error=standard_error, n=27_000, clusters=30)


def window(k):
    start = datetime(2013, 4 + k, 1, tzinfo=ZoneInfo(ZONE))
    end = datetime(2013 + (4 + k) // 12, (4 + k) % 12 + 1, 1, tzinfo=ZoneInfo(ZONE))
    return Window(instant(start.astimezone(UTC)), instant(end.astimezone(UTC)))


def month(k):
    return MonthRow(
        month=MONTHS[k],
        window=window(k),
        n=ANSWERED[k],
        labelled=LABELLED[k],
        late_rate=RATES[k],
        auc={policy: auc(values[k], LABELLED[k], RATES[k]) for policy, values in AUCS.items()},
        calibration={policy: values[k] for policy, values in RATIOS.items()},
        score_psi=PSIS[k],
        versions=SERVED[k],
        loop_over={other: lead(AUCS["loop"][k] - AUCS[other][k], 0.0031) for other in ("frozen", "last3")},
    )


def histogram(name, centre, spread=0.13, bins=25):
    raw = [
        math.exp(-(((k + 0.5) / bins - centre) ** 2) / (2 * spread**2)) * (1 + 2 * (k < 4))
        for k in range(bins)
    ]
    return ScoreHistogram(name=name, shares=tuple(v / sum(raw) for v in raw))


def reliability(tilt):
    places = [(k + 0.5) / 10 * 0.85 for k in range(10)]
    return tuple(
        ReliabilityBin(
            low=x - 0.04, high=x + 0.04, n=round(90_000 * math.exp(-5 * x)), mean_score=x, base_rate=min(1.0, x * tilt + 0.01)
        )
        for x in places
    )  # fmt: skip


def trainings():
    own = [
        Training(
            at=instant(turn.day),
            policy="loop" if k else "first",
            reason=turn.reason,
            model_version=k + 1,
            rows=turn.rows,
            seconds=3.1 + turn.rows / 60_000,
            run_id=f"run_{k}",
        )
        for k, turn in enumerate(TURNS)
    ]
    side = [
        Training(
            at=window(k).start,
            policy="last3",
            reason=f"the calendar: the last 3 months before {MONTHS[k]}",
            model_version=k + 1,
            rows=80_000 + 900 * k,
            seconds=3.6,
            run_id=f"side_{k}",
        )
        for k in range(9)
    ]
    return tuple(sorted([*own, *side], key=lambda one: one.at))


def verdicts():
    return tuple(
        Decided(
            at=instant(turn.day),
            model_version=k + 1,
            verdict=turn.verdict,
            reasons=turn.reasons,
        )
        for k, turn in enumerate(TURNS)
    )


def cost(policy, value, calibration, log_loss, ahead=None):
    mine = [t for t in trainings() if t.policy == policy or (policy != "last3" and t.policy == "first")]
    return PolicyCost(
        policy=policy,
        trainings=len(mine),
        fit_seconds=sum(one.seconds for one in mine),
        auc=auc(value, sum(LABELLED), 0.2476),
        calibration=calibration,
        log_loss=log_loss,
        loop_over=ahead,
    )


def year():
    """Return the report of a whole year."""
    found = trainings()
    return ReplayReport(
        project="flights",
        endpoint="delay",
        timezone=ZONE,
        months=tuple(month(k) for k in range(9)),
        trainings=found,
        verdicts=verdicts(),
        alerts=tuple(RaisedAlert(at=instant(at), monitor="delay", kind=kind, message=said) for at, kind, said in ALERTS),
        costs=(
            cost("frozen", 0.7391, 1.0542, 0.4871, lead(0.0162, 0.0021)),
            cost("loop", 0.7553, 1.0211, 0.4764),
            cost("last3", 0.7502, 1.0313, 0.4803, lead(0.0051, 0.0029)),
        ),
        digests={name: digest_value(name) for name in ("models", "predictions", "training_sets")},
        seconds=142.7,
        fit_seconds=sum(one.seconds for one in found),
        time_spent={
            "training and gates": 48.2, "serving": 41.7, "prediction log": 9.8, "online store": 6.1, "first model": 8.4,
            "monitors": 11.3, "report": 7.6, "reading the tables": 4.9,
        },
        scores=(histogram("first month (2013-04)", 0.24), histogram("whole replay", 0.21, 0.14)),
        reliability={"frozen": reliability(0.86), "loop": reliability(0.97), "last3": reliability(0.93)},
        importance=tuple(
            FeatureImportance(feature=name, drop=0.0412 * 0.74**k - 0.0003, spread=0.0009 * 0.93**k)
            for k, name in enumerate(FEATURES)
        ),
        champion=6,
        generated_at=instant("2014-01-03T04:59:59Z"),
    )  # fmt: skip


def nothing():
    """Return the report of a replay that answered nothing."""
    return ReplayReport(
        project="empty",
        endpoint="any",
        timezone="UTC",
        months=(),
        trainings=(),
        verdicts=(),
        alerts=(),
        costs=(),
        digests={},
        seconds=0.0,
        fit_seconds=0.0,
        time_spent={},
        scores=(),
        reliability={},
        importance=(),
        champion=0,
        generated_at=instant("2014-01-01"),
    )


def unlabelled():
    """Return the report of one month whose labels are not known yet."""
    row = MonthRow(
        month="2013-04",
        window=window(0),
        n=12,
        labelled=0,
        late_rate=None,
        auc={},
        calibration={},
        score_psi=None,
        versions=(1,),
    )
    empty = PolicyCost(policy="loop", trainings=1, fit_seconds=0.4, auc=None, calibration=None, log_loss=None)
    return replace(
        nothing(),
        months=(row,),
        costs=(empty,),
        scores=(ScoreHistogram(name="reference", shares=(0.0, 0.0)),),
        reliability={"loop": ()},
        champion=1,
    )
