"""The skew audit of a real server: asked over HTTP, audited on demand, told in status and metrics."""

from tests.entry.api.conftest import START, parcel
from tests.entry.api.parts import application, ask, served
from tests.entry.cli.conftest import treadle
from treadle.records.estimates import Window, share_interval
from treadle.records.skew import FeatureSkew, SkewReading


def test_what_a_server_answered_is_what_the_tables_say_also_before_it_is_flushed(serve, home):
    server = serve("--from", START)
    with server.connect() as connection:
        for number in range(60):
            assert server.infer(parcel(number, ("north", "south", "east")[number % 3]), connection)[0] == 200
    assert server.status()["skew"] == {}
    for _ in range(2):  # while it runs, and when everything is in the tables
        found = treadle("features", "skew", "late", "--home", home, "--json").json
        assert (found["state"], found["audited"]) == ("ok", 60), found["sentence"]
        assert {one["mismatched"] for one in found["features"]} == {0}
        assert len(found["features"]) == 7
        server.stop()


def test_an_endpoint_that_never_answered_has_nothing_to_audit(home):
    said = treadle("features", "skew", "late", "--home", home, "--json")
    assert said.code != 0
    assert "never answered" in said.error["what"]
    said = treadle("features", "skew", "lat", "--home", home, "--json")
    assert "late" in said.error["fix"]


def reading(wrong: int) -> SkewReading:
    feature = FeatureSkew(
        feature="rain", compared=100, mismatched=wrong, interval=share_interval(wrong, 100), state="alert"
    )
    return SkewReading(
        endpoint="late", at=10, window=Window(0, 10), served=500, audited=100, state="alert",
        sentence="rain differs", features=(feature,), resume=10,
    )  # fmt: skip


def test_status_and_metrics_tell_each_feature(tmp_path):
    with served(tmp_path) as live:
        live.wheel.skew["late"] = reading(25)
        told = ask(application(live), "GET", "/v1/status").json()["skew"]["late"]
        assert (told["state"], told["audited"]) == ("alert", 100)
        [feature] = told["features"]
        assert (feature["feature"], feature["rate"]) == ("rain", 0.25)
        assert 0.17 < feature["interval"][0] < 0.25 < feature["interval"][1] < 0.35
        text = ask(application(live), "GET", "/metrics").body.decode()
        assert 'treadle_feature_skew_ratio{endpoint="late",feature="rain"} 0.25' in text
        assert 'treadle_feature_skew_audited{endpoint="late"} 100' in text
