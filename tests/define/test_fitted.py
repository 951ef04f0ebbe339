"""A transform that is fitted on data belongs in a step: as a stored feature it is refused, with the reason."""

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

import treadle as tr
from tests.define import parts
from treadle.define.fitted import fitted_uses, is_fitted
from treadle.define.views import FeatureView
from treadle.records.errors import InvalidInput

MEAN = 3.0


@tr.fitted
def scaled(price):
    """The price in units of the training set."""
    return (price - MEAN) / 2.0


def through(price):
    return scaled(price)


def refused(make):
    with pytest.raises(InvalidInput) as caught:
        make()
    return str(caught.value)


def test_a_fitted_function_is_an_ordinary_one_for_numbers():
    assert scaled(5.0) == 1.0
    assert list(scaled(np.array([3.0, 7.0]))) == [0.0, 2.0]
    assert scaled.__name__ == "scaled"


def test_a_row_feature_that_uses_one_is_refused_with_the_reason_and_the_place_for_it():
    said = refused(lambda: tr.row_feature(name="scaled_price")(scaled))
    assert "'scaled'" in said
    assert "training set" in said
    assert "@tr.step" in said


def test_a_table_that_uses_one_is_refused_also_through_a_helper():
    def direct(orders):
        return scaled(orders)

    def indirect(orders):
        return through(orders)

    for build in (direct, indirect):
        assert "'scaled', which is fitted" in refused(
            lambda build=build: tr.table(columns={"order": "int"})(build)
        )


def test_a_table_that_uses_a_transformer_of_scikit_learn_is_refused_wherever_it_is_imported():
    def inside(orders):
        from sklearn.preprocessing import StandardScaler

        return StandardScaler().fit_transform(orders)

    def above(orders):
        return OneHotEncoder().fit_transform(orders)

    for build in (inside, above):
        assert "@tr.step" in refused(lambda build=build: tr.table(columns={"order": "int"})(build))


def test_a_view_whose_feature_is_one_is_refused_with_the_reason():
    said = refused(lambda: FeatureView("v", entity=parts.customer, source=parts.people, features=[scaled]))
    assert "'scaled', which is fitted" in said


def test_what_only_computes_is_let_through():
    def plain(orders):
        return orders.filter(np.abs(1) > 0)

    assert fitted_uses(plain) == []
    assert not is_fitted(MEAN)
    assert not is_fitted(np)
    assert is_fitted(OneHotEncoder())
    assert tr.table(columns={"order": "int"})(plain).name == "plain"
