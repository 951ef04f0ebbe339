"""Which columns of which sources features are made of, and which features count as important."""

from __future__ import annotations

import treadle as tr
from tests.loop.units import shop
from tests.loop.units.conftest import FIRST
from treadle.loop.leaning import (
    columns_behind,
    feature_columns,
    measure_importances,
    sources_of,
    top_features,
)
from treadle.records.importances import FeatureImportance

[ENDPOINT] = shop.project.endpoints


def importance(feature, drop, spread=0.001):
    return FeatureImportance(feature=feature, drop=drop, spread=spread)


def test_features_go_back_to_the_columns_they_are_made_of():
    @tr.row_feature
    def worth(amount, last_visit_wait):
        return amount * last_visit_wait

    @tr.row_feature
    def twice(worth):
        return worth * 2

    features = tr.FeatureSet(
        "made", request=shop.RETURNS.request, features=[shop.waiting, worth, twice], helpers=[shop.last_visit]
    )
    made = feature_columns(features, "orders")
    assert {made[name] for name in shop.waiting.columns} == {frozenset([("visits", "wait")])}
    assert made["worth"] == made["twice"] == {("orders", "amount"), ("visits", "wait")}
    assert set(made) == set(features.names)


def test_only_the_columns_of_the_source_asked_for_count():
    assert columns_behind(ENDPOINT, "orders", ["amount", "last_visit_wait"]) == {"amount"}
    assert columns_behind(ENDPOINT, "visits", ["amount", "last_visit_wait"]) == {"wait"}
    assert sources_of(ENDPOINT) == {"orders", "outcomes", "visits"}


def test_the_top_tenth_is_at_least_one_and_none_that_is_not_needed():
    ten = [importance(f"f{k}", 0.01 * k) for k in range(10)]
    assert top_features(ten) == ("f9",)
    assert top_features([*ten, importance("f10", 0.5)]) == ("f10", "f9")
    assert top_features([importance("idle", 0.0005)]) == ()
    assert top_features([]) == ()


def test_the_shops_model_leans_on_the_amount(world, store):
    with world.metadata.read() as view:
        champion = view.models.get_by_alias("returns", "champion")
    assert top_features(measure_importances(world, store, ENDPOINT, champion, FIRST)) == ("amount",)
