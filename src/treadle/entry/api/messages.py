"""Requests and responses, as handlers see them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from treadle.entry.api.access import RefusedError

Scope: TypeAlias = MutableMapping[str, Any]  # Any: the ASGI specification's own types
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

Header: TypeAlias = tuple[bytes, bytes]
JSON_TYPE: Header = (b"content-type", b"application/json")


class ClientGoneError(Exception):
    """The caller went away before its request was whole."""


@dataclass(slots=True)
class Request:
    """One request: its path's parts, the headers that matter, and its body."""

    method: str
    params: Mapping[str, str]
    host: bytes | None = None
    origin: bytes | None = None
    authorization: bytes | None = None
    length: bytes | None = None

    @classmethod
    def of(cls, scope: Scope, params: Mapping[str, str]) -> Request:
        """Take what matters from the scope; of a header given twice the last counts."""
        request = cls(scope["method"], params)
        for name, value in scope["headers"]:
            if name == b"host":
                request.host = value
            elif name == b"authorization":
                request.authorization = value
            elif name == b"content-length":
                request.length = value
            elif name == b"origin":
                request.origin = value
        return request

    async def body(self, receive: Receive, limit: int) -> bytes:
        """Return the whole body.

        Raises:
            RefusedError: it is larger than the limit; a stated length is refused before anything is read.
            ClientGoneError: the caller hung up.
        """
        if self.length is not None and (not self.length.isdigit() or int(self.length) > limit):
            raise too_large(limit)
        message = await receive()
        first: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            if len(first) > limit:
                raise too_large(limit)
            return first
        parts, size = [first], len(first)
        while message["type"] == "http.request" and message.get("more_body", False):
            if size > limit:
                raise too_large(limit)
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        if message["type"] != "http.request":
            raise ClientGoneError
        if size > limit:
            raise too_large(limit)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Response:
    """One response, whole."""

    body: bytes
    status: int = 200
    headers: tuple[Header, ...] = (JSON_TYPE,)
    version: int | None = None
    """The model version that answered, if one did."""
    rows: int = 0


def json_response(value: object, status: int = 200) -> Response:
    """Return a response with a JSON body."""
    return Response(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), status)


def too_large(limit: int) -> RefusedError:
    """Return the refusal of a body over the limit."""
    return RefusedError(413, f"the body is larger than {limit} bytes; send the rows in several requests")
