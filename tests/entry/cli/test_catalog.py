"""`treadle catalog` finds what the shop defines and has made, and says what a change would touch."""

import pytest

import treadle as tr
from tests.entry.cli.conftest import treadle


@pytest.fixture
def ask(shop):
    def asked(*words):
        return treadle("catalog", *words, "--project", shop.project, "--home", shop.home, "--json")

    return asked


def test_words_find_entries_with_the_fields_that_matched_and_facets(ask):
    found = ask("return").json
    assert found["total"] == sum(found["facets"]["kind"].values())
    assert {"endpoint", "model", "feature_set"} <= set(found["facets"]["kind"])
    assert found["hits"][0]["matched"][0] == "name"
    assert ask("return", "--kind", "feature-set").json["total"] == found["facets"]["kind"]["feature_set"]


def test_text_of_other_languages_is_plain_text(ask):
    for words in ("' OR 1=1 --", '"retur" NEAR', "return*) AND (", "%", "; DROP TABLE runs; --"):
        assert ask(words).json["total"] >= 0


def test_one_entry_is_shown_whole_with_everything_that_a_change_touches(ask):
    (view, *_) = ask("--kind", "view").json["hits"]
    shown = ask("show", f"view/{view['name']}").json
    assert shown["impact"]["endpoint"] == ["returns"]
    assert shown["impact"]["version"] == ["returns/2", "returns/1"]
    assert shown["upstream"]["entity"] == [view["entity"]]


def test_sources_have_freshness_and_models_their_champion(ask):
    orders = ask("orders", "--kind", "source").json["hits"][0]
    assert orders["facts"]["rows"] > 0
    assert orders["updated"]
    assert ask("show", "model/returns").json["facts"]["@champion"] == 2


def test_a_misspelt_word_is_met_with_what_was_meant(ask, shop):
    assert "returns" in ask("retunrs").json["did_you_mean"]
    said = treadle("catalog", "retunrs", "--project", shop.project, "--home", shop.home)
    assert (said.code, said.out) == (0, "")
    assert "did you mean 'returns'" in said.err


def test_a_faulty_question_is_refused_whole(ask):
    error = ask("--kind", "pages", "--empty", "title").error
    assert (error["code"], len(error["faults"])) == ("invalid_input", 2)
    assert ask("show", "nothing_of_this_name").error["code"] == "not_found"


def test_the_table_for_people_ends_with_the_facets(shop):
    said = treadle("catalog", "return", "--limit", 2, "--project", shop.project, "--home", shop.home)
    assert said.code == 0
    assert said.out.splitlines()[0].startswith("kind")
    assert "kind:" in said.out.splitlines()[-1] or "kind:" in said.out
    assert "--limit" in said.err


def test_python_and_the_command_find_the_same(ask, shop):
    found = tr.catalog(shop.home).search("return", limit=100)
    assert [hit.entry.name for hit in found.hits] == [
        row["name"] for row in ask("return", "--limit", 100).json["hits"]
    ]
    with pytest.raises(tr.NotFound):
        tr.catalog(shop.home.parent / "nowhere")
    assert tr.catalog("nowhere", shop.project).get("endpoint/returns").updated is None
