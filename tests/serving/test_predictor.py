"""The predictor: how raw features reach the model, and what is remembered of an answer."""

import math

from treadle.records.predictions import decode_prediction, encode_prediction
from treadle.stages.serving.predictor import Predictor


def make_predictor(vector, score=lambda values: 0.5):
    return Predictor(
        endpoint="late",
        model="m",
        version=4,
        vector=lambda online, fields, at: list(vector),
        score=score,
        names=["weight", "depot"],
        vocabularies={"depot": ["east", "north"]},
    )


def test_categories_become_their_codes_and_numbers_stay():
    assert make_predictor([]).encode([2.5, "north"]) == [2.5, 1.0]


def test_missing_values_and_unknown_categories_become_nan():
    predictor = make_predictor([])
    assert all(math.isnan(value) for value in predictor.encode([None, "west"]))
    assert all(math.isnan(value) for value in predictor.encode([None, None]))


def test_the_model_is_asked_with_the_encoded_features():
    asked: list[list[float]] = []

    def score(values):
        asked.append(values)
        return 0.1

    make_predictor([2.5, "east"], score).predict(None, [], 0, "p")
    assert asked == [[2.5, 0.0]]


def test_a_prediction_remembers_enough_to_be_made_again():
    prediction = make_predictor([2.5, "east"]).predict(None, [1, "x", None], 99, "p1")
    assert decode_prediction(encode_prediction(prediction)) == prediction
    assert (prediction.at, prediction.endpoint, prediction.model, prediction.version) == (99, "late", "m", 4)
    assert (prediction.fields, prediction.features) == ([1, "x", None], [2.5, "east"])
