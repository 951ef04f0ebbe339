"""A small project for the tests of serving: will a parcel be late? Three views, a few hundred rows."""

import treadle as tr

FIELDS = {"parcel": "int", "depot": "string", "van": "string", "weight": "float", "leaves": "time"}

parcels = tr.Source.parquet(
    "parcels",
    path="parcels.parquet",
    columns={**FIELDS, "asked_at": "time"},
    event_time="asked_at",
    unique=["parcel"],
)
weather = tr.Source.parquet(
    "weather",
    path="weather.parquet",
    columns={"depot": "string", "hour": "time", "rain": "float"},
    event_time="hour",
    known_after="10m",
)
arrivals = tr.Source.parquet(
    "arrivals",
    path="arrivals.parquet",
    columns={"parcel": "int", "depot": "string", "van": "string", "arrived": "time", "late": "bool"},
    event_time="arrived",
    unique=["parcel"],
)

depot = tr.Entity("depot", keys=["depot"], must_exist=True)
van = tr.Entity("van", keys=["van"])
rain_now = tr.FeatureView("rain", entity=depot, source=weather, ttl="6h", features=["rain"])
at_depot = tr.WindowView(
    "depot_day",
    entity=depot,
    source=arrivals,
    features=[tr.mean("late", over="1d"), tr.count(over="1d")],
)
with_van = tr.WindowView("van_week", entity=van, source=arrivals, features=[tr.mean("late", over="7d")])


@tr.row_feature
def hour(leaves):
    """Hour of the day at which it leaves."""
    return leaves.dt.hour()


LATE = tr.FeatureSet(
    "late",
    request=FIELDS,
    features=[rain_now, at_depot, with_van, hour, tr.number("weight"), tr.category("depot")],
)


@tr.step
def fit(train: tr.Frame, iterations: int = 20) -> tr.Model:
    """Fit a few small trees."""
    # Loaded where it is used: serving needs no training library, and starts in a third of the time without.
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=iterations,
        max_leaf_nodes=8,
        early_stopping=False,
        categorical_features=train.categorical,
        random_state=0,
    )
    fitted: tr.Model = model.fit(train.X, train.y)
    return fitted


@tr.pipeline
def train_late(until: tr.Instant, iterations: int = 20) -> None:
    """Train on labels known before `until`."""
    data = tr.training_set("late", until=until)
    train, newest = tr.split(data, by_time="3d")
    model = fit(train, iterations)
    tr.register("late", model, tr.evaluate(model, newest))


project = tr.Project(
    name="shop",
    sources=[parcels, weather, arrivals],
    pipelines=[train_late],
    endpoints=[
        tr.Endpoint(
            "late",
            model="late@champion",
            features=LATE,
            requests=tr.Requests(parcels),
            labels=tr.Labels("late", source=arrivals, key=["parcel"], value="late"),
        )
    ],
    gates={"champion": [tr.loads_and_answers()]},
)
