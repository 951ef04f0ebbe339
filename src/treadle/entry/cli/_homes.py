"""What the commands that read a home share: opening it without its lock, its project, times for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.bootstrap import Home, LoadedProject, load_project
from treadle.entry.cli._shared import DEFAULT_PROJECT, Plain
from treadle.records.errors import NotFound, NotReady
from treadle.records.instants import SECOND, Instant, iso

if TYPE_CHECKING:
    from treadle.ports.metadata import Metadata, View
    from treadle.ports.online import Online

_FRACTION = re.compile(r"(\d\dT\d\d:\d\d:\d\d)\.\d+Z")
_INSTANT = re.compile(r"[1-3]\d{15}")
"""Microseconds between 2001 and 2096, which is how a run keeps an instant among its parameters."""


def open_home(folder: Path) -> Home:
    """Return the home in a folder, which must be there.

    Raises:
        NotFound: the folder is no home; homes nearby are named.
    """
    try:
        return Home.at(folder, create=False)
    except NotFound as error:
        near = _homes_near(folder)
        if not near:
            raise
        raise NotFound(
            error.what, fix=f"name one with --home; near here: {', '.join(near)}", command=error.command
        ) from None


def existing_home(folder: Path) -> Home | None:
    """Return the home in a folder, or None where there is none."""
    try:
        return Home.at(folder, create=False)
    except NotFound:
        return None


@contextmanager
def opened_metadata(home: Home) -> Iterator[Metadata]:
    """Open a home's metadata store for the time of a block; other processes may go on using it."""
    metadata = home.metadata()
    try:
        yield metadata
    finally:
        metadata.close()


@contextmanager
def reading(home: Home) -> Iterator[View]:
    """Open a read-only view of a home's metadata for the time of a block."""
    with opened_metadata(home) as metadata, metadata.read() as view:
        yield view


def open_project(folder: Path, home: Home | None = None) -> LoadedProject:
    """Import the project in a folder; without one there, the project that the home says it belongs to.

    Raises:
        NotFound: there is no project.
        InvalidInput: the project cannot be imported.
    """
    noted = home.notes().get("project") if home is not None else None
    stands_here = (folder / "__init__.py").is_file()
    if folder == DEFAULT_PROJECT and not stands_here and isinstance(noted, str) and Path(noted).is_dir():
        return load_project(Path(noted))
    return load_project(folder)


def now() -> Instant:
    """Return the present instant: for what a person does by hand."""
    from treadle.adapters.clock import SystemClock

    return SystemClock().now()


def home_now(home: Home) -> Instant:
    """Return the present instant as the home lives it: a replay's home goes on from where the replay ended."""
    from contextlib import closing

    from treadle.loop.feed import stands_at

    simulated = home.notes().get("clock_end")
    if not isinstance(simulated, int):
        return now()
    if not has_online(home):
        return simulated
    with closing(home.online()) as online:
        return max(simulated, stands_at(online) or simulated)


def has_online(home: Home) -> bool:
    """Say whether a home may have something online: its own store is there, or it keeps features in a server."""
    from treadle.adapters.secrets import LocalSecrets
    from treadle.bootstrap import ONLINE_URL
    from treadle.records.secrets import SecretRef

    if (home.folder / "online" / "data.mdb").is_file():
        return True
    try:
        LocalSecrets.of_process().get(SecretRef(ONLINE_URL))
    except NotReady:
        return False
    return True


@contextmanager
def opened_online(home: Home) -> Iterator[Online]:
    """Open a home's online store for the time of a block; it is never made here.

    Raises:
        NotReady: nothing has been put online yet.
    """
    from treadle.loop.feed import stands_at

    empty = NotReady(
        "nothing is online in this home yet",
        where=str(home.folder),
        fix="features come online while a replay runs, while the endpoint is served, or by hand",
        command=f"treadle features materialise --home {home.folder}",
    )
    if not has_online(home):
        raise empty
    online = home.online()
    try:
        if stands_at(online) is None:
            raise empty
        yield online
    finally:
        online.close()


def when(at: Instant | None) -> str | None:
    """Return an instant as ISO 8601 text, or None. Pure."""
    return None if at is None else iso(at)


def seconds(started: Instant, ended: Instant | None) -> float | None:
    """Return how long something took, or None while it goes on. Pure."""
    return None if ended is None else (ended - started) / SECOND


def for_people(row: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return a row as people read it: times to the second, instants as text, nothing that is empty. Pure."""
    return {key: _readable(value) for key, value in row.items() if value not in (None, "", [], {})}


def _readable(value: Plain) -> Plain:
    if isinstance(value, Mapping):
        return for_people(value)
    if not isinstance(value, str):
        return value
    if _INSTANT.fullmatch(value):
        value = iso(int(value))
    return _FRACTION.sub(r"\1Z", value)


def _homes_near(folder: Path) -> list[str]:
    """Return homes beside the folder asked for, and in it, as paths that can be given to --home."""
    from treadle.bootstrap import HOME_FILE

    places = {place for place in (folder, folder.parent) if place.is_dir()}
    found = {file.parent for place in places for file in place.glob(f"*/{HOME_FILE}")}
    return sorted(str(path) for path in found)[:5]
