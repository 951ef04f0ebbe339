"""From errors to responses: one table, so that a kind of error has the same status on every route."""

from __future__ import annotations

import logging

from treadle.entry.api.access import RefusedError
from treadle.entry.api.messages import Response, json_response
from treadle.records.errors import Conflict, Forbidden, InvalidInput, NotFound, NotReady, TreadleError

logger = logging.getLogger("treadle.api")

STATUSES: tuple[tuple[type[TreadleError], int], ...] = (
    (InvalidInput, 400),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (NotReady, 503),
)
_KINDS: dict[int, type[TreadleError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    405: InvalidInput,
    413: InvalidInput,
    503: NotReady,
}
"""What a request is told that is turned away before it reaches a handler."""
RETRY_AFTER_SECONDS = 1
SHOWN_NAMES = {400: "bad_request", 401: "no_token", 403: "forbidden", 404: "not_found", 405: "method",
               409: "conflict", 413: "too_large", 503: "not_ready"}  # fmt: skip


def failure(error: Exception, path: str) -> Response:
    """Return the response to an error; what is not the caller's fault is logged and told without detail."""
    if isinstance(error, RefusedError):
        response = _error(_KINDS.get(error.status, TreadleError)(error.text), error.status, path)
        return Response(response.body, error.status, (*response.headers, *error.headers))
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return _with_retry(_error(error, status, path), status)
    logger.error("request failed: %s", path, exc_info=error)
    return _error(TreadleError("the request failed inside the server; its log says why"), 500, path)


def _error(error: TreadleError, status: int, path: str) -> Response:
    """Under `/v2` the protocol wants a plain text; elsewhere the error goes whole, as in the command line."""
    if not path.startswith("/v2"):
        return json_response({"error": error.as_dict()}, status)
    parts = [error.what, *error.faults]
    text = "; ".join(parts) + (f" ({error.where})" if error.where else "")
    return json_response({"error": f"{text}. {error.fix}" if error.fix else text}, status)


def _with_retry(response: Response, status: int) -> Response:
    if status != 503:
        return response
    later = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
    return Response(response.body, status, (*response.headers, later))
