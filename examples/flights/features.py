"""What the model is told about a flight, one hour before its scheduled departure."""

import treadle as tr

from .tables import FIELDS, NEW_YORK, arrivals, departures, planes, weather

origin = tr.Entity("origin", keys=["origin"], must_exist=True)
carrier_at_origin = tr.Entity("carrier_at_origin", keys=["carrier", "origin"])
destination = tr.Entity("destination", keys=["dest"])
carrier = tr.Entity("carrier", keys=["carrier"])
route = tr.Entity("route", keys=["carrier", "flight"])
plane = tr.Entity("plane", keys=["tailnum"])

weather_now = tr.FeatureView(
    "weather",
    entity=origin,
    source=weather,
    ttl="6h",
    features=["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"],
)
plane_facts = tr.FeatureView("plane", entity=plane, source=planes, features=["year", "seats"])

leaving_origin = tr.WindowView(
    "origin",
    entity=origin,
    source=departures,
    features=[
        tr.mean("dep_delay", over="1h"), tr.count("dep_delay", over="1h"),
        tr.mean("dep_delay", over="3h"), tr.count("dep_delay", over="3h"),
    ],
)  # fmt: skip
leaving_with_carrier = tr.WindowView(
    "carrier_at_origin",
    entity=carrier_at_origin,
    source=departures,
    features=[tr.mean("dep_delay", over="6h"), tr.count("dep_delay", over="6h")],
)
arriving_there = tr.WindowView(
    "destination",
    entity=destination,
    source=arrivals,
    features=[tr.mean("arr_delay", over="6h"), tr.count("arr_delay", over="6h")],
)
arriving_with_carrier = tr.WindowView(
    "carrier",
    entity=carrier,
    source=arrivals,
    features=[tr.mean("arr_delay", over="1d"), tr.count("arr_delay", over="1d")],
)
arriving_plane = tr.WindowView(
    "tail",
    entity=plane,
    source=arrivals,
    features=[tr.mean("arr_delay", over="1d"), tr.count("arr_delay", over="1d")],
)
late_on_route = tr.WindowView(
    "route", entity=route, source=arrivals, features=[tr.mean("late", over="28d", name="late_rate_28d")]
)


@tr.row_feature
def plane_age(at, plane_year):
    """Years since the plane was built."""
    return at.dt.year() - plane_year


@tr.row_feature
def planned_minutes(sched_dep, sched_arr):
    """Minutes from scheduled departure to scheduled arrival."""
    return (sched_arr - sched_dep).dt.total_minutes()


@tr.row_feature
def minute_of_day(sched_dep):
    """Local minute of the day at the origin."""
    local = sched_dep.dt.convert_time_zone(NEW_YORK)
    return local.dt.hour() * 60 + local.dt.minute()


@tr.row_feature
def weekday(sched_dep):
    """Local day of the week at the origin, Monday is 1."""
    return sched_dep.dt.convert_time_zone(NEW_YORK).dt.weekday()


# The month is deliberately not a feature: the model saw only three of them when it started.
DELAY = tr.FeatureSet(
    "delay",
    request=FIELDS,
    features=[
        weather_now,
        leaving_origin,
        leaving_with_carrier,
        arriving_there,
        arriving_with_carrier,
        arriving_plane,
        late_on_route,
        plane_age,
        plane_facts.select("seats"),
        tr.number("distance"),
        planned_minutes,
        minute_of_day,
        weekday,
        tr.category("carrier"),
        tr.category("origin"),
        tr.category("dest"),
    ],
    helpers=[plane_facts.select("year")],
)
