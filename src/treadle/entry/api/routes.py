"""The table of all routes: method, path, the permission needed, and what answers. Nothing else is reachable."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from treadle.entry.api.access import Permission
from treadle.entry.api.events import Events
from treadle.entry.api.inference import Inference
from treadle.entry.api.labels import Labels
from treadle.entry.api.messages import Receive, Request, Response, json_response
from treadle.entry.api.metrics import CONTENT_TYPE, Metrics, render
from treadle.entry.api.status import gauges_of, status_of
from treadle.loop.live import Live

Handler: TypeAlias = Callable[[Request, Receive], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. There is no default permission: leaving it out is an error where the table is read."""

    method: str
    path: str
    """With `{name}` where a part of the path is a parameter; a parameter takes everything but `/`."""
    permission: Permission
    handler: Handler
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        parts = re.split(r"\{(\w+)\}", self.path)
        pattern = "".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
        object.__setattr__(self, "pattern", re.compile(pattern + "/?"))


def make_routes(live: Live, metrics: Metrics) -> Sequence[Route]:
    """Return every route of a served project."""
    oip = Inference(live)
    model, version = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"

    async def measured(request: Request, receive: Receive) -> Response:
        return Response(render(metrics, gauges_of(live)), headers=(CONTENT_TYPE,))

    async def status(request: Request, receive: Receive) -> Response:
        return json_response(status_of(live))

    return (
        Route("GET", "/v2/health/live", Permission.PUBLIC, oip.alive),
        Route("GET", "/v2/health/ready", Permission.READ, oip.ready),
        Route("GET", "/v2", Permission.READ, oip.server),
        Route("GET", model, Permission.READ, oip.model),
        Route("GET", version, Permission.READ, oip.model),
        Route("GET", f"{model}/ready", Permission.READ, oip.model_ready),
        Route("GET", f"{version}/ready", Permission.READ, oip.model_ready),
        Route("POST", f"{model}/infer", Permission.PREDICT, oip.infer),
        Route("POST", f"{version}/infer", Permission.PREDICT, oip.infer),
        Route("POST", "/v1/sources/{source}/events", Permission.PUSH, Events(live).push),
        Route("POST", "/v1/endpoints/{endpoint}/labels", Permission.PUSH, Labels(live).label),
        Route("GET", "/metrics", Permission.READ, measured),
        Route("GET", "/v1/status", Permission.READ, status),
    )
