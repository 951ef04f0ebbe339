"""A 64-bit word for every value of a column: equal for equal values, spread over all bits.

Arithmetic is modulo 2^64. The steps are multiplications by odd constants and xor-shifts, each of which can be
undone, so different numbers in a column never get the same word; texts, lists and structs may, with a chance
of 2^-64.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.datatypes import DataTypeClass

from treadle.records.errors import InvalidInput

_TYPE_NAMES: dict[type[pl.DataType], str] = {
    pl.Boolean: "boolean",
    pl.Int8: "int8",
    pl.Int16: "int16",
    pl.Int32: "int32",
    pl.Int64: "int64",
    pl.UInt8: "uint8",
    pl.UInt16: "uint16",
    pl.UInt32: "uint32",
    pl.UInt64: "uint64",
    pl.Float32: "float32",
    pl.Float64: "float64",
    pl.String: "string",
    pl.Categorical: "string",
    pl.Enum: "string",
    pl.Binary: "binary",
    pl.Date: "date",
    pl.Time: "time",
    pl.Null: "null",
}
"""The names that go into digests. They are ours: what Polars prints may change."""

Words: TypeAlias = "npt.NDArray[np.uint64]"

_NULL = np.uint64(0x6A09E667F3BCC909)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_LENGTH = np.uint64(0x9E3779B97F4A7C15)
_LONGEST_VECTOR = 64
"""Texts of up to so many bytes are hashed eight bytes of all rows at a time, longer ones each by SHA-256."""
_MASKS = np.array([2 ** (8 * count) - 1 for count in range(9)], dtype=np.uint64)


def type_name(dtype: pl.DataType) -> str:
    """Return the name of a column's type in digests.

    Raises:
        InvalidInput: the type has no values to be hashed.
    """
    if isinstance(dtype, pl.Datetime):
        return f"datetime[{dtype.time_unit},{dtype.time_zone}]"
    if isinstance(dtype, pl.Duration):
        return f"duration[{dtype.time_unit}]"
    if isinstance(dtype, pl.Decimal):
        return f"decimal[{dtype.precision},{dtype.scale}]"
    if isinstance(dtype, pl.List):
        return f"list[{type_name(_concrete(dtype.inner))}]"
    if isinstance(dtype, pl.Array):
        return f"array[{type_name(_concrete(dtype.inner))},{dtype.size}]"
    if isinstance(dtype, pl.Struct):
        fields = [f"{field.name!r}:{type_name(_concrete(field.dtype))}" for field in dtype.fields]
        return f"struct[{','.join(fields)}]"
    name = _TYPE_NAMES.get(type(dtype))
    if name is None:
        raise InvalidInput(f"a column of type {dtype} has no digest", fix="cast it to a plain type")
    return name


def cells(series: pl.Series) -> Words:
    """Return a word for every value of a column, shape (rows,).

    Raises:
        InvalidInput: the type has no values to be hashed.
    """
    words = _values(series)
    if series.null_count():
        words[series.is_null().to_numpy()] = _NULL
    return words


def mix(words: Words) -> Words:
    """Spread every word over all its bits, in place; different words stay different.

    The finalizer of SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
    2014.
    """
    shifted = words >> np.uint64(30)
    words ^= shifted
    words *= _FIRST
    np.right_shift(words, np.uint64(27), out=shifted)
    words ^= shifted
    words *= _SECOND
    np.right_shift(words, np.uint64(31), out=shifted)
    words ^= shifted
    return words


def joined_texts(series: pl.Series) -> bytes:
    """Return the UTF-8 of a String column without nulls, all rows one after another."""
    # str.join makes it in one go, three times quicker than joining a Python list of the rows.
    text: str = series.str.join("").item() if len(series) else ""
    return text.encode()


def _values(series: pl.Series) -> Words:
    """Return the words of a column's values; those of its nulls mean nothing."""
    dtype = series.dtype
    type_name(dtype)  # refuses what has none
    if isinstance(dtype, pl.Categorical | pl.Enum | pl.Decimal | pl.String):
        return _texts(series.cast(pl.String).fill_null(""))
    if dtype == pl.Binary:
        values: list[bytes] = series.fill_null(b"").to_list()
        return _bytes(b"".join(values), np.array([len(value) for value in values], dtype=np.int64))
    if isinstance(dtype, pl.Struct):
        return _structs(series, [field.name for field in dtype.fields])
    if isinstance(dtype, pl.Array):
        return _lists(series.arr.to_list())
    if isinstance(dtype, pl.List):
        return _lists(series)
    if dtype == pl.Null:
        return np.zeros(len(series), dtype=np.uint64)
    if dtype.is_float():
        floats = series.cast(pl.Float64).fill_null(0.0).to_numpy()
        canonical = np.where(np.isnan(floats), np.nan, floats)
        return mix(canonical.view(np.uint64).copy())
    if dtype == pl.UInt64:
        return mix(series.fill_null(0).to_numpy().copy())
    integers = series.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
    return mix(integers.view(np.uint64).copy())


def _texts(series: pl.Series) -> Words:
    return _bytes(joined_texts(series), series.str.len_bytes().to_numpy().astype(np.int64))


def _bytes(joined: bytes, lengths: npt.NDArray[np.int64]) -> Words:
    """Hash the pieces that lie one after another in `joined`."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    words = mix(lengths.astype(np.uint64) * _LENGTH)
    # Eight bytes from any position on, as a number: little-endian everywhere.
    eight = np.ndarray((len(joined) + 1,), dtype="<u8", buffer=joined + bytes(8), strides=(1,))
    rows = np.flatnonzero((lengths > 0) & (lengths <= _LONGEST_VECTOR))
    position = 0
    while rows.size:
        left = np.minimum(lengths[rows] - position, 8)
        words[rows] = mix(words[rows] ^ (eight[starts[rows] + position] & _MASKS[left]))
        position += 8
        rows = rows[lengths[rows] > position]
    for row in np.flatnonzero(lengths > _LONGEST_VECTOR):
        piece = joined[starts[row] : ends[row]]
        words[row] = int.from_bytes(hashlib.sha256(piece).digest()[:8], "little")
    return words


def _structs(series: pl.Series, names: list[str]) -> Words:
    words = np.zeros(len(series), dtype=np.uint64)
    for name in names:
        words = mix(words * _LENGTH + cells(series.struct.field(name)))
    return words


def _lists(series: pl.Series) -> Words:
    """Hash lists: each value's word times an odd number that depends on its place, all added up."""
    lengths = series.list.len().fill_null(0).to_numpy().astype(np.int64)
    inner = cells(series.filter(pl.Series(lengths > 0)).explode())
    ends = np.cumsum(lengths)
    places = np.arange(inner.size, dtype=np.int64) - np.repeat(ends - lengths, lengths)
    inner *= mix(places.astype(np.uint64) + _LENGTH) | np.uint64(1)
    running = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(inner, dtype=np.uint64)])
    return mix(running[ends] - running[ends - lengths] + lengths.astype(np.uint64) * _LENGTH)


def _concrete(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    """Return a type object; Polars lets a class stand for its parameterless type (`List(Int64)`)."""
    return dtype() if isinstance(dtype, DataTypeClass) else dtype
