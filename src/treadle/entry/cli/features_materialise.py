"""`treadle features materialise`: bring the online store to the present, or build it anew, without a server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.entry.cli._homes import open_home, open_project, opened_metadata, when
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    emit,
    emit_json,
    note,
)
from treadle.records.errors import Conflict, InvalidInput
from treadle.records.instants import SECOND, instant, iso

if TYPE_CHECKING:
    from treadle.bootstrap import Home as OpenedHome
    from treadle.loop.materialise import Materialised
    from treadle.ports.clock import Clock

VIEWS = ("view", "keys", "rows", "changed", "removed", "expired_share", "newest")


def materialise(
    views: Annotated[
        list[str] | None,
        typer.Argument(metavar="VIEW...", help="The views to show or rebuild; without, all."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="INSTANT",
            help="With --rebuild: only keys with a row that became known from then on.",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="INSTANT", help="Up to this instant; else the present.")
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Make the views anew from the tables, whatever is online.")
    ] = False,
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Bring the online store up to the present from where it stands; no server may hold the home.

    Also fills a new store, such as a Redis that TREADLE_ONLINE_URL names. A rebuild that was killed goes on with the next
    call; readers see the old values until the new ones are whole.
    """
    from treadle.bootstrap import open_world
    from treadle.loop.feed import stands_at
    from treadle.loop.materialise import materialise as bring

    if since is not None and not rebuild:
        raise InvalidInput(
            "--from says what to rebuild, and goes with --rebuild",
            fix="add --rebuild; without it, rows are applied from where the online store stands",
        )
    opened = open_home(home)
    loaded = open_project(project, opened)
    clock = _clock(opened)
    _refuse_unfinished(opened)
    with open_world(opened, loaded, clock) as world, _progress() as told:
        stands = stands_at(world.online)
        present = clock.now() if stands is None else max(clock.now(), stands)
        done = bring(
            world,
            views or [],
            until=present if until is None else instant(until),
            since=None if since is None else instant(since),
            anew=rebuild,
            told=told,
        )
    _show(done, max(present - done.position, 0) / SECOND, rebuild=rebuild, as_json=as_json)


def _show(done: Materialised, lag: float, *, rebuild: bool, as_json: bool) -> None:
    rows: list[dict[str, Plain]] = [
        {
            "view": one.state.view,
            "keys": one.state.keys,
            "rows": one.rows,
            "changed": None if one.rebuilt is None else one.rebuilt.changed,
            "removed": None if one.rebuilt is None else one.rebuilt.removed,
            "resumed": None if one.rebuilt is None else one.rebuilt.resumed,
            "expired": one.state.expired,
            "expired_share": one.state.expired_share,
            "newest": when(one.state.newest),
        }
        for one in done.views
    ]
    if as_json:
        emit_json(
            {
                "from": when(done.began),
                "cursor": iso(done.position),
                "lag_seconds": lag,
                "filled": done.filled,
                "views": rows,
            }
        )
        return
    begun = "it was empty" if done.began is None else f"it stood at {iso(done.began)}"
    if done.filled and done.began is not None:
        begun += " with other rows or views, and was filled anew"
    note(f"the online store stands at {iso(done.position)}; {begun}")
    if done.filled and rebuild:
        note("it has just been filled from the tables: there is nothing to rebuild")
    emit(rows, VIEWS, as_json=False, empty="the project defines no view")


def _clock(home: OpenedHome) -> Clock:
    """Return the machine's clock, or a replay's home's own."""
    from treadle.adapters.clock import ShiftedClock, SystemClock

    simulated = home.notes().get("clock_end")
    return ShiftedClock(simulated) if isinstance(simulated, int) else SystemClock()


def _refuse_unfinished(home: OpenedHome) -> None:
    """Leave a replay alone that has not ended: it goes on from the online store as it stands.

    Raises:
        Conflict: there is one.
    """
    from treadle.loop.replay_inputs import PROGRESS

    if "clock_end" in home.notes():
        return
    with opened_metadata(home) as metadata, metadata.read() as view:
        if view.checkpoints.get(PROGRESS) is not None:
            raise Conflict(
                f"the home {home.folder} holds a replay that has not ended; it goes on from the online store as it stands",
                fix="let the replay end first, or use another --home; nothing was changed",
                command="treadle replay",
            )


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows the portions of each view: a bar a view on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda view, done, portions: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("portions"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with bar:
        known: dict[str, object] = {}

        def told(view: str, done: int, portions: int) -> None:
            task = known.get(view)
            if task is None:
                task = known[view] = bar.add_task(view, total=portions)
            bar.update(task, completed=done)  # type: ignore[arg-type]  # a TaskID, which is an int

        yield told
