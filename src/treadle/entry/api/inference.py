"""The Open Inference Protocol's resources: server, health, models and inference."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import treadle
from treadle.entry.api.messages import Receive, Request, Response, json_response
from treadle.loop.live import Live
from treadle.records.errors import NotReady
from treadle.stages.serving.predictor import Predictor
from treadle.stages.serving.protocol import metadata_body

BODY_LIMIT = 8 << 20
"""Bytes of the largest infer request."""
LARGE_BODY = 16 << 10
"""From this size on a request is answered in another thread, so that short ones need not wait for it."""
QUEUED = 16
"""So many large requests may wait or be worked on; further ones are told to come again."""


class Inference:
    """The handlers of `/v2`.

    Args:
        live: the project being served.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="large-request")
        self._large = 0

    async def server(self, request: Request, receive: Receive) -> Response:
        """`GET /v2`: what this server is."""
        return json_response({"name": "treadle", "version": treadle.__version__, "extensions": []})

    async def alive(self, request: Request, receive: Receive) -> Response:
        """`GET /v2/health/live`: the process answers."""
        return json_response({"live": True})

    async def ready(self, request: Request, receive: Receive) -> Response:
        """`GET /v2/health/ready`: every endpoint has a version that answers."""
        reasons = self._live.not_ready()
        if reasons:
            return _unready({"live": True, "ready": False, "error": "; ".join(reasons)})
        return json_response({"live": True, "ready": True})

    async def model(self, request: Request, receive: Receive) -> Response:
        """`GET /v2/models/{m}[/versions/{v}]`: inputs, outputs and versions."""
        answerer = self._live.answerer(request.params["model"])
        if "version" in request.params:
            await self._pinned(request.params["model"], request.params["version"])
        versions = await asyncio.to_thread(self._live.champions[answerer.endpoint.name].versions)
        return Response(metadata_body(answerer.endpoint.name, versions, answerer.endpoint.features.request))

    async def model_ready(self, request: Request, receive: Receive) -> Response:
        """`GET /v2/models/{m}[/versions/{v}]/ready`: this model, or this version of it, can answer."""
        name = request.params["model"]
        answerer = self._live.answerer(name)
        if "version" in request.params:
            await self._pinned(name, request.params["version"])
        ready = not self._live.draining and ("version" in request.params or answerer.predictor is not None)
        body = {"name": name, "ready": ready}
        return json_response(body) if ready else _unready({**body, "error": f"{name!r} cannot answer now"})

    async def infer(self, request: Request, receive: Receive) -> Response:
        """`POST /v2/models/{m}[/versions/{v}]/infer`: predictions, each logged before it is answered."""
        answerer = self._live.answerer(request.params["model"])
        predictor = answerer.predictor
        wanted = request.params.get("version")
        if wanted is not None and (predictor is None or str(predictor.version) != wanted):
            predictor = await self._pinned(answerer.endpoint.name, wanted)
        body = await request.body(receive, BODY_LIMIT)
        if len(body) < LARGE_BODY:
            answer = answerer.answer(body, predictor)
        else:
            if self._large >= QUEUED:
                raise NotReady("too many large requests are waiting", fix="ask again, or in smaller pieces")
            self._large += 1
            try:
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._threads, answerer.answer, body, predictor)
            finally:
                self._large -= 1
        return Response(answer.body, rows=answer.rows, version=answer.version)

    async def _pinned(self, name: str, version: str) -> Predictor:
        return await asyncio.to_thread(self._live.pinned, name, version)


def _unready(body: dict[str, object]) -> Response:
    response = json_response(body, 503)
    return Response(response.body, 503, (*response.headers, (b"retry-after", b"1")))
