"""`treadle catalog`: find what there is, see who uses it, and what a change of it would touch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import existing_home, for_people, open_project, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    cut,
    emit,
    emit_heading,
    emit_json,
    emit_lines,
    emit_record,
    group_app,
    note,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from treadle.loop.catalog import Catalog
    from treadle.records.catalog import CatalogEntry

COLUMNS = ("kind", "name", "matched", "owner", "tags", "quality", "used_by", "description")
MOST_VALUES = 8

app = group_app("search", words=True)


@app.command("search")
def search(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORDS]...", help="Beginnings of words; all must be there.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only entries of this kind; repeatable.")
    ] = None,
    owner: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only what this person answers for; repeatable.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Only with this tag; repeatable.")
    ] = None,
    empty: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD", help="Only where owner, description, tags or entity is empty; repeatable."
        ),
    ] = None,
    unused: Annotated[bool, typer.Option("--unused", help="Only what nothing uses.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most this many.")] = 25,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Find sources, tables, columns, features, labels, endpoints, models; `treadle catalog WORDS` does this.

    Words are plain text: the beginnings of words in names, columns, tags, owners, entities and descriptions. To find a
    command's own name, write `treadle catalog search show`.
    """
    answer = open_catalog(project, home).search(
        " ".join(words or []),
        kind=[name.replace("-", "_") for name in kind or []],
        owner=owner or [],
        tag=tag or [],
        empty=empty or [],
        unused=unused,
        limit=limit,
    )
    rows: list[dict[str, Plain]] = [
        {**entry_row(hit.entry), "matched": list(hit.matched)} for hit in answer.hits
    ]
    if as_json:
        facets: dict[str, Plain] = {name: dict(counts) for name, counts in answer.facets.items()}
        emit_json(
            {"total": answer.total, "hits": rows, "facets": facets, "did_you_mean": list(answer.did_you_mean)}
        )
        return
    near = " or ".join(repr(text) for text in answer.did_you_mean)
    shown = [cut({**row, "used_by": _count(row["used_by"])}, "description", "tags") for row in rows]
    emit(
        [for_people(row) for row in shown],
        COLUMNS,
        as_json=False,
        empty=f"nothing found; did you mean {near}?" if near else "nothing found",
    )
    if answer.total > len(rows):
        note(f"{answer.total - len(rows):,} more; --limit {answer.total} lists them all")
    if rows:
        emit_heading("of these, and of what --kind, --owner and --tag left out")
        emit_lines("\n".join(_facet(name, counts) for name, counts in answer.facets.items() if counts))


@app.command("show")
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="[KIND/]NAME", help="What to show; its kind too where a name has several."),
    ],
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Show one entry whole: what it is made of, who uses it, and everything that a change of it would touch."""
    catalog = open_catalog(project, home)
    entry = catalog.get(name)
    impact, upstream = catalog.impact(entry.ref), catalog.upstream(entry.ref)
    if as_json:
        emit_json({**entry_row(entry), "upstream": upstream, "impact": impact})
        return
    emit_record(for_people({**entry_row(entry), "uses": None, "used_by": None}), as_json=False)
    emit_heading("made of")
    _emit_kinds(upstream, "nothing else that is defined here")
    emit_heading("impact of a change")
    _emit_kinds(impact, "nothing uses it")


def open_catalog(project: Path, home: Path) -> Catalog:
    """Return the catalog of the project in a folder, with what a home knows, if there is one."""
    from treadle.entry.catalog import catalog

    return catalog(home, open_project(project, existing_home(home)).project)


def entry_row(entry: CatalogEntry) -> dict[str, Plain]:
    """Return an entry as a row. Pure."""
    return {
        "kind": entry.kind,
        "name": entry.name,
        "description": entry.description,
        "owner": entry.owner,
        "tags": list(entry.tags),
        "deprecated": entry.deprecated,
        "entity": entry.entity,
        "columns": list(entry.columns),
        "updated": when(entry.updated),
        "quality": entry.quality,
        "facts": dict(entry.facts),
        "unused": entry.unused,
        "uses": list(entry.uses),
        "used_by": list(entry.used_by),
    }


def _count(value: Plain) -> int:
    return len(value) if isinstance(value, list) else 0


def _facet(name: str, counts: Mapping[str, int]) -> str:
    shown = [f"{value} {count:,}" for value, count in list(counts.items())[:MOST_VALUES]]
    more = [f"{len(counts) - MOST_VALUES} more"] if len(counts) > MOST_VALUES else []
    return f"{name + ':':<7} {', '.join(shown + more)}"


def _emit_kinds(found: Mapping[str, list[str]], empty: str) -> None:
    if not found:
        note(empty)
        return
    emit_record(dict(found), as_json=False)
