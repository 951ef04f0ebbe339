"""A small project as a person would write it, with each part replaceable."""

from treadle.define.aggregates import count, mean
from treadle.define.endpoints import Endpoint
from treadle.define.entities import Entity
from treadle.define.feature_sets import FeatureSet, category, number
from treadle.define.labels import Labels, Requests
from treadle.define.monitors import Monitor, score_drift
from treadle.define.project import Project
from treadle.define.row_features import row_feature
from treadle.define.sources import Source, table
from treadle.define.steps import pipeline
from treadle.define.triggers import every, on
from treadle.define.views import FeatureView, WindowView

orders = Source.parquet(
    "orders",
    path="orders.parquet",
    columns={"order": "int", "at": "time", "customer": "string", "price": "float", "channel": "string"},
    event_time="at",
    unique="order",
)
people = Source.parquet(
    "people", path="people.parquet", columns={"customer": "string", "age": "int", "city": "string"}
)


@table(
    columns={"order": "int", "customer": "string", "returned": "bool", "closed": "time"}, event_time="closed"
)
def outcomes(orders):
    """What became of an order."""
    return orders


customer = Entity("customer", keys=["customer"])
facts = FeatureView("facts", entity=customer, source=people, features=["age"])
habits = WindowView(
    "habits", entity=customer, source=orders, features=[mean("price", over="7d"), count(over="1d")]
)


@row_feature
def hour(at):
    """Hour of the day."""
    return at.dt.hour()


REQUEST = {"order": "int", "customer": "string", "price": "float", "channel": "string"}
SET = FeatureSet(
    "returns", request=REQUEST, features=[facts, habits, hour, number("price"), category("channel")]
)
LABELS = Labels("returned", source=outcomes, key="order", value="returned")


@pipeline
def train(until: int):
    """Train."""


def endpoint(name="returns", model="returns@champion", features=SET, requests=None, labels=LABELS):
    return Endpoint(
        name, model=model, features=features, requests=requests or Requests(orders), labels=labels
    )


def project(**changes):
    parts = {
        "name": "shop",
        "sources": [orders, people, outcomes],
        "pipelines": [train],
        "endpoints": [endpoint()],
        "monitors": [Monitor("returns", window="7d", every="1d", drift=score_drift("psi"))],
        "triggers": [on(every("30d"), run=train, name="monthly")],
    }
    return Project(**{**parts, **changes})
