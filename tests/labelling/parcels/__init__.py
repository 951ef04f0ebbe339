"""Will a parcel be late? Nobody knows but people, who say so by the id of the prediction."""

import treadle as tr

truth = tr.Source.push(
    "truth",
    columns={
        "prediction": "string", "number": "int", "late": "bool", "who": "string", "said_at": "time", "gone": "bool",
        "remark": "string",
    },
    event_time="said_at",
    tombstone="gone",
)  # fmt: skip
weights = tr.Source.push(
    "weights", columns={"depot": "string", "load": "float", "at": "time"}, event_time="at"
)
depot = tr.Entity("depot", keys=["depot"])
load = tr.FeatureView("load", entity=depot, source=weights, features=["load"])
LATE = tr.FeatureSet(
    "late",
    request={"number": "int", "depot": "string", "note": "string", "weight": "float"},
    features=[load, tr.number("weight"), tr.category("depot")],
)

project = tr.Project(
    name="parcels",
    sources=[truth, weights],
    endpoints=[
        tr.Endpoint(
            "late",
            model="late@champion",
            features=LATE,
            requests=tr.Requests.served(),
            labels=tr.Labels(
                "late",
                source=truth,
                value="late",
                key="number",
                prediction_id="prediction",
                annotator="who",
                description="was the parcel late?",
            ),
        )
    ],
)
