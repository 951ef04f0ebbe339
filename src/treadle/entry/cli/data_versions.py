"""`treadle data versions`: what versions of a dataset there are."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.entry.cli._homes import for_people, open_home, reading
from treadle.entry.cli._shared import DEFAULT_HOME, AsJson, Home, Plain, emit
from treadle.records.datasets import BECAUSE, DatasetManifest
from treadle.records.instants import iso

COLUMNS = ("version", "created", "rows", "tags", "parents", "content", "because", "dropped")
SHORT = 12


def versions(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A source or table.")],
    home: Home = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the versions of a dataset, the newest first."""
    from treadle.stages.data.versions import find_version

    with reading(open_home(home)) as view:
        find_version(view.datasets, name)  # for the error that names its neighbours
        rows = [version_record(manifest) for manifest in view.datasets.versions(name, limit=limit)]
    emit(rows if as_json else [shortened(row) for row in rows], COLUMNS, as_json=as_json)


def version_record(manifest: DatasetManifest) -> dict[str, Plain]:
    """Return what a manifest says, for programs. Pure."""
    dropped = manifest.dropped
    return {
        "name": manifest.name,
        "version": manifest.version,
        "created": iso(manifest.created),
        "rows": manifest.rows,
        "tags": list(manifest.named),
        "parents": [str(parent) for parent in manifest.parents],
        "content": manifest.content_hash,
        "schema": manifest.schema_hash,
        "code": manifest.code_digest,
        "unique": list(manifest.unique),
        "because": manifest.tags.get(BECAUSE),
        "table_version": manifest.table_version,
        "dropped": None if dropped is None else iso(dropped),
    }


def shortened(row: dict[str, Plain]) -> dict[str, Plain]:
    """Return a version's record as people read it in a table. Pure."""
    words = {key: in_words(row[key]) for key in ("tags", "parents")}
    return for_people({**row, **words, "content": str(row["content"])[:SHORT]})


def in_words(listed: Plain) -> str:
    """Return a list as text. Pure."""
    return ", ".join(str(one) for one in listed) if isinstance(listed, list) else ""
