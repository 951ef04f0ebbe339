"""Endpoints: a model behind an address, with the features it looks up and the log it keeps."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.define.feature_sets import FeatureSet
from treadle.define.labels import Labels, Requests
from treadle.define.names import name_fault
from treadle.records.errors import InvalidInput


@dataclass(frozen=True, slots=True, init=False)
class Endpoint:
    """A model that answers requests.

    Args:
        name: the endpoint's name; it is the model name in the Open Inference Protocol.
        model: `name@alias` of the registered model that answers, e.g. `delay@champion`.
        features: the feature set that turns a request into the model's input.
        requests: past requests, for training and replay.
        labels: the truth that arrives later, for training and monitoring.

    Raises:
        InvalidInput: the parts don't fit together; every fault is listed.
    """

    name: str
    model: str
    features: FeatureSet
    requests: Requests
    labels: Labels

    def __init__(
        self, name: str, *, model: str, features: FeatureSet, requests: Requests, labels: Labels
    ) -> None:
        faults = [fault for fault in [name_fault("endpoint", name)] if fault]
        if model.count("@") != 1 or not all(model.split("@")):
            faults.append(f"endpoint {name!r}: model {model!r} is not written name@alias")
        have = requests.source.columns
        faults += [
            f"endpoint {name!r}: request field {field!r} ({kind}) is not a column of {requests.source.name!r}"
            for field, kind in features.request.items()
            if have.get(field) != kind
        ]
        faults += [
            f"endpoint {name!r}: label key {key!r} is not a request field, so a prediction could not be joined with its label"
            for key in labels.key
            if key not in features.request
        ]
        if faults:
            raise InvalidInput("the endpoint cannot be defined", faults=faults)
        for slot, value in zip(self.__slots__, (name, model, features, requests, labels), strict=True):
            object.__setattr__(self, slot, value)

    @property
    def model_name(self) -> str:
        """The registered model's name."""
        return self.model.split("@")[0]

    @property
    def alias(self) -> str:
        """The alias that says which version answers."""
        return self.model.split("@")[1]
