"""`treadle features materialise` and `freshness`: the present without a server, a rebuild, and what stands in the way."""

from __future__ import annotations

import pytest

from tests.redis_server import redis_server
from treadle.bootstrap import Home
from treadle.records.instants import DAY, instant, iso

UNTIL = "2025-07-01"


def test_a_home_is_brought_on_from_where_it_stands(own_shop):
    first = own_shop.treadle("features", "materialise", "--until", UNTIL, "--json").json
    assert (first["cursor"], first["filled"]) == (iso(instant(UNTIL)), True)  # a store that others filled
    again = own_shop.treadle("features", "materialise", "--until", "2025-07-02", "--json").json
    assert (again["from"], again["filled"]) == (iso(instant(UNTIL)), False)
    assert {one["changed"] for one in again["views"]} == {None}
    back = own_shop.treadle("features", "materialise", "--until", "2025-06-01", "--json")
    assert "stands at" in back.error["what"]


def test_a_rebuild_puts_right_what_is_wrong(own_shop):
    made = own_shop.treadle("features", "materialise", "--until", UNTIL, "--json").json
    [broken, *_] = [one["view"] for one in made["views"] if one["keys"]]
    online = Home.at(own_shop.home, create=False).online()
    kept = dict(online.scan(broken))
    online.drop(broken)
    online.close()
    found = own_shop.treadle("features", "materialise", broken, "--rebuild", "--until", UNTIL, "--json").json
    [view] = found["views"]
    assert (view["view"], view["changed"], view["resumed"]) == (broken, view["keys"], False)
    online = Home.at(own_shop.home, create=False).online()
    assert set(online.scan(broken)) == set(kept.items())
    online.close()


def test_while_the_home_is_held_nothing_is_written(own_shop):
    with Home.at(own_shop.home, create=False).held("a server"):
        said = own_shop.treadle("features", "materialise", "--json")
    assert "in use by a server" in said.error["what"]


def test_what_cannot_be_meant_is_refused(own_shop):
    said = own_shop.treadle("features", "materialise", "--from", UNTIL, "--json")
    assert "--rebuild" in said.error["fix"]
    said = own_shop.treadle("features", "materialise", "no_such_view", "--json")
    assert "no_such_view" in said.error["what"]


def test_freshness_counts_what_has_expired(own_shop):
    own_shop.treadle("features", "materialise", "--until", UNTIL)
    found = own_shop.treadle("features", "freshness", "--json").json
    assert found["cursor"] == iso(instant(UNTIL))
    assert found["lag_seconds"] > 0
    assert {one["view"] for one in found["views"]}
    for one in found["views"]:
        assert 0 <= one["expired"] <= one["keys"]
    shown = own_shop.treadle("features", "freshness")
    assert shown.code == 0, shown.err
    assert "expired_share" in shown.out


def test_redis_is_filled_and_shown(own_shop, tmp_path, monkeypatch: pytest.MonkeyPatch):
    with redis_server(tmp_path) as url:
        monkeypatch.setenv("TREADLE_ONLINE_URL", url)
        made = own_shop.treadle("features", "materialise", "--until", UNTIL, "--json").json
        assert (made["from"], made["filled"]) == (None, True)
        found = own_shop.treadle("features", "freshness", "--json").json
        assert found["cursor"] == iso(instant(UNTIL))
        assert sum(one["keys"] for one in found["views"]) == sum(one["keys"] for one in made["views"]) > 0
        assert found["lag_seconds"] > DAY / 1e6 / 2
