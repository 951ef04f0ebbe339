"""File formats: the bytes of a Parquet, CSV or JSON file become conforming rows, or every fault with its line."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import polars as pl

from treadle.define.sources import Source
from treadle.stages.data.conform import conform, first_unfit, missing_columns
from treadle.stages.data.csv_rows import read_cells, typed_cells
from treadle.stages.data.json_rows import read_objects

Found: TypeAlias = tuple[pl.DataFrame, list[str]]
"""Rows and faults; with faults the rows are not to be used."""


def read_format(source: Source, kind: str, file: Path | bytes) -> Found:
    """Return the rows of one file in the source's declared types, and the faults found."""
    if kind == "parquet":
        return _parquet(source, file)
    try:
        data = file if isinstance(file, bytes) else file.read_bytes()
    except OSError as error:
        return pl.DataFrame(), [f"cannot be read: {error.strerror or error}"]
    return _csv(source, data) if kind == "csv" else _json(source, data)


def _parquet(source: Source, file: Path | bytes) -> Found:
    wanted = list(source.columns)
    try:
        scan = pl.scan_parquet(io.BytesIO(file) if isinstance(file, bytes) else file, glob=False)
        faults = missing_columns(wanted, scan.collect_schema().names())
        if faults:
            return pl.DataFrame(), faults
        rows = scan.select(wanted).collect()
    # Polars meets some damage with a panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        return pl.DataFrame(), [f"cannot be read as Parquet: {first_line(error)}; write the file again"]
    return conform(rows, source.columns, source.zone)


def _csv(source: Source, data: bytes) -> Found:
    try:
        cells, faults = read_cells(data, list(source.columns))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return pl.DataFrame(), [f"cannot be read as CSV: {first_line(error)}; write the file again"]
    if faults:
        return pl.DataFrame(), faults
    rows, faults = typed_cells(cells, source.columns)
    return (rows, faults) if faults else _placed(rows, source, cells.line)


def _json(source: Source, data: bytes) -> Found:
    found, faults = read_objects(data, source.columns)
    return (pl.DataFrame(), faults) if faults else _placed(found.rows, source, found.line)


def _placed(rows: pl.DataFrame, source: Source, line: Callable[[int], int]) -> Found:
    """Return the rows as they conform; the fault of a column says in which line its first is."""
    done, faults = conform(rows, source.columns, source.zone)
    if not faults:
        return done, []
    said: list[str] = []
    columns: Mapping[str, str] = source.columns
    for column, kind in columns.items():
        _, found = conform(rows.select(column), {column: kind}, source.zone)
        said += [f"{fault} (line {line(first_unfit(rows[column], kind, source.zone)):,})" for fault in found]
    return pl.DataFrame(), said


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type when it says nothing. Pure."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__
