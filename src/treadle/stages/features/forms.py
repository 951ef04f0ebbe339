"""What the online store keeps of a latest-value view: its newest row, and apart from it the newest value of each filled column.

A filled feature (`fill="last_non_null"`) passes over rows in which it is null, so that its value may come from an older row
than its neighbours' and has an age of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from treadle.define.views import Column, FeatureView
from treadle.records.rows import TOMBSTONE


@dataclass(frozen=True, slots=True)
class Form:
    """One state per key: the best row by (event time, created time, row) among those that count."""

    stored: str
    """The name it has in the online store; a view's own name, or with the column's after a dot."""
    features: tuple[Column, ...]
    passes_null: bool
    """Whether rows without a value in the form's only column don't count; deletions always do."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The source columns kept, each once."""
        return tuple(dict.fromkeys(feature.column for feature in self.features))

    def counted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return the stored rows that count. Pure."""
        if not self.passes_null:
            return rows
        values = rows[self.columns[0]]
        there = values.is_not_null()
        if values.dtype.is_float():
            there &= values.is_not_nan().fill_null(False)  # NaN is no value either
        return rows.filter(there | rows[TOMBSTONE])


def forms_of(view: FeatureView) -> tuple[Form, ...]:
    """Return the forms of a view; the first is that of its whole rows, though all of its features be filled. Pure."""
    plain = tuple(feature for feature in view.features if feature.fill is None)
    filled: dict[str, list[Column]] = {}
    for feature in view.features:
        if feature.fill is not None:
            filled.setdefault(feature.column, []).append(feature)
    return (
        Form(view.name, plain, False),
        *(Form(f"{view.name}.{column}", tuple(features), True) for column, features in filled.items()),
    )
