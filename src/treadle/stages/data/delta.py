"""Rows of a Delta table: those of the files that were added since, or all of them where that does not tell what is new."""

from __future__ import annotations

import polars as pl

from treadle.define.origins import DeltaTable
from treadle.define.sources import Source
from treadle.stages.data.arrivals import once_each
from treadle.stages.data.batches import Batch, Read
from treadle.stages.data.canonical import row_faults
from treadle.stages.data.conform import conform, missing_columns
from treadle.stages.data.cursors import DeltaSeen
from treadle.stages.data.places import DataPlace


def read_delta(source: Source, origin: DeltaTable, place: DataPlace, seen: DeltaSeen | None) -> Read:
    """Return the rows added since a version; all rows when files were removed too, as by an update or a compaction.

    Raises:
        NotReady: the table cannot be reached, or is not there.
    """
    owner = f"source {source.name!r} ({origin.path})"
    outside, where = place.reach(), place.locate(origin.path)
    facts = outside.delta(where, origin.storage)
    now = DeltaSeen(facts.id, facts.version, list(facts.files))
    if seen is not None and (seen.id, seen.version) == (now.id, now.version):
        return Batch.none().having_seen(seen), []
    added = sorted(set(now.files) - set(seen.files)) if seen is not None else []
    only_added = seen is not None and seen.id == now.id and set(seen.files) <= set(now.files) and facts.plain
    if only_added and not added:
        return Batch.none().having_seen(now), []
    wanted = list(source.columns)
    found = outside.delta_rows(where, origin.storage, now.version, wanted, added if only_added else None)
    faults = missing_columns(wanted, found.columns)
    rows = pl.DataFrame()
    if not faults:
        rows, faults = conform(found, source.columns, source.zone)
    if not faults:
        rows = once_each(source, rows)
        faults = row_faults(rows, source)
    if faults:
        return Batch.none(), [f"{owner}: {fault}" for fault in faults]
    return Batch(rows, whole=not only_added, seen=now), []
