"""Storing what was read: each source and table becomes a versioned table and a dataset manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from treadle.define.sources import Rows, Table, reading_order
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.datasets import DatasetManifest, DatasetRef
from treadle.records.instants import Instant
from treadle.stages.data.content import content_hash, schema_hash
from treadle.stages.data.facts import code_digest, declared
from treadle.stages.data.pushed import LOADED, loaded_content, replace_loaded

__all__ = ["schema_hash", "store_rows"]


def store_rows(
    definitions: Sequence[Rows],
    rows: Mapping[str, pl.DataFrame],
    tables: Tables,
    metadata: Metadata,
    at: Instant,
) -> dict[str, DatasetManifest]:
    """Store each definition's rows as a new table version, unless the newest one has the same content.

    Repeating it after a crash finishes what is missing and registers nothing twice; a table version that was written but
    not registered stays behind, and no manifest names it. Pushed rows of a source stay beside the new ones.
    Cost: one hash and one write of the rows, with pushed ones two.

    Returns:
        The manifest of each definition's newest dataset version, by name.
    """
    manifests: dict[str, DatasetManifest] = {}
    for definition in reading_order(definitions):  # a table's manifest names those of what it reads
        frame = rows[definition.name]
        content = content_hash(frame)
        with metadata.read() as view:
            known = view.datasets.names()
            newest = view.datasets.get(definition.name) if definition.name in known else None
        if newest is not None and loaded_content(newest) == content and tables.exists(definition.name):
            manifests[definition.name] = newest
            continue
        version, whole = replace_loaded(tables, definition, frame)
        parents = _parents(definition, manifests)
        with metadata.begin() as unit:
            manifests[definition.name] = unit.datasets.register(
                definition.name,
                at,
                schema_hash=schema_hash(whole),
                content_hash=content if whole is frame else content_hash(whole),
                rows=whole.height,
                parents=parents,
                code_digest=code_digest(definition),
                tags={
                    "table_version": str(version),
                    **declared(definition),
                    **({} if whole is frame else {LOADED: content}),
                },
                # After the version it follows, so that content which comes back is a new version, not the old one.
                key=f"ingest:{definition.name}:{newest.version if newest else 0}:{content}",
            )
    return manifests


def _parents(definition: Rows, manifests: Mapping[str, DatasetManifest]) -> list[DatasetRef]:
    if not isinstance(definition, Table):
        return []
    return [manifests[name].ref for name in definition.inputs if name in manifests]
