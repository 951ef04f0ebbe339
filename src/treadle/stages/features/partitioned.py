"""Lookups in partitions: stored rows are read once and spilled by partition, then each partition is answered by itself.

What is held at a time, beside the rows asked about and the answers, is one partition (or as many as an executor is given
at once) and the rows waiting to be spilled. The spilled rows take as much room on disk as the columns that are read take
in memory; they are removed afterwards.
"""

from __future__ import annotations

import math
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from treadle.define.views import View
from treadle.ports.executor import Executor, Handle, Task
from treadle.stages.features.carried import RUN_PART, look_up, pack_frame, pack_question, unpack_frame
from treadle.stages.features.events import Ints
from treadle.stages.features.partition import MOST, merge, partition_of, places_of, split

_WORKING = 4
"""A lookup holds about this many times the rows it is given: the rows, their order, what it makes of them."""
_BATCH = 1 << 17
"""Rows read at a time, at least."""
_TEXT = 32
"""Bytes reckoned for a text."""


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How lookups are divided.

    Args:
        memory: bytes that a lookup may hold beside the rows asked about and the answers; None for no bound. One key's rows
            are never divided, so they must fit.
        parts: how many partitions at least.
        executor: where partitions are answered; None for this process.
        at_once: partitions an executor has at a time: its workers, and one or two that wait.
        scratch: the folder where rows are spilled; None for the system's temporary folder.
    """

    memory: int | None = None
    parts: int = 1
    executor: Executor | None = None
    at_once: int = 2
    scratch: Path | None = None

    def parts_of(self, rows: pl.LazyFrame) -> int:
        """Return how many partitions the rows need. Cost: counting them, which reads no data of a stored table."""
        if self.memory is None:
            return min(self.parts, MOST)
        count: int = rows.select(pl.len()).collect().item()
        held = _WORKING * count * row_bytes(rows.collect_schema())
        share = self.memory // (1 if self.executor is None else self.at_once)
        return min(max(self.parts, math.ceil(held / max(share, 1))), MOST)


def row_bytes(schema: pl.Schema) -> int:
    """Return about how many bytes a row takes in memory. Pure."""
    return sum(
        _TEXT if kind in (pl.String, pl.Binary) else 1 if kind == pl.Boolean else 8
        for kind in schema.dtypes()
    )


def lookup_in_parts(
    view: View, rows: pl.LazyFrame, spine: pl.DataFrame, at: Ints, parts: int, how: Partitioning
) -> pl.DataFrame:
    """Return a view's features as known at each row's T: the same as in one piece, to the bit.

    Args:
        view: what to look up.
        rows: the columns of its stored rows that are used.
        spine: rows that have the entity's key columns.
        at: T of each row, shape (rows,).
        parts: how many partitions.
        how: where they are answered, and where rows are spilled.

    Raises:
        TaskFailed, WorkerDied: an executor could not answer a partition; nothing is retried.
    """
    keys = list(view.entity.keys)
    asked = dict(places_of(partition_of(spine, keys, parts)))
    nothing = (np.empty(0, np.int64), look_up(view, rows.clear().collect(), spine.clear(), at[:0]))
    with tempfile.TemporaryDirectory(prefix="treadle-parts-", dir=how.scratch) as folder:
        spilled = Spill(Path(folder), rows.collect_schema())
        spilled.take(rows, keys, parts, how.memory)
        if how.executor is None:
            answers = [
                (places, look_up(view, spilled.rows(part), spine[places], at[places]))
                for part, places in asked.items()
            ]
        else:
            answers = list(_by_executor(view, spilled, spine, at, asked, how.executor, how.at_once))
    return merge([nothing, *answers], spine.height)


def _by_executor(
    view: View,
    spilled: Spill,
    spine: pl.DataFrame,
    at: Ints,
    asked: dict[int, Ints],
    executor: Executor,
    at_once: int,
) -> Iterator[tuple[Ints, pl.DataFrame]]:
    """Have an executor answer the partitions, some at a time, in order."""
    waiting: deque[tuple[Ints, Handle]] = deque()
    try:
        for part, places in asked.items():
            payload = pack_question(view, spilled.chunks(part), spine[places], at[places])
            waiting.append(
                (places, executor.submit(Task(RUN_PART, payload, name=f"{view.name} part {part}")))
            )
            del payload
            if len(waiting) >= at_once:
                yield _answered(waiting)
        while waiting:
            yield _answered(waiting)
    finally:
        for _, handle in waiting:  # one has failed
            handle.cancel()


def _answered(waiting: deque[tuple[Ints, Handle]]) -> tuple[Ints, pl.DataFrame]:
    places, handle = waiting[0]
    answer = unpack_frame(handle.result())
    waiting.popleft()
    return places, answer


class Spill:
    """Rows on disk by partition: one file each, of chunks with their length before them."""

    def __init__(self, folder: Path, schema: pl.Schema) -> None:
        self._folder = folder
        self._nothing = pl.DataFrame(schema=schema)

    def take(self, rows: pl.LazyFrame, keys: list[str], parts: int, memory: int | None) -> None:
        """Read all rows once, and write each to its partition's file, in the order they come.

        They are read in slices: a reader of batches works ahead, and holds several row groups of a file at a time.
        """
        if memory is None:
            self._divide(rows.collect(), keys, parts)
            return
        step = max(_BATCH, memory // 8 // row_bytes(rows.collect_schema()))
        read, last = 0, step
        while last == step:
            slice_ = rows.slice(read, step).collect()
            last = slice_.height
            read += last
            self._divide(slice_, keys, parts)

    def rows(self, part: int) -> pl.DataFrame:
        """Return a partition's rows."""
        return pl.concat([unpack_frame(chunk) for chunk in self.chunks(part)])

    def chunks(self, part: int) -> list[bytes]:
        """Return a partition's rows as they lie on disk; at least one chunk, which may be empty."""
        place = self._place(part)
        found = []
        if place.exists():
            with place.open("rb") as file:
                while head := file.read(8):
                    found.append(file.read(int.from_bytes(head, "little")))
        return found or [pack_frame(self._nothing)]

    def _divide(self, rows: pl.DataFrame, keys: list[str], parts: int) -> None:
        for part, inside in split(rows, partition_of(rows, keys, parts)):
            self._write(part, inside)

    def _write(self, part: int, rows: pl.DataFrame) -> None:
        packed = pack_frame(rows)
        with self._place(part).open("ab") as file:
            file.write(len(packed).to_bytes(8, "little"))
            file.write(packed)

    def _place(self, part: int) -> Path:
        return self._folder / f"{part:05}"
