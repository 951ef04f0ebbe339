"""Reading a project's sources from a folder, and building its tables: whole, or not at all with every fault named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from treadle.define.sources import Rows, Source, Table
from treadle.records.errors import InvalidInput, TreadleError
from treadle.stages.data.canonical import add_canonical, row_faults
from treadle.stages.data.conform import conform, missing_columns


def read_folder(definitions: Sequence[Rows], folder: Path) -> dict[str, pl.DataFrame]:
    """Return the rows of every source and table by name, with their canonical columns.

    Args:
        definitions: sources and tables; a table comes after what it reads.
        folder: the data folder that source paths are relative to.

    Raises:
        InvalidInput: something is missing, of another type, without a zone, or repeated; every fault is listed and nothing
            has been stored.
    """
    plain: dict[str, pl.DataFrame] = {}
    faults: list[str] = []
    for source in (d for d in definitions if isinstance(d, Source)):
        rows, found = _read_source(source, folder)
        faults += found
        plain[source.name] = rows
    _refuse(faults, folder)
    for table in _in_order([d for d in definitions if isinstance(d, Table)], set(plain)):
        rows, found = _build_table(table, plain)
        faults += found
        if found:
            break
        plain[table.name] = rows
    _refuse(faults, folder)
    return {d.name: add_canonical(plain[d.name], d.timing, d.unique) for d in definitions}


def _read_source(source: Source, folder: Path) -> tuple[pl.DataFrame, list[str]]:
    owner = f"source {source.name!r}"
    path = folder / source.path
    empty = pl.DataFrame()
    if not path.exists():
        there = (
            ", ".join(sorted(p.name for p in folder.iterdir())[:12]) if folder.is_dir() else "no such folder"
        )
        return empty, [f"{owner}: {source.path} is missing ({there or 'the folder is empty'})"]
    try:
        scan = pl.scan_parquet(path / "**/*.parquet" if path.is_dir() else path)
        have = scan.collect_schema().names()
        faults = missing_columns(owner, source.columns, have)
        if faults:
            return empty, faults
        rows = scan.select(list(source.columns)).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        return empty, [f"{owner}: {source.path} cannot be read as Parquet: {str(error).splitlines()[0]}"]
    rows, faults = conform(owner, rows, source.columns, source.zone)
    return rows, faults or row_faults(owner, rows, source)


def _build_table(table: Table, plain: dict[str, pl.DataFrame]) -> tuple[pl.DataFrame, list[str]]:
    owner = f"table {table.name!r}"
    try:
        rows = table.build(*(plain[name].lazy() for name in table.inputs)).collect()
    except Exception as error:
        raise TreadleError(
            f"{owner} could not be built: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            where=f"the function {table.build.__module__}.{table.name}",
            fix="run it on frames of its sources to see the whole error",
        ) from error
    faults = missing_columns(owner, table.columns, rows.columns)
    if faults:
        return rows, faults
    rows, faults = conform(owner, rows, table.columns, None)
    return rows, faults or row_faults(owner, rows, table)


def _in_order(tables: Iterable[Table], known: set[str]) -> list[Table]:
    waiting, ordered, have = list(tables), [], set(known)
    while waiting:
        ready = [table for table in waiting if have.issuperset(table.inputs)]
        if not ready:
            names = {t.name: [i for i in t.inputs if i not in have] for t in waiting}
            raise InvalidInput(
                "some tables read what is not there, or one another",
                faults=[
                    f"table {name!r} reads {', '.join(map(repr, inputs))}" for name, inputs in names.items()
                ],
            )
        ordered += ready
        have.update(table.name for table in ready)
        waiting = [table for table in waiting if table not in ready]
    return ordered


def _refuse(faults: Sequence[str], folder: Path) -> None:
    if faults:
        raise InvalidInput(
            f"the data cannot be used: {len(faults)} fault{'s' if len(faults) > 1 else ''}",
            where=str(folder),
            fix="mend the files (or the definitions in the project) and run the same command again; nothing was stored",
            faults=faults,
        )
