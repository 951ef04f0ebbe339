"""Which columns of a source a model leans on most: the features it would miss, and the columns they are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable

from treadle.define.endpoints import Endpoint
from treadle.define.feature_sets import FeatureSet
from treadle.define.row_features import RowFeature
from treadle.define.views import FeatureView, Selection, View
from treadle.loop.served import served_requests
from treadle.loop.training import Store, build_frame, labelled_requests
from treadle.loop.turn import load_model
from treadle.loop.world import World
from treadle.records.importances import FeatureImportance
from treadle.records.instants import Instant
from treadle.records.models import ModelVersion
from treadle.stages.training.importance import permutation_importance
from treadle.stages.training.opened import open_model

NEWEST = 2_000
"""So many of the newest labelled requests are looked at."""
TOP = 0.1
"""The share of features that count as the most important: one of up to ten, two of up to twenty."""


def measure_importances(
    world: World, store: Store, endpoint: Endpoint, version: ModelVersion, at: Instant
) -> tuple[FeatureImportance, ...]:
    """Return what a version's features are worth on the newest labelled requests; () when that cannot be measured.

    Cost: the features of 2,000 requests, and 6,000 answers a feature; the same for the same rows.
    """
    served = served_requests(world, endpoint, at)
    spine = labelled_requests(store, endpoint, at, served=served).tail(NEWEST)
    if spine.is_empty():
        return ()
    frame = build_frame(store, endpoint, spine, at)
    opened = open_model(load_model(world, version))
    if any(name not in frame.features for name in opened.names):
        return ()
    matrix = opened.encode(frame.rows)
    return permutation_importance(opened.score_matrix, matrix, frame.y, opened.names, seed=0)


def top_features(importances: Iterable[FeatureImportance]) -> tuple[str, ...]:
    """Return the features of the top decile that the model would miss. Pure."""
    ordered = sorted(importances, key=lambda one: (-one.drop, one.feature))
    most = ordered[: math.ceil(TOP * len(ordered))]
    return tuple(one.feature for one in most if one.drop > max(0.0, one.spread))


def columns_behind(endpoint: Endpoint, source: str, features: Iterable[str]) -> frozenset[str]:
    """Return the columns of a source that features of an endpoint are made of. Pure."""
    asked = endpoint.requests.source  # None: requests are what was served, and come from no source
    made = feature_columns(endpoint.features, None if asked is None else asked.name)
    return frozenset(column for name in features for origin, column in made.get(name, ()) if origin == source)


def feature_columns(features: FeatureSet, requests: str | None) -> dict[str, frozenset[tuple[str, str]]]:
    """Return for each feature the (source, column) pairs that it is made of. Pure."""
    found: dict[str, frozenset[tuple[str, str]]] = {}
    if requests is not None:
        found |= {name: frozenset([(requests, name)]) for name in features.request}
    for selection in features.selections:
        found |= _view_columns(selection.view)
    functions = {one.name: one for one in features.row_features}

    def behind(name: str) -> frozenset[tuple[str, str]]:
        function = functions.get(name)
        if function is None:
            return found.get(name, frozenset())
        # A row feature reads request fields and features; `at` and constants come from no source.
        return frozenset().union(*(behind(field) for field in function.inputs if field != name))

    made: dict[str, frozenset[tuple[str, str]]] = {}
    for part in features.parts:
        names = part.columns if isinstance(part, Selection) else (part.name,)
        made |= {name: behind(name) for name in names}
    return made


def sources_of(endpoint: Endpoint) -> frozenset[str]:
    """Return the names of the sources and tables that an endpoint's answers and labels come from. Pure."""
    read = [view.source for view in endpoint.features.views]
    asked = [] if endpoint.requests.source is None else [endpoint.requests.source]
    return frozenset(source.name for source in (*read, *asked, endpoint.labels.source))


def _view_columns(view: View) -> dict[str, frozenset[tuple[str, str]]]:
    source = view.source.name
    if isinstance(view, FeatureView):
        return {f"{view.name}_{one.name}": frozenset([(source, one.column)]) for one in view.features}
    return {
        f"{view.name}_{one.name}": frozenset((source, column) for column in _read(one.column, one.where))
        for one in view.features
    }


def _read(column: str | None, where: RowFeature | None) -> list[str]:
    return ([] if column is None else [column]) + (list(where.inputs) if where is not None else [])
