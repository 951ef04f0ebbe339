"""`treadle data croissant`: a dataset version as a Parquet file and a Croissant description that other tools read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import open_home, open_project, opened_metadata
from treadle.entry.cli._shared import DEFAULT_HOME, DEFAULT_PROJECT, AsJson, Home, Project, emit_record
from treadle.records.errors import Conflict, NotFound

if TYPE_CHECKING:
    import polars as pl

    from treadle.records.croissant import CroissantFile

DESCRIPTION = "croissant.json"


def croissant(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A source or table of the project.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to; made when absent.")],
    version: Annotated[
        int | None, typer.Option("--version", help="Which version; by default the newest.")
    ] = None,
    terms: Annotated[
        str, typer.Option("--license", help="Under which terms the data may be used; a URL or a name.")
    ] = "",
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Write a dataset version with a Croissant description, for people and tools outside."""
    from treadle.records.croissant import CroissantDataset, describe
    from treadle.records.rows import CANONICAL

    opened = open_home(home)
    definitions = {one.name: one for one in open_project(project, opened).project.sources}
    if name not in definitions:
        raise NotFound.among("source or table", name, definitions)
    with opened_metadata(opened) as metadata, metadata.read() as view:
        manifest = view.datasets.get(name, version)
    number = manifest.tags.get("table_version")
    rows = opened.tables().read(name, version=None if number is None else int(number))
    kept = [
        column
        for column in rows.collect_schema().names()
        if column not in CANONICAL and column in definitions[name].columns
    ]
    file = _write_rows(rows.select(kept), out, f"{name}-{manifest.version}.parquet")
    definition = definitions[name]
    described = describe(
        CroissantDataset(
            name=name,
            version=manifest.version,
            created=manifest.created,
            columns={column: definition.columns[column] for column in kept},
            file=file,
            description=definition.description,
            key=definition.unique,
            license=terms,
        )
    )
    place = out / DESCRIPTION
    _write(place, json.dumps(described, indent=1, ensure_ascii=False) + "\n")
    emit_record(
        {
            "dataset": str(manifest.ref),
            "rows": manifest.rows,
            "file": str(out / file.name),
            "sha256": file.sha256,
            "description": str(place),
        },
        as_json=as_json,
    )


def _write_rows(rows: pl.LazyFrame, folder: Path, name: str) -> CroissantFile:
    from treadle.records.croissant import CroissantFile

    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{name}.part"
        rows.sink_parquet(part)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = part.stat().st_size
        part.replace(folder / name)
    except OSError as error:
        raise Conflict(
            f"the data cannot be written to {folder}: {error.strerror or error}",
            fix="name another folder with --out",
        ) from error
    return CroissantFile(name=name, sha256=digest, size=size)


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
