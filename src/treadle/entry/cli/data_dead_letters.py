"""`treadle data dead-letters`: what a stream delivered and no row could be made of, and taking it in after all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import for_people, home_now, open_home, open_project, opened_metadata, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    cut,
    emit,
    emit_record,
    note,
)
from treadle.records.errors import NotFound

if TYPE_CHECKING:
    from treadle.define.project import Project as DefinedProject
    from treadle.define.sources import Source
    from treadle.loop.dead_letters import Again, KeptLetter

COLUMNS = ("received_at", "event_id", "partition", "offset", "reasons", "message")
DEFAULT_URL = "http://127.0.0.1:8080"


def dead_letters(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source.")],
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many, the newest first.")] = 20,
    retry: Annotated[
        bool, typer.Option("--retry", help="Push those that are rows by the present definitions.")
    ] = False,
    url: Annotated[
        str, typer.Option("--url", help="The server to push to; TREADLE_TOKEN has its token.")
    ] = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show messages of a stream that no row could be made of, with the reasons; or push them again.

    After the source's definition was mended, and the server started anew, `--retry` takes in what is a row now.
    """
    from treadle.loop.dead_letters import kept_letters, look_again, note_retried

    opened = open_home(home)
    defined = find_source(open_project(project, opened).project, source)
    with opened_metadata(opened) as metadata:
        letters = kept_letters(opened.tables(), metadata, source)
        if not retry:
            emit([_shown(one, as_json) for one in letters[:limit]], COLUMNS, as_json=as_json, empty="none")
            if len(letters) > limit and not as_json:
                note(f"{len(letters) - limit:,} more; --limit {len(letters)} lists them all")
            return
        again = look_again(defined, letters, home_now(opened))
        _push(defined, again, url)
        note_retried(metadata, source, [letter for letter, _ in again.rows], home_now(opened))
    emit_record(
        {"source": source, "taken": len(again.rows), "still_dead": len(again.faulty)}, as_json=as_json
    )


def find_source(project: DefinedProject, name: str) -> Source:
    """Return a project's source by its name.

    Raises:
        NotFound: there is none; near names are offered.
    """
    from treadle.define.sources import Source

    known = {one.name: one for one in project.sources if isinstance(one, Source)}
    if name not in known:
        raise NotFound.among("source", name, known, where=f"project {project.name!r}")
    return known[name]


def _push(source: Source, again: Again, url: str) -> None:
    from treadle.entry.client import connect

    if not again.rows:
        return
    named = [letter.event_id for letter, _ in again.rows if letter.event_id is not None]
    ids = named if source.event_id is None and len(named) == len(again.rows) else None
    with connect(url) as client:
        client.push(source.name, [row for _, row in again.rows], ids=ids)


def _shown(letter: KeptLetter, as_json: bool) -> dict[str, Plain]:
    row: dict[str, Plain] = {
        "received_at": when(letter.received_at),
        "event_id": letter.event_id,
        "partition": letter.partition,
        "offset": letter.offset,
        "reasons": list(letter.reasons),
        "message": letter.raw.decode(errors="backslashreplace"),
        "position": letter.position,
    }
    return row if as_json else cut(for_people(row), "reasons", "message")
