"""Digests of rows: what the data is, whatever file, chunk or library version it came through.

Only values, names and types count. Nulls are one thing, NaN is one thing, and -0.0 is not 0.0.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from treadle.records.digests import Digest, canonical


def ordered_digest(frame: pl.DataFrame) -> Digest:
    """Return the SHA-256 of column names, types and values in order. Cost: about 1 GB of values a second."""
    hasher = hashlib.sha256(canonical([[name, str(dtype)] for name, dtype in frame.schema.items()]))
    hasher.update(frame.height.to_bytes(8, "little"))
    for series in frame.get_columns():
        hasher.update(np.packbits(series.is_null().to_numpy()).tobytes())
        for part in _parts(series):
            hasher.update(part)
    return hasher.hexdigest()


def content_hash(frame: pl.DataFrame) -> Digest:
    """Return a digest that does not depend on the order of rows: that of the rows in their canonical order.

    Rows are ordered by all their columns, unless a `__row` column numbers them already.
    """
    if "__row" in frame.columns:
        return ordered_digest(frame.sort("__row"))
    return ordered_digest(frame.sort(frame.columns, nulls_last=True, maintain_order=False))


def _parts(series: pl.Series) -> list[bytes]:
    dtype = series.dtype
    if dtype == pl.String:
        filled = series.fill_null("")
        return [filled.str.len_bytes().to_numpy().astype("<u4").tobytes(), "".join(filled.to_list()).encode()]
    if dtype == pl.Boolean:
        return [np.packbits(series.fill_null(False).to_numpy()).tobytes()]
    if dtype.is_float():
        values = series.cast(pl.Float64).fill_null(0.0).to_numpy()
        return [np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes()]
    return [series.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype("<i8").tobytes()]
