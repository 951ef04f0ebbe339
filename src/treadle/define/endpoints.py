"""Endpoints: a model behind an address, with the features it looks up and the log it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.define.feature_sets import FeatureSet
from treadle.define.labels import Labels, Requests
from treadle.define.names import kind_fault, listed, name_fault, words_faults
from treadle.records.errors import InvalidInput

LOG_COLUMNS = ("prediction_id", "at", "model", "version", "score")
"""Columns that every prediction table has beside request fields and features."""


@dataclass(frozen=True, slots=True, init=False)
class Endpoint:
    """A model that answers requests.

    Args:
        name: the endpoint's name; it is the model name in the Open Inference Protocol.
        model: `name@alias` of the registered model that answers, e.g. `delay@champion`.
        features: the feature set that turns a request into the model's input.
        requests: past requests, for training and replay: `tr.Requests(source)`, or `tr.Requests.served()`.
        labels: the truth that arrives later, for training and monitoring.
        owner, description, tags: for people.
        deprecated: what to use instead, once it is not to be used any more.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    name: str
    model: str
    features: FeatureSet
    requests: Requests
    labels: Labels
    owner: str
    description: str
    tags: tuple[str, ...]
    deprecated: str

    def __init__(
        self,
        name: str,
        *,
        model: str,
        features: FeatureSet,
        requests: Requests,
        labels: Labels,
        owner: str = "",
        description: str = "",
        tags: Sequence[str] | str = (),
        deprecated: str = "",
    ) -> None:
        owned = f"endpoint {name!r}"
        kinds = [
            kind_fault(owned, "features", features, FeatureSet, "a tr.FeatureSet"),
            kind_fault(owned, "requests", requests, Requests, "tr.Requests(source)"),
            kind_fault(owned, "labels", labels, Labels, "tr.Labels"),
        ]
        faults = [fault for fault in [name_fault("endpoint", name), *kinds] if fault]
        faults += _model_faults(owned, model)
        if not any(kinds):
            faults += _column_faults(owned, features, requests, labels)
        faults += words_faults(owned, owner, tags, deprecated)
        if faults:
            raise InvalidInput("the endpoint cannot be defined", faults=faults)
        values = (name, model, features, requests, labels, owner, description, listed(tags), deprecated)
        for slot, value in zip(self.__slots__, values, strict=True):
            object.__setattr__(self, slot, value)

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.model.split("@")[0]

    @property
    def alias(self) -> str:
        """The alias that says which version answers."""
        return self.model.split("@")[1]


def _model_faults(owner: str, model: object) -> list[str]:
    if not isinstance(model, str) or model.count("@") != 1:
        return [f"{owner}: model {model!r} is not written name@alias, such as 'delay@champion'"]
    name, alias = model.split("@")
    faults = [name_fault(f"{owner}: model", name), name_fault(f"{owner}: alias", alias)]
    return [fault for fault in faults if fault]


def _column_faults(owner: str, features: FeatureSet, requests: Requests, labels: Labels) -> list[str]:
    """Return where requests lack what features and labels need, or have it in another type."""
    source = requests.source
    wanted = [("request field", field, kind) for field, kind in features.request.items()]
    wanted += [("label key", key, labels.source.columns[key]) for key in labels.key]
    faults = [
        f"{owner}: label key {key!r} is not a request field, so a logged prediction could not be told its label"
        for key in labels.key
        if key not in features.request
    ]
    faults += [
        f"{owner}: {name!r} is what the prediction log calls something of its own; give it another name"
        for name in dict.fromkeys([*features.request, *features.names])
        if name in LOG_COLUMNS
    ]
    if source is None:
        return faults + _key_faults(owner, features, labels)
    if not labels.key and source.columns.get(LOG_COLUMNS[0]) != "string":
        faults.append(
            f"{owner}: labels {labels.name!r} name predictions alone, which requests of a source are not; "
            "give the labels a key too, or train on what was served: requests=tr.Requests.served()"
        )
    for role, column, kind in wanted:
        have = source.columns.get(column)
        if have is None:
            faults.append(
                f"{owner}: {role} {column!r} is not a column of the requests' source {source.name!r}"
            )
        elif have != kind:
            faults.append(
                f"{owner}: {role} {column!r} is {kind}, but {have} in the requests' source {source.name!r}"
            )
    return faults


def _key_faults(owner: str, features: FeatureSet, labels: Labels) -> list[str]:
    """Return which parts of the labels' key have another type than the request field of that name."""
    pairs = [(key, labels.source.columns[key], features.request.get(key)) for key in labels.key]
    return [
        f"{owner}: label key {key!r} is {kind}, but {have} in the request"
        for key, kind, have in pairs
        if have not in (None, kind)
    ]
