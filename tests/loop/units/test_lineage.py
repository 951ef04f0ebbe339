"""Lineage: everything that happened is told once, in the schemas' own words, and reaches a real receiver in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import treadle as tr
from tests.loop.units.openlineage_schemas import event_faults
from tests.loop.units.shops import START, make_store, make_world, turn
from treadle.adapters.lineage_http import HttpLineage
from treadle.loop.lineage import REFUSED, LineageFollower, LineageSender, emitted, outside
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import DAY
from treadle.records.runs import RunStatus

FIRST = START + 21 * DAY


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A shop's world after data, a training and a promotion; tests read it and follow it."""
    world = make_world(tmp_path_factory.mktemp("lineage"), at=FIRST)
    store = make_store(world)
    with world.metadata.begin() as unit:
        for name, manifest in sorted(store.manifests.items()):
            if name not in unit.datasets.names():
                unit.datasets.register(
                    name,
                    FIRST,
                    schema_hash=manifest.schema_hash,
                    content_hash=manifest.content_hash,
                    rows=manifest.rows,
                )
    result = turn(world, store, FIRST)
    with world.metadata.begin() as unit:
        failed = unit.runs.create_run(FIRST, pipeline="train_returns", name="fails")
        unit.runs.set_status(failed.run_id, RunStatus.FAILED, FIRST + 1)
    LineageFollower(world.project, world.metadata).follow(FIRST)
    yield world, result, [*emitted(world.metadata)]
    world.executor.close()


def ends(events, job):
    return [event for event in events if event["job"]["name"] == job and event["eventType"] != "START"]


def names(datasets):
    return {one["name"] for one in datasets}


def test_every_event_and_facet_keeps_its_schema(lived):
    _, _, events = lived
    faults = {f"{event['job']['name']}: {fault}" for event in events for fault in event_faults(event)}
    assert faults == set()
    assert len(events) > 10


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda e: e["outputs"][0]["facets"]["schema"].update(fields="all"), ".fields is no array"),
        (lambda e: e["outputs"][0]["facets"]["schema"].update(colour="red"), ".colour is unknown"),
        (lambda e: e["outputs"][0]["facets"]["schema"]["fields"][0].pop("name"), ".name is missing"),
        (
            lambda e: e["run"]["facets"].update(schema=e["outputs"][0]["facets"]["schema"]),
            "is no facet of run",
        ),
        (lambda e: e["job"]["facets"]["jobType"].update(_schemaURL="x"), "unknown schema x"),
        (lambda e: e.pop("run"), "run is missing"),
    ],
)
def test_the_check_of_schemas_would_catch_a_fault(lived, break_it, said):
    event = json.loads(
        json.dumps(next(e for e in lived[2] if e["outputs"] and "schema" in e["outputs"][0]["facets"]))
    )
    assert event_faults(event) == []
    break_it(event)
    assert said in str(event_faults(event))


def test_every_run_has_a_start_and_one_end(lived):
    _, _, events = lived
    runs = {}
    for event in events:
        runs.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert all(kinds[0] == "START" and len(kinds) == 2 for kinds in runs.values()), runs


def test_a_training_reads_versions_of_data_and_makes_a_version_of_a_model(lived):
    world, _, events = lived
    pipeline = next(p.name for p in world.project.pipelines)
    done = [event for event in ends(events, f"pipeline.{pipeline}") if event["eventType"] == "COMPLETE"]
    assert len(done) == 1
    sources = {view.source.name for view in world.project.views}
    assert sources <= names(done[0]["inputs"])
    assert all(one["facets"]["version"]["datasetVersion"] == "1" for one in done[0]["inputs"])
    (model,) = done[0]["outputs"]
    assert model["name"].startswith("models.")
    assert model["facets"]["version"]["datasetVersion"] == "1"


def test_a_failed_run_says_why(lived):
    _, _, events = lived
    (failed,) = [event for event in events if event["eventType"] == "FAIL"]
    assert failed["run"]["facets"]["errorMessage"]["programmingLanguage"] == "PYTHON"


def test_a_promotion_leads_from_model_and_features_to_predictions(lived):
    world, _, events = lived
    endpoint = world.project.endpoints[0]
    (done,) = ends(events, f"deploy.{endpoint.model}")
    assert {f"features.{view.name}" for view in endpoint.features.views} < names(done["inputs"])
    assert names(done["outputs"]) == {f"predictions.{endpoint.name}"}


def test_columns_of_features_lead_back_to_columns_of_sources(lived):
    world, _, events = lived
    view = next(view for view in world.project.views if isinstance(view, tr.WindowView))
    (done,) = ends(events, f"features.{view.name}")
    fields = done["outputs"][0]["facets"]["columnLineage"]["fields"]
    for feature in view.features:
        if feature.column is not None:
            (origin,) = fields[feature.name]["inputFields"]
            assert (origin["name"], origin["field"]) == (view.source.name, feature.column)
            assert origin["transformations"][0]["subtype"] == "AGGREGATION"


def test_following_again_tells_nothing_twice(lived):
    world, _, events = lived
    follower = LineageFollower(world.project, world.metadata)
    assert follower.follow(FIRST + DAY) == 0
    assert [*emitted(world.metadata)] == events


def test_places_hold_no_secret():
    source = tr.Source.sql(
        "orders",
        url=tr.secret("ORDERS"),
        table="orders",
        watermark="at",
        columns={"id": "int", "at": "time"},
        event_time="at",
    )
    told = outside(source)
    assert (told.namespace, told.name) == ("database", "orders")
    assert "ORDERS" not in json.dumps(told.as_json(output=False))


@contextmanager
def receiver(answer) -> Iterator[tuple[str, list]]:
    """A real HTTP server that keeps what it gets; `answer(number, event)` gives the status."""
    got: list = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = answer(len(got), body)
            got.append((self.path, self.headers.get("Authorization"), body, status))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:1/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture
def told(tmp_path):
    """A world with a few lineage events of its own."""
    world = make_world(tmp_path, at=FIRST)
    make_store(world)
    LineageFollower(world.project, world.metadata).follow(FIRST)
    yield world, [*emitted(world.metadata)]
    world.executor.close()


def test_a_receiver_gets_every_event_once_and_in_order(told):
    world, events = told
    with receiver(lambda number, event: 201) as (url, got):
        sender = LineageSender(world.metadata, HttpLineage(url, "a key"))
        assert sender.send() == len(events) > 0
        assert sender.send() == 0
    assert [body for _, _, body, _ in got] == events
    assert {(path, key) for path, key, _, _ in got} == {("/api/v1/lineage", "Bearer a key")}


def test_events_wait_for_a_receiver_that_fails_or_is_not_there(told):
    world, events = told
    with receiver(lambda number, event: 503 if number == 2 else 201) as (url, got):
        sender = LineageSender(world.metadata, HttpLineage(url))
        with pytest.raises(NotReady, match="503"):
            sender.send()
        assert sender.send() == len(events) - 2
        assert [body for _, _, body, status in got if status == 201] == events
    with pytest.raises(NotReady, match="cannot be reached"):
        HttpLineage(url).send(events[0])


def test_an_event_that_is_refused_for_good_is_noted_and_the_next_are_sent(told):
    world, events = told
    said = []
    with receiver(lambda number, event: 422 if number == 0 else 201) as (url, _):
        assert LineageSender(world.metadata, HttpLineage(url), said.append).send() == len(events) - 1
    with world.metadata.read() as view:
        (refused,) = view.journal.read(kinds=[REFUSED])
    assert "422" in refused.data["why"]
    assert len(said) == 1


def test_a_redirect_is_not_followed(told):
    _, events = told
    with receiver(lambda number, event: 302) as (url, got):
        with pytest.raises(NotReady, match="302"):
            HttpLineage(url, "a key").send(events[0])
        assert len(got) == 1


@pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "http://", "https://user:word@host"])
def test_what_is_no_address_is_refused_without_repeating_it(url):
    with pytest.raises(InvalidInput) as caught:
        HttpLineage(url)
    assert "word" not in str(caught.value)
