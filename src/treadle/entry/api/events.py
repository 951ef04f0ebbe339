"""Pushed events: rows of a source, taken in whole or refused whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec

from treadle.entry.api.messages import Receive, Request, Response, json_response
from treadle.loop.live import Live
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.intake import Accepted
from treadle.stages.data.intake import Row

BODY_LIMIT = 8 << 20
"""Bytes of the largest body of events."""
MOST_ROWS = 50_000
QUEUED = 64
"""So many requests may wait to be taken in; further ones are told to come again."""
SHOWN = 20
"""So many faults of a body are listed."""


def _decode(text: bytes) -> object:
    """Return the value of a JSON text.

    Raises:
        msgspec.DecodeError: it is none: not JSON, not UTF-8, or nested beyond all measure.
    """
    try:
        return _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"it is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise msgspec.DecodeError("it is nested too deeply") from None


_decoder = msgspec.json.Decoder()


class Pushed(NamedTuple):
    """What a body holds."""

    rows: Sequence[Row]
    ids: Sequence[str] | None


class Events:
    """The handler of `/v1/sources/{source}/events`.

    Args:
        live: the project being served.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        # One thread: events go through one log, and answers need not wait for the checking of rows.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._waiting = 0

    async def push(self, request: Request, receive: Receive) -> Response:
        """`POST /v1/sources/{source}/events`: when it is answered, the events are in the log."""
        body = await request.body(receive, BODY_LIMIT)
        if self._waiting >= QUEUED:
            raise NotReady("too many pushed events are waiting", fix="push again, in larger pieces")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._push, request.params["source"], body)
        finally:
            self._waiting -= 1

    def _push(self, source: str, body: bytes) -> Response:
        rows, ids = parse_events(body)
        return json_response(accepted_json(self._live.push(source, rows, ids=ids)))


def accepted_json(accepted: Accepted) -> dict[str, object]:
    """Return what is answered about events that were taken in. Pure."""
    return {
        "taken": accepted.taken,
        "duplicates": accepted.duplicates,
        "ids": list(accepted.ids),
        "position": accepted.position,
    }


def parse_events(body: bytes) -> Pushed:
    """Return the rows of a body: a JSON array of objects, objects one a line, or `{"rows": [...], "ids": [...]}`. Pure.

    Raises:
        InvalidInput: the body is none of these; the first lines at fault are named.
    """
    text = body.strip()
    if text.startswith(b"["):
        return Pushed(_rows(_json(text)), None)
    first = text.partition(b"\n")[0]
    try:
        whole = _decode(text) if first.startswith(b"{") else None
    except msgspec.DecodeError:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get("rows"), list) and whole.keys() <= {"rows", "ids"}:
        return Pushed(_rows(whole["rows"]), _ids(whole.get("ids")))
    if isinstance(whole, dict):
        return Pushed([whole], None)
    return Pushed(_rows(_lines(text)), None)


def _json(text: bytes) -> object:
    try:
        return _decode(text)
    except msgspec.DecodeError as error:
        raise _not_events([f"the body is no JSON: {error}"]) from None


def _lines(text: bytes) -> list[object]:
    rows: list[object] = []
    faults = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_decode(line))
        except msgspec.DecodeError as error:
            faults.append(f"line {number} is no JSON: {error}")
    if faults:
        raise _not_events(faults)
    return rows


def _rows(found: object) -> list[Row]:
    rows = found if isinstance(found, list) else []
    faults = [f"row {n} is no JSON object" for n, row in enumerate(rows) if not isinstance(row, dict)]
    if not rows:
        faults.append("there are no rows")
    if len(rows) > MOST_ROWS:
        faults.append(f"there are {len(rows):,} rows; {MOST_ROWS:,} is the most a request can have")
    if faults:
        raise _not_events(faults)
    return rows


def _ids(found: object) -> list[str] | None:
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise _not_events(["ids is no array of texts"])
    return found


def _not_events(faults: Sequence[str]) -> InvalidInput:
    more = [f"and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
    return InvalidInput(
        "the body holds no events; nothing was taken in",
        fix='send a JSON array of objects, one object a line, or {"rows": [...], "ids": [...]}',
        faults=[*faults[:SHOWN], *more],
    )
