"""A source's Parquet files: one file or a folder of them, each conforming, or every fault with the file it is in."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from treadle.define.sources import Source
from treadle.stages.data.canonical import row_faults
from treadle.stages.data.conform import conform, missing_columns


def read_source(source: Source, folder: Path) -> tuple[pl.DataFrame, list[str]]:
    """Return a source's rows in its declared types, and the faults found; with faults the rows are not to be used.

    Each file of a folder conforms for itself, so they need not agree on types, zones or the order of columns.

    Args:
        source: what to read.
        folder: the data folder that the source's path is relative to.
    """
    owner = f"source {source.name!r}"
    files, fault = _files(source, folder)
    if fault is not None:
        return pl.DataFrame(), [f"{owner}: {fault}"]
    parts: list[pl.DataFrame] = []
    places: dict[str, list[str]] = {}
    for file in files:
        rows, found = _read_file(file, source)
        parts.append(rows)
        for fault in found:
            places.setdefault(fault, []).append(file.relative_to(folder).as_posix())
    if places:
        return pl.DataFrame(), [f"{owner} ({_named(names)}): {fault}" for fault, names in places.items()]
    rows = pl.concat(parts)
    return rows, [f"{owner} ({source.path}): {fault}" for fault in row_faults(rows, source)]


def _files(source: Source, folder: Path) -> tuple[list[Path], str | None]:
    """Return the files of a source in order of their names; hidden ones and those under `_` folders are not among them."""
    path = folder / source.path
    if path.is_file():
        return [path], None
    if path.is_dir():
        below = [(file, file.relative_to(path).parts) for file in path.rglob("*.parquet") if file.is_file()]
        files = sorted(file for file, parts in below if not any(part[0] in "._" for part in parts))
        return files, None if files else f"the folder {source.path} has no .parquet file in it"
    there = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    more = " …" if len(there) > 12 else ""
    beside = f"the folder has {', '.join(there[:12])}{more}" if there else "the folder is empty"
    return [], f"{source.path} is missing; {beside}"


def _read_file(file: Path, source: Source) -> tuple[pl.DataFrame, list[str]]:
    wanted = list(source.columns)
    try:
        scan = pl.scan_parquet(file, glob=False)
        faults = missing_columns(wanted, scan.collect_schema().names())
        if faults:
            return pl.DataFrame(), faults
        rows = scan.select(wanted).collect()
    # Polars meets some damage with a panic, which is no Exception.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        return pl.DataFrame(), [f"cannot be read as Parquet: {first_line(error)}; write the file again"]
    return conform(rows, source.columns, source.zone)


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type when it says nothing. Pure."""
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def _named(files: list[str]) -> str:
    return files[0] if len(files) == 1 else f"{len(files):,} files, e.g. {files[0]}"
