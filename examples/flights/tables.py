"""Where the rows come from, and when each of them is known."""

import polars as pl

import treadle as tr

NEW_YORK = "America/New_York"
NO_AIRPORT_ROW = (
    "America/Puerto_Rico"  # BQN, SJU, STT and PSE have no row in airports; they keep Atlantic Standard Time
)

flights = tr.Source.parquet(
    "flights",
    path="flights.parquet",
    columns={
        "time_hour": "time", "minute": "int", "sched_dep_time": "int", "sched_arr_time": "int",
        "dep_delay": "float", "arr_delay": "float", "carrier": "string", "flight": "int", "tailnum": "string",
        "origin": "string", "dest": "string", "distance": "float",
    },
    unique=["carrier", "flight", "origin", "time_hour", "minute"],
)  # fmt: skip
weather = tr.Source.parquet(
    "weather",
    path="weather.parquet",
    columns={
        "origin": "string", "time_hour": "time", "temp": "float", "dewp": "float", "humid": "float", "wind_dir": "float",
        "wind_speed": "float", "wind_gust": "float", "precip": "float", "pressure": "float", "visib": "float",
    },
    event_time="time_hour",
    known_after="10m",
)  # fmt: skip
planes = tr.Source.parquet(
    "planes",
    path="planes.parquet",
    columns={"tailnum": "string", "year": "int", "seats": "float"},
    unique=["tailnum"],
)
airports = tr.Source.parquet(
    "airports", path="airports.parquet", columns={"faa": "string", "tzone": "string"}, unique=["faa"]
)
airlines = tr.Source.parquet(
    "airlines", path="airlines.parquet", columns={"carrier": "string", "name": "string"}, unique=["carrier"]
)

FIELDS = {
    "carrier": "string", "flight": "int", "tailnum": "string", "origin": "string", "dest": "string",
    "distance": "float", "sched_dep": "time", "sched_arr": "time",
}  # fmt: skip
FLIGHT = ["carrier", "flight", "origin", "sched_dep"]


@tr.table(columns={**FIELDS, "asked_at": "time"}, event_time="asked_at", unique=FLIGHT)
def schedule(flights: pl.LazyFrame, airports: pl.LazyFrame) -> pl.LazyFrame:
    """Every scheduled departure; it is asked about one hour before."""
    return _scheduled(flights, airports).with_columns(asked_at=pl.col("sched_dep") - pl.duration(hours=1))


@tr.table(
    columns={"carrier": "string", "origin": "string", "dep_delay": "float", "departed_at": "time"},
    event_time="departed_at",
)
def departures(flights: pl.LazyFrame, airports: pl.LazyFrame) -> pl.LazyFrame:
    """Flights that left: the delay is known at the actual departure."""
    left = _scheduled(flights, airports).filter(pl.col("dep_delay").is_not_null())
    return left.with_columns(departed_at=pl.col("sched_dep") + _minutes("dep_delay"))


@tr.table(
    columns={**FIELDS, "arr_delay": "float", "late": "bool", "arrived_at": "time"},
    event_time="arrived_at",
    unique=FLIGHT,
)
def arrivals(flights: pl.LazyFrame, airports: pl.LazyFrame) -> pl.LazyFrame:
    """Flights that arrived: delay and label are known at the actual arrival; cancelled and diverted ones have neither."""
    there = _scheduled(flights, airports).filter(pl.col("arr_delay").is_not_null())
    return there.with_columns(
        arrived_at=pl.col("sched_arr") + _minutes("arr_delay"), late=pl.col("arr_delay") >= 15
    )


def _scheduled(flights: pl.LazyFrame, airports: pl.LazyFrame) -> pl.LazyFrame:
    """Add the scheduled departure and arrival as instants; the arrival is local time at the destination."""
    zones = airports.select(dest="faa", zone="tzone")
    rows = (
        flights.join(zones, on="dest", how="left", maintain_order="left")
        .with_columns(pl.col("zone").fill_null(NO_AIRPORT_ROW))
        .with_columns(sched_dep=pl.col("time_hour") + pl.duration(minutes="minute"))
        .collect()
    )
    parts = [_with_arrival(part, zone) for (zone,), part in rows.group_by("zone", maintain_order=True)]
    return pl.concat(parts).lazy() if parts else rows.with_columns(sched_arr=pl.col("sched_dep")).lazy()


def _with_arrival(rows: pl.DataFrame, zone: object) -> pl.DataFrame:
    """Read `sched_arr_time` (HHMM at the destination) as the first such moment after the scheduled departure."""
    day = pl.col("sched_dep").dt.convert_time_zone(NEW_YORK).dt.replace_time_zone(None).dt.truncate("1d")
    clock = pl.duration(hours=pl.col("sched_arr_time") // 100, minutes=pl.col("sched_arr_time") % 100)

    def arrival(days: int) -> pl.Expr:
        local = day + pl.duration(days=days) + clock
        return local.dt.replace_time_zone(
            str(zone), ambiguous="earliest", non_existent="null"
        ).dt.convert_time_zone("UTC")

    same_day, next_day = arrival(0), arrival(1)
    return rows.with_columns(
        sched_arr=pl.when(same_day > pl.col("sched_dep"))
        .then(same_day)
        .otherwise(next_day)
        .fill_null(next_day)
    )


def _minutes(column: str) -> pl.Expr:
    return pl.duration(minutes=pl.col(column).cast(pl.Int64))
