"""Will an order be sent back? A project small enough to be trained in a moment."""

import treadle as tr
from tests.loop.units.shop.model import monitor, retrain, train_returns

shop = tr.Entity("shop", keys=["shop"], must_exist=True)
orders = tr.Source.parquet(
    "orders",
    path="orders.parquet",
    columns={"number": "int", "shop": "string", "amount": "float", "asked_at": "time"},
    event_time="asked_at",
    unique=["number"],
)
outcomes = tr.Source.parquet(
    "outcomes",
    path="outcomes.parquet",
    columns={"number": "int", "returned": "bool", "decided_at": "time", "withdrawn": "bool"},
    event_time="decided_at",
    tombstone="withdrawn",
)
visits = tr.Source.parquet(
    "visits",
    path="visits.parquet",
    columns={"shop": "string", "wait": "float", "came_at": "time", "noted_at": "time"},
    event_time="came_at",
    known_at="noted_at",
)
waiting = tr.WindowView(
    "waiting",
    entity=shop,
    source=visits,
    features=[tr.mean("wait", over="6h"), tr.count("wait", over="1d")],
)
last_visit = tr.FeatureView("last_visit", entity=shop, source=visits, features=["wait"], ttl="12h")
RETURNS = tr.FeatureSet(
    "returns",
    request={"number": "int", "shop": "string", "amount": "float"},
    features=[waiting, last_visit, tr.number("amount"), tr.category("shop")],
)

project = tr.Project(
    name="shop",
    sources=[orders, outcomes, visits],
    pipelines=[train_returns],
    endpoints=[
        tr.Endpoint(
            "returns",
            model="returns@champion",
            features=RETURNS,
            requests=tr.Requests(orders),
            labels=tr.Labels("returned", source=outcomes, key=["number"], value="returned"),
        )
    ],
    monitors=[monitor],
    triggers=[retrain],
    gates={
        "champion": [
            tr.better_than_champion("auc"),
            tr.no_worse_slice("shop", min_rows=50),
            tr.loads_and_answers(),
        ]
    },
)
