"""Partitions of rows by a hash of their key, the same in every process, on every engine, in every run. Pure.

All rows of a key are in one partition, and so are all questions about it: each partition can be answered by itself, and
the answers put back in order are those of the whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from treadle.records.errors import InvalidInput

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

MOST = 1 << 14
"""More partitions than this are never made."""


def partition_of(rows: pl.DataFrame, keys: Sequence[str], parts: int) -> npt.NDArray[np.uint16]:
    """Return the partition of each row, from 0 to below `parts`. Shape: (rows,).

    Whole numbers, bools and times are mixed as 64-bit integers, text by the CRC-32 of its UTF-8; neither Polars' nor
    Python's hashes are used, which change from version to version and from run to run. A null part of a key has a
    hash too: such rows match nothing, wherever they are.

    Raises:
        InvalidInput: a key column is of a type that keys don't have.
    """
    if not 1 <= parts <= MOST:
        raise InvalidInput(f"{parts} partitions cannot be made", fix=f"ask for 1 to {MOST:,}")
    mixed = np.zeros(rows.height, np.uint64)
    for key in keys:
        mixed = _mix(mixed ^ _words(rows[key]))
    return (mixed % np.uint64(parts)).astype(np.uint16)


def split(rows: pl.DataFrame, partitions: npt.NDArray[np.uint16]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield each partition that has rows, with them in the order they had."""
    for part, places in places_of(partitions):
        yield part, rows[places]


def places_of(partitions: npt.NDArray[np.uint16]) -> Iterator[tuple[int, Ints]]:
    """Yield each partition that has rows, with their positions in ascending order."""
    order = np.argsort(partitions, kind="stable")  # 16-bit integers: a counting sort
    present, starts = np.unique(partitions[order], return_index=True)
    yield from zip(present.tolist(), np.split(order, starts[1:]), strict=False)


def merge(answers: Iterable[tuple[Ints, pl.DataFrame]], rows: int) -> pl.DataFrame:
    """Return the answers in the order of the questions.

    Args:
        answers: positions of the questions, and their answers in the same order; every question once. At least one pair,
            which may be empty.
        rows: how many questions there were.
    """
    places, frames = zip(*answers, strict=True)
    back = np.empty(rows, np.int64)
    back[np.concatenate(places)] = np.arange(rows)
    columns = [frame.get_columns() for frame in frames]
    del frames
    gather = pl.Series(back)
    merged = []
    while columns[0]:
        # One column at a time, letting go of its parts: never the whole twice.
        merged.append(pl.concat([parts.pop(0) for parts in columns], rechunk=False).gather(gather))
    return pl.DataFrame(merged)


def _words(column: pl.Series) -> Words:
    """Return a column's values as 64 bits each, null as a number of its own."""
    kind = column.dtype
    if kind.is_integer() or kind.is_temporal() or kind in (pl.Boolean, pl.Null):
        numbers = column.to_physical().cast(pl.Int64).fill_null(0x5D1C_A0F3).to_numpy()
        return numbers.astype(np.uint64)
    if kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum):
        texts = column.cast(pl.String)
        distinct = texts.unique()
        # Each distinct text once: keys repeat, and there is no vectorised checksum.
        sums = [zlib.crc32(text.encode()) if text is not None else 0 for text in distinct.to_list()]
        return texts.replace_strict(distinct, pl.Series(sums, dtype=pl.UInt64)).to_numpy()
    raise InvalidInput(
        f"the key column {column.name!r} holds {kind}",
        fix="keys are text, whole numbers, bools or times; convert it where the data is made",
    )


def _mix(words: Words) -> Words:
    """Mix all bits of each word (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
