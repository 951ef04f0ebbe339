"""The catalog: words find entries, facets count what else there is, and a change's reach is followed to its end."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.define import parts
from treadle.adapters.sql.metadata import open_metadata
from treadle.define.entities import Entity
from treadle.define.feature_sets import FeatureSet, number
from treadle.define.row_features import row_feature
from treadle.define.sources import Source
from treadle.define.views import FeatureView
from treadle.loop.catalog import build_catalog
from treadle.loop.catalog_search import CatalogIndex, words_of
from treadle.loop.definitions import apply_definitions
from treadle.records.catalog import CatalogEntry, CatalogQuery
from treadle.records.errors import InvalidInput, NotFound
from treadle.records.instants import instant

AT = instant("2026-01-01")

ENTRIES = (
    CatalogEntry(
        kind="source", name="departures", owner="ann", tags=("daily",), columns=("dep_delay", "origin")
    ),
    CatalogEntry(
        kind="feature", name="origin_delay_1h", owner="bob", tags=("daily", "gold"), entity="origin"
    ),
    CatalogEntry(kind="feature", name="late_rate", description="Share of flights with a delay.", owner="bob"),
    CatalogEntry(kind="model", name="delay", used_by=("endpoint/delay",)),
    CatalogEntry(kind="view", name="straße_é", tags=("PII",)),
)


def ask(words="", **conditions):
    return CatalogIndex(ENTRIES).search(CatalogQuery(words=words, **conditions))


def names(answer):
    return [hit.entry.name for hit in answer.hits]


def test_a_name_outranks_a_column_and_a_column_a_description_and_each_hit_says_where():
    answer = ask("delay")
    assert names(answer) == ["delay", "origin_delay_1h", "departures", "late_rate"]
    assert [hit.matched for hit in answer.hits] == [("name",), ("name",), ("column",), ("description",)]


def test_words_are_beginnings_and_all_of_them_must_be_there():
    assert names(ask("del ori")) == ["origin_delay_1h", "departures"]
    assert names(ask("elay")) == []


def test_capitals_accents_and_signs_between_words_do_not_count():
    assert names(ask("STRASSE e")) == ["straße_é"]
    assert names(ask("dep_delay")) == names(ask("Dep-Delay!")) == ["departures"]


def test_a_query_without_words_finds_everything_and_one_of_signs_alone_nothing():
    assert ask("  ").total == len(ENTRIES)
    assert ask('"*"').total == 0


@pytest.mark.parametrize("kind", ["pages", "features'; DROP TABLE runs; --"])
def test_a_kind_that_is_none_is_refused_with_every_other_fault(kind):
    with pytest.raises(InvalidInput) as caught:
        ask(kinds=(kind,), empty=("title",), limit=0)
    assert len(caught.value.faults) == 3


def test_each_facet_counts_under_all_other_conditions():
    answer = ask("delay", kinds=("feature",), owners=("BOB",))
    assert answer.total == 2
    assert answer.facets["kind"] == {"feature": 2}
    assert answer.facets["owner"] == {"bob": 2}
    assert answer.facets["tag"] == {"daily": 1, "gold": 1}
    assert ask("delay", kinds=("feature",)).facets["kind"] == {"feature": 2, "model": 1, "source": 1}


def test_fields_that_are_empty_and_tags_can_be_asked_for():
    assert names(ask(empty=("owner", "description"))) == ["straße_é", "delay"]
    assert names(ask(tags=("pii",))) == ["straße_é"]


def test_what_nothing_uses_leaves_out_what_is_used():
    assert "delay" not in names(ask(unused=True))
    assert ask(unused=True).total == 4


def test_a_misspelt_word_finds_nothing_and_offers_what_was_meant():
    answer = ask("departurs xrigin")
    assert (answer.total, answer.did_you_mean[0]) == (0, "departures origin")
    assert ask("zzzzzzz").did_you_mean == ()


def test_more_than_is_asked_for_is_counted_and_not_listed():
    answer = ask("delay", limit=1)
    assert (len(answer.hits), answer.total) == (1, 4)


@given(st.text(max_size=40))
def test_any_text_is_plain_text(text):
    answer = ask(text)
    assert answer.total <= len(ENTRIES)


words = st.text(string.ascii_lowercase[:3], min_size=1, max_size=3)


@given(
    st.lists(st.lists(words, min_size=1, max_size=4), max_size=12), st.lists(words, min_size=1, max_size=3)
)
def test_what_is_found_is_what_a_scan_of_all_texts_finds(texts, query):
    entries = [CatalogEntry(kind="view", name=" ".join(text)) for text in texts]
    answer = CatalogIndex(entries).search(CatalogQuery(words=" ".join(query), limit=100))
    scanned = [text for text in texts if all(any(one.startswith(word) for one in text) for word in query)]
    assert sorted(names(answer)) == sorted(" ".join(text) for text in scanned)


def test_words_of_a_text():
    assert words_of("Dep_delay, 2ème (é)!") == ["dep", "delay", "2eme", "e"]


people = Source.csv(
    "people",
    path="p.csv",
    columns={"customer": "string", "age": "int", "city": "string"},
    owner="ann",
    tags=["pii"],
)
facts = FeatureView(
    "facts", entity=Entity("customer", keys="customer"), source=people, features=["age"], owner="bob",
    description="What is known of a customer.",
)  # fmt: skip
older = row_feature(name="older")(lambda facts_age: facts_age + 1)


def shop():
    features = FeatureSet("returns", request=parts.REQUEST, features=[facts, older, number("price")])
    return parts.project(
        sources=[parts.orders, people, parts.outcomes], endpoints=[parts.endpoint(features=features)]
    )


@pytest.fixture
def view(tmp_path):
    store = open_metadata(f"sqlite:///{tmp_path / 'metadata.db'}")
    apply_definitions(shop(), store, AT)
    with store.begin() as unit:
        unit.models.create_model("returns", AT, description="Will it come back?", tags={"owner": "cy"})
        unit.models.create_version("returns", AT, tags={"training_rows": "900"})
        unit.models.set_alias("returns", "champion", 1, AT)
        for name in ("people", "forgotten"):
            unit.datasets.register(name, AT + 5, schema_hash="a" * 64, content_hash="b" * 64, rows=12)
        unit.journal.append("data.changed", "people", AT + 6, {})
    with store.read() as view:
        yield view
    store.close()


def test_impact_of_a_column_reaches_features_sets_endpoints_monitors_and_versions():
    catalog = build_catalog(shop())
    assert catalog.impact("column/people.age") == {
        "feature": ["facts_age"],
        "row_feature": ["older"],
        "feature_set": ["returns"],
        "endpoint": ["returns"],
        "monitor": ["returns"],
    }
    assert catalog.upstream("row_feature/older")["column"] == ["people.age", "people.customer"]


def test_versions_are_reached_and_models_have_their_words(view):
    catalog = build_catalog(shop(), view)
    assert catalog.impact("people.age")["version"] == ["returns/1"]
    model = catalog.get("model/returns")
    assert (model.owner, model.description, model.facts["@champion"]) == ("cy", "Will it come back?", 1)
    assert catalog.get("version/returns/1").tags == ("@champion",)


def test_rows_have_their_freshness_and_what_validation_said(view):
    found = build_catalog(shop(), view).get("source/people")
    assert (found.updated, found.quality, found.facts["rows"]) == (AT + 5, "changed", 12)


def test_a_stored_dataset_that_is_no_longer_defined_is_there_and_unused(view):
    found = build_catalog(shop(), view).get("forgotten")
    assert (found.kind, found.unused) == ("dataset", True)


def test_features_have_the_words_of_their_view_and_columns_those_of_their_source():
    catalog = build_catalog(shop())
    feature, column = catalog.get("facts_age"), catalog.get("people.age")
    assert (feature.owner, feature.description, feature.entity) == (
        "bob",
        "What is known of a customer.",
        "customer",
    )
    assert (column.owner, column.tags) == ("ann", ("pii",))


def test_unused_columns_are_told_and_keys_times_and_request_fields_are_not_among_them():
    unused = {entry.ref for entry in build_catalog(shop()).unused()}
    assert "column/people.city" in unused
    assert not unused & {
        "column/people.customer",
        "column/people.age",
        "column/orders.at",
        "column/orders.price",
    }


def test_a_name_of_several_things_and_one_of_none_are_told_apart():
    catalog = build_catalog(shop())
    with pytest.raises(InvalidInput) as several:
        catalog.get("returns")
    assert several.value.faults == (
        "feature_set/returns",
        "endpoint/returns",
        "monitor/returns",
        "model/returns",
    )
    with pytest.raises(NotFound, match="facts_age"):
        catalog.get("fact_age")


def test_ten_thousand_entries_are_searched_within_the_time_of_a_key_press():
    import time

    rng = random.Random(1)
    entries = [CatalogEntry(kind="column", name=f"{rng.choice(['dep', 'arr'])}_{n}") for n in range(10_000)]
    index = CatalogIndex(entries)
    began = time.process_time()
    assert index.search(CatalogQuery(words="dep 77")).total > 0
    assert time.process_time() - began < 0.1
