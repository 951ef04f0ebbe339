"""`treadle data load`: bring in what is new, and build the tables on it; nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.bootstrap import Home as OpenedHome
from treadle.bootstrap import open_world
from treadle.entry.cli._data import data_root
from treadle.entry.cli._homes import existing_home, open_project, reading
from treadle.entry.cli._shared import (
    DEFAULT_HOME,
    DEFAULT_PROJECT,
    AsJson,
    Home,
    Plain,
    Project,
    TakeOver,
    emit,
    note,
)
from treadle.entry.cli.run import read_first, stored_rows
from treadle.records.errors import Conflict
from treadle.records.instants import SECOND, duration

if TYPE_CHECKING:
    from treadle.bootstrap import LoadedProject
    from treadle.loop.world import World

COLUMNS = ("name", "version", "rows", "is_new", "because")
_PAUSE = 0.05
"""Seconds between two looks at a home that another process holds."""


def load(
    data: Annotated[str, typer.Option("--data", help="The folder of the sources' files, or its s3:// URL.")],
    project: Project = DEFAULT_PROJECT,
    home: Home = DEFAULT_HOME,
    wait: Annotated[
        str, typer.Option(help="For how long to wait while another process holds the home.")
    ] = "10m",
    take_over: TakeOver = False,
    as_json: AsJson = False,
) -> None:
    """Bring in what is new of the project's sources, and build its tables on it; nothing is trained.

    Several may run at once: they take turns, and each row is stored once.
    """
    from treadle.entry.cli._definitions import record

    loaded = open_project(project, existing_home(home))
    batches = None if _versions(home) else read_first(loaded.project, data)  # bad data leaves no home behind
    with entered(loaded, home, duration(wait) / SECOND, take_over=take_over) as (opened, world):
        before = _versions(home)  # another process may have been here meanwhile
        record(world, world.clock.now())
        store = stored_rows(world, data, None if before else batches, world.clock.now())
        opened.note(data=data_root(data))
        rows: list[dict[str, Plain]] = [
            {
                "name": name,
                "version": manifest.version,
                "rows": manifest.rows,
                "is_new": manifest.version != before.get(name),
                "because": manifest.tags.get("because"),
            }
            for name, manifest in sorted(store.manifests.items())
        ]
    emit(rows, COLUMNS, as_json=as_json)


@contextmanager
def entered(
    loaded: LoadedProject, folder: Path, wait: float, *, take_over: bool
) -> Iterator[tuple[OpenedHome, World]]:
    """Open a home as its one controller, made when absent; wait for as many seconds while another process holds it.

    Raises:
        Conflict: it is held for longer, or is another project's.
    """
    with ExitStack() as stack:
        yield _turn(stack, loaded, folder, wait, take_over=take_over)


def _turn(
    stack: ExitStack, loaded: LoadedProject, folder: Path, wait: float, *, take_over: bool
) -> tuple[OpenedHome, World]:
    from treadle.adapters.clock import ShiftedClock, SystemClock

    deadline, said = time.monotonic() + wait, False
    while True:
        try:
            opened = OpenedHome.at(folder, create=True)
            simulated = opened.notes().get("clock_end")
            clock = ShiftedClock(simulated) if isinstance(simulated, int) else SystemClock()
            return opened, stack.enter_context(open_world(opened, loaded, clock, take_over=take_over))
        except Conflict as error:
            if " in use by " not in error.what or time.monotonic() > deadline:
                raise
            if not said:
                note(f"{error.what}; waiting for it to end")
            said = True
            time.sleep(_PAUSE)


def _versions(folder: Path) -> dict[str, int]:
    """Return the newest version of each dataset of a home; none where there is no home."""
    opened = existing_home(folder)
    if opened is None or not (folder / "metadata.db").is_file():
        return {}
    with reading(opened) as view:
        return {name: view.datasets.get(name).version for name in view.datasets.names()}
