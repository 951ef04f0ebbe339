"""Content addresses: SHA-256 over bytes, and over values in one canonical JSON form."""

from __future__ import annotations

import hashlib
import json
from typing import TypeAlias

Digest: TypeAlias = str
"""64 lower-case hexadecimal characters."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What may cross the wire or be stored as JSON."""


def digest_bytes(data: bytes | bytearray | memoryview) -> Digest:
    """Return the SHA-256 of the bytes."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    """Return the one JSON form of a value: sorted keys, no spaces, UTF-8, shortest round-trip floats.

    Raises:
        TypeError: the value holds something JSON cannot.
        ValueError: the value holds NaN or an infinity.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_value(value: object) -> Digest:
    """Return the SHA-256 of a JSON-able value's canonical form."""
    return digest_bytes(canonical(value))
