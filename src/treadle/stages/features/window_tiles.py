"""The online state of a window view of accuracy "tile": rings of tiles, one per width in use, in one value per entity.

The state is a head (the layout's name, the newest event time, the number of tiles of each ring), then the rings
(`window_rings`).

Windows end before T, and the only events known by T that are not before T are those at T itself. So each ring has a
shadow, its last entry as it was before the newest instant, and a read at the newest instant takes it instead of the last
tile. All else of a tile is in or out as a whole.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from treadle.define.aggregates import Aggregate, hop_of
from treadle.records.instants import Instant
from treadle.stages.features.channels import Reading
from treadle.stages.features.window_layout import check_head, number_in
from treadle.stages.features.window_reading import LAST, MAX, MIN, ROWS, Task, nothing, summed, task_of
from treadle.stages.features.window_rings import ALWAYS, NEVER, Event, RingUpdate, head_of_rings, rings_of


class TileWriter:
    """Adds events to the tiles of one view's entities.

    Args:
        features: all aggregates of the view.
    """

    def __init__(self, features: Sequence[Aggregate]) -> None:
        self._rings = rings_of(features)
        self._head = head_of_rings(self._rings)
        self._opening = 2 + len(self._rings)
        self._pack_opening = struct.Struct(f"<{self._opening}q").pack
        slots = [slot for ring in self._rings for slot in ring.layout.slots]
        self.channels = tuple(dict.fromkeys(slot.channel for slot in slots))
        self._updates = [RingUpdate(ring, self.channels.index) for ring in self._rings]
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
        event = Event(event_time, created_time, row, readings)
        for i, update in enumerate(self._updates):
            end = at + (2 + counts[i]) * update.stride
            if event_time > newest:
                pieces, counts[i] = update.forward(stored, at, counts[i], event, known_at)
            else:
                held = stored[at * 8 : end * 8]
                pieces, counts[i] = update.back(held, event, known_at, event_time == newest)
            parts += pieces
            at = end
        parts[0] = self._pack_opening(self._head, max(newest, event_time), *counts)
        return b"".join(parts)

    @property
    def empty(self) -> bytes:
        """The state without events."""
        return self._empty

    def canonical(self, stored: bytes, now: Instant) -> bytes:
        """Return the one form of all states that answer alike from an instant on: no expired tiles, totals from there.

        Raises:
            Corrupt: the state has another layout.
            ValueError: the bytes are no state.
        """
        words = np.frombuffer(stored, np.int64)
        if len(words) < self._opening:
            raise ValueError("the state ends within its head")
        check_head(int(words[0]), self._head)
        counts = words[2 : self._opening].tolist()
        newest = NEVER
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
            newest = int(words[1]) if len(tiles) else newest
            parts += [shadow.tobytes(), self._updates[i].blank, tiles.tobytes()]
        return self._pack_opening(self._head, newest, *counts) + b"".join(parts)


class TileReader:
    """Reads some of a view's aggregates from the tiles of one entity.

    Args:
        every: all aggregates of the view, which the layout comes from.
        features: those to read, in the order of the answers.
    """

    def __init__(self, every: Sequence[Aggregate], features: Sequence[Aggregate]) -> None:
        rings = rings_of(every)
        self._rings = rings
        self._head = head_of_rings(rings)
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
        if words[at] not in (NEVER, ALWAYS):
            return number_in(words[at + 3])
    return None
