"""Labels by prediction id: taken in as rows of the labels' source, whole or refused whole."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import msgspec

from treadle.entry.api.events import BODY_LIMIT, QUEUED, accepted_json
from treadle.entry.api.messages import Receive, Request, Response, json_response
from treadle.loop.live import Live
from treadle.records.errors import InvalidInput, NotReady

MOST_LABELS = 10_000


class Said(msgspec.Struct, frozen=True):
    """What a body holds."""

    labels: dict[str, object]
    """Prediction id → true, false, or null to take back."""
    ids: list[str]
    """What identifies each label as an event, in their order."""
    annotator: str = ""


_decode = msgspec.json.Decoder(Said).decode


class Labels:
    """The handler of `/v1/endpoints/{endpoint}/labels`.

    Args:
        live: the project being served.
    """

    def __init__(self, live: Live) -> None:
        self._live = live
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="labels")
        self._waiting = 0

    async def label(self, request: Request, receive: Receive) -> Response:
        """`POST /v1/endpoints/{endpoint}/labels`: when it is answered, the labels are in the log."""
        body = await request.body(receive, BODY_LIMIT)
        if self._waiting >= QUEUED:
            raise NotReady("too many labels are waiting", fix="send them again, more at a time")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._label, request.params["endpoint"], body)
        finally:
            self._waiting -= 1

    def _label(self, endpoint: str, body: bytes) -> Response:
        said, values = parse_labels(body)
        accepted = self._live.label(endpoint, values, annotator=said.annotator, ids=said.ids)
        return json_response(accepted_json(accepted))


def parse_labels(body: bytes) -> tuple[Said, dict[str, bool | None]]:
    """Return what a body says. Pure.

    Raises:
        InvalidInput: it is of another form; every value at fault is named, up to twenty.
    """
    try:
        said = _decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidInput(
            f"the body holds no labels: {error}",
            fix='send {"labels": {ID: true, false or null}, "annotator": TEXT, "ids": [one for each]}',
        ) from None
    values: dict[str, bool | None] = {}
    faults = []
    for name, value in said.labels.items():
        if value is None or isinstance(value, bool):
            values[name] = value
        else:
            faults.append(f"{name[:60]!r}: {str(value)[:40]!r} is neither true, false nor null")
    if not 0 < len(said.labels) <= MOST_LABELS:
        faults.append(f"there are {len(said.labels):,} labels; send 1 to {MOST_LABELS:,}")
    if faults:
        raise InvalidInput("the labels cannot be taken in; nothing was", faults=faults[:20])
    return said, values
