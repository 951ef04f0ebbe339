"""Offline features: point-in-time-correct vectors for many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import polars as pl

from treadle.define.feature_sets import FeatureSet
from treadle.define.row_features import RowFeature
from treadle.define.views import FeatureView, Selection, View
from treadle.records.errors import InvalidInput
from treadle.records.rows import CANONICAL
from treadle.stages.features.events import Ints
from treadle.stages.features.latest import Asked, LatestTable
from treadle.stages.features.partitioned import Partitioning, lookup_in_parts
from treadle.stages.features.rows.program import compile_rows
from treadle.stages.features.windows import WindowTable

ReadRows: TypeAlias = Callable[[str], pl.DataFrame | pl.LazyFrame]
"""Gives the stored rows (own and canonical columns) of a source or table by its name; of a lazy frame only the columns
that are used are read."""


class OfflineFeatures:
    """Point-in-time lookups over one version of the stored tables.

    Views are arranged on first use and kept, so that several training sets over the same versions cost one sort; where
    memory is bounded, or partitions are asked for, nothing is kept.

    Args:
        read_rows: gives the stored rows.
        partitioning: bounds what is held at a time, and says where partitions are answered; in one piece and in this
            process when it is left out. The vectors are the same.
    """

    def __init__(self, read_rows: ReadRows, partitioning: Partitioning | None = None) -> None:
        self._read_rows = read_rows
        self._partitioning = partitioning or Partitioning()
        self._views: dict[str, LatestTable | WindowTable] = {}

    def vectors(self, features: FeatureSet, spine: pl.DataFrame, at: Ints) -> pl.DataFrame:
        """Return the feature set's vectors: one row per spine row, in order, columns `features.names`.

        Numbers are float64 with null for "no value"; categories are text.

        Args:
            features: what to compute.
            spine: rows with every request field of the set.
            at: the prediction time T of each row, instants of shape (rows,); one in the future gets what is known by now.

        Raises:
            InvalidInput: some row has no T, or a key column is not of the type that the view's rows have.
        """
        if at.dtype != np.int64:  # a null makes a column of instants one of floats
            raise InvalidInput(
                f"T must be an instant for every row, and some have none ({at.dtype})",
                where="the prediction times of a lookup",
                fix="leave out rows without a T, or give them one",
            )
        known: dict[str, pl.Series] = {name: spine[name] for name in features.request}
        known["at"] = pl.Series("at", at).cast(pl.Datetime("us", "UTC"))
        asked = Asked(spine, at)
        # Two views at a time where memory is not bounded: reading one keeps the processor half idle.
        with ThreadPoolExecutor(2 if self._partitioning.memory is None else 1) as pool:
            for found in pool.map(lambda one: self._selected(one, spine, at, asked), features.selections):
                known.update(found)
        frame = pl.DataFrame(known)
        if features.row_features:
            program = compile_rows(features.row_features, features.row_inputs())
            frame = frame.with_columns(program.expressions())
        return frame.select(_feature_columns(features, frame))

    def _selected(
        self, selection: Selection, spine: pl.DataFrame, at: Ints, asked: Asked
    ) -> dict[str, pl.Series]:
        view, how = selection.view, self._partitioning
        table = self._known(view)
        if table is None:
            rows = self._read_rows(view.source.name).lazy().select(stored_columns(view))
            parts = how.parts_of(rows)
            if parts > 1 or how.executor is not None:
                found = lookup_in_parts(view, rows, spine, at, parts, how)
                return {name: found[name] for name in selection.columns}
            table = (
                LatestTable(view, rows.collect())
                if isinstance(view, FeatureView)
                else WindowTable(view, rows.collect())
            )
            if how.memory is None:
                self._views[view.name] = table
        found = table.lookup(spine, at, asked) if isinstance(table, LatestTable) else table.lookup(spine, at)
        return {name: found[name] for name in selection.columns}

    def _known(self, view: View) -> LatestTable | WindowTable | None:
        table = self._views.get(view.name)
        return table if table is not None and table.view == view else None


def stored_columns(view: View) -> list[str]:
    """Return the columns of stored rows that a view's lookups read, each once."""
    values = [f.column for f in view.features] if isinstance(view, FeatureView) else view.value_columns
    return list(dict.fromkeys([*view.entity.keys, *CANONICAL, *values]))


def _feature_columns(features: FeatureSet, frame: pl.DataFrame) -> Sequence[pl.Expr]:
    categories = set(features.categories)
    columns = []
    for name in features.names:
        column = pl.col(name)
        if name in categories:
            columns.append(column.cast(pl.String))
        elif frame.schema[name] == pl.Float64:
            columns.append(column.fill_nan(None))
        else:
            columns.append(column.cast(pl.Float64))
    return columns


__all__ = ["OfflineFeatures", "ReadRows", "RowFeature"]
