"""Lineage over HTTP, as Marquez, DataHub, OpenMetadata and others take it: one POST an event."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from treadle.records.digests import Json
from treadle.records.errors import InvalidInput, NotReady

if TYPE_CHECKING:
    from treadle.ports.lineage import LineageTransport

ENDPOINT = "/api/v1/lineage"


class HttpLineage:
    """Sends each event to one address.

    Args:
        url: `http://` or `https://`; without a path events go to `/api/v1/lineage`. Redirects are not followed.
        key: sent as a bearer token, if given.
        timeout: seconds after which a silent receiver counts as gone.

    Raises:
        InvalidInput: the URL is none of the two.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise InvalidInput(
                "the address that lineage is sent to is no http(s) URL",
                fix="write it like https://lineage.example.org, and a key as a secret of its own",
            )
        self._url = url if parts.path.strip("/") else url.rstrip("/") + ENDPOINT
        self._key = key
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, event: Json) -> None:
        """See `LineageTransport.send`."""
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked
            self._url,
            data=json.dumps(event).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        if self._key:
            request.add_unredirected_header("Authorization", f"Bearer {self._key}")
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                answer.read(65_536)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(2_000).decode(errors="replace").strip()
            if error.code in (400, 413, 415, 422):
                raise InvalidInput(f"the receiver refused a lineage event ({error.code}): {said}") from error
            raise NotReady(
                f"the receiver of lineage answered {error.code}: {said}",
                fix="events wait; look at the receiver",
            ) from error
        except OSError as error:
            raise NotReady(
                f"the receiver of lineage cannot be reached: {error}",
                fix="events wait in the journal until it is back",
            ) from error

    def close(self) -> None:
        """See `LineageTransport.close`: nothing stays open between events."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An address that a person has set is not left for one that a server names."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


if TYPE_CHECKING:
    _proof: type[LineageTransport] = HttpLineage
