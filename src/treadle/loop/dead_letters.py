"""Dead letters by hand: what is kept of them, and which of them would be rows today.

They stay in their table; those that were taken in later are noted in a checkpoint, and no longer counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.define.sources import Source
from treadle.loop.pushed_tables import DEAD_LETTERS
from treadle.ports.metadata import Metadata
from treadle.ports.tables import Tables
from treadle.records.instants import Instant
from treadle.records.messages import CELLS, CONTENT_TYPE_HEADER, Message
from treadle.stages.data.consume import Undecodable, decode
from treadle.stages.data.intake import Row, check_rows

_CHECKPOINT = "dead-letters/"


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as its table has it."""

    position: int
    """Its place in the event log; no other has it."""
    source: str
    received_at: Instant
    event_id: str | None
    partition: str | None
    offset: str | None
    reasons: tuple[str, ...]
    raw: bytes


def kept_letters(tables: Tables, metadata: Metadata, source: str) -> list[KeptLetter]:
    """Return the dead letters of a source that were not taken in since, the newest first."""
    if not tables.exists(DEAD_LETTERS):
        return []
    gone = _retried(metadata, source)
    rows = tables.read(DEAD_LETTERS).filter(pl.col("source") == source)
    rows = rows.with_columns(pl.col("received_at").to_physical()).sort("position", descending=True)
    letters = (
        KeptLetter(
            row["position"],
            source,
            row["received_at"],
            row["event_id"],
            row["partition"],
            row["offset"],
            tuple(row["reasons"]),
            row["raw"],
        )
        for row in rows.collect().iter_rows(named=True)
    )
    return [letter for letter in letters if letter.position not in gone]


def count_letters(tables: Tables, metadata: Metadata) -> Mapping[str, int]:
    """Return how many dead letters each source has that were not taken in since."""
    if not tables.exists(DEAD_LETTERS):
        return {}
    rows = tables.read(DEAD_LETTERS).select("source", "position").collect()
    counts = Counter(rows["source"].to_list())
    for name in counts:
        gone = _retried(metadata, name)
        if gone:
            here = set(rows.filter(pl.col("source") == name)["position"].to_list())
            counts[name] -= len(gone & here)
    return counts


@dataclass(frozen=True, slots=True)
class Again:
    """Dead letters looked at once more."""

    rows: tuple[tuple[KeptLetter, Row], ...]
    """Those that are rows now."""
    faulty: tuple[tuple[KeptLetter, tuple[str, ...]], ...]
    """The others, with what is wrong with them today."""


def look_again(source: Source, letters: Sequence[KeptLetter], now: Instant) -> Again:
    """Return which dead letters are rows of the source as it is defined now. Pure."""
    rows: list[tuple[KeptLetter, Row]] = []
    faulty: list[tuple[KeptLetter, tuple[str, ...]]] = []
    for letter in letters:
        faults: tuple[str, ...] = ()
        for row in _readings(source, letter):
            if isinstance(row, Undecodable):
                faults = faults or row.reasons
                continue
            named = None if letter.event_id is None else [letter.event_id]
            found = check_rows(source, [row], now, ids=named).faults.get(0)
            if not found:
                rows.append((letter, row))
                break
            faults = faults or tuple(found)
        else:
            faulty.append((letter, faults))
    return Again(tuple(rows), tuple(faulty))


def note_retried(metadata: Metadata, source: str, letters: Sequence[KeptLetter], at: Instant) -> None:
    """Note that dead letters were taken in."""
    with metadata.begin() as unit:
        checkpoint = unit.checkpoints.get(_CHECKPOINT + source)
        before = checkpoint.value if checkpoint is not None else []
        known = {place for place in before if isinstance(place, int)} if isinstance(before, list) else set()
        places = sorted(known | {letter.position for letter in letters})
        unit.checkpoints.put(_CHECKPOINT + source, list(places), at)


def _readings(source: Source, letter: KeptLetter) -> Iterator[Row | Undecodable]:
    """Yield what a letter can be read as: what its bytes are, and a row of text cells."""
    for headers in ({}, {CONTENT_TYPE_HEADER: CELLS}):
        yield decode(Message(letter.raw, None, "", 0, None, headers), source.columns)


def _retried(metadata: Metadata, source: str) -> set[int]:
    with metadata.read() as view:
        checkpoint = view.checkpoints.get(_CHECKPOINT + source)
    value = None if checkpoint is None else checkpoint.value
    return {place for place in value if isinstance(place, int)} if isinstance(value, list) else set()
