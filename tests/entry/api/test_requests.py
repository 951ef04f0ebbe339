"""What each route answers, and with which status what is wrong is told."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.entry.api.parts import NOW, application, ask, fake_predictor, infer_body, logged, served
from treadle.entry.api import inference
from treadle.entry.api.metrics import Metrics, label, render
from treadle.records.errors import Conflict, NotReady
from treadle.records.predictions import decode_prediction

INFER = "/v2/models/late/infer"


@pytest.fixture
def live(tmp_path):
    with served(tmp_path) as live:
        yield live


@pytest.fixture
def app(live):
    return application(live)


def test_an_answer_comes_with_version_id_and_headers(app, live):
    reply = ask(app, "POST", INFER, infer_body())
    answer = reply.json()
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    assert (reply.status, answer["model_name"], answer["model_version"]) == (200, "late", "1")
    assert outputs["probability"] == [0.25]
    assert outputs["prediction_id"] == logged(live) == [answer["id"]]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.headers["x-model-version"] == "1"


def test_the_callers_id_is_given_back(app):
    assert ask(app, "POST", INFER, infer_body(id="42")).json()["id"] == "42"


def test_every_row_is_logged_in_order_with_its_own_id(app, live):
    outputs = ask(app, "POST", INFER, infer_body(rows=5)).json()["outputs"]
    assert outputs[1]["data"] == logged(live)
    assert len(set(logged(live))) == 5


def test_the_log_holds_what_was_asked_and_what_was_answered(app, live):
    ask(app, "POST", INFER, infer_body())
    (record,) = [decode_prediction(record) for _, record in live.world.predictions.read()]
    assert (record.at, record.endpoint, record.model, record.version) == (NOW, "late", "late_model", 1)
    assert (record.fields, record.features, record.score) == ([1.5, "north"], [1.5, "north"], 0.25)


def test_a_version_can_be_asked_by_its_number(app, live):
    reply = ask(app, "POST", "/v2/models/late/versions/2/infer", infer_body())
    assert reply.json()["model_version"] == reply.headers["x-model-version"] == "2"
    assert reply.json()["outputs"][0]["data"] == [0.2]
    assert decode_prediction(next(r for _, r in live.world.predictions.read())).version == 2


def test_a_chunked_body_is_read_whole(app):
    whole = infer_body()
    parts = [whole[:10], b"", whole[10:50], whole[50:]]
    assert ask(app, "POST", INFER, chunks=parts).status == 200


def test_a_large_request_is_answered_too(app, live):
    assert ask(app, "POST", INFER, infer_body(rows=3_000)).status == 200
    assert len(logged(live)) == 3_000


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        (INFER, b"{", 400, "not an Open Inference Protocol"),
        (INFER, b"", 400, "not an Open Inference Protocol"),
        (INFER, infer_body().replace(b"weight", b"wieght"), 400, "did you mean 'weight'"),
        (INFER, infer_body(outputs=[{"name": "score"}]), 400, "there is no output 'score'"),
        (INFER, infer_body(depot="nowhere"), 404, "depot='nowhere' has ever been seen"),
        (INFER, infer_body(rows=2, depot="nowhere"), 404, "row 0"),
        ("/v2/models/lte/infer", infer_body(), 404, "did you mean 'late'"),
        ("/v2/models/late/versions/9/infer", infer_body(), 404, "no version 9"),
        ("/v2/models/late/versions/champion/infer", infer_body(), 404, "no version 'champion'"),
        ("/v2/models/late/versions/-1/infer", infer_body(), 404, "no version '-1'"),
        ("/v2/models/late/versions/²/infer", infer_body(), 404, "no version '²'"),
        (INFER, infer_body(depot="boom"), 500, "its log says why"),
        ("/v2/models/late/versions/3/infer", infer_body(), 500, "its log says why"),
    ],
)
def test_what_is_wrong_is_told_as_the_protocol_wants_and_nothing_is_logged(
    app, live, path, body, status, word
):
    reply = ask(app, "POST", path, body)
    assert reply.status == status
    assert list(reply.json()) == ["error"]
    assert word in reply.json()["error"]
    assert reply.headers["content-type"] == "application/json"
    assert "secret" not in reply.json()["error"]
    assert logged(live) == []


def test_the_server_goes_on_after_each_kind_of_bad_request(app):
    for bad in (b"{", infer_body(depot="boom"), infer_body(depot="nowhere"), b"\xff"):
        ask(app, "POST", INFER, bad)
        assert ask(app, "POST", INFER, infer_body()).status == 200


def test_a_body_over_the_limit_is_refused_before_it_is_read(app, monkeypatch):
    monkeypatch.setattr(inference, "BODY_LIMIT", 1_000)
    big = b"x" * 1_001
    assert ask(app, "POST", INFER, big, content_length="1001").status == 413
    assert ask(app, "POST", INFER, big).status == 413
    assert ask(app, "POST", INFER, chunks=[b"x" * 600] * 1_000).status == 413
    assert ask(app, "POST", INFER, infer_body(), content_length="-5").status == 413
    assert ask(app, "POST", INFER, infer_body()).status == 200


def test_a_caller_that_hangs_up_gets_no_answer_and_leaves_no_trace(app, live):
    assert ask(app, "POST", INFER, chunks=[]) is None
    assert logged(live) == []


def test_without_a_version_nothing_is_answered_and_the_caller_comes_again(app, live):
    live.answerers["late"].predictor = None
    reply = ask(app, "POST", INFER, infer_body())
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert "champion" in reply.json()["error"]
    ready = ask(app, "GET", "/v2/health/ready")
    assert (ready.status, ready.json()["ready"], ready.json()["live"]) == (503, False, True)
    assert ask(app, "GET", "/v2/models/late/ready").status == 503
    assert ask(app, "GET", "/v2/models/late/versions/2/ready").status == 200
    assert ask(app, "GET", "/v2/health/live").status == 200


def test_a_log_that_cannot_be_written_answers_nothing(app, live):
    live.world.predictions.close()
    assert ask(app, "POST", INFER, infer_body()).status == 503


def test_while_draining_requests_are_answered_and_the_server_is_not_ready(app, live):
    live.draining = True
    assert ask(app, "GET", "/v2/health/ready").status == 503
    reply = ask(app, "POST", INFER, infer_body())
    assert reply.status == 200
    assert "connection" not in reply.headers
    app.closing = True
    reply = ask(app, "POST", INFER, infer_body())
    assert (reply.status, reply.headers["connection"]) == (200, "close")


def test_health_and_descriptions(app):
    assert ask(app, "GET", "/v2").json() == ask(app, "GET", "/v2/").json()
    assert set(ask(app, "GET", "/v2").json()) == {"name", "version", "extensions"}
    assert ask(app, "GET", "/v2/health/ready").json() == {"live": True, "ready": True}
    described = ask(app, "GET", "/v2/models/late").json()
    assert (described["name"], described["versions"]) == ("late", ["1", "2", "3"])
    assert [one["name"] for one in described["inputs"]] == ["weight", "depot"]
    assert ask(app, "GET", "/v2/models/late/ready").json() == {"name": "late", "ready": True}


def test_other_errors_come_whole_outside_of_the_protocol(app, live, monkeypatch):
    def refuse():
        raise Conflict("two at once", fix="wait", faults=["a"])

    monkeypatch.setattr(live, "not_ready", refuse)
    reply = ask(app, "GET", "/v1/status")
    assert reply.status == 409
    assert reply.json()["error"]["what"] == "two at once"
    assert reply.json()["error"]["faults"] == ["a"]


def test_status_says_what_serves_and_how_far_things_are(app, live):
    ask(app, "POST", INFER, infer_body())
    status = ask(app, "GET", "/v1/status").json()
    assert status["ready"] is True
    assert status["endpoints"] == [
        {"name": "late", "model": "late_model", "alias": "champion", "version": 1, "fault": None}
    ]
    assert status["log"]["position"] == live.world.predictions.end() > 0
    assert status["clock"].startswith("2023-11-14T")


def test_too_many_large_requests_are_told_to_come_again(app, monkeypatch):
    monkeypatch.setattr(inference, "QUEUED", 0)
    reply = ask(app, "POST", INFER, infer_body(rows=3_000))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert ask(app, "POST", INFER, infer_body()).status == 200


def families(app) -> dict[str, dict[tuple, float]]:
    text = ask(app, "GET", "/metrics").body.decode()
    found: dict[str, dict[tuple, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_metrics_count_requests_rows_and_errors(live):
    app = application(live)
    for body in (
        infer_body(),
        infer_body(rows=3),
        b"{",
        infer_body(depot="nowhere"),
        infer_body(depot="boom"),
    ):
        ask(app, "POST", INFER, body)
    ask(app, "POST", INFER, infer_body(), token="wrong-token-1")
    found = families(app)
    route = "/v2/models/{model}/infer"
    counts = {
        dict(k)["status"]: v for k, v in found["treadle_requests_total"].items() if dict(k)["route"] == route
    }
    assert counts == {"200": 2, "400": 1, "404": 1, "500": 1, "401": 1}
    assert found["treadle_rows_total"] == {(("endpoint", "late"),): 4}
    assert found["treadle_predictions_logged_total"][(("endpoint", "late"),)] == len(logged(live)) == 4
    kinds = {dict(k)["kind"]: v for k, v in found["treadle_request_errors_total"].items()}
    assert kinds == {"bad_request": 1, "not_found": 1, "server": 1, "no_token": 1}
    assert found["treadle_request_seconds_count"][(("route", route),)] == 6
    assert found["treadle_model_version"] == {(("endpoint", "late"), ("model", "late_model")): 1}
    assert found["treadle_ready"] == {(): 1}
    assert found["treadle_feed_lag_seconds"] == {(): 0}


def test_paths_that_callers_make_up_do_not_become_labels(live):
    app = application(live)
    for number in range(50):
        ask(app, "GET", f"/made/up/{number}")
        ask(app, "GET", f"/v2/models/x{number}")
    assert len(families(app)["treadle_requests_total"]) == 2


@given(st.lists(st.floats(0, 10), max_size=30))
def test_histogram_buckets_count_what_is_at_most_their_bound(seconds):
    metrics = Metrics()
    for value in seconds:
        metrics.answered("r", 200, value)
    text = render(metrics, []).decode()
    samples = [
        s for f in text_string_to_metric_families(text) for s in f.samples if s.name.endswith("_bucket")
    ]
    for sample in samples:
        bound = float(sample.labels["le"])
        assert sample.value == sum(value <= bound for value in seconds)
    assert len(samples) == (15 if seconds else 0)


def test_labels_are_escaped():
    assert label(name='a"b\\c\nd') == 'name="a\\"b\\\\c\\nd"'


def damaged(at: int, put: bytes, cut: int) -> bytes:
    return infer_body()[:at] + put + infer_body()[at + cut :]


DAMAGED = st.builds(damaged, st.integers(0, 200), st.binary(max_size=8), st.integers(0, 8))


@given(body=st.binary(max_size=60) | DAMAGED)
@settings(max_examples=150)
def test_any_body_is_answered_or_refused_and_never_breaks_the_server(body, tmp_path_factory):
    with served(tmp_path_factory.mktemp("fuzz"), predictor=fake_predictor()) as live:
        reply = ask(application(live), "POST", INFER, body)
        assert reply.status in (200, 400)
        assert len(logged(live)) == (
            len(json.loads(reply.body)["outputs"][0]["data"]) if reply.status == 200 else 0
        )


@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "BREW", ""]),
    path=st.text(max_size=20) | st.text(max_size=5).map(lambda t: f"/v2/models/{t}/infer"),
    name=st.sampled_from(["host", "authorization", "origin", "content-length", "x"]),
    value=st.text(st.characters(max_codepoint=255), max_size=20),
)
@settings(max_examples=150)
def test_any_request_line_and_header_get_a_status(method, path, name, value, tmp_path_factory):
    with served(tmp_path_factory.mktemp("fuzz")) as live:
        reply = ask(application(live), method, path, **{name: value})
        assert 200 <= reply.status < 500


def test_not_ready_errors_say_when_to_come_again(app, live):
    def answer(body, predictor=None):
        raise NotReady("the disk is full")

    live.answerers["late"].answer = answer
    assert ask(app, "POST", INFER, infer_body()).headers["retry-after"] == "1"
