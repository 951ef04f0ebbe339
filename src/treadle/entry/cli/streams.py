"""`treadle streams`: how far the streams of a project's sources were read, and what came of their messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.entry.cli._homes import for_people, home_now, open_home, open_project, opened_metadata, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    at_home,
    command_app,
    emit,
    note,
)

if TYPE_CHECKING:
    from treadle.define.sources import Source
    from treadle.records.streams import StreamState

COLUMNS = (
    "source",
    "stream",
    "reading",
    "waiting",
    "last_event",
    "watermark",
    "taken",
    "late",
    "dead_letters",
)

app = command_app()


@app.command("streams")
def streams(project: Project = DEFAULT_PROJECT, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Show how far each stream was read: what waits, the newest event, the watermark, late events, dead letters.

    A running server notes it every five seconds. JSON has all the counts.
    """
    from treadle.define.sources import Source
    from treadle.loop.dead_letters import count_letters
    from treadle.loop.streams import consumed, stream_states

    opened = open_home(home)
    defined = open_project(project, opened).project
    sources = [one for one in defined.sources if isinstance(one, Source) and consumed(one)]
    now = home_now(opened)
    with opened_metadata(opened) as metadata:
        states = stream_states(metadata, sources)
        dead = count_letters(opened.tables(), metadata)
    rows = [stream_row(one, states[one.name], dead.get(one.name, 0), now) for one in sources]
    shown = rows if as_json else [for_people(row) for row in rows]
    emit(shown, COLUMNS, as_json=as_json, empty="the project has no source that is read from a stream")
    if as_json:
        return
    for row in rows:
        if row["fault"]:
            note(f"{row['source']}: {row['fault']}")
    for name in (one.name for one in sources if dead.get(one.name)):
        note(f"what could not be taken in:  {at_home(f'treadle data dead-letters {name}', home)}")


def stream_row(source: Source, state: StreamState | None, dead: int, now: int) -> dict[str, Plain]:
    """Return a source's stream as a row. Pure."""
    from treadle.loop.streams import lag

    row: dict[str, Plain] = {"source": source.name, "stream": source.path, "fault": None}
    if state is None:
        return row | {"reading": "not yet", "dead_letters": dead}
    counts = state.counts
    return row | {
        "reading": "failing" if state.fault else "yes",
        "fault": state.fault,
        "waiting": state.waiting,
        "last_event": when(state.newest),
        "behind_seconds": lag(state, now),
        "watermark": when(state.watermark),
        "last_message": when(state.last_message),
        "messages": counts.messages,
        "taken": counts.taken,
        "duplicates": counts.duplicates,
        "late": counts.late,
        "lost": counts.lost,
        "dead_letters": dead,
        "noted": when(state.at),
    }
