"""From a registered version to a predictor: the package opened, the feature set compiled."""

from __future__ import annotations

from treadle.define.endpoints import Endpoint
from treadle.loop.turn import load_model
from treadle.loop.world import World
from treadle.records.errors import TreadleError
from treadle.records.models import ModelVersion
from treadle.records.trained import Model
from treadle.stages.features.plan import ServingPlan
from treadle.stages.serving.predictor import Predictor
from treadle.stages.training.opened import open_model


def load_predictor(world: World, endpoint: Endpoint, version: ModelVersion) -> Predictor:
    """Open a version for an endpoint.

    Raises:
        TreadleError: the version learned from other features than the endpoint looks up now.
        Corrupt: the package's bytes are damaged.
    """
    return make_predictor(load_model(world, version), endpoint, version)


def make_predictor(model: Model, endpoint: Endpoint, version: ModelVersion) -> Predictor:
    """Open a packaged model for an endpoint; raises as `load_predictor` does."""
    opened = open_model(model)
    plan = ServingPlan(endpoint.features)
    if tuple(opened.names) != plan.names:
        missing = [name for name in opened.names if name not in plan.names]
        extra = [name for name in plan.names if name not in opened.names]
        raise TreadleError(
            f"{version.ref} was trained on other features than endpoint {endpoint.name!r} looks up",
            faults=[f"the model needs {n!r}" for n in missing]
            + [f"the model does not know {n!r}" for n in extra],
            fix="train a version on the present feature set, or restore the definitions the version was trained with",
            command="treadle run PIPELINE",
        )
    return Predictor(
        endpoint=endpoint.name,
        model=endpoint.model_name,
        version=version.version,
        vector=plan.vector,
        wanted=plan.wanted,
        score=opened.score_one,
        names=plan.names,
        vocabularies=opened.vocabularies,
    )
