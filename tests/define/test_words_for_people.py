"""Owner, tags, description and deprecation are for people: they never change what a definition means."""

import pytest

from examples.flights import project
from tests.define import parts
from treadle.define.describe import definition_digest
from treadle.define.endpoints import Endpoint
from treadle.define.entities import Entity
from treadle.define.feature_sets import FeatureSet
from treadle.define.labels import Labels, Requests
from treadle.define.row_features import RowFeature, row_feature
from treadle.define.sources import Source, table
from treadle.define.views import FeatureView, WindowView
from treadle.records.errors import InvalidInput

WORDS = {"owner": "ann", "tags": ["pii", "daily"], "deprecated": "use people instead"}
SAID = {**WORDS, "description": "Words."}

# Noted before definitions could be deprecated: what was recorded under them is found again.
NOTED = {
    "source/weather": "01d2f5e7d0571fce",
    "source/departures": "c4731dd4805ac882",
    "view/weather": "ffff0b1cf55e7a89",
    "view/route": "8c2c54b9bae10183",
    "labels/late": "6693aa46017d830d",
    "feature_set/delay": "ad6f6936c5202ed9",
    "endpoint/delay": "ec6e33e58e39056e",
}


def hour(at):
    return at.dt.hour()


def outcomes(orders):
    return orders


def each(**words):
    """One definition of every kind, with these words on it."""
    said = {name: value for name, value in words.items() if name != "description"}
    yield lambda: Source.csv("people", path="p.csv", columns={"customer": "string", "age": "int"}, **words)
    yield lambda: table(columns={"order": "int"}, **said)(outcomes)
    yield lambda: Entity("customer", keys="customer", **words)
    yield lambda: FeatureView("facts", entity=parts.customer, source=parts.people, features=["age"], **words)
    yield lambda: WindowView(
        "habits", entity=parts.customer, source=parts.orders, features=[parts.count(over="1d")], **words
    )
    yield lambda: row_feature(name="hour", **said)(hour)
    yield lambda: FeatureSet("returns", request=parts.REQUEST, features=[parts.facts], **words)
    yield lambda: Labels("returned", source=parts.outcomes, key="order", value="returned", **words)
    yield lambda: Endpoint(
        "returns", model="returns@champion", features=parts.SET, requests=Requests(parts.orders), labels=parts.LABELS,
        **words,
    )  # fmt: skip


def test_words_are_kept_and_change_no_digest():
    for make, make_silent in zip(each(**SAID), each(), strict=True):
        said, silent = make(), make_silent()
        assert (said.owner, said.tags, said.deprecated) == ("ann", ("pii", "daily"), "use people instead")
        assert definition_digest(said) == definition_digest(silent), said


def test_words_that_are_no_text_are_refused_with_the_definition_s_other_faults():
    for make in each(owner=3, tags=[""], deprecated=None):
        with pytest.raises(InvalidInput) as caught:
            make()
        assert len([fault for fault in caught.value.faults if "owner=3" in fault]) == 1
    with pytest.raises(InvalidInput) as caught:
        Entity("Customer", keys="customer", owner=3)
    assert len(caught.value.faults) == 2


def test_one_tag_may_stand_alone():
    assert Entity("customer", keys="customer", tags="pii").tags == ("pii",)


def test_a_deprecated_row_feature_comes_back_from_its_json():
    made = row_feature(name="hour", **WORDS)(hour)
    assert RowFeature.from_json(made.as_json()) == made
    assert "deprecated" not in row_feature(name="hour")(hour).as_json()


def test_digests_of_definitions_without_words_are_those_of_earlier_releases():
    endpoint = project.endpoints[0]
    found = {
        **{f"source/{source.name}": source for source in project.sources},
        **{f"view/{view.name}": view for view in project.views},
        "labels/late": endpoint.labels,
        "feature_set/delay": endpoint.features,
        "endpoint/delay": endpoint,
    }
    assert {name: definition_digest(found[name])[:16] for name in NOTED} == NOTED
