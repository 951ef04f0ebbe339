"""A connection to a running treadle server, for commands that ask one."""

from __future__ import annotations

import http.client
import json
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from treadle.records.errors import Forbidden, InvalidInput, NotFound, NotReady, TreadleError

TIMEOUT_SECONDS = 30.0


class ServerClient:
    """Asks one server; a context manager that closes the connection.

    Args:
        url: `http://HOST:PORT` or `https://HOST:PORT`.
        token: the bearer token.

    Raises:
        InvalidInput: the URL is not one of a server.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInput(
                f"{url!r} is not the URL of a server", fix="write it like http://127.0.0.1:8080"
            )
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._url = url
        self._prefix = parts.path.rstrip("/")
        self._connection = kind(parts.hostname, parts.port, timeout=TIMEOUT_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> dict[str, Any]:  # Any: JSON as the server sent it
        """Return the JSON object at a path; raises as `post` does."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: bytes) -> dict[str, Any]:  # Any: as above
        """Send a body and return the JSON object that is answered.

        Raises:
            NotReady: nobody answers there, or the server cannot answer now.
            Forbidden: the token is missing, unknown or not enough.
            InvalidInput, NotFound, TreadleError: what the server says about the request.
        """
        return self._ask("POST", path, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        try:
            self._connection.request(method, self._prefix + path, body, self._headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise NotReady(
                f"no server answers at {self._url}: {error}",
                fix="start one, or mend --url",
                command="treadle up",
            ) from error
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise TreadleError(f"what answers at {self._url} is not a treadle server", where=path)
        if response.status != 200:
            raise _refused(response.status, found.get("error"), path)
        return found


def _refused(status: int, error: object, path: str) -> TreadleError:
    text = str(error.get("what")) if isinstance(error, dict) else str(error)
    if status in (401, 403):
        return Forbidden(text, fix="set TREADLE_TOKEN to the server's token")
    kinds: dict[int, type[TreadleError]] = {
        400: InvalidInput,
        404: NotFound,
        413: InvalidInput,
        503: NotReady,
    }
    return kinds.get(status, TreadleError)(text, where=f"{path}, status {status}")
