"""What the streams have in common: how they say that something is missing, and how they read names and times."""

from __future__ import annotations

from collections.abc import Mapping

from treadle.records.errors import NotReady
from treadle.records.intake import LONGEST_ID
from treadle.records.messages import EVENT_ID_HEADER


def closed() -> NotReady:
    """Return the error of a stream that was closed."""
    return NotReady("the stream is closed", fix="open it again")


def not_installed(broker: str, library: str, extra: str) -> NotReady:
    """Return the error of a client library that is missing."""
    return NotReady(
        f"reading from {broker} needs {library}, which is not installed",
        fix=f"install the extra: pip install 'treadle[{extra}]'",
    )


def given_id(headers: Mapping[str, str]) -> str | None:
    """Return the producer's name for an event, if it gave one that can be one. Pure."""
    given = headers.get(EVENT_ID_HEADER, "")
    return given if 0 < len(given) <= LONGEST_ID else None


def text(data: bytes | str | None) -> str:
    """Return the text of a header; bytes that are no UTF-8 are shown by their codes. Pure."""
    if isinstance(data, bytes):
        return data.decode(errors="backslashreplace")
    return data or ""
