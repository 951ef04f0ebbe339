"""Pushed events on their way from the log to the online store.

Beside the views' values lie, in the same batches: how far the log was read (cursor `intake`), the ids of what was taken in,
the offsets of streams, and the events that will only be known later. So a kill loses and repeats nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec
import polars as pl

from treadle.define.sources import Source
from treadle.define.views import View
from treadle.loop.frontier import BEFORE_ALL
from treadle.loop.intake import POSITIONS, position_key, seen_view
from treadle.ports.log import LogReader
from treadle.ports.online import Batch, Online
from treadle.records.instants import DAY, Duration, Instant
from treadle.records.intake import Event, Record, decode_record, encode_record
from treadle.records.rows import CREATED_TIME, EVENT_ID, EVENT_TIME, KNOWN_AT, PUSHED, ROW, TOMBSTONE
from treadle.stages.data.pushed import stored_events
from treadle.stages.features.state import Value
from treadle.stages.features.writer import make_applier

CURSOR = "intake"
"""The online store's cursor: the events of the log up to this position are in it."""
WAITING = "intake/waiting"
"""The online store's view of events that are in it but will only be known later."""
SMALLEST_CATCH_UP = 256 << 10
"""Bytes of the log that an answer may wait to be applied."""
NEVER: Instant = 2**63 - 1
_PORTION = 5_000
_PLACE = struct.Struct(">qq")

Rows: TypeAlias = "Mapping[str, pl.DataFrame]"


@dataclass(slots=True)
class Portion:
    """Records of the log in order, to be applied together."""

    position: int
    """The position after the last of them."""
    events: list[tuple[Instant, int, Event]] = field(default_factory=list)
    """(known_at, row number, event)."""
    offsets: dict[bytes, bytes] = field(default_factory=dict)
    """The newest offset of each partition, as they go into `POSITIONS`."""
    complete_to: Instant | None = None
    """When more records follow: the instant up to which nothing of them can be known."""


class PushedOnline:
    """The events of the log, applied to the views of their sources as they become known.

    Used by one thread at a time. What it remembers changes only by `accept`, after the batch was committed.

    Args:
        views: the views to keep up to date.
        sources: the sources that take in events.
        log: the event log.
        remember: for how long the id of an event is kept; one that is offered again later counts as new.
    """

    def __init__(
        self,
        views: Sequence[View],
        sources: Sequence[Source],
        log: LogReader,
        *,
        remember: Duration | None = 30 * DAY,
    ) -> None:
        self.position = 0
        self.remember = remember
        self._sources = tuple(sources)
        self._log = log
        self._waiting: list[tuple[Instant, int, Event]] = []
        self._appliers = {
            source.name: make_applier(source.name, on_it)
            for source in sources
            if (on_it := [view for view in views if view.source.name == source.name])
        }

    def open(self, online: Online) -> bool:
        """Take up what the online store holds; False when it must be filled anew.

        That is so when the log does not reach as far as the store, or has lost what the store lacks.
        """
        stored = online.cursor(CURSOR)
        position = 0 if stored is None else int.from_bytes(stored, "big")
        if stored is None and self._log.end() == 0:
            return True
        if stored is None or not self._log.start() <= position <= self._log.end():
            return False
        waiting = [(*_PLACE.unpack(key), decode_record(value)) for key, value in online.scan(WAITING)]
        self._waiting = [(known, row, event) for known, row, event in waiting if isinstance(event, Event)]
        self.position = position
        return True

    def newest(self) -> Instant:
        """Return when the newest record that is not applied was received; long ago when there is none."""
        found = BEFORE_ALL
        for _, data in self._log.read(self.position):
            found = decode_record(data).received_at
        return found

    def end(self) -> int:
        """Return the end of the log."""
        return self._log.end()

    def next_known(self) -> Instant:
        """Return when the first of the waiting events becomes known."""
        return self._waiting[0][0] if self._waiting else NEVER

    def read(self, end: int, *, limit: int = _PORTION) -> Portion:
        """Return the next records of the log, at most `limit` and none behind `end`."""
        portion = Portion(self.position)
        if end <= self.position:
            return portion
        for count, (after, data) in enumerate(self._log.read(self.position)):
            if after > end:
                break
            record = decode_record(data)
            if count >= limit:
                portion.complete_to = record.received_at - 1
                break
            portion.position = after
            _gather(portion, record, after)
        return portion

    def apply(self, batch: Batch, portion: Portion, at: Instant) -> int:
        """Apply what is known by an instant and keep the rest waiting; returns the number of events applied."""
        come = [entry for entry in self._waiting if entry[0] <= at]
        due = [entry for entry in portion.events if entry[0] <= at]
        for known_at, row, event in sorted([*come, *due], key=_place):
            self._apply(batch, known_at, row, event)
        for known_at, row, _ in come:
            batch.delete(WAITING, _PLACE.pack(known_at, row))
        for known_at, row, event in portion.events:
            batch.put(seen_view(event.source), event.event_id.encode(), _age(event.received_at))
            if known_at > at:
                batch.put(WAITING, _PLACE.pack(known_at, row), encode_record(event))
        for key, offset in portion.offsets.items():
            batch.put(POSITIONS, key, offset)
        batch.set_cursor(CURSOR, portion.position.to_bytes(8, "big"))
        return len(come) + len(due)

    def accept(self, portion: Portion, at: Instant) -> None:
        """Remember that the portion was applied at an instant; called after the commit."""
        later = [entry for entry in (*self._waiting, *portion.events) if entry[0] > at]
        self._waiting = sorted(later, key=_place)
        self.position = portion.position

    def fill(self, batch: Batch, at: Instant, pushed: Mapping[str, pl.DataFrame], loaded: Rows) -> Portion:
        """Begin anew in a batch that is empty of everything pushed; returns what is still to be applied.

        That is the events of the log that the tables lack, and those of the tables that are known only after `at`; the
        others are the caller's to apply. The ids of loaded rows count as taken in, where their source declares them.

        Args:
            batch: where the ids go.
            at: the instant the store is filled for.
            pushed: the pushed rows of the tables, by source.
            loaded: the stored rows of each source.
        """
        self._waiting = []
        rest = Portion(self._log.start())
        reached: dict[str, int] = {}
        for source in self._sources:
            ids: list[str] = []
            if source.event_id is not None and source.name in loaded:
                ids += _texts(loaded[source.name].filter(pl.col(ROW) < PUSHED)[source.event_id])
            rows = pushed.get(source.name)
            if rows is not None:
                ids += _texts(rows[EVENT_ID])
                reached[source.name] = int(rows[ROW].max()) - PUSHED  # type: ignore[arg-type]  # an int64 column
                rest.events += stored_events(source, rows.filter(pl.col(KNOWN_AT) > at))
            for event_id in ids:
                batch.put(seen_view(source.name), event_id.encode(), _age(at))
        for after, data in self._log.read(0):
            rest.position = after
            record = decode_record(data)
            if after > reached.get(record.source, -1):
                _gather(rest, record, after)
        return rest

    def prune(self, online: Online, at: Instant, *, portion: int = 10_000) -> int:
        """Forget the ids that are older than is remembered; returns how many.

        Cost: 0.3 µs for each id that is kept, 2 µs for each that goes; others can write between portions.
        """
        if self.remember is None:
            return 0
        before, forgotten = _age(at - self.remember), 0
        for source in self._sources:
            view = seen_view(source.name)
            old = [key for key, age in online.scan(view) if age < before]
            for first in range(0, len(old), portion):
                with online.begin() as batch:
                    for key in old[first : first + portion]:
                        batch.delete(view, key)
            forgotten += len(old)
        return forgotten

    def _apply(self, batch: Batch, known_at: Instant, row: int, event: Event) -> None:
        applier = self._appliers.get(event.source)
        if applier is None:
            return
        canonical: dict[str, Value] = {
            EVENT_TIME: event.event_time,
            CREATED_TIME: event.created_time,
            TOMBSTONE: event.tombstone,
        }
        fields = event.fields
        values = [canonical[c] if c in canonical else fields.get(c) for c in applier.columns]
        applier.apply(batch, known_at, row, values)


def _gather(portion: Portion, record: Record, after: int) -> None:
    if isinstance(record, Event):
        portion.events.append((record.known_at, PUSHED + after, record))
    if record.partition is not None:
        portion.offsets[position_key(record.source, record.partition)] = msgspec.msgpack.encode(record.offset)


def _texts(ids: pl.Series) -> list[str]:
    texts: list[str] = ids.drop_nulls().cast(pl.String).to_list()
    return texts


def _place(entry: tuple[Instant, int, Event]) -> tuple[Instant, int]:
    return entry[0], entry[1]


def _age(at: Instant) -> bytes:
    return at.to_bytes(8, "big", signed=True)
