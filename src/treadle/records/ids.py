"""Identifiers: sortable by time, made from a clock reading and given randomness, never from hidden state."""

from __future__ import annotations

import hashlib

from treadle.records.digests import canonical
from treadle.records.instants import Instant

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _base32(value: int, length: int) -> str:
    """Return the lowest `length` digits, an even number; two at a time, since every prediction gets an id."""
    return "".join([_PAIRS[value >> shift & 1023] for shift in range(5 * length - 10, -1, -10)])


def make_id(at: Instant, entropy: bytes) -> str:
    """Return a 26-character id that sorts by its instant (milliseconds) and then by 80 bits of the given entropy.

    Args:
        at: when the thing was made; before 1970 counts as 1970.
        entropy: at least 10 bytes; live callers pass `os.urandom(10)`, replays a digest of what the id stands for.
    """
    return _base32(max(at, 0) // 1_000, 10) + _base32(int.from_bytes(entropy[:10].ljust(10, b"\0")), 16)


def derived_id(at: Instant, *parts: str) -> str:
    """Return the id that the same parts give every time, so that work repeated after a crash finds itself again."""
    return make_id(at, hashlib.sha256(canonical(parts)).digest())
