"""Commands that look into a home: runs, models, features, and what they say when a name is wrong."""

import pytest

from tests.entry.cli.conftest import NAME, treadle
from treadle.bootstrap import Home


def test_runs_are_listed_the_newest_first_with_what_they_made(shop):
    rows = shop.treadle("runs", "--json").json
    assert [row["versions"] for row in rows] == [["returns/2"], ["returns/1"]]
    assert {row["status"] for row in rows} == {"FINISHED"}
    assert rows[0]["started"] > rows[1]["started"]
    assert rows[0]["seconds"] > 0
    assert rows[1]["params"]["until"] == "1747699200000000"


def test_a_table_of_runs_shows_one_line_a_run_and_instants_as_text(shop):
    lines = shop.treadle("runs").out.splitlines()
    assert lines[0].split() == ["run_id", "pipeline", "status", "started", "took", "versions", "reason"]
    assert len(lines) == 3
    assert "train_returns" in lines[1]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--limit", "1"], 1),
        (["--pipeline", "train_returns"], 2),
        (["--status", "failed"], 0),
        (["--status", "FINISHED"], 2),
    ],
)
def test_runs_are_filtered(words, count, shop):
    assert len(shop.treadle("runs", "list", "--json", *words).json) == count


def test_a_pipeline_that_never_ran_is_told_with_its_neighbour(shop):
    error = shop.treadle("runs", "--pipeline", "train_return", "--json").error
    assert error["what"] == "no pipeline that ran named 'train_return'"
    assert error["fix"] == "did you mean 'train_returns'?"


def test_a_run_is_shown_whole_with_its_steps(shop):
    run_id = shop.treadle("runs", "--json").json[1]["run_id"]
    record = shop.treadle("runs", "show", run_id, "--json").json
    assert [step["step"] for step in record["steps"]] == ["training_set", "fit", "evaluate"]
    fit = record["steps"][1]
    assert fit["params"] == {"iterations": 80, "learning_rate": 0.05}
    assert fit["inputs"]["train"] != record["steps"][0]["outputs"]["value"]  # the older part of it
    assert record["steps"][2]["inputs"]["model"] == fit["outputs"]["value"]
    assert len(record["environment"]) == 64
    shown = shop.treadle("runs", "show", run_id).out
    assert "2025-05-20T00:00:00Z" in shown
    assert fit["outputs"]["value"][:12] in shown


def test_a_run_is_found_by_how_its_id_begins_if_only_one_does(shop):
    newest, oldest = (row["run_id"] for row in shop.treadle("runs", "--json").json)
    differ = next(i for i, (a, b) in enumerate(zip(newest, oldest, strict=True)) if a != b)
    assert shop.treadle("runs", "show", newest[: differ + 1], "--json").json["run_id"] == newest
    error = shop.treadle("runs", "show", newest[:differ], "--json").error
    assert error["what"] == f"2 runs begin with {newest[:differ]!r}"
    assert shop.treadle("runs", "show", "nonsense", "--json").error["code"] == "not_found"


def test_models_are_listed_with_their_champion(shop):
    (row,) = shop.treadle("models", "--json").json
    assert (row["model"], row["champion"], row["versions"]) == ("returns", 2, 2)
    assert row["last_verdict"] == "promoted (2)"
    heading, line = shop.treadle("models").out.splitlines()
    assert heading.split()[:3] == ["model", "champion", "versions"]
    assert line.split()[:3] == ["returns", "2", "2"]


def test_a_model_is_shown_with_versions_moves_and_verdicts(shop):
    record = shop.treadle("models", "show", "returns", "--json").json
    assert [row["version"] for row in record["versions"]] == [2, 1]
    assert record["versions"][0]["rows"] > record["versions"][1]["rows"] > 1_000
    assert [move["previous"] for move in record["alias_history"]] == [1, None]
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["promoted", "promoted"]
    assert len(record["verdicts"][0]["reasons"]) == 3
    shown = shop.treadle("models", "show", "returns").out
    assert "verdict on version 2: promoted" in shown
    assert f"- {record['verdicts'][0]['reasons'][0]}" in shown


def test_a_version_is_shown_with_intervals_and_slices(shop):
    by_number = shop.treadle("models", "show", "returns/2", "--json").json
    assert shop.treadle("models", "show", "returns@champion", "--json").json == by_number
    report = by_number["report"]
    low, high = report["intervals"]["auc"]
    assert low < report["metrics"]["auc"] < high
    assert sorted(row["value"] for row in report["slices"]) == [
        "bags",
        "books",
        "dresses",
        "shoes",
        "trousers",
    ]
    assert sum(row["n"] for row in report["slices"]) == report["rows"]
    shown = shop.treadle("models", "show", "returns/2").out
    assert "slices" in shown
    assert f"{report['metrics']['auc']:.4g}" in shown


@pytest.mark.parametrize(
    ("reference", "code", "fix"),
    [
        ("return", "not_found", "did you mean 'returns'?"),
        ("returns/9", "not_found", "its newest is 2"),
        ("returns@champoin", "not_found", "did you mean 'returns@champion'?"),
        ("returns/two", "invalid_input", "write NAME, NAME/VERSION or NAME@ALIAS"),
    ],
)
def test_a_wrong_model_version_or_alias_is_told_with_what_there_is(reference, code, fix, shop):
    error = shop.treadle("models", "show", reference, "--json").error
    assert (error["code"], error["fix"]) == (code, fix)


def test_features_are_listed_from_the_project_that_the_home_names(shop):
    rows = shop.treadle("features", "--json").json
    assert [row["view"] for row in rows] == [
        "product_now", "product_returns", "customer_orders", "customer_returns", "discount", "hour",
    ]  # fmt: skip
    assert rows[0]["window"] == ["ttl 14d"]
    assert rows[2]["window"] == ["7d", "60d"]
    assert rows[4]["kind"] == "row"


def test_a_view_is_shown_with_columns_and_windows(shop):
    golden = f"""\
view         customer_returns
kind         window
entity       customer
keys         customer
source       outcomes
window       90d
owner        {NAME}
description  How often the customer sends things back.
timing
  event_time   closed_at
  known_after  0s
used_by      returns

features
feature                     column            type   window
customer_returns_rate_90d   mean of returned  float  90d
customer_returns_count_90d  count of rows     float  90d
"""
    assert shop.treadle("features", "show", "customer_returns").out == golden


def test_an_unknown_view_or_entity_is_told_with_its_neighbour(shop):
    error = shop.treadle("features", "show", "custmer_returns", "--json").error
    assert "'customer_returns'" in error["fix"]
    error = shop.treadle("features", "keys", "prodct", "--json").error
    assert error["fix"] == "did you mean 'product'?"


def test_keys_are_listed_with_the_views_that_hold_them(shop):
    rows = shop.treadle("features", "keys", "product", "--json", "--limit", "100").json
    assert len(rows) == 40
    assert rows[0] == {"product": "bags-03", "views": ["product_now", "product_returns"]}
    said = shop.treadle("features", "keys", "product", "--limit", "2")
    assert len(said.out.splitlines()) == 3
    assert "38 more" in said.err


def test_online_values_come_with_age_and_status(shop):
    record = shop.treadle("features", "get", "product", "product=shoes-00", "--json").json
    assert record["at"] == "2025-06-30T00:00:00Z"
    stars = next(row for row in record["values"] if row["feature"] == "stars")
    assert stars["status"] == "ok"
    assert stars["event_time"] == "2025-06-25T00:00:00Z"
    assert (stars["age"], stars["age_seconds"]) == ("5d", 432_000.0)


def test_a_value_older_than_its_ttl_or_window_is_expired(shop):
    words = ["features", "get", "product", "product=shoes-00", "--json", "--at", "2025-12-01"]
    values = shop.treadle(*words).json["values"]
    assert {row["status"] for row in values} == {"expired"}
    assert {row["feature"]: row["value"] for row in values} == {
        "list_price": None, "stars": None, "rate_30d": None, "count_30d": 0.0,
    }  # fmt: skip


def test_a_value_not_yet_known_is_absent(shop):
    words = ["features", "get", "customer", "customer=c001", "--json", "--at", "2024-12-01"]
    assert shop.treadle(*words).error["what"] == "no customer with customer=c001 is known online"


def test_an_unknown_key_is_told_with_near_ones(shop):
    error = shop.treadle("features", "get", "product", "product=shoes-0", "--json").error
    assert error["what"] == "no product with product=shoes-0 is known online"
    assert "product=shoes-" in error["fix"]
    assert error["command"] == f"treadle features keys product --home {shop.home}"


def test_a_malformed_key_is_refused_with_every_fault(shop):
    error = shop.treadle("features", "get", "product", "produkt=shoes-00", "--json").error
    assert error["code"] == "invalid_input"
    assert sorted(error["faults"]) == ["'produkt' is no key of 'product'", "key 'product' is missing"]
    assert shop.treadle("features", "get", "product", "shoes-00").code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["models"],
        ["models", "show", "returns"],
        ["rollback", "returns"],
        ["features", "keys", "product"],
    ],
)
def test_a_folder_that_is_no_home_is_refused_and_stays_as_it_is(words, tmp_path, shop):
    said = treadle(*words, "--home", tmp_path, "--json")
    assert said.code == 1
    assert said.error["what"] == f"{tmp_path} is not a treadle home"
    assert list(tmp_path.iterdir()) == []


def test_homes_nearby_are_named(shop):
    error = treadle("runs", "--home", shop.home.parent, "--json").error
    assert str(shop.home) in error["fix"]


def test_readers_do_not_wait_for_whoever_holds_the_home(shop):
    with Home.at(shop.home, create=False).held("a test"):
        assert len(shop.treadle("runs", "--json").json) == 2
        assert shop.treadle("features", "keys", "product", "--json").code == 0
        held = [row for row in shop.treadle("doctor", "--json").json["checks"] if row["check"] == "lock"]
    assert held[0]["found"].startswith("held by a test (process ")
