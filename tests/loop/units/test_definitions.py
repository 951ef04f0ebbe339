"""What may be recorded under a known name, and what a person has to accept."""

import pytest

from tests.define import parts
from treadle.adapters.sql.metadata import open_metadata
from treadle.define.aggregates import count, mean
from treadle.define.feature_sets import FeatureSet, category, number
from treadle.define.views import FeatureView, WindowView
from treadle.loop.definitions import apply_definitions, differences, only_grown, plan_definitions, said
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.instants import instant
from treadle.records.schemas import DatasetSchema

AT = instant("2026-01-01")


@pytest.fixture
def metadata(tmp_path):
    store = open_metadata(f"sqlite:///{tmp_path / 'metadata.db'}")
    yield store
    store.close()


def shop(*, ttl=None, over="7d", more=(), **words):
    """The project with a window of another length, more aggregates, or words on the view."""
    habits = WindowView(
        "habits", entity=parts.customer, source=parts.orders,
        features=[mean("price", over=over, name="price"), count(over="1d"), *more], **words,
    )  # fmt: skip
    features = FeatureSet(
        "returns",
        request=parts.REQUEST,
        features=[
            parts.facts,
            habits.select("price", "count_1d"),
            parts.hour,
            number("price"),
            category("channel"),
        ],
    )
    return parts.project(endpoints=[parts.endpoint(features=features)])


def plan(project, metadata):
    with metadata.read() as view:
        return plan_definitions(project, view)


def recorded(metadata, kind, name):
    with metadata.read() as view:
        return view.definitions.get(kind, name)


def test_the_first_recording_is_free_and_the_second_finds_nothing_changed(metadata):
    assert {change.what for change in plan(shop(), metadata).changes} == {"new"}
    apply_definitions(shop(), metadata, AT)
    assert plan(shop(), metadata).changes == ()
    apply_definitions(shop(), metadata, AT + 1)
    assert recorded(metadata, "view", "habits").version == 1


def test_a_redefined_view_is_refused_whole_with_what_changes_and_who_uses_it(metadata):
    apply_definitions(shop(), metadata, AT)
    with metadata.begin() as unit:
        unit.models.create_model("returns", AT)
        unit.models.create_version("returns", AT + 5)
    with pytest.raises(Conflict) as caught:
        apply_definitions(shop(over="8d"), metadata, AT + 10)
    (fault,) = caught.value.faults
    assert "features.price.over: 7d → 8d" in fault
    for user in ("feature_set/returns", "endpoint/returns", "monitor/returns", "version/returns/1"):
        assert user in fault
    assert "--accept view/habits" in caught.value.fix
    assert recorded(metadata, "view", "habits").version == 1


@pytest.mark.parametrize("accept", ["habits", "view/habits"])
def test_an_accepted_change_is_the_next_version(metadata, accept):
    apply_definitions(shop(), metadata, AT)
    apply_definitions(shop(over="8d"), metadata, AT + 1, [accept])
    assert recorded(metadata, "view", "habits").version == 2
    assert plan(shop(over="8d"), metadata).changes == ()


def test_what_did_not_change_cannot_be_accepted(metadata):
    apply_definitions(shop(), metadata, AT)
    with pytest.raises(InvalidInput) as caught:
        apply_definitions(shop(over="8d"), metadata, AT, ["habit"])
    assert "did you mean" in caught.value.faults[0]


def test_one_more_feature_and_words_for_people_need_no_word_from_anyone(metadata):
    apply_definitions(shop(), metadata, AT)
    grown = shop(more=[count(over="3d")])
    (change,) = plan(grown, metadata).changes
    assert (change.ref, change.what, change.details) == (
        "view/habits",
        "extended",
        ("features.count_3d: added",),
    )
    apply_definitions(grown, metadata, AT)
    (change,) = plan(shop(more=[count(over="3d")], owner="ann"), metadata).changes
    assert (change.what, change.guarded) == ("words", False)
    apply_definitions(shop(more=[count(over="3d")], owner="ann"), metadata, AT)
    body = recorded(metadata, "view", "habits").body
    assert isinstance(body, dict)
    assert body["owner"] == "ann"


def test_a_feature_that_is_gone_needs_one(metadata):
    apply_definitions(shop(more=[count(over="3d")]), metadata, AT)
    (change,) = plan(shop(), metadata).changes
    assert (change.what, change.guarded) == ("changed", True)
    assert said(change).startswith("view/habits has changed: features.count_3d: removed; used by")


def test_a_feature_set_may_change_as_it_is_retrained_for(metadata):
    apply_definitions(shop(), metadata, AT)
    features = FeatureSet("returns", request=parts.REQUEST, features=[number("price")])
    smaller = parts.project(endpoints=[parts.endpoint(features=features)])
    apply_definitions(smaller, metadata, AT)
    assert recorded(metadata, "feature_set", "returns").version == 2


def test_what_an_earlier_release_recorded_is_taken_over_silently(metadata):
    with metadata.begin() as unit:
        unit.definitions.record("view", "habits", {"is": "WindowView", "name": "habits"}, AT)
    apply_definitions(shop(), metadata, AT)
    assert recorded(metadata, "view", "habits").version == 2


def test_a_deprecated_definition_that_is_used_is_warned_of(metadata):
    (warning,) = plan(shop(deprecated="use habits_2 instead"), metadata).warnings
    assert warning.startswith("view/habits is deprecated: use habits_2 instead; used by feature_set/returns")


def test_a_feature_that_exists_under_another_name_is_warned_of(metadata):
    twin = FeatureView("twin", entity=parts.customer, source=parts.people, features=["age"])
    features = FeatureSet("returns", request=parts.REQUEST, features=[parts.facts, twin])
    (warning,) = plan(parts.project(endpoints=[parts.endpoint(features=features)]), metadata).warnings
    assert "feature/facts_age and feature/twin_age are the same feature" in warning


def test_a_schema_that_nothing_is_held_to_is_warned_of(metadata):
    schemas = [DatasetSchema(name=name) for name in ("people", "2026_09")]
    (warning,) = plan(parts.project(schemas=schemas), metadata).warnings
    assert "schema '2026_09' has the name of no source or table" in warning


def test_differences_name_the_parts():
    old = {"ttl": 3_600_000_000, "columns": {"a": "int", "b": "int"}, "x": 1}
    new = {"ttl": None, "columns": {"a": "float", "c": "int"}, "x": 1}
    assert differences(old, new) == [
        "ttl: 1h → none",
        "columns.a: int → float",
        "columns.b: removed",
        "columns.c: added",
    ]
    assert not only_grown(old, new)
    assert only_grown({"columns": {"a": "int"}, "x": 1}, {"columns": {"b": "int", "a": "int"}, "x": 1})
    assert not only_grown({"columns": {"a": "int"}, "x": 1}, {"columns": {"b": "int", "a": "int"}, "x": 2})
