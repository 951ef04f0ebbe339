"""The stored rows of a home: read back as they were registered, or brought in from a data folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from treadle.loop.batch_check import BatchCheck
from treadle.loop.pushed_store import refreshed, settle, with_pushed
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.datasets import DatasetManifest
from treadle.records.errors import NotReady
from treadle.records.instants import Instant
from treadle.stages.data.batches import Batch
from treadle.stages.data.bringing import bring_in
from treadle.stages.data.places import DataPlace
from treadle.stages.data.pushed import without_ids


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


def row_reader(tables: Tables, metadata: Metadata) -> Callable[[str], pl.DataFrame]:
    """Return a function that reads the newest registered rows of a source or table by its name."""

    def read(name: str) -> pl.DataFrame:
        with metadata.read() as view:
            manifest = view.datasets.get(name)
        return without_ids(tables.read(name, version=_version(manifest)).collect())

    return read


def ingest(
    world: World,
    data: Path | str,
    at: Instant,
    say: Callable[[str], None] = lambda text: None,
    batches: Mapping[str, Batch] | None = None,
) -> Store:
    """Store what is new in a data folder, and in the other places that sources are read from, and return all rows.

    Args:
        world: where the rows are stored.
        data: the folder, or the URL of one in object storage.
        at: the present: what arrives now was known no earlier.
        say: called with a sentence about each thing out of the ordinary.
        batches: what was read already, for a home that has no data yet.

    Raises:
        InvalidInput: the data cannot be used; every fault is listed and nothing was stored.
        NotReady: a place that a source is read from cannot be reached; nothing was stored.
    """
    place = DataPlace.of(data, world.outside)
    check = BatchCheck(world, at)
    brought = bring_in(world.project.sources, place, world.tables, world.metadata, at, batches, check)
    check.settle(brought.manifests)
    for sentence in brought.said:
        say(sentence)
    rows = with_pushed(world, brought.rows, brought.manifests)
    return refreshed(world, Store.of(rows, brought.manifests))


def _version(manifest: DatasetManifest) -> int | None:
    """Return the table version a manifest was registered for; None (the newest) where it does not say."""
    noted = manifest.tags.get("table_version")
    return None if noted is None else int(noted)
