"""A project's definitions one by one: each says only what it says itself, and names whom it uses."""

import pytest

from tests.define import parts
from treadle.define.aggregates import count, mean
from treadle.define.definitions import definitions_of
from treadle.define.feature_sets import FeatureSet, number
from treadle.define.row_features import row_feature
from treadle.define.similarity import canonical_expression, similar_features
from treadle.define.source_monitors import SourceMonitor
from treadle.define.sources import Source
from treadle.define.views import FeatureView, WindowView, column
from treadle.records.errors import InvalidInput


def found(project=None):
    return {one.ref: one for one in definitions_of(project or parts.project())}


def with_features(*features):
    named = FeatureSet("returns", request=parts.REQUEST, features=[number("price"), *features])
    return parts.project(endpoints=[parts.endpoint(features=named)])


def test_every_kind_of_definition_is_there_once_and_after_what_it_uses():
    refs = list(found())
    assert refs == [
        "source/orders", "source/people", "table/outcomes", "entity/customer", "view/facts", "view/habits",
        "row_feature/hour", "feature_set/returns", "labels/returned", "endpoint/returns", "pipeline/train",
        "monitor/returns", "trigger/monthly",
    ]  # fmt: skip
    for at, one in enumerate(found().values()):
        assert not {used for used in one.uses if used in refs[at:]}


def test_a_changed_source_changes_no_content_but_its_own():
    before = found()
    people = Source.parquet(
        "people", path="elsewhere.parquet", columns={"customer": "string", "age": "int", "city": "string"}
    )
    facts = FeatureView("facts", entity=parts.customer, source=people, features=["age"])
    features = FeatureSet(
        "returns", request=parts.REQUEST, features=[facts, parts.habits, parts.hour, *parts.SET.parts[3:]]
    )
    after = found(
        parts.project(
            sources=[parts.orders, people, parts.outcomes], endpoints=[parts.endpoint(features=features)]
        )
    )
    assert [ref for ref in before if before[ref].content != after[ref].content] == ["source/people"]


def test_a_view_tells_which_columns_each_feature_reads():
    late = WindowView(
        "late", entity=parts.customer, source=parts.orders,
        features=[mean("price", over="7d", where=row_feature(name="web")(lambda channel: channel == "web"))],
    )  # fmt: skip
    assert found(with_features(late))["view/late"].features == {
        "late_price_mean_web_7d": ("column/orders.price", "column/orders.channel")
    }


def test_one_name_with_two_meanings_is_refused_for_all_of_them():
    other = row_feature(name="hour")(lambda at: at.dt.minute())
    second = FeatureSet("second", request=parts.REQUEST, features=[parts.facts, other])
    project = parts.project(endpoints=[parts.endpoint(), parts.endpoint("again", features=second)])
    with pytest.raises(InvalidInput) as caught:
        definitions_of(project)
    assert caught.value.faults == ("row feature 'hour' is defined twice, with different content",)


def test_what_watches_a_source_is_a_monitor_that_uses_it():
    watch = SourceMonitor("orders_daily", source=parts.orders, window="1d", every="1h")
    assert found(parts.project(source_monitors=[watch]))["monitor/orders_daily"].uses == ("source/orders",)


def groups(*features):
    return [(one.refs, one.same) for one in similar_features(with_features(*features))]


def facts(name="facts", **changes):
    return FeatureView(
        name, **{"entity": parts.customer, "source": parts.people, "features": ["age"], **changes}
    )


def test_the_same_column_of_the_same_rows_under_two_names_is_the_same_feature():
    other = facts("known", features=[column("age", name="years")])
    assert groups(facts(), other) == [(("feature/facts_age", "feature/known_years"), True)]


def test_the_same_aggregate_under_two_names_is_and_another_window_is_not():
    def window(name, over):
        return WindowView(
            name, entity=parts.customer, source=parts.orders, features=[count(over=over, name="n")]
        )

    assert groups(window("a", "1d"), window("b", "24h")) == [(("feature/a_n", "feature/b_n"), True)]
    assert groups(window("a", "1d"), window("b", "2d")) == []


def test_tiles_of_the_same_windows_are_nearly_the_same_feature():
    def window(name, accuracy):
        return WindowView(
            name, entity=parts.customer, source=parts.orders, features=[count(over="1d")], accuracy=accuracy
        )

    (similar,) = similar_features(with_features(window("a", "exact"), window("b", "tile")))
    assert not similar.same
    assert "in exact windows or in tile windows" in similar.why


def test_row_features_are_the_same_up_to_order_and_to_names_of_the_same_feature():
    other = facts("known")
    one = row_feature(name="one")(lambda price, facts_age: (price * 2 > facts_age) | (price == 1.0))
    two = row_feature(name="two")(lambda price, known_age: (price == 1.0) | (known_age < 2 * price))
    three = row_feature(name="three")(lambda price, known_age: (price == 1.0) | (known_age < 3 * price))
    assert groups(facts(), other, one, two, three)[1:] == [(("row_feature/one", "row_feature/two"), True)]


def test_order_counts_where_the_operator_says_so():
    forms = [row_feature(name="f")(f).expression for f in (lambda a, b: a - b, lambda a, b: b - a)]
    first, second = (canonical_expression(form, {}) for form in forms)
    assert first != second


def test_a_project_without_twins_has_no_similar_features():
    assert similar_features(parts.project()) == ()
