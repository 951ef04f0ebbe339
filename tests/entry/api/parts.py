"""A served project in this process, with a model that needs no training: for tests of the HTTP interface."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import treadle as tr
from treadle.adapters.clock import SimulatedClock
from treadle.adapters.log import FileLog
from treadle.adapters.online_memory import MemoryOnline
from treadle.entry.api.access import ADMIN, Access, Permission, token_digest
from treadle.entry.api.application import Application
from treadle.entry.api.metrics import Metrics
from treadle.entry.api.routes import make_routes
from treadle.loop.intake import Intake
from treadle.loop.live import Live
from treadle.records.errors import NotFound
from treadle.stages.serving.predictor import Predictor

FIELDS = {"weight": "float", "depot": "string"}
TOKEN, READER = "admin-token-1", "reader-token-1"
HOST = "127.0.0.1:8080"
NOW = 1_700_000_000_000_000


def make_project() -> tr.Project:
    rows = tr.Source.parquet(
        "parcels",
        path="p",
        columns={**FIELDS, "parcel": "int", "asked_at": "time", "late": "bool"},
        event_time="asked_at",
    )
    features = tr.FeatureSet("f", request=FIELDS, features=[tr.number("weight"), tr.category("depot")])
    labels = tr.Labels("late", source=rows, key=["depot"], value="late")
    endpoint = tr.Endpoint(
        "late", model="late_model@champion", features=features, requests=tr.Requests(rows), labels=labels
    )
    return tr.Project(name="shop", sources=[rows], endpoints=[endpoint])


def fake_predictor(version: int = 1, score: float = 0.25) -> Predictor:
    def vector(online, fields, at):
        if fields[1] == "nowhere":
            raise NotFound("no depot with depot='nowhere' has ever been seen", where="the request's key")
        if fields[1] == "boom":
            raise RuntimeError("a secret of the inside")
        return list(fields)

    return Predictor(
        endpoint="late",
        model="late_model",
        version=version,
        vector=vector,
        score=lambda values: score,
        names=["weight", "depot"],
        vocabularies={"depot": ["north"]},
    )


class FakeChampions:
    """Versions 1 to 3 exist; 3 cannot be opened."""

    fault = None

    def pinned(self, version: int) -> Predictor:
        if version == 3:
            raise tr.Corrupt("the package's bytes are damaged", where="blob 1234")
        if version not in (1, 2):
            raise NotFound(f"no version {version}")
        return fake_predictor(version, version / 10)

    def versions(self) -> list[int]:
        return [1, 2, 3]


@contextmanager
def served(folder, *, predictor=None):
    """A `Live` whose threads do not run; its log is in the folder."""
    log, events = FileLog(folder / "log"), FileLog(folder / "events")
    world: Any = SimpleNamespace(
        project=make_project(),
        predictions=log,
        events=events,
        online=MemoryOnline(),
        clock=SimulatedClock(NOW),
        tables=None,
        metadata=None,
    )
    live = Live(world)
    wheel: Any = SimpleNamespace(last_tick=None, next_tick=NOW, skew={}, sources=list)
    champions: Any = FakeChampions()
    live.wheel = wheel
    live.champions = {"late": champions}
    live.answerers["late"].predictor = predictor or fake_predictor()
    live.intake = Intake(
        make_project().sources,
        log=events,
        online=world.online,
        clock=world.clock,
        frontier=live.feed.frontier,
        applied=live.feed.log_position,
    )
    try:
        yield live
    finally:
        log.close()
        events.close()


def application(live, metrics: Metrics | None = None) -> Application:
    metrics = metrics or Metrics()
    grants = {token_digest(TOKEN): ADMIN, token_digest(READER): frozenset({Permission.READ})}
    access = Access(grants, frozenset({"127.0.0.1", "localhost"}), frozenset({"http://127.0.0.1:8080"}))
    return Application(make_routes(live, metrics), access, metrics)


class Reply(SimpleNamespace):
    """Status, headers and body of a response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


def ask(app, method: str, path: str, body: bytes = b"", *, token: str | None = TOKEN, chunks=None, **headers):
    """Send one request through the ASGI interface and return the reply."""
    sent = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(k.encode(), v.encode("latin-1")) for k, v in sent.items() if v is not None],
    }
    parts = [body] if chunks is None else list(chunks)
    waiting = [
        {"type": "http.request", "body": part, "more_body": i + 1 < len(parts)}
        for i, part in enumerate(parts)
    ]
    got = []

    async def receive():
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message):
        got.append(message)

    asyncio.run(app(scope, receive, send))
    if not got:
        return None
    names = {key.decode(): value.decode() for key, value in got[0]["headers"]}
    return Reply(status=got[0]["status"], headers=names, body=got[1]["body"])


def infer_body(rows: int = 1, depot: str | None = "north", **top) -> bytes:
    return json.dumps(
        {
            "inputs": [
                {"name": "weight", "shape": [rows], "datatype": "FP64", "data": [1.5] * rows},
                {"name": "depot", "shape": [rows], "datatype": "BYTES", "data": [depot] * rows},
            ],
            **top,
        }
    ).encode()


def event_body(rows: int = 1, depot: str | None = "north") -> bytes:
    """Rows of the source `parcels`, each an event of its own."""
    return json.dumps(
        [
            {"weight": 1.5, "depot": depot, "parcel": n, "asked_at": "2023-11-14T22:00:00Z", "late": False}
            for n in range(rows)
        ]
    ).encode()


def pushed(live) -> list[Any]:
    """The events in the log, in order."""
    from treadle.records.intake import decode_record

    return [decode_record(record) for _, record in live.world.events.read()]


def logged(live) -> list[str]:
    """The ids in the log, in order."""
    from treadle.records.predictions import decode_prediction

    return [decode_prediction(record).prediction_id for _, record in live.world.predictions.read()]
