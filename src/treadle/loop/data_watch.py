"""The data beside a running server: what is new in its folder, buckets and databases is taken, or refused with every fault."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from treadle.define.origins import DeltaTable, Files, Sql
from treadle.define.sources import Rows, Source
from treadle.loop.stored import ingest
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.errors import InvalidInput, NotReady
from treadle.records.instants import Instant
from treadle.stages.data.places import DataPlace, list_files
from treadle.stages.data.reading import needs_folder

CHECKPOINT = "data-folder"
"""The checkpoint that says which files were stored last."""
OUTSIDE_EVERY = 60.0
"""Seconds between two looks at what is beyond this machine; a folder is looked at each time."""


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


def look_outside(definitions: Sequence[Rows], place: DataPlace) -> Digest:
    """Return a digest of what can be told of sources beyond this machine without reading their rows.

    Of a database that is the greatest watermark; without a watermark column nothing can be told.

    Raises:
        NotReady: one of them cannot be reached.
    """
    found: dict[str, Json] = {}
    for source in definitions:
        if not isinstance(source, Source) or (needs_folder(source) and place.folder is not None):
            continue
        match source.origin:
            case Files() as files:
                listed, _ = list_files(files, place)
                found[source.name] = [[facts.path, facts.size, facts.stamp] for facts in listed.facts]
            case Sql(url=url, table=table, query=query, watermark=str() as watermark):
                newest = place.reach().newest_mark(url, table=table, query=query, watermark=watermark)
                found[source.name] = str(newest)
            case DeltaTable(path=path, storage=storage):
                facts = place.reach().delta(place.locate(path), storage)
                found[source.name] = [facts.id, facts.version]
    return digest_value(found) if found else ""


class DataWatch:
    """Takes over new rows when a folder's files, or what is outside, have changed and come to rest.

    A file that is still being written changes from look to look, so a change counts once two looks in a row
    agree. Write a large file under a hidden name and rename it, and no half of it is ever read.

    Args:
        world: where the rows are stored.
        folder: what is watched: a folder, or the URL of one in object storage.
        say: called with a sentence when data was taken or refused.
    """

    def __init__(self, world: World, folder: Path | str, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.taken_at: Instant | None = None
        self.refused_at: Instant | None = None
        self.faults: tuple[str, ...] = ()
        self._world = world
        self._say = say
        self._place = DataPlace.of(folder, world.outside)
        self._outside: Digest = ""
        self._looked_at: float | None = None
        self._known = self._noted()
        self._last: Digest | None = None

    def take(self) -> Store:
        """Store what the folder holds now and return it.

        Raises:
            InvalidInput: it cannot be used; every fault is listed and nothing was stored.
        """
        return self._take(self._look())

    def look(self) -> Store | None:
        """Look once; return the new rows if the folder has changed, has come to rest and could be used."""
        found = self._look()
        settled, self._last = found == self._last, found
        if not settled or found == self._known:
            return None
        try:
            store = self._take(found)
        except InvalidInput as error:
            self._known = found  # not read again until it has changed again
            self.refused_at, self.faults = self._world.clock.now(), (error.what, *error.faults)
            error.fix = "mend the files: they are looked at again as soon as they change; nothing was stored"
            self._say(f"new data was refused; the old goes on serving: {error}")
            return None
        self._say(f"took new data from {self.folder}")
        return store

    def _take(self, found: Digest) -> Store:
        at = self._world.clock.now()
        store = ingest(self._world, self.folder, at, self._say)
        with self._world.metadata.begin() as unit:
            unit.checkpoints.put(CHECKPOINT, {"folder": str(self.folder), "files": found}, at)
        self._known, self.taken_at, self.refused_at, self.faults = found, at, None, ()
        return store

    def _look(self) -> Digest:
        """Return a digest of what there is now: of a folder's files, and of what is outside as of the last look."""
        now = time.monotonic()
        if self._looked_at is None or now - self._looked_at >= OUTSIDE_EVERY:
            self._looked_at = now
            try:
                self._outside = look_outside(self._world.project.sources, self._place)
            except NotReady as error:
                self._say(f"looked for new data in vain: {error}")
        folder = "" if self._place.folder is None else look(self._place.folder)
        return digest_value([folder, self._outside]) if self._outside else folder

    def _noted(self) -> Digest | None:
        with self._world.metadata.read() as view:
            saved = view.checkpoints.get(CHECKPOINT)
        value = None if saved is None else saved.value
        if not isinstance(value, dict) or value.get("folder") != str(self.folder):
            return None
        return str(value.get("files"))
