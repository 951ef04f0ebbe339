"""CSV: rows of text cells, and for each fault the line it is in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from treadle.stages.data.conform import missing_columns

_TRUE = ("true", "t", "1")
_FALSE = ("false", "f", "0")
_KINDS = {"float": "number", "int": "whole number", "bool": "boolean (true, false, 1, 0)"}


@dataclass(frozen=True, slots=True)
class Cells:
    """The needed columns of a CSV file as text, null where a cell is empty."""

    rows: pl.DataFrame
    data: bytes

    def line(self, row: int) -> int:
        """Return the line that a row begins in, counted from 1. Cost: a pass over the file, for a fault's message."""
        for number, (line, _) in enumerate(_records(self.data)):
            if number == row + 1:  # the header comes first
                return line
        return 0


def read_cells(data: bytes, columns: Sequence[str]) -> tuple[Cells, list[str]]:
    """Return the wanted columns of CSV text as they are written, and what is wrong with its form. Pure."""
    data = data.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
    none = Cells(pl.DataFrame(), data)
    fault = text_fault(data)
    if fault is not None:
        return none, [fault]
    if not data:
        return none, ["is empty: a CSV file begins with a line that names its columns"]
    header = next(iter(_records(data)))[1]
    faults = missing_columns(columns, header)
    faults += [
        f"column {name!r} stands {header.count(name)} times in the header"
        for name in columns
        if header.count(name) > 1
    ]
    ragged = _ragged(data, len(header))
    if ragged is not None:
        line, cells = ragged
        faults.append(
            f"line {line:,} has {cells} cell{'s' if cells != 1 else ''}, the header has {len(header)}"
        )
    if faults:
        return none, faults
    # One thread's work is the same order of rows in every process.
    rows = pl.read_csv(data, columns=list(columns), infer_schema=False, raise_if_empty=False)
    return Cells(rows.select(columns), data), []


def typed_cells(cells: Cells, columns: Mapping[str, str]) -> tuple[pl.DataFrame, list[str]]:
    """Return cells as numbers and booleans where those are declared, and what is none, with its line. Pure."""
    done: dict[str, pl.Series] = {}
    faults: list[str] = []
    for column, kind in columns.items():
        texts = cells.rows[column]
        if kind == "string":
            done[column] = texts
            continue
        texts = texts.str.strip_chars()
        texts = texts.set(texts == "", None)
        values = texts if kind == "time" else _values(texts, kind)
        wrong = texts.is_not_null() & values.is_null()
        if wrong.any():
            first = int(wrong.arg_true()[0])
            count = int(wrong.sum())
            more = f" (and {count - 1:,} more such cell{'s' if count > 2 else ''})" if count > 1 else ""
            faults.append(
                f"line {cells.line(first):,}, column {column!r}: {str(texts[first])[:40]!r} is no {_KINDS[kind]}{more}"
            )
        done[column] = values
    return pl.DataFrame(done), faults


def _values(texts: pl.Series, kind: str) -> pl.Series:
    if kind == "bool":
        lower = texts.str.to_lowercase()
        truth = lower.is_in(_TRUE)
        return truth.set(~(truth | lower.is_in(_FALSE)), None).set(texts.is_null(), None)
    floats = texts.cast(pl.Float64, strict=False)
    if kind == "float":
        return floats
    whole = texts.cast(pl.Int64, strict=False)
    if whole.null_count() == texts.null_count():
        return whole
    # 12.0, as tools write whole numbers of columns with gaps; exact up to 2^53.
    exact = (floats == floats.floor()) & (floats.abs() <= 2.0**53)
    return whole.zip_with(whole.is_not_null(), floats.set(~exact.fill_null(False), None).cast(pl.Int64))


def text_fault(data: bytes) -> str | None:
    """Return where bytes are no UTF-8 text, or None. Pure."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"line {line:,} is not UTF-8 text (byte 0x{data[error.start]:02x}); write the file as UTF-8"
    return None


def _records(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the line each record begins in, and its cells."""
    reader = csv.reader(io.StringIO(data.decode(), newline=""))
    line = 1
    for record in reader:
        yield line, record
        line = reader.line_num + 1


def _ragged(data: bytes, width: int) -> tuple[int, int] | None:
    """Return the line and the cells of the first record that has not as many cells as the header."""
    if b'"' not in data:  # then a comma is a comma, and arithmetic on the bytes is quick
        counts = _commas(data)
        wrong = np.flatnonzero(counts != width - 1)
        if not wrong.size:
            return None
        line = int(wrong[0])
        text = data.split(b"\n", line + 1)[line]
        return line + 1, int(counts[line]) + 1 if text.strip() else 0
    for line, record in _records(data):
        if len(record) != width:
            return line, len(record)
    return None


def _commas(data: bytes) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the number of commas in each line."""
    marks = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(marks == ord("\n"))
    before = np.searchsorted(np.flatnonzero(marks == ord(",")), np.append(ends, len(marks)))
    return np.diff(before, prepend=0).astype(np.int64)
