"""Pushed rows beside loaded ones: one table holds both, and each is replaced or added to without the other.

Loaded rows have numbers below `PUSHED`, pushed ones from there on. Whoever writes such a table holds the home, and its
threads take turns: what is read of the pushed rows must not grow before the table is overwritten with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import polars as pl

from treadle.define.sources import Rows, Source
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.datasets import UNIQUE, DatasetManifest
from treadle.records.digests import Digest
from treadle.records.instants import Instant
from treadle.records.intake import Event, Value
from treadle.records.rows import CREATED_TIME, EVENT_ID, EVENT_TIME, KNOWN_AT, PUSHED, ROW, TOMBSTONE
from treadle.stages.data.conform import DTYPES
from treadle.stages.data.content import content_hash, schema_hash

WRITER = "intake"
"""The tables' writer of pushed rows; its number is a position in the event log."""
LOADED = "loaded_content"
"""The tag of a dataset version that says what its loaded rows are, when pushed rows stand beside them."""

ReadPushed: TypeAlias = "Callable[[str], pl.DataFrame | None]"
"""Returns the pushed rows of a source's table by its name; None without any."""


def has_pushed(tables: Tables, name: str) -> bool:
    """Say whether a table has had pushed rows."""
    return tables.writer_number(name, WRITER) is not None


def pushed_reader(tables: Tables) -> ReadPushed:
    """Return a function that reads the pushed rows of a source's table as it stands."""

    def read(name: str) -> pl.DataFrame | None:
        if tables.writer_number(name, WRITER) is None:
            return None
        return tables.read(name).filter(pl.col(ROW) >= PUSHED).collect()

    return read


def loaded_content(manifest: DatasetManifest) -> Digest:
    """Return the digest of a dataset version's loaded rows, pushed ones left out. Pure."""
    return manifest.tags.get(LOADED, manifest.content_hash)


def without_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of a table as they are used: without the events' ids. Pure."""
    return rows.drop(EVENT_ID, strict=False)


def replace_loaded(tables: Tables, definition: Rows, frame: pl.DataFrame) -> tuple[int, pl.DataFrame]:
    """Replace the loaded rows of a table and keep its pushed ones; returns the new version and all its rows, without ids.

    Where the source declares a column of ids, a loaded row whose event was pushed is left out: it is there already.

    Raises:
        polars.exceptions.PolarsError: a column's type has changed to one that pushed rows cannot have.
    """
    pushed = pushed_reader(tables)(definition.name) if tables.exists(definition.name) else None
    if pushed is None or pushed.is_empty():
        return tables.overwrite(definition.name, frame), frame
    if isinstance(definition, Source) and definition.event_id is not None:
        known = pushed.select(EVENT_ID)
        text = pl.col(definition.event_id).cast(pl.String)
        frame = frame.join(known, left_on=text, right_on=EVENT_ID, how="anti", maintain_order="left")
    kept = pushed.select(column for column in pushed.columns if column in frame.columns or column == EVENT_ID)
    kept = kept.cast({column: frame.schema[column] for column in kept.columns if column != EVENT_ID})
    both = pl.concat([frame, kept], how="diagonal")
    return tables.overwrite(definition.name, both), without_ids(both)


def event_frame(source: Source, events: Sequence[tuple[int, Event]]) -> pl.DataFrame:
    """Return events as rows of their source's table. Pure.

    Args:
        source: whose events; a column that an event does not have, since it was declared later, is null.
        events: position in the log and event.
    """
    columns: dict[str, pl.Series] = {}
    for column, kind in source.columns.items():
        values: list[Value] = [event.fields.get(column) for _, event in events]
        dtype = pl.Int64() if kind == "time" else DTYPES[kind]
        columns[column] = pl.Series(values, dtype=dtype, strict=False).cast(DTYPES[kind])
    canonical = {
        EVENT_TIME: [event.event_time for _, event in events],
        KNOWN_AT: [event.known_at for _, event in events],
        CREATED_TIME: [event.created_time for _, event in events],
        ROW: [PUSHED + position for position, _ in events],
    }
    columns |= {name: pl.Series(values, dtype=pl.Int64) for name, values in canonical.items()}
    columns[TOMBSTONE] = pl.Series([event.tombstone for _, event in events], dtype=pl.Boolean)
    columns[EVENT_ID] = pl.Series([event.event_id for _, event in events], dtype=pl.String)
    return pl.DataFrame(columns)


def stored_events(source: Source, rows: pl.DataFrame) -> Iterator[tuple[Instant, int, Event]]:
    """Yield pushed rows of a source's table as the events they came from, as (known_at, row number, event). Pure."""
    columns = [column for column in source.columns if column in rows.columns]
    physical = rows.select(
        pl.col(c).to_physical() if rows.schema[c].is_temporal() else pl.col(c) for c in columns
    )
    head = rows.select(KNOWN_AT, ROW, EVENT_ID, EVENT_TIME, CREATED_TIME, TOMBSTONE)
    for (known_at, row, event_id, event_time, created, gone), fields in zip(
        head.iter_rows(), physical.iter_rows(named=True), strict=True
    ):
        # When it was received is not in the table; it was not later than it was known.
        yield (
            known_at,
            row,
            Event(source.name, event_id, known_at, event_time, known_at, created, gone, fields),
        )


def register_pushed(
    source: str, rows: pl.DataFrame, version: int, metadata: Metadata, at: Instant
) -> DatasetManifest:
    """Register a table's rows, pushed ones among them, as a dataset version, unless the newest one has the same content.

    Args:
        source: whose table.
        rows: the rows of that version, without ids.
        version: the table's version.
        metadata: where it is registered.
        at: when.
    """
    content = content_hash(rows)
    with metadata.begin() as unit:
        known = source in unit.datasets.names()
        newest = unit.datasets.get(source) if known else None
        if newest is not None and newest.content_hash == content:
            return newest
        empty = content_hash(rows.clear()) if newest is None else loaded_content(newest)
        return unit.datasets.register(
            source,
            at,
            schema_hash=schema_hash(rows),
            content_hash=content,
            rows=rows.height,
            parents=[],
            tags={"table_version": str(version), LOADED: empty} | _declared_before(newest),
            key=f"push:{source}:{newest.version if newest else 0}:{content}",
        )


def _declared_before(manifest: DatasetManifest | None) -> dict[str, str]:
    """Return what the version before noted of the definition: pushing changes nothing of it. Pure."""
    return {} if manifest is None or UNIQUE not in manifest.tags else {UNIQUE: manifest.tags[UNIQUE]}
