"""The ASGI application: place, route, token, handler, answer, in this order for every request."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from treadle.entry.api.access import Access, Permission, RefusedError
from treadle.entry.api.failures import SHOWN_NAMES, failure
from treadle.entry.api.messages import ClientGoneError, Receive, Request, Response, Scope, Send
from treadle.entry.api.metrics import Metrics
from treadle.entry.api.routes import Route

REMEMBERED_PATHS = 1_024
CLOSE = (b"connection", b"close")
NO_STORE = (b"cache-control", b"no-store")
NO_SNIFF = (b"x-content-type-options", b"nosniff")

Found = tuple[Mapping[str, Route], Mapping[str, str]]
"""The routes of a path by method, and the path's parameters."""


class Application:
    """Answers HTTP requests.

    Args:
        routes: the table of routes.
        access: who may do what.
        metrics: where requests are counted.
    """

    def __init__(self, routes: Sequence[Route], access: Access, metrics: Metrics) -> None:
        self.routes = tuple(routes)
        self.closing = False
        """Whether each response closes its connection, since the server is about to stop."""
        self._access = access
        self._metrics = metrics
        self._paths: dict[str, Found] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server gives only HTTP to this."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']!r} connections are served")
        started = time.perf_counter()
        self._metrics.in_flight += 1
        name = "(none)"
        try:
            by_method, params = self._find(scope["path"])
            route = by_method.get(scope["method"])
            name = route.path if route is not None else name
            response = await self._answer(scope, receive, by_method, params, route)
        except ClientGoneError:
            self._metrics.failed("client_gone")
            return
        except Exception as error:  # noqa: BLE001 - the outermost place: every error becomes a response
            response = failure(error, scope["path"])
            self._metrics.failed(SHOWN_NAMES.get(response.status, "server"))
        finally:
            self._metrics.in_flight -= 1
        self._metrics.answered(name, response.status, time.perf_counter() - started)
        await self._send(send, response)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        by_method: Mapping[str, Route],
        params: Mapping[str, str],
        route: Route | None,
    ) -> Response:
        request = Request.of(scope, params)
        self._access.check_place(request.host, request.origin)
        if route is None or route.permission is not Permission.PUBLIC:
            # Also where there is no route: what exists is not shown to strangers.
            needed = Permission.READ if route is None else route.permission
            self._access.check_token(request.authorization, needed)
        if route is None:
            raise _no_route(scope, by_method)
        response = await route.handler(request, receive)
        if response.rows:
            self._metrics.predicted(params["model"], response.rows)
        return response

    def _find(self, path: str) -> Found:
        """Return what a path means; remembered, since the same few paths are asked for again and again."""
        found = self._paths.get(path)
        if found is None:
            found = self._match(path)
            if found[0]:
                if len(self._paths) >= REMEMBERED_PATHS:
                    self._paths.clear()
                self._paths[path] = found
        return found

    def _match(self, path: str) -> Found:
        by_method: dict[str, Route] = {}
        params: dict[str, str] = {}
        for route in self.routes:
            match = route.pattern.fullmatch(path)
            if match is not None and route.method not in by_method:
                by_method[route.method] = route
                params = match.groupdict()
        return by_method, params

    async def _send(self, send: Send, response: Response) -> None:
        headers = [
            *response.headers,
            (b"content-length", str(len(response.body)).encode()),
            NO_STORE,
            NO_SNIFF,
        ]
        if response.version is not None:
            headers.append((b"x-model-version", str(response.version).encode()))
        if self.closing:
            headers.append(CLOSE)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})


def _no_route(scope: Scope, by_method: Mapping[str, Route]) -> RefusedError:
    if by_method:
        allowed = ", ".join(sorted(by_method))
        text = f"{scope['method']} is not served here; use {allowed}"
        return RefusedError(405, text, ((b"allow", allowed.encode()),))
    return RefusedError(404, f"there is nothing at {scope['path']!r}")
