"""The rows of a file in an inbox, as messages: JSON lines or an array, CSV, Parquet.

A file that cannot be read, or not to its end, gives a message that says so in its place: nothing is swallowed.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from treadle.records.instants import Instant
from treadle.records.messages import CELLS, CONTENT_TYPE_HEADER, JSON, UNREADABLE_HEADER, Message

SHOWN: Final = 4_096
"""Bytes of an unreadable file that go into its message."""
_PORTION: Final = 5_000
_MARK: Final = b"\xef\xbb\xbf"
Row: TypeAlias = tuple[int, bytes, dict[str, str]]
"""The row's number, counted from 1, or 0 for the whole file; its bytes; its headers."""


def digest_of(file: Path) -> str:
    """Return 32 characters that tell a file's content from others; about 1 GB a second."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]


def messages(file: Path, partition: str, number: str, *, after: int = -1) -> Iterator[Message]:
    """Yield the rows of a file as messages, in memory that does not grow with the file, but for JSON arrays.

    Args:
        file: the file; what is in it is told by its suffix.
        partition: the inbox' partition.
        number: the file's number in the inbox; offsets begin with it.
        after: the row to begin behind.
    """
    digest, at = digest_of(file), file.stat().st_mtime_ns // 1_000
    for row, value, headers in _rows(file):
        if row > after:
            yield _message(partition, number, row, value, digest, at, headers)


def _message(
    partition: str, number: str, row: int, value: bytes, digest: str, at: Instant, headers: dict[str, str]
) -> Message:
    return Message(value, f"{digest}/{row}", partition, f"{number}:{row:010}", at, headers)


def _rows(file: Path) -> Iterator[Row]:
    row = 0
    try:
        for row, value, headers in READERS[file.suffix](file):
            yield row, value, headers
    except (csv.Error, UnicodeDecodeError, msgspec.DecodeError, ValueError) as error:
        yield row + 1 if row else 0, _beginning(file), {UNREADABLE_HEADER: f"{file.name}: {error}"}


def _lines(file: Path) -> Iterator[Row]:
    with file.open("rb") as stream:
        for row, line in enumerate(stream, 1):
            value = (line.removeprefix(_MARK) if row == 1 else line).strip(b" \t\r\n")
            if value:
                yield row, value, {}


def _objects(file: Path) -> Iterator[Row]:
    """Yield the items of an array, or the lines of what is none."""
    with file.open("rb") as stream:
        if not stream.read(64).removeprefix(_MARK).lstrip().startswith(b"["):
            yield from _lines(file)
            return
        stream.seek(0)
        items = msgspec.json.decode(stream.read().removeprefix(_MARK), type=list[msgspec.Raw])
    yield from ((row, bytes(item), {}) for row, item in enumerate(items, 1))


def _cells(file: Path) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        names = next(reader, [])
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"the header names {repeated[0]!r} twice")
        for row, cells in enumerate(reader, 1):
            if not cells:
                continue
            headers = {CONTENT_TYPE_HEADER: CELLS}
            if len(cells) != len(names):
                headers[UNREADABLE_HEADER] = (
                    f"{file.name}, line {reader.line_num}: {len(cells)} cells, but the header has {len(names)}"
                )
            value = {name: cell or None for name, cell in zip(names, cells, strict=False)}
            yield row, json.dumps(value, ensure_ascii=False).encode(), headers


def _parquet(file: Path) -> Iterator[Row]:
    import polars as pl
    from polars.exceptions import PolarsError

    row = 0
    try:
        frame = pl.scan_parquet(file)
        while True:
            portion = frame.slice(row, _PORTION).collect()
            if portion.is_empty():
                return
            for row, values in enumerate(portion.iter_rows(named=True), row + 1):  # noqa: B020 - goes on counting
                yield row, msgspec.json.encode(values), {CONTENT_TYPE_HEADER: JSON}
    except (PolarsError, TypeError) as error:
        raise ValueError(str(error)) from error


def _beginning(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(SHOWN)


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".json": _objects,
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".csv": _cells,
    ".parquet": _parquet,
}
"""Which files are read, by suffix, and how."""
