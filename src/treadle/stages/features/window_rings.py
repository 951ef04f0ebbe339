"""One ring of tiles: its bytes, and how an event changes them.

A ring is: the shadow, the base, then its tiles in order of time, empty ones left out. Entries hold running totals and a
tile's own words (see `window_layout`); the base holds the totals before the first tile. A tile is dropped when the longest
window of its ring has passed it, so a ring has at most `window / width + 2` tiles.

The shadow is the last entry as it was before the newest instant: see `window_tiles`.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from math import nan
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from treadle.define.aggregates import Aggregate, hop_of
from treadle.records.instants import Duration, Instant
from treadle.stages.features.channels import Channel, Reading
from treadle.stages.features.exact import split, wrap
from treadle.stages.features.window_layout import Layout, head_of, running_adds, tile_layout, word_of

NEVER = -(1 << 63)
"""The time of an entry that is no tile, and of a last event that is not there."""

ALWAYS = (1 << 63) - 1
"""The time of a first event that is not there."""


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


def head_of_rings(rings: Sequence[Ring]) -> int:
    """Return the word that names the layouts of some rings."""
    return head_of("tile", [(ring.hop, ring.layout) for ring in rings])


class Event(NamedTuple):
    """One event on its way into the tiles."""

    event_time: Instant
    created_time: Instant
    row: int
    readings: Sequence[Reading]


class RingUpdate:
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
            if slot.first:
                own[slot.first] = ALWAYS
            if slot.last:
                own[slot.last] = NEVER
        self._own = own[layout.own :]
        self.blank = self._struct.pack(NEVER, *[0] * (layout.own - 1), *self._own)
        self._steps = [(slot, index(slot.channel)) for slot in layout.slots]

    def forward(
        self,
        stored: bytes,
        at: int,
        count: int,
        event: Event,
        known_at: Instant,
    ) -> tuple[list[bytes], int]:
        """Return the ring with an event later than all others, in pieces, and its number of tiles.

        Args:
            stored: the state.
            at: the word at which the ring begins.
            count: its number of tiles.
            event: what to add.
            known_at: when it became known.
        """
        ring, size, shape = self.ring, self.stride * 8, self._struct
        begin = at * 8
        final = begin + (1 + count) * size
        shadow = stored[final : final + size]
        start = event.event_time // ring.hop * ring.hop
        expired = ring.begin(known_at)
        if start < expired:  # so late that no window will see it
            return [shadow, stored[begin + size : final + size]], count
        entry = list(shape.unpack_from(stored, final))
        if count and entry[0] == start:
            self._merge(entry, event)
            return [shadow, stored[begin + size : final], shape.pack(*entry)], count
        entry = [start, *entry[1 : ring.layout.own], *self._own]
        self._merge(entry, event)
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

    def back(self, held: bytes, event: Event, known_at: Instant, at_newest: bool) -> tuple[list[bytes], int]:
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
        self._merge(entry, event)
        adds = self._adds(event.readings)
        later = after.copy()
        later[:, 1 : ring.layout.own] += adds
        shadow = held[:size] if at_newest else self._under(held[:size], event, start, adds)
        pieces = [shadow, held[size : place * size], shape.pack(*entry), later.tobytes()]
        return pieces, place - 1 + len(later)

    def _under(self, shadow: bytes, event: Event, start: Instant, adds: npt.NDArray[np.int64]) -> bytes:
        """Return the shadow with an event before the newest instant."""
        entry = list(self._struct.unpack(shadow))
        if entry[0] > start:
            words = np.frombuffer(shadow, np.int64).copy()
            words[1 : self.ring.layout.own] += adds
            return words.tobytes()
        if entry[0] < start:
            entry = self._fresh(entry, start)
        self._merge(entry, event)
        return self._struct.pack(*entry)

    def _fresh(self, before: list[int | float], start: Instant) -> list[int | float]:
        return [start, *before[1 : self.ring.layout.own], *self._own]

    def _adds(self, readings: Sequence[Reading]) -> npt.NDArray[np.int64]:
        adds = (running_adds(slot, readings[index]) for slot, index in self._steps)
        return np.array(list(chain.from_iterable(adds)), np.int64)

    def _merge(self, entry: list[int | float], event: Event) -> None:
        """Put an event into a tile's words."""
        for slot, index in self._steps:
            reading = event.readings[index]
            if reading is None:
                continue
            if slot.squares:
                for at, more in enumerate(running_adds(slot, reading), slot.count):
                    entry[at] = wrap(int(entry[at]) + more)
            elif slot.sums:
                high, low = split(reading)
                entry[slot.count] += 1
                entry[slot.sums] = wrap(int(entry[slot.sums]) + high)
                entry[slot.sums + 1] = wrap(int(entry[slot.sums + 1]) + low)
            elif slot.count:
                entry[slot.count] += 1
            # Against NaN every comparison is false, so "not" puts a first number in.
            if slot.low and not entry[slot.low] <= reading:
                entry[slot.low] = reading
            if slot.high and not entry[slot.high] >= reading:
                entry[slot.high] = reading
            if slot.first and _earlier(event, entry, slot.first):
                entry[slot.first : slot.first + 4] = (*event[:3], word_of(reading))
            if slot.last and not _earlier(event, entry, slot.last):
                entry[slot.last : slot.last + 4] = (*event[:3], word_of(reading))


def _earlier(event: Event, entry: Sequence[int | float], place: int) -> bool:
    """Say whether an event comes before the one at a place of an entry; before NEVER does nothing."""
    return event[:3] < tuple(entry[place : place + 3])


def _time_at(stored: bytes, offset: int) -> int:
    return int.from_bytes(stored[offset : offset + 8], "little", signed=True)
