"""Entity keys: packed for the online store, coded as dense integers for joins."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.errors import InvalidInput

Ints = npt.NDArray[np.int64]

_encoder = msgspec.msgpack.Encoder()
_RADIX = 1 << 16
"""NumPy sorts 16-bit integers by counting, in one pass."""
_SPARSE = 4
"""Whole-number keys are their own codes while at most this many numbers lie between them for each row."""


def pack_key(values: Sequence[str | int | bool]) -> bytes:
    """Return the online store's key of an entity: its key values as one MessagePack array.

    The form keeps types and lengths, so `("1", "23")` and `("12", "3")` are two keys, and `1` is not `"1"`.
    """
    return _encoder.encode(tuple(values))


def same_kinds(rows: pl.DataFrame, others: pl.DataFrame, keys: Sequence[str]) -> None:
    """Refuse key columns of different kinds on the two sides: none would match, and nobody would notice.

    Raises:
        InvalidInput: a column is whole numbers on one side and something else on the other, or two unlike types.
    """
    faults = []
    for key in keys:
        ours, theirs = rows.schema[key], others.schema[key]
        if ours == theirs or (ours.is_integer() and theirs.is_integer()) or pl.Null in (ours, theirs):
            continue
        faults.append(f"key column {key!r} holds {ours}; the view's rows hold {theirs}")
    if faults:
        raise InvalidInput(
            "the rows asked about cannot be matched with the view's",
            faults=faults,
            fix="cast their key columns",
        )


def by_code(codes: Ints) -> Ints:
    """Return the positions of the rows by code; rows of one code keep their order. Cost: a pass per 16 bits of codes."""
    shifted = codes + 1
    most = int(shifted.max(initial=0))
    order: Ints = np.argsort((shifted & (_RADIX - 1)).astype(np.uint16), kind="stable")
    shift = 16
    while most >> shift:
        part = (shifted[order] >> shift) & (_RADIX - 1)
        order = order[np.argsort(part.astype(np.uint16), kind="stable")]
        shift += 16
    return order


class KeyCodes:
    """Integer codes of the keys of some rows, from 0 to below `len`; a key with a null part has none.

    One column of whole numbers that lie close together is coded by subtraction, everything else by a join with the
    distinct keys. Without key columns there is one key, and all rows have it.
    """

    def __init__(self, rows: pl.DataFrame, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._kinds = rows.select(self.columns).clear()
        self._lowest = 0
        self._size = 1
        self._known: pl.DataFrame | None = None
        if self.columns and not self._code_by_value(rows):
            distinct = rows.select(self.columns).drop_nulls().unique(maintain_order=True)
            self._known = distinct.with_columns(pl.int_range(distinct.height, dtype=pl.Int64).alias("__code"))
            self._size = distinct.height

    def __len__(self) -> int:
        return self._size

    def of(self, rows: pl.DataFrame) -> Ints:
        """Return the code of each row's key, -1 where the key is unknown or has a null part. Shape: (rows,)."""
        if not self.columns:
            return np.zeros(rows.height, np.int64)
        same_kinds(rows, self._kinds, self.columns)
        if self._known is None:
            return self._by_value(rows[self.columns[0]])
        joined = rows.select(self.columns).join(
            self._known, on=self.columns, how="left", maintain_order="left"
        )
        return joined["__code"].fill_null(-1).to_numpy()

    def _code_by_value(self, rows: pl.DataFrame) -> bool:
        column = rows[self.columns[0]]
        if len(self.columns) > 1 or not column.dtype.is_signed_integer():
            return False
        low, high = column.min(), column.max()
        if not isinstance(low, int) or not isinstance(high, int):  # no key at all
            return False
        if high - low >= _SPARSE * len(column) + 256:
            return False
        self._lowest, self._size = low, high - low + 1
        return True

    def _by_value(self, column: pl.Series) -> Ints:
        keys = column.cast(pl.Int64)
        # A comparison before the subtraction, which could wrap around.
        inside = keys.is_between(self._lowest, self._lowest + self._size - 1)
        if inside.all() and not keys.null_count():
            return keys.to_numpy() - np.int64(self._lowest)
        codes = (keys - self._lowest).zip_with(inside.fill_null(False), pl.Series([-1], dtype=pl.Int64))
        return codes.to_numpy()
