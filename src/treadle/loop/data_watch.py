"""A data folder beside a running server: what changes in it is taken whole, or refused with every fault."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from treadle.loop.stored import ingest
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.digests import Digest, digest_value
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant

CHECKPOINT = "data-folder"
"""The checkpoint that says which files were stored last."""


def look(folder: Path) -> Digest:
    """Return a digest of the names, sizes and change times of a folder's files, which are not opened.

    Hidden files don't count; a folder that is not there is one without files.
    """
    found: list[list[str | int]] = []
    for base, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith("."):
                continue
            path = Path(base, name)
            try:
                facts = path.stat()
            except FileNotFoundError:  # replaced between listing and looking
                continue
            found.append([str(path.relative_to(folder)), facts.st_size, facts.st_mtime_ns])
    return digest_value(found)


class DataWatch:
    """Takes over a folder's rows when its files have changed and come to rest.

    A file that is still being written changes from look to look, so a change counts once two looks in a row
    agree. Write a large file under a hidden name and rename it, and no half of it is ever read.

    Args:
        world: where the rows are stored.
        folder: what is watched.
        say: called with a sentence when data was taken or refused.
    """

    def __init__(self, world: World, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.taken_at: Instant | None = None
        self.refused_at: Instant | None = None
        self.faults: tuple[str, ...] = ()
        self._world = world
        self._say = say
        self._known = self._noted()
        self._last: Digest | None = None

    def take(self) -> Store:
        """Store what the folder holds now and return it.

        Raises:
            InvalidInput: it cannot be used; every fault is listed and nothing was stored.
        """
        return self._take(look(self.folder))

    def look(self) -> Store | None:
        """Look once; return the new rows if the folder has changed, has come to rest and could be used."""
        found = look(self.folder)
        settled, self._last = found == self._last, found
        if not settled or found == self._known:
            return None
        try:
            store = self._take(found)
        except InvalidInput as error:
            self._known = found  # not read again until it has changed again
            self.refused_at, self.faults = self._world.clock.now(), (error.what, *error.faults)
            self._say(f"new data was refused; the old goes on serving: {error}")
            return None
        self._say(f"took new data from {self.folder}")
        return store

    def _take(self, found: Digest) -> Store:
        at = self._world.clock.now()
        store = ingest(self._world, self.folder, at)
        with self._world.metadata.begin() as unit:
            unit.checkpoints.put(CHECKPOINT, {"folder": str(self.folder), "files": found}, at)
        self._known, self.taken_at, self.refused_at, self.faults = found, at, None, ()
        return store

    def _noted(self) -> Digest | None:
        with self._world.metadata.read() as view:
            saved = view.checkpoints.get(CHECKPOINT)
        value = None if saved is None else saved.value
        if not isinstance(value, dict) or value.get("folder") != str(self.folder):
            return None
        return str(value.get("files"))
