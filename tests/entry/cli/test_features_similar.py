"""`treadle features similar` and `lint` on the shop."""

import polars as pl

from treadle.bootstrap import Home


def test_a_project_without_twins_has_nothing_similar(shop):
    said = shop.treadle("features", "similar", "--values", "--project", shop.project)
    assert (said.code, said.out) == (0, "")
    assert "no two features are similar" in said.err


def test_a_stored_column_that_was_scaled_is_warned_of_and_others_are_not(own_shop):
    assert own_shop.treadle("features", "lint", "--project", own_shop.project, "--json").json == []
    home = Home.at(own_shop.home, create=False)
    tables = home.tables()
    rows = tables.read("orders").collect()
    scaled = rows.with_columns(
        ((pl.col("price") - pl.col("price").mean()) / pl.col("price").std()).alias("price")
    )
    tables.overwrite("orders", scaled)
    (found,) = own_shop.treadle("features", "lint", "orders", "--project", own_shop.project, "--json").json
    assert (found["source"], found["columns"], found["looks"]) == ("orders", ["price"], "standardised")


def test_a_source_that_is_none_is_refused_with_its_neighbours(shop):
    error = shop.treadle("features", "lint", "order", "--project", shop.project, "--json").error
    assert "orders" in error["fix"]
