"""The stored rows of a home: read back as they were registered, or brought in from a data folder."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from treadle.loop.pushed_store import refreshed, settle, with_pushed
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.datasets import DatasetManifest
from treadle.records.errors import NotReady
from treadle.records.instants import Instant
from treadle.stages.data.ingest import store_rows
from treadle.stages.data.pushed import without_ids
from treadle.stages.data.reading import read_folder
from treadle.stages.features.offline import ReadRows


def load_store(world: World) -> Store:
    """Return the newest rows of every source and table of the project: registered ones, and what was pushed since.

    Raises:
        NotReady: some of them have never been stored; the error names them.
    """
    settle(world)
    names = [definition.name for definition in world.project.sources]
    with world.metadata.read() as view:
        known = set(view.datasets.names())
        manifests = {name: view.datasets.get(name) for name in names if name in known}
    missing = [name for name in names if name not in manifests]
    if missing:
        raise NotReady(
            "the home has no data yet for the project's sources",
            faults=[f"{name!r} has never been stored" for name in missing],
            fix="name the folder with the data once: --data DIR",
        )
    read = row_reader(world.tables, world.metadata)
    rows = {name: read(name) for name in names}
    return refreshed(world, Store.of(rows, manifests))


def row_reader(tables: Tables, metadata: Metadata) -> ReadRows:
    """Return a function that reads the newest registered rows of a source or table by its name."""

    def read(name: str) -> pl.DataFrame:
        with metadata.read() as view:
            manifest = view.datasets.get(name)
        return without_ids(tables.read(name, version=_version(manifest)).collect())

    return read


def ingest(world: World, folder: Path, at: Instant) -> Store:
    """Store what a data folder holds, where it differs from what is stored, and return it.

    Raises:
        InvalidInput: the data cannot be used; every fault is listed and nothing was stored.
    """
    rows = read_folder(world.project.sources, folder)
    manifests = store_rows(world.project.sources, rows, world.tables, world.metadata, at)
    return refreshed(world, Store.of(with_pushed(world, rows, manifests), manifests))


def _version(manifest: DatasetManifest) -> int | None:
    """Return the table version a manifest was registered for; None (the newest) where it does not say."""
    noted = manifest.tags.get("table_version")
    return None if noted is None else int(noted)
