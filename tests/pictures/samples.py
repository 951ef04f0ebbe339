"""A chart of every form, small enough to read, with intervals, gaps, marks and shaded ranges."""

from treadle.pictures.chart import Band, Chart, Mark, Series
from treadle.records.instants import DAY, instant

APRIL = instant("2013-04-01")
MONTHS = tuple(instant(f"2013-{month:02d}-01") for month in range(4, 13))

LINE = Chart(
    "line",
    "AUC by month",
    "The loop stays above the frozen model.",
    series=(
        Series.of(
            "loop",
            MONTHS,
            [0.742, 0.744, 0.751, None, 0.741, 0.712, 0.733, 0.731, 0.722],
            lower=[0.73, 0.74, 0.74, None, 0.73, 0.70, 0.72, 0.72, 0.71],
            upper=[0.75, 0.76, 0.76, None, 0.75, 0.72, 0.74, 0.74, 0.73],
            role="champion",
        ),
        Series.of("frozen", MONTHS, [0.742, 0.731, 0.729, 0.722, 0.738, 0.689, 0.704, 0.699, 0.671]),
        Series.of("target", MONTHS, [0.72] * 9, role="reference"),
    ),
    bands=(Band(MONTHS[2], MONTHS[3], "storms"),),
    marks=(Mark("v2 promoted", MONTHS[1], status="promoted"), Mark("floor", y=0.68)),
    unit="AUC",
    x_kind="time",
)
BARS = Chart(
    "bars",
    "Importance",
    "Congestion matters most.",
    series=(
        Series.of(
            "v6",
            ("congestion", "wind", "pressure"),
            [0.061, 0.02, -0.003],
            lower=[0.05, 0.01, -0.004],
            upper=[0.07, 0.03, 0.0],
        ),
    ),
    x_kind="category",
    unit="AUC lost",
)
COLUMNS = Chart(
    "bars",
    "Flights by month",
    "Traffic is even.",
    series=(
        Series.of("EWR", MONTHS, range(9000, 9900, 100)),
        Series.of("JFK", MONTHS, range(8000, 8900, 100)),
    ),
    x_kind="time",
    unit="flights",
)
HISTOGRAM = Chart(
    "histogram",
    "Scores",
    "Scores moved up.",
    series=(
        Series("training", (0.0, 0.25, 0.5, 0.75, 1.0), (0.5, 0.3, 0.15, 0.05), role="reference"),
        Series("served", (0.0, 0.25, 0.5, 0.75, 1.0), (0.4, None, 0.25, 0.1)),
    ),
    y_kind="share",
    x_label="score",
)
DOT = Chart(
    "dot",
    "AUC by origin",
    "No origin is worse.",
    series=(
        Series("v6", ("EWR", "JFK"), (0.731, None), role="champion", lower=(0.72, None), upper=(0.742, None)),
        Series(
            "v7", ("EWR", "JFK"), (0.735, 0.705), role="challenger", lower=(0.724, 0.69), upper=(0.746, 0.72)
        ),
    ),
    marks=(Mark("all", y=0.722),),
    x_kind="category",
    unit="AUC",
)
CALIBRATION = Chart(
    "dot",
    "Calibration",
    "Scores can be taken at their word.",
    series=(
        Series("perfect", (0.0, 1.0), (0.0, 1.0), role="reference"),
        Series.of(
            "loop", [0.1, 0.5, 0.9], [0.12, 0.48, 0.91], lower=[0.1, 0.45, 0.88], upper=[0.14, 0.51, 0.94]
        ),
    ),
    y_kind="share",
)
HEAT = Chart(
    "heat",
    "AUC by carrier",
    "Hawaiian has too few flights.",
    series=(Series("UA", MONTHS[:3], (0.71, 0.72, 0.73)), Series("HA", MONTHS[:3], (0.7, None, 0.65))),
    x_kind="time",
)
SCATTER = Chart(
    "scatter",
    "Delay and score",
    "They go together.",
    series=(Series("JFK", (0.1, 0.5), (3.0, 20.0)), Series("LGA", (0.2, 0.9), (None, 44.0))),
)
STRIP = Chart(
    "strip",
    "Monitors",
    "AUC fell in May.",
    series=(
        Series.spans(
            "AUC",
            [
                (APRIL + k * DAY, APRIL + (k + 1) * DAY, "alert" if 30 < k < 40 else "ok", "")
                for k in range(60)
            ],
        ),
        Series.spans("labels", [(APRIL, APRIL + 60 * DAY, "no data", "")]),
    ),
    x_kind="time",
)
GANTT = Chart(
    "gantt",
    "What fired and what serves",
    "One trigger, one promotion.",
    series=(
        Series.spans("trigger", [(MONTHS[1], MONTHS[1], "alert", "AUC fell")]),
        Series.spans("serving", [(MONTHS[0], MONTHS[1], "", "v1"), (MONTHS[1], MONTHS[8], "", "v2")]),
    ),
    x_kind="time",
)
MULTIPLES = Chart("multiples", "Origins", "All follow one course.", panels=(LINE, LINE))

FORMS = {
    "line": LINE,
    "bars": BARS,
    "columns": COLUMNS,
    "histogram": HISTOGRAM,
    "dot": DOT,
    "calibration": CALIBRATION,
    "heat": HEAT,
    "scatter": SCATTER,
    "strip": STRIP,
    "gantt": GANTT,
    "multiples": MULTIPLES,
}
