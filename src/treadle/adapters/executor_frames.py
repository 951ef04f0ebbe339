"""What goes through the pipes between an executor and its workers: JSON about the bytes, then the bytes.

    8 bytes   length of the JSON text, little-endian
    8 bytes   length of the payload
    …         JSON object (UTF-8)
    …         payload

Nothing that could execute is in it; worker and executor are the same installed version.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from typing import TypedDict

_HEAD = struct.Struct("<QQ")
_CHUNK = 1 << 20


class Call(TypedDict):
    """The text of a frame to the worker; the payload is the function's argument."""

    target: str


class Remote(TypedDict):
    """An exception as it travels."""

    type: str
    message: str
    traceback: str
    where: str | None
    fix: str | None
    command: str | None
    faults: list[str]


class Outcome(TypedDict):
    """The text of a frame from the worker; the payload is what the function returned."""

    seconds: float
    failure: Remote | None


def write_frame(descriptor: int, text: Call | Outcome, payload: bytes) -> None:
    """Write a whole frame.

    Raises:
        BrokenPipeError: nobody reads any more.
    """
    words = json.dumps(text).encode()
    # One small write for head and text; the payload is not copied.
    for part in (_HEAD.pack(len(words), len(payload)) + words, payload):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def read_frame(read: Callable[[int], bytes]) -> tuple[bytes, bytes] | None:
    """Read a frame: its JSON text, not yet parsed, and its payload; None when the pipe ended before that.

    Args:
        read: waits for at most so many bytes, and returns none when the pipe has ended.
    """
    head = _read_exactly(read, _HEAD.size)
    if head is None:
        return None
    length, payload_length = _HEAD.unpack(head)
    words = _read_exactly(read, length)
    payload = _read_exactly(read, payload_length)
    return None if words is None or payload is None else (words, payload)


def _read_exactly(read: Callable[[int], bytes], size: int) -> bytes | None:
    data = read(min(size, _CHUNK)) if size else b""
    if len(data) == size:
        return data
    whole = bytearray(data)
    while data and len(whole) < size:
        data = read(min(size - len(whole), _CHUNK))
        whole += data
    return bytes(whole) if len(whole) == size else None
