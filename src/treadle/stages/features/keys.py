"""Entity keys: packed for the online store, coded as dense integers for joins."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]

_encoder = msgspec.msgpack.Encoder()


def pack_key(values: Sequence[str | int | bool]) -> bytes:
    """Return the online store's key of an entity: its key values as one MessagePack array.

    The form keeps types and lengths, so `("1", "23")` and `("12", "3")` are two keys, and `1` is not `"1"`.
    """
    return _encoder.encode(tuple(values))


class KeyCodes:
    """Dense integer codes of the distinct keys of some rows; a key with a null part has none."""

    def __init__(self, rows: pl.DataFrame, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._known = (
            rows.select(self.columns).drop_nulls().unique(maintain_order=True).with_row_index("__code")
        ).with_columns(pl.col("__code").cast(pl.Int64))

    def __len__(self) -> int:
        return self._known.height

    def of(self, rows: pl.DataFrame) -> Ints:
        """Return the code of each row's key, -1 where the key is unknown or has a null part. Shape: (rows,)."""
        joined = rows.select(self.columns).join(
            self._known, on=self.columns, how="left", maintain_order="left"
        )
        return joined["__code"].fill_null(-1).to_numpy()
