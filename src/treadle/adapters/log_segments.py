"""The form of the append log on disk: frames in segment files.

A log is a row of files, each named by the position of its first byte (`00000000000000000000.log`). A
position counts the bytes of all frames since the log began, so the segment that starts at `base` holds
position p at offset p - base,
and the next segment starts where this one ends. A frame is:

    4 bytes   a mark, so that whole frames are found again behind a damaged one
    4 bytes   length of the record, little-endian
    4 bytes   CRC-32 over the frame's position (8 bytes), the length (4) and the record
    …         the record

A frame with the other mark is void: its record is filling, put where bytes were lost (see `log_mending`). Positions behind
it stay what they were, and no reader is shown it. Its checksum is the complement of a record's, so that a damaged
mark never turns the one into the other.

The position in the checksum makes a frame valid at its place only: a log's bytes stored as a record in
another log, or a page of an older file that a file system brings back after a crash, are not taken for
records.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from treadle.records.errors import InvalidInput

OVERHEAD = 12
"""Bytes of a frame besides the record."""

LARGEST = 256 << 20
"""The largest record, in bytes."""

_MARK = b"\xf1tl\x0a"
_VOID = b"\xf1tl\x00"
_SIGN = b"\xf1tl"
"""What both marks begin with."""
_HEAD = struct.Struct("<4sII")
_SALT = struct.Struct("<QI")
_CHUNK = 1 << 20
_COMPLEMENT = 0xFFFFFFFF


def frame(position: int, record: bytes) -> bytes:
    """Return the record in its frame, to be written at the position.

    Raises:
        InvalidInput: the record is larger than `LARGEST`.
    """
    length = len(record)
    if length > LARGEST:
        raise InvalidInput(
            f"the record has {length} bytes; the log takes at most {LARGEST}",
            fix="store large bytes as a blob and log its digest",
        )
    return _HEAD.pack(_MARK, length, crc32(record, crc32(_SALT.pack(position, length)))) + record


def void_frames(position: int, size: int) -> Iterator[bytes]:
    """Yield void frames that fill exactly `size` bytes from the position on; a frame is at most a mebibyte.

    Raises:
        InvalidInput: there is no room for a frame.
    """
    if size < OVERHEAD:
        raise InvalidInput(f"{size} bytes have no room for a frame")
    while size:
        taken = min(size, _CHUNK)
        if 0 < size - taken < OVERHEAD:
            taken -= OVERHEAD  # what is left has to hold a frame too
        length = taken - OVERHEAD
        filling = bytes(length)
        checksum = crc32(filling, crc32(_SALT.pack(position, length))) ^ _COMPLEMENT
        yield _HEAD.pack(_VOID, length, checksum) + filling
        position, size = position + taken, size - taken


def segment_path(folder: Path, base: int) -> Path:
    """Return the file of the segment that starts at the position."""
    return folder / f"{base:020d}.log"


def list_segments(folder: Path) -> list[int]:
    """Return the positions at which the folder's segments start, in order."""
    names = (path.name for path in folder.glob("*.log"))
    return sorted(int(name[:20]) for name in names if len(name) == 24 and name[:20].isdecimal())


def whole_records(descriptor: int, base: int, position: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield `(position after, record)` from the position on, until the file ends or a frame is not whole.

    A void frame has None for its record. Reads a mebibyte at a time; about 1 µs a record.
    """
    wanted = _CHUNK
    while True:
        data = os.pread(descriptor, wanted, position - base)
        offset, length = 0, 0
        while offset + OVERHEAD <= len(data):
            mark, length, checksum = _HEAD.unpack_from(data, offset)
            if mark not in (_MARK, _VOID) or length > LARGEST:
                return
            after = offset + OVERHEAD + length
            if after > len(data):
                break
            record = data[offset + OVERHEAD : after]
            if mark == _VOID:
                checksum ^= _COMPLEMENT
            if crc32(record, crc32(_SALT.pack(position + offset, length))) != checksum:
                return
            offset = after
            yield position + offset, record if mark == _MARK else None
        if offset:
            position, wanted = position + offset, _CHUNK
        elif len(data) < wanted:
            return
        else:
            wanted = OVERHEAD + length


def next_whole(descriptor: int, base: int, position: int) -> int | None:
    """Return where the first whole frame behind the position starts, or None; reads the rest of the file."""
    rest = os.pread(descriptor, max(os.fstat(descriptor).st_size - (position - base), 0), position - base)
    found = rest.find(_SIGN, 1)
    while found >= 0:
        if _is_whole(rest, found, position + found):
            return position + found
        found = rest.find(_SIGN, found + 1)
    return None


def last_whole(descriptor: int, base: int, position: int) -> int:
    """Return the position after the last whole frame from the position on; the position if there is none."""
    while True:
        for after, _ in whole_records(descriptor, base, position):
            position = after
        resumed = next_whole(descriptor, base, position)
        if resumed is None:
            return position
        position = resumed


def _is_whole(data: bytes, offset: int, position: int) -> bool:
    if offset + OVERHEAD > len(data):
        return False
    mark: bytes
    length: int
    checksum: int
    mark, length, checksum = _HEAD.unpack_from(data, offset)
    if mark == _VOID:
        checksum ^= _COMPLEMENT
    elif mark != _MARK:
        return False
    record = memoryview(data)[offset + OVERHEAD : offset + OVERHEAD + length]
    return len(record) == length and crc32(record, crc32(_SALT.pack(position, length))) == checksum
