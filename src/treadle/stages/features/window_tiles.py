"""The online state of a window view of accuracy "tile": rings of tiles, one per width in use, in one value per entity.

The state is a head (the layout's name, the newest event time, the number of tiles of each ring), then the rings. A ring is: the
shadow, the base, then its tiles in order of time, empty ones left out. Entries hold running totals and a tile's own
words (see `window_layout`); the base holds the totals before the first tile. A tile is dropped when the longest window of its
ring has passed it, so a ring has at most `window / width + 2` tiles.

The shadow is the last entry as it was before the newest instant. Windows end before T, and the only events known by T that are
not before T are those at T itself, so a read at the newest instant takes the shadow instead of the last tile. All else of
a tile is in or out as a whole.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import nan
from typing import cast

import numpy as np

from treadle.define.aggregates import Aggregate, hop_of
from treadle.records.instants import Duration, Instant
from treadle.stages.features.channels import Channel, Reading
from treadle.stages.features.window_layout import (
    Layout,
    add,
    check_head,
    head_of,
    number_in,
    running_adds,
    tile_layout,
    word_of,
)
from treadle.stages.features.window_reading import LAST, MAX, MIN, ROWS, Task, nothing, summed, task_of

NEVER = -(1 << 63)
"""The time of an entry that is no tile, and of a first or last event that is not there."""


@dataclass(frozen=True, slots=True)
class Ring:
    """The tiles of one width, and the aggregates they serve."""

    hop: Duration
    longest: Duration
    layout: Layout

    def begin(self, at: Instant) -> Instant:
        """Return the start of the first tile that a window ending at or after an instant can need."""
        return (at - self.longest) // self.hop * self.hop


def rings_of(features: Sequence[Aggregate]) -> tuple[Ring, ...]:
    """Return the rings of some aggregates, narrow tiles first."""
    by_hop: dict[Duration, list[Aggregate]] = {}
    for feature in sorted(features, key=lambda f: f.over):
        by_hop.setdefault(hop_of(feature.over), []).append(feature)
    return tuple(Ring(hop, max(f.over for f in some), tile_layout(some)) for hop, some in by_hop.items())


def _head(rings: Sequence[Ring]) -> int:
    return head_of("tile", [(ring.hop, ring.layout) for ring in rings])


@dataclass(frozen=True, slots=True)
class _Event:
    event_time: Instant
    created_time: Instant
    row: int
    readings: Sequence[Reading]


class TileWriter:
    """Adds events to the tiles of one view's entities.

    Args:
        features: all aggregates of the view.
    """

    def __init__(self, features: Sequence[Aggregate]) -> None:
        self._rings = rings_of(features)
        self._head = _head(self._rings)
        self._opening = 2 + len(self._rings)
        self._pack_opening = struct.Struct(f"<{self._opening}q").pack
        slots = [slot for ring in self._rings for slot in ring.layout.slots]
        self.channels = tuple(dict.fromkeys(slot.channel for slot in slots))
        self._updates = [_Update(ring, self.channels.index) for ring in self._rings]
        empty = [self._pack_opening(self._head, NEVER, *[0] * len(self._rings))]
        empty += [update.blank * 2 for update in self._updates]
        self._empty = b"".join(empty)

    def append(
        self,
        stored: bytes | None,
        event_time: Instant,
        created_time: Instant,
        row: int,
        known_at: Instant,
        readings: Sequence[Reading],
    ) -> bytes:
        """Return the state with one more event in the one tile of each ring that it falls in.

        See `EventWriter.append`. An event older than a ring's longest window leaves that ring as it is.
        """
        stored = self._empty if stored is None else stored
        words = memoryview(stored).cast("q")
        if words[0] != self._head:
            check_head(words[0], self._head)
        newest = words[1]
        counts = words[2 : self._opening].tolist()
        at = self._opening
        parts = [b""]
        for i, update in enumerate(self._updates):
            end = at + (2 + counts[i]) * update.stride
            if event_time > newest:
                pieces, counts[i] = update.forward(
                    stored, at, counts[i], event_time, created_time, row, known_at, readings
                )
            else:
                pieces, counts[i] = update.back(
                    stored[at * 8 : end * 8],
                    _Event(event_time, created_time, row, readings),
                    known_at,
                    event_time == newest,
                )
            parts += pieces
            at = end
        parts[0] = self._pack_opening(self._head, max(newest, event_time), *counts)
        return b"".join(parts)

    def canonical(self, stored: bytes, now: Instant) -> bytes:
        """Return the one form of all states that answer alike from an instant on: no expired tiles, totals from there."""
        words = np.frombuffer(stored, np.int64)
        counts = words[2 : self._opening].tolist()
        at, parts = self._opening, []
        for i, ring in enumerate(self._rings):
            layout, total = ring.layout, 2 + counts[i]
            entries = words[at : at + total * layout.stride].reshape(total, layout.stride).copy()
            at += total * layout.stride
            keep = entries[2:, 0] >= ring.begin(now)
            base = entries[1 + int((~keep).sum()), 1 : layout.own].copy()
            entries[:, 1 : layout.own] -= base
            shadow = entries[:1]
            if not keep.any() or shadow[0, 0] < ring.begin(now):
                shadow = np.frombuffer(self._updates[i].blank, np.int64).reshape(1, -1)
            tiles = entries[2:][keep]
            counts[i] = len(tiles)
            parts += [shadow.tobytes(), self._updates[i].blank, tiles.tobytes()]
        return self._pack_opening(self._head, int(words[1]), *counts) + b"".join(parts)


class _Update:
    """How an event changes one ring."""

    def __init__(self, ring: Ring, index: Callable[[Channel], int]) -> None:
        layout = ring.layout
        self.ring = ring
        self.stride = layout.stride
        kinds = ["q"] * layout.stride
        for slot in layout.slots:
            for place in (slot.low, slot.high):
                if place:
                    kinds[place] = "d"
        self._struct = struct.Struct("<" + "".join(kinds))
        own: list[int | float] = [nan if kind == "d" else 0 for kind in kinds]
        for slot in layout.slots:
            for place in (slot.first, slot.last):
                if place:
                    own[place] = NEVER
        self._own = own[layout.own :]
        self.blank = self._struct.pack(NEVER, *[0] * (layout.own - 1), *self._own)
        self._steps = [
            (index(s.channel), s.count, s.sums, s.squares, s.low, s.high, s.first, s.last, s)
            for s in layout.slots
        ]

    def forward(
        self,
        stored: bytes,
        at: int,
        count: int,
        event_time: Instant,
        created_time: Instant,
        row: int,
        known_at: Instant,
        readings: Sequence[Reading],
    ) -> tuple[list[bytes], int]:
        """Return the ring with an event later than all others, in pieces, and its number of tiles.

        Args:
            stored: the state.
            at: the word at which the ring begins.
            count: its number of tiles.
            event_time, created_time, row, known_at, readings: see `EventWriter.append`.
        """
        ring, size, shape = self.ring, self.stride * 8, self._struct
        begin = at * 8
        final = begin + (1 + count) * size
        shadow = stored[final : final + size]
        start = event_time // ring.hop * ring.hop
        expired = ring.begin(known_at)
        if start < expired:  # so late that no window will see it
            return [shadow, stored[begin + size : final + size]], count
        entry = list(shape.unpack_from(stored, final))
        if count and entry[0] == start:
            self._merge(entry, event_time, created_time, row, readings)
            return [shadow, stored[begin + size : final], shape.pack(*entry)], count
        entry = [start, *entry[1 : ring.layout.own], *self._own]
        self._merge(entry, event_time, created_time, row, readings)
        first = begin + 2 * size
        dropped = 0
        while dropped < count and _time_at(stored, first + dropped * size) < expired:
            dropped += 1
        if not dropped:
            return [shadow, stored[begin + size : final + size], shape.pack(*entry)], count + 1
        base = list(shape.unpack_from(stored, first + (dropped - 1) * size))
        blank = shape.pack(NEVER, *base[1 : ring.layout.own], *self._own)
        return (
            [shadow, blank, stored[first + dropped * size : final + size], shape.pack(*entry)],
            count + 1 - dropped,
        )

    def back(self, held: bytes, event: _Event, known_at: Instant, at_newest: bool) -> tuple[list[bytes], int]:
        """Return the ring with an event that is not later than all others, and its number of tiles.

        Args:
            held: the ring.
            event: what to add.
            known_at: when it became known.
            at_newest: whether it is as late as the newest, so that the shadow leaves it out too.
        """
        ring, size, shape = self.ring, self.stride * 8, self._struct
        count = len(held) // size - 2
        start = event.event_time // ring.hop * ring.hop
        if start < ring.begin(known_at):
            return [held], count
        words = np.frombuffer(held, np.int64).reshape(-1, self.stride)
        place = 2 + bisect_left(words[2:, 0].tolist(), start)
        after = words[place:]
        if place < len(words) and words[place, 0] == start:
            entry = list(shape.unpack_from(held, place * size))
            after = words[place + 1 :]
        else:
            entry = self._fresh(list(shape.unpack_from(held, (place - 1) * size)), start)
        self._merge(entry, event.event_time, event.created_time, event.row, event.readings)
        adds = self._adds(event.readings)
        later = after.copy()
        later[:, 1 : ring.layout.own] += adds
        shadow = held[:size] if at_newest else self._under(held[:size], event, start, adds)
        pieces = [shadow, held[size : place * size], shape.pack(*entry), later.tobytes()]
        return pieces, place - 1 + len(later)

    def _under(self, shadow: bytes, event: _Event, start: Instant, adds: np.ndarray) -> bytes:
        """Return the shadow with an event before the newest instant."""
        entry = list(self._struct.unpack(shadow))
        if entry[0] > start:
            words = np.frombuffer(shadow, np.int64).copy()
            words[1 : self.ring.layout.own] += adds
            return words.tobytes()
        if entry[0] < start:
            entry = self._fresh(entry, start)
        self._merge(entry, event.event_time, event.created_time, event.row, event.readings)
        return self._struct.pack(*entry)

    def _fresh(self, before: list[int | float], start: Instant) -> list[int | float]:
        return [start, *before[1 : self.ring.layout.own], *self._own]

    def _adds(self, readings: Sequence[Reading]) -> np.ndarray:
        adds = (running_adds(step[-1], readings[step[0]]) for step in self._steps)
        return np.array(list(chain.from_iterable(adds)), np.int64)

    def _merge(
        self,
        entry: list[int | float],
        event_time: Instant,
        created_time: Instant,
        row: int,
        readings: Sequence[Reading],
    ) -> None:
        """Put an event into a tile's words."""
        for index, count, sums, squares, low, high, first, last, slot in self._steps:
            reading = readings[index]
            if reading is None:
                continue
            if sums:
                adds = running_adds(slot, reading)
                end = count + len(adds)
                entry[count:end] = add(cast("list[int]", entry[count:end]), adds)
            elif count:
                entry[count] += 1
            # Against NaN every comparison is false, so "not" puts a first number in.
            if low and not entry[low] <= reading:
                entry[low] = reading
            if high and not entry[high] >= reading:
                entry[high] = reading
            if first or last:
                self._end_points(entry, first, last, (event_time, created_time, row), reading)

    @staticmethod
    def _end_points(
        entry: list[int | float], first: int, last: int, order: tuple[int, int, int], reading: float
    ) -> None:
        word = word_of(reading)
        if first and (entry[first] == NEVER or order < tuple(entry[first : first + 3])):
            entry[first : first + 4] = (*order, word)
        if last and (entry[last] == NEVER or order > tuple(entry[last : last + 3])):
            entry[last : last + 4] = (*order, word)


def _time_at(stored: bytes, offset: int) -> int:
    return int.from_bytes(stored[offset : offset + 8], "little", signed=True)


class TileReader:
    """Reads some of a view's aggregates from the tiles of one entity.

    Args:
        every: all aggregates of the view, which the layout comes from.
        features: those to read, in the order of the answers.
    """

    def __init__(self, every: Sequence[Aggregate], features: Sequence[Aggregate]) -> None:
        rings = rings_of(every)
        self._rings = rings
        self._head = _head(rings)
        self._opening = 2 + len(rings)
        hops = [ring.hop for ring in rings]
        placed = [(hops.index(hop_of(f.over)), f) for f in features]
        self._tasks = [task_of(f, rings[ring].layout) for ring, f in placed]
        self._by_ring = [
            [(position, self._tasks[position]) for position, (ring, _) in enumerate(placed) if ring == wanted]
            for wanted in range(len(rings))
        ]

    def newest(self, stored: bytes, at: Instant) -> Instant | None:
        """Return about when the newest event before an instant was: exactly if it is the newest of all, else its tile."""
        words = memoryview(stored).cast("q")
        check_head(words[0], self._head)
        if words[1] < at:
            return None if words[1] == NEVER else words[1]
        stride, count = self._rings[0].layout.stride, words[2]
        begin = self._opening + 2 * stride
        times = words[begin : begin + count * stride : stride].tolist()
        before = bisect_left(times, at)
        return times[before - 1] if before else None

    def read(self, stored: bytes | None, at: Instant) -> list[float | None]:
        """Return the aggregates at `at`.

        Cost: two binary searches per distinct window; smallest and largest also look at every tile of theirs. Some 10 µs for
        three windows.
        """
        out: list[float | None] = [nothing(task) for task in self._tasks]
        if stored is None:
            return out
        words = memoryview(stored).cast("q")
        if words[0] != self._head:
            check_head(words[0], self._head)
        if words[1] >= at:
            stored = self._before(stored, words[1])
            words = memoryview(stored).cast("q")
        begin = self._opening
        for i, ring in enumerate(self._rings):
            stride, count = ring.layout.stride, words[2 + i]
            base = begin + stride
            end = base + (1 + count) * stride
            times = words[base + stride : end : stride]
            last = bisect_left(times, at)
            window, first = -1, 0
            for position, task in self._by_ring[i]:
                if task.over != window:
                    window = task.over
                    first = bisect_left(times, (at - window) // ring.hop * ring.hop, 0, last)
                low_at, high_at = base + first * stride + task.place, base + last * stride + task.place
                if task.operation < MIN and task.operation != ROWS:
                    out[position] = summed(task, words, low_at, high_at)
                elif first < last:
                    out[position] = _own(task, stored, words, low_at + stride, high_at + stride, stride)
            begin = end
        return out

    def _before(self, stored: bytes, newest: Instant) -> bytes:
        """Return the state as it was before its newest instant."""
        words = memoryview(stored).cast("q")
        parts, begin = [b""], self._opening
        counts = words[2 : self._opening].tolist()
        for i, ring in enumerate(self._rings):
            stride = ring.layout.stride
            end = begin + (2 + counts[i]) * stride
            start = newest // ring.hop * ring.hop
            if counts[i] and words[end - stride] == start:
                shadow = stored[begin * 8 : (begin + stride) * 8]
                same = words[begin] == start
                parts += [stored[begin * 8 : (end - stride) * 8], shadow if same else b""]
                counts[i] -= 0 if same else 1
            else:
                parts.append(stored[begin * 8 : end * 8])
            begin = end
        parts[0] = struct.pack(f"<{self._opening}q", self._head, NEVER, *counts)
        return b"".join(parts)


def _own(task: Task, stored: bytes, words: memoryview, begin: int, end: int, stride: int) -> float | None:
    """Return an aggregate of tiles' own words: the word at `begin` and every stride after it, up to before `end`."""
    if task.operation in (MIN, MAX):
        numbers = np.frombuffer(stored, np.float64)[begin:end:stride]
        found = float(np.fmin.reduce(numbers) if task.operation == MIN else np.fmax.reduce(numbers))
        return found if found == found else None
    order = range(begin, end, stride)
    for at in reversed(order) if task.operation == LAST else order:
        if words[at] != NEVER:
            return number_in(words[at + 3])
    return None
