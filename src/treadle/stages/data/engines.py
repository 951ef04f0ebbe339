"""Engines: what a table is computed by. A function over frames of Polars or Narwhals, or DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from treadle.define.tables import Table
from treadle.stages.data.places import DataPlace


def run_table(table: Table, inputs: Mapping[str, pl.DataFrame], place: DataPlace | None) -> object:
    """Return what a table's code makes of its inputs: rows, if it is right.

    Args:
        table: the table.
        inputs: the rows of what it reads, without treadle's own columns.
        place: what reaches the engine of SQL.

    Raises:
        NotReady: the engine is not installed, or not to be had here.
        Exception: whatever a person's function raises.
    """
    if table.build is None:
        return (place or DataPlace.of("")).reach().select(table.sql, inputs)
    frames = [inputs[name].lazy() for name in table.inputs]
    if table.engine == "narwhals":
        import narwhals.stable.v2 as nw

        made: object = nw.to_native(table.build(*map(nw.from_native, frames)), pass_through=True)
    else:
        made = table.build(*frames)
    return made.collect() if isinstance(made, pl.LazyFrame) else made
