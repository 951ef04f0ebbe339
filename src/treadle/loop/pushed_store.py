"""Pushed rows in the stored rows: from the log to the tables, and from the tables to the rows in memory."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from treadle.define.sources import Source
from treadle.loop.pushed_tables import EventFlusher
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.datasets import DatasetManifest
from treadle.records.instants import Duration
from treadle.records.rows import PUSHED, ROW
from treadle.stages.data.canonical import add_canonical
from treadle.stages.data.conform import conform
from treadle.stages.data.pushed import has_pushed, register_pushed, without_ids


def event_sources(world: World) -> list[Source]:
    """Return the sources that events can be pushed for: all of them, whether their history comes from files or not."""
    return [definition for definition in world.project.sources if isinstance(definition, Source)]


def make_flusher(world: World, *, keep: Duration = 0) -> EventFlusher | None:
    """Return what moves the world's events to its tables; None without an event log."""
    if world.events is None:
        return None
    return EventFlusher(event_sources(world), world.events, world.tables, keep=keep)


def settle(world: World) -> None:
    """Bring what the log holds into the tables, and register them; done before a home's rows are read.

    Sources whose rows come by themselves get an empty table, so that a project can be served before the first event.
    """
    flusher = make_flusher(world)
    if flusher is not None:
        flusher.flush()
    with world.metadata.read() as view:
        known = set(view.datasets.names())
    for source in event_sources(world):
        if not source.origin.streaming or source.name in known:
            continue
        if not world.tables.exists(source.name):
            world.tables.append(source.name, empty_rows(source))
        _register(world, source.name)


def refreshed(world: World, store: Store) -> Store:
    """Return the store with the rows that were pushed into its tables since; the same store if there are none.

    Only the new rows are read. Cost: a hash of all rows of each source that has new ones.
    """
    rows: dict[str, pl.DataFrame] = {}
    manifests: dict[str, DatasetManifest] = {}
    for source in event_sources(world):
        if source.name not in store.rows or not has_pushed(world.tables, source.name):
            continue
        had = store.rows[source.name]
        grown, manifest = _newer(world, source.name, had)
        if grown is not None:
            rows[source.name], manifests[source.name] = grown, manifest
    if not rows:
        return store
    return Store.of({**store.rows, **rows}, {**store.manifests, **manifests})


def with_pushed(
    world: World, rows: Mapping[str, pl.DataFrame], manifests: Mapping[str, DatasetManifest]
) -> dict[str, pl.DataFrame]:
    """Return loaded rows, just stored, with the pushed ones of their tables."""
    whole = dict(rows)
    for source in event_sources(world):
        if source.name in rows and has_pushed(world.tables, source.name):
            version = int(manifests[source.name].tags["table_version"])
            whole[source.name] = without_ids(world.tables.read(source.name, version=version).collect())
    return whole


def empty_rows(source: Source) -> pl.DataFrame:
    """Return no rows, in the form of a source's table. Pure."""
    none = pl.DataFrame(
        {column: [] for column in source.columns}, schema=dict.fromkeys(source.columns, pl.Null)
    )
    typed, _ = conform(none, source.columns, "UTC")
    return add_canonical(typed, source.timing, source.unique)


def _newer(world: World, name: str, had: pl.DataFrame) -> tuple[pl.DataFrame | None, DatasetManifest]:
    version = world.tables.version(name)
    newest = max(int(had[ROW].max() or 0), PUSHED - 1) if had.height else PUSHED - 1  # type: ignore[arg-type]  # int64
    more = world.tables.read(name, version=version).filter(pl.col(ROW) > newest).collect()
    if more.is_empty():
        with world.metadata.read() as view:
            return None, view.datasets.get(name)
    grown = pl.concat([had, more.select(had.columns)])
    return grown, register_pushed(name, grown, version, world.metadata, world.clock.now())


def _register(world: World, name: str) -> None:
    version = world.tables.version(name)
    rows = without_ids(world.tables.read(name, version=version).collect())
    register_pushed(name, rows, version, world.metadata, world.clock.now())
