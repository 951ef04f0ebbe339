"""Delta tables of others: what they are like now, and their rows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from treadle.adapters.outside_objects import fetch_object
from treadle.adapters.storage import Options, unreachable
from treadle.records.errors import NotReady
from treadle.records.outside import DeltaFacts

_PLAIN_FEATURES = {"timestampNtz"}
"""Features of readers that leave a data file's rows as they stand in it."""


def delta_facts(place: str, options: Options) -> DeltaFacts:
    """Return what a Delta table is like at its newest version."""
    table = _open(place, options)
    protocol, described = table.protocol(), table.metadata()
    features = set(protocol.reader_features or ())
    plain = protocol.min_reader_version == 1 or (
        protocol.min_reader_version == 3 and features <= _PLAIN_FEATURES
    )
    return DeltaFacts(
        str(described.id),
        table.version(),
        tuple(sorted(_below(place, uri) for uri in table.file_uris())),
        plain and not described.partition_columns,
    )


def read_delta_rows(
    place: str, options: Options, version: int, columns: Sequence[str], files: Sequence[str] | None
) -> pl.DataFrame:
    """Return those of the columns that a version has; with `files`, the rows of those only."""
    table = _open(place, options, version)
    there = [field.name for field in table.schema().fields]
    wanted = [column for column in columns if column in there]
    try:
        if files is None:
            return pl.scan_delta(table).select(wanted).collect()
        parts = [_file_rows(place, name, options, wanted) for name in files]
    except (DeltaError, OSError, pl.exceptions.PolarsError) as error:
        raise unreachable(place, error) from error
    return pl.concat(parts, how="diagonal_relaxed") if parts else pl.DataFrame({c: [] for c in wanted})


def _file_rows(place: str, name: str, options: Options, wanted: Sequence[str]) -> pl.DataFrame:
    where = f"{place.rstrip('/')}/{name}"
    file = io.BytesIO(fetch_object(where, options)) if "://" in place else Path(where)
    scan = pl.scan_parquet(file, glob=False)
    there = scan.collect_schema().names()  # a file that is older than a column lacks it
    return scan.select(pl.col(c) if c in there else pl.lit(None).alias(c) for c in wanted).collect()


def _below(place: str, uri: str) -> str:
    return uri.partition(place.rstrip("/") + "/")[2] or uri


def _open(place: str, options: Options, version: int | None = None) -> DeltaTable:
    if "://" not in place and not Path(place, "_delta_log").is_dir():
        raise NotReady(f"{place} is not a Delta table", fix="name the folder that holds its _delta_log")
    try:
        return DeltaTable(place, version=version, storage_options=dict(options) or None)
    except TableNotFoundError as error:
        raise NotReady(
            f"{place} is not a Delta table", fix="name the folder that holds its _delta_log"
        ) from error
    except (DeltaError, OSError) as error:
        raise unreachable(place, error) from error
