"""A connection to a running treadle server, for programs that push events and for commands that ask."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit

from treadle.records.errors import Forbidden, InvalidInput, NotFound, NotReady, TreadleError

TIMEOUT_SECONDS = 30.0
VARIABLE = "TREADLE_TOKEN"
"""The environment variable that holds the server's token."""
PORTION_ROWS = 10_000
PORTION_BYTES = 4 << 20
"""A request has at most so many rows and, but for a single row, bytes."""


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
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
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

    def post_again(self, path: str, body: bytes) -> dict[str, Any]:  # Any: as above
        """Send a body whose effect happens once however often it is sent; once more when the connection breaks."""
        try:
            return self.post(path, body)
        except NotReady as error:
            if not isinstance(error.__cause__, ConnectionError | http.client.HTTPException):
                raise
            return self.post(path, body)

    def _ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        try:
            text, status = self._exchange(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
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
        if status != 200:
            raise _refused(status, found.get("error"), path)
        return found

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[bytes, int]:
        self._connection.request(method, self._prefix + path, body, self._headers)
        response = self._connection.getresponse()
        return response.read(), response.status


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of rows that were pushed; each is in the server's log."""

    taken: int
    duplicates: int
    """Rows whose event the server had already."""
    ids: tuple[str, ...]
    """The event id of each row, in order."""


class Client:
    """Pushes events to a running server; a context manager that closes the connection. Made by `connect`.

    Used by one thread at a time.
    """

    def __init__(self, url: str, token: str) -> None:
        self._server = ServerClient(url, token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a second call does nothing."""
        self._server.close()

    def push(
        self, source: str, rows: Sequence[Mapping[str, object]], *, ids: Sequence[str] | None = None
    ) -> Pushed:
        """Push rows of a source; on return each is in the server's log, safe from a kill of the server.

        When the connection breaks, the rows are sent once more: the server knows the events it has by their ids. After an
        error it is safe to push the same rows again.

        Args:
            source: the source's name.
            rows: column → value, with all of the source's columns; times are ISO 8601 texts or datetimes.
            ids: what identifies each event, for a source without an `event_id` column. With neither, a row's content does.

        Raises:
            InvalidInput: a row is faulty; every fault is listed, and none of up to 10,000 rows pushed at once was taken in.
            NotFound: the server knows no such source.
            NotReady: the server cannot be reached, or cannot take in events now.
            Forbidden: the token is missing, unknown or not enough.
        """
        if ids is not None and len(ids) != len(rows):
            raise InvalidInput(f"{len(rows)} rows came with {len(ids)} ids", fix="give one id for each row")
        path = f"/v1/sources/{quote(source, safe='')}/events"
        taken = duplicates = 0
        named: list[str] = []
        for body in _bodies(rows, ids):
            answer = self._server.post_again(path, body)
            taken += int(answer["taken"])
            duplicates += int(answer["duplicates"])
            named += answer["ids"]
        return Pushed(taken, duplicates, tuple(named))

    def label(self, endpoint: str, labels: Mapping[str, bool | None], *, annotator: str = "") -> Pushed:
        """Say what was true of predictions, by the ids that the endpoint answered; on return it is in the server's log.

        Args:
            endpoint: whose predictions.
            labels: prediction id → the label; None takes back what was said before. At most 10,000.
            annotator: who says it, where the labels have a column for that.

        Raises:
            InvalidInput: the endpoint's labels have no column for the prediction's id, or a value is no label.
            NotFound: the server knows no such endpoint.
            NotReady, Forbidden: as for `push`.
        """
        call = uuid.uuid4().hex  # sent again when the connection breaks, the events are known by their ids
        ids = [f"{call}-{place}" for place in range(len(labels))]
        body = {"labels": dict(labels), "annotator": annotator, "ids": ids}
        answer = self._server.post_again(
            f"/v1/endpoints/{quote(endpoint, safe='')}/labels", json.dumps(body).encode()
        )
        return Pushed(int(answer["taken"]), int(answer["duplicates"]), tuple(answer["ids"]))


def connect(url: str, token: str | None = None) -> Client:
    """Return a client of a running server, to push events to it.

    Args:
        url: `http://HOST:PORT` or `https://HOST:PORT`.
        token: a token with the permission to push; by default that in the environment variable TREADLE_TOKEN.

    Raises:
        InvalidInput: the URL is not one of a server.
    """
    return Client(url, os.environ.get(VARIABLE, "") if token is None else token)


def _bodies(rows: Sequence[Mapping[str, object]], ids: Sequence[str] | None) -> Iterator[bytes]:
    """Yield the bodies of the requests that rows are pushed with."""
    texts: list[bytes] = []
    first = size = 0
    for place, row in enumerate(rows):
        text = _row_json(place, row)
        if texts and (len(texts) >= PORTION_ROWS or size + len(text) > PORTION_BYTES):
            yield _body(texts, None if ids is None else ids[first:place])
            texts, first, size = [], place, 0
        texts.append(text)
        size += len(text)
    if texts:
        yield _body(texts, None if ids is None else ids[first:])


def _row_json(place: int, row: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(dict(row), default=_plain, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"row {place} cannot be sent: {error}", fix="give numbers, text, booleans, datetimes and None"
        ) from error


def _body(texts: Sequence[bytes], ids: Sequence[str] | None) -> bytes:
    rows = b"[" + b",".join(texts) + b"]"
    named = b"" if ids is None else b',"ids":' + json.dumps(list(ids), ensure_ascii=False).encode()
    return b'{"rows":' + rows + named + b"}"


def _plain(value: object) -> str:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} values have no JSON form")


def _refused(status: int, error: object, path: str) -> TreadleError:
    text = str(error.get("what")) if isinstance(error, dict) else str(error)
    listed = error.get("faults") if isinstance(error, dict) else None
    faults = [str(fault) for fault in listed] if isinstance(listed, list) else []
    if status in (401, 403):
        return Forbidden(text, fix="set TREADLE_TOKEN to the server's token")
    kinds: dict[int, type[TreadleError]] = {
        400: InvalidInput,
        404: NotFound,
        413: InvalidInput,
        503: NotReady,
    }
    return kinds.get(status, TreadleError)(text, where=f"{path}, status {status}", faults=faults)
