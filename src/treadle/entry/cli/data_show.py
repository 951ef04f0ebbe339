"""`treadle data show`: all that is known of one version of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, open_home, reading
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, emit_json, emit_record
from treadle.entry.cli.data_versions import version_record

if TYPE_CHECKING:
    import polars as pl

Reference = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@VERSION|@TAG|@INSTANT]",
        help="A version: its number, its tag, or when it was the newest; the newest one without.",
    ),
]


def show(data: Reference, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show a version of a dataset: columns, rows, hashes, code, what it was made of and what was made of it."""
    from treadle.stages.data.versions import find_version, parse_reference, version_rows

    name, selector = parse_reference(data)
    opened = open_home(home)
    with reading(opened) as view:
        manifest = find_version(view.datasets, name, selector)
        children = view.datasets.children(manifest.ref)
    record = {**version_record(manifest), "children": [str(child) for child in children]}
    if manifest.dropped is None:
        record["columns"] = columns(version_rows(opened.tables(), manifest))
    if as_json:
        emit_json(record)
    else:
        emit_record(for_people(record), as_json=False)


def columns(rows: pl.LazyFrame) -> dict[str, Plain]:
    """Return the names and types of columns; reads no rows."""
    return {name: str(dtype) for name, dtype in rows.collect_schema().items()}
