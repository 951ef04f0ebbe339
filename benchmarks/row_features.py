"""Row features a row at a time, beside their floor (Python written by hand for the same values) and a one-row Polars frame.

    python -m benchmarks.row_features [--json FILE]

Prints microseconds a row: the best of several rounds, taken alternately, so that only the ratios mean something on
another machine; then seconds for a year of flights at once, beside Polars' own expressions.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

import treadle as tr
from treadle.define.row_features import RowFeature
from treadle.stages.features.rows.program import RowProgram, compile_rows

NEW_YORK = "America/New_York"
TYPES = {"at": "time", "sched_dep": "time", "sched_arr": "time", "plane_year": "int", "distance": "float"}
TYPES |= {"carrier": "string", "temp": "float"}
ROWS, BATCH, ROUNDS = 2_000, 336_776, 7


@tr.row_feature
def minute_of_day(sched_dep):
    local = sched_dep.dt.convert_time_zone(NEW_YORK)
    return local.dt.hour() * 60 + local.dt.minute()


@tr.row_feature
def weekday(sched_dep):
    return sched_dep.dt.convert_time_zone(NEW_YORK).dt.weekday()


@tr.row_feature
def planned_minutes(sched_dep, sched_arr):
    return (sched_arr - sched_dep).dt.total_minutes()


@tr.row_feature
def plane_age(at, plane_year):
    return at.dt.year() - plane_year


@tr.row_feature
def speed(distance, planned_minutes):
    return distance / (planned_minutes / 60)


FLIGHTS = [minute_of_day, weekday, planned_minutes, plane_age, speed]


def _more() -> list[RowFeature]:
    """Fifteen more, over the rest of the language."""

    def define(name: str, function: Callable[..., object]) -> RowFeature:
        return tr.row_feature(name=name)(function)

    return [
        define("day_sin", lambda minute_of_day: tr.cyclic(minute_of_day, 1_440)[0]),
        define("day_cos", lambda minute_of_day: tr.cyclic(minute_of_day, 1_440)[1]),
        define("weekend", lambda weekday: weekday >= 6),
        define("rush", lambda minute_of_day: (minute_of_day >= 960) & (minute_of_day < 1_140)),
        define("month", lambda sched_dep: sched_dep.dt.convert_time_zone(NEW_YORK).dt.month()),
        define("lead_hours", lambda at, sched_dep: (sched_dep - at).dt.total_seconds() / 3_600),
        define("long_haul", lambda distance: distance > 1_500),
        define("log_distance", lambda distance: distance.log1p()),
        define("miles_100", lambda distance: (distance / 100).round()),
        define("celsius", lambda temp: ((temp - 32) * 5 / 9).clip(-40, 50)),
        define("freezing", lambda temp: temp.fill_null(50) <= 32),
        define("no_weather", lambda temp: temp.is_null()),
        define(
            "old", lambda plane_age: tr.when(plane_age > 20).then(2).when(plane_age > 10).then(1).otherwise(0)
        ),
        define("big_carrier", lambda carrier: carrier.is_in(["AA", "DL", "UA", "WN"])),
        define(
            "carrier_code", lambda carrier: carrier.str.upper().lookup({"AA": 1, "DL": 2, "UA": 3}, default=0)
        ),
    ]


_ZONE = ZoneInfo(NEW_YORK)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def by_hand(
    at: int | None,
    sched_dep: int | None,
    sched_arr: int | None,
    plane_year: int | None,
    distance: float | None,
) -> tuple[object, ...]:
    """What a careful person writes for the five flights features with the standard library."""
    minute = day = planned = age = pace = None
    if sched_dep is not None:
        local = (_EPOCH + timedelta(microseconds=sched_dep)).astimezone(_ZONE)
        minute, day = local.hour * 60 + local.minute, local.isoweekday()
        if sched_arr is not None:
            planned = int((sched_arr - sched_dep) / 60_000_000)
    if at is not None and plane_year is not None:
        age = (_EPOCH + timedelta(microseconds=at)).year - plane_year
    if distance is not None and planned is not None:
        hours = planned / 60
        pace = distance / hours if hours else math.inf
    return minute, day, planned, age, pace


def requests(count: int) -> list[tuple[object, ...]]:
    """Requests in the order of `TYPES`: a year of departures, 10 % of planes and temperatures unknown."""
    draw = random.Random(0)
    start, year, hour = 1_357_000_000_000_000, 31_536_000_000_000, 3_600_000_000
    found: list[tuple[object, ...]] = []
    for _ in range(count):
        dep = start + draw.randrange(year) // 60_000_000 * 60_000_000
        built = draw.randrange(1980, 2013) if draw.random() > 0.1 else None
        temp = draw.uniform(10, 95) if draw.random() > 0.1 else None
        arr, distance = dep + draw.randrange(1, 7 * 60) * 60_000_000, float(draw.randrange(100, 2_500))
        found.append((dep - hour, dep, arr, built, distance, draw.choice(["AA", "B6", "UA", "EV"]), temp))
    return found


def frame_of(rows: Sequence[tuple[object, ...]]) -> pl.DataFrame:
    """The requests as a frame."""
    dtypes = {"time": pl.Int64, "int": pl.Int64, "float": pl.Float64, "string": pl.String}
    frame = pl.DataFrame(rows, schema={name: dtypes[kind] for name, kind in TYPES.items()}, orient="row")
    times = [name for name, kind in TYPES.items() if kind == "time"]
    return frame.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC")))


def microseconds(call: Callable[..., object], rows: Sequence[tuple[object, ...]]) -> float:
    """The mean time of one call over the rows."""
    begin = time.perf_counter()
    for row in rows:
        call(*row)
    return (time.perf_counter() - begin) / len(rows) * 1e6


def _picked(rows: Sequence[tuple[object, ...]], names: Sequence[str]) -> list[tuple[object, ...]]:
    order = [list(TYPES).index(name) for name in names]
    return [tuple(row[i] for i in order) for row in rows]


def a_row_at_a_time() -> dict[str, float]:
    """Best of the rounds, microseconds a row."""
    rows = requests(ROWS)
    five, twenty = compile_rows(FLIGHTS, TYPES), compile_rows([*FLIGHTS, *_more()], TYPES)
    hand_inputs = _picked(rows, ["at", "sched_dep", "sched_arr", "plane_year", "distance"])
    assert [by_hand(*row) for row in hand_inputs] == [five.row(*row) for row in _picked(rows, five.inputs)]  # type: ignore[arg-type]  # rows hold the types above
    frames = [(frame_of([row]),) for row in rows[:60]]
    work: dict[str, tuple[Callable[..., object], Sequence[tuple[object, ...]]]] = {
        "empty function, 5 arguments": (lambda a, b, c, d, e: (a,), hand_inputs),
        "flights by hand (floor)": (by_hand, hand_inputs),
        "flights, 5 features": (five.row, _picked(rows, five.inputs)),
        "20 features": (twenty.row, _picked(rows, twenty.inputs)),
        "flights, one-row Polars frame": (_over_frame(five), frames),
        "20 features, one-row Polars frame": (_over_frame(twenty), frames),
    }
    work["flights, one-row Narwhals frame"] = (_over_narwhals(five), _integers(frames[:10]))
    best = dict.fromkeys(work, math.inf)
    for _ in range(ROUNDS):
        for name, (call, inputs) in work.items():
            best[name] = min(best[name], microseconds(call, inputs))
    return best


def _over_frame(program: RowProgram) -> Callable[[pl.DataFrame], object]:
    expressions = program.expressions()
    return lambda frame: frame.with_columns(expressions)


def _integers(frames: Sequence[tuple[pl.DataFrame]]) -> list[tuple[pl.DataFrame]]:
    return [(frame.with_columns(pl.selectors.datetime().cast(pl.Int64)),) for (frame,) in frames]


def _over_narwhals(program: RowProgram) -> Callable[[pl.DataFrame], object]:
    import narwhals.stable.v2 as nw

    from treadle.stages.features.rows.narwhals import with_features

    def call(frame: pl.DataFrame) -> object:
        return with_features(nw.from_native(frame.lazy()), program.bound, "polars").to_native().collect()

    return call


def a_year_at_once() -> dict[str, float]:
    """Best of the rounds, seconds for a year of flights."""
    frame = frame_of(requests(BATCH))
    ours = compile_rows(FLIGHTS, TYPES).expressions()
    local = pl.col("sched_dep").dt.convert_time_zone(NEW_YORK)
    planned = (pl.col("sched_arr") - pl.col("sched_dep")).dt.total_minutes()
    native = [
        (local.dt.hour().cast(pl.Int64) * 60 + local.dt.minute()).alias("minute_of_day"),
        local.dt.weekday().alias("weekday"),
        planned.alias("planned_minutes"),
        (pl.col("at").dt.year() - pl.col("plane_year")).alias("plane_age"),
        (pl.col("distance") / (planned / 60)).alias("speed"),
    ]
    best = {"flights, our expressions": math.inf, "flights, Polars' own (floor)": math.inf}
    for _ in range(ROUNDS):
        for name, expressions in zip(best, (ours, native), strict=True):
            begin = time.perf_counter()
            frame.with_columns(expressions)
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    to = parser.parse_args().json
    begin = time.perf_counter()
    compile_rows([*FLIGHTS, *_more()], TYPES)
    first = time.perf_counter() - begin
    begin = time.perf_counter()
    compile_rows([*FLIGHTS, *_more()], TYPES)
    again = time.perf_counter() - begin
    rows, batch = a_row_at_a_time(), a_year_at_once()
    for name, value in rows.items():
        print(f"{name:42} {value:10.2f} µs a row")
    for name, value in batch.items():
        print(f"{name:42} {value:10.3f} s for {BATCH:,} rows")
    print(f"{'compile 20 features: zone new, zone known':42} {first * 1e3:10.1f} ms, {again * 1e3:.1f} ms")
    if to:
        to.write_text(
            json.dumps({"us_a_row": rows, "s_a_year": batch, "compile_s": [first, again]}, indent=1)
        )


if __name__ == "__main__":
    main()
