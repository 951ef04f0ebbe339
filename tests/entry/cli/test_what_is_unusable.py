"""Values that cannot be used are named: by `predict` one by one; long cells of lists are cut, and whole in `show`."""

import pytest

from tests.entry.cli.conftest import NAME

ORDER = ["order_id=9051", "category=shoes", "channel=app", "quantity=1", "price=49.0"]


def test_features_of_an_entity_that_was_never_seen_are_said_to_be_absent(shop):
    said = shop.treadle("predict", *ORDER, "customer=nobody", "product=shoes-00", "--json")
    unusable = said.json["unusable"]
    assert set(unusable) == {
        "customer_orders_count_7d",
        "customer_orders_price_mean_60d",
        "customer_returns_rate_90d",
        "customer_returns_count_90d",
    }
    assert set(unusable.values()) == {"absent"}
    assert "4 looked-up features had no value to give" in said.err


def test_features_that_are_too_old_are_said_to_be_expired(own_shop):
    from treadle.bootstrap import Home
    from treadle.loop.feed import write_cursor
    from treadle.records.instants import instant

    online = Home.at(own_shop.home, create=False).online()
    with online.begin() as batch:
        write_cursor(batch, instant("2026-06-30"))
    online.close()
    said = own_shop.treadle("predict", *ORDER, "customer=c001", "product=shoes-00")
    assert said.code == 0, said.err
    assert "product_now_stars" in said.out
    assert "expired" in said.out
    assert "as of 2026-06-30T00:00:00Z" in said.err


def test_where_every_value_counts_nothing_is_said(shop):
    said = shop.treadle("predict", *ORDER, "customer=c001", "product=shoes-00")
    assert said.code == 0, said.err
    assert "unusable" not in said.out
    assert said.err == ""


@pytest.mark.parametrize("words", [["runs"], ["features", "--project", "{project}"]])
def test_lists_in_a_pipe_have_no_endless_lines(words, own_shop):
    reason = "because " * 60
    own_shop.treadle("run", "train_returns", "--no-gate", "--reason", reason)
    given = [word.replace("{project}", str(own_shop.project)) for word in words]
    said = own_shop.treadle(*given)
    assert max(map(len, said.out.splitlines())) < 250
    if words == ["runs"]:
        assert "…" in said.out
        run = own_shop.treadle("runs", "--json").json[0]
        assert run["reason"] == reason
        assert NAME not in run["reason"]
