"""What the online store holds for one entity of one view, as bytes, and the rules that change and read it.

Latest value: a MessagePack array (event_time, created_time, row, known_at, tombstone, values). Kept by compare and set:
a row replaces the stored one when it is greater by (event_time, created_time, row).

Window: int64 entries of one stride, `1 + 3 * columns` each. The first entry is the base: the number of columns, then the
prefix sums before the first kept event. Every further entry is one event: its time, then per column the running (count,
high, low) up to and including it. A window is then two binary searches and one subtraction a column.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from treadle.define.aggregates import Aggregate
from treadle.define.views import WindowView
from treadle.records.instants import Instant
from treadle.stages.features.exact import join, split, wrap

Value: TypeAlias = bool | int | float | str | None


class Latest(msgspec.Struct, frozen=True, array_like=True):
    """The best row known so far of one entity of a latest-value view."""

    event_time: Instant
    created_time: Instant
    row: int
    known_at: Instant
    tombstone: bool
    values: list[Value]


_HALF = 1 << 63
_PACK = {stride: struct.Struct(f"<{stride}q").pack for stride in (1, 4, 7)}
"""Packing prepared for entries of no, one and two columns, the usual ones."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Latest).decode


def newer(stored: bytes | None, candidate: Latest) -> bytes | None:
    """Return the bytes to store when the candidate is better than what is stored, else None."""
    if stored is not None:
        held = _decode(stored)
        if (held.event_time, held.created_time, held.row) >= (
            candidate.event_time,
            candidate.created_time,
            candidate.row,
        ):
            return None
    return _encode(candidate)


def latest_values(stored: bytes | None, at: Instant, ttl: int | None) -> list[Value] | None:
    """Return the values usable at `at`, or None when there are none: absent, deleted, not yet known, or expired."""
    if stored is None:
        return None
    held = _decode(stored)
    if held.tombstone or held.known_at > at or (ttl is not None and at - held.event_time > ttl):
        return None
    return held.values


def append_event(
    stored: bytes | None, event_time: Instant, values: Sequence[float | None], cutoff: Instant
) -> bytes:
    """Return the window state with one more event, without events before the cutoff once they are half of it.

    Args:
        stored: the state so far, or None.
        event_time: when the event was true; it may be earlier than events already held.
        values: the event's value per column; None for null.
        cutoff: events before this instant can no longer be asked for.
    """
    columns = len(values)
    stride = 1 + 3 * columns
    if stored is None:
        stored = struct.pack(f"<{stride}q", columns, *([0] * (stride - 1)))
    held = memoryview(stored).cast("q")
    if len(held) > stride and held[-stride] > event_time:
        return _insert_event(held, stride, event_time, values)
    entry = [event_time]
    at = 1 - stride
    for value in values:
        entry += _added(held[at], held[at + 1], held[at + 2], value)
        at += 3
    packed = _PACK[stride](*entry) if stride in _PACK else struct.pack(f"<{stride}q", *entry)
    events = len(held) // stride - 1
    if events >= 8 and held[stride * (events // 2)] < cutoff:
        return _trimmed(held, stride, cutoff) + packed
    return stored + packed


def _added(count: int, high: int, low: int, value: float | None) -> tuple[int, int, int]:
    if value is None:
        return count, high, low
    more_high, more_low = split(value)
    high, low = high + more_high, low + more_low
    if -_HALF <= high < _HALF and -_HALF <= low < _HALF:  # nearly always: wrapping would change nothing
        return count + 1, high, low
    return count + 1, wrap(high), wrap(low)


def _trimmed(held: memoryview, stride: int, cutoff: Instant) -> bytes:
    first = bisect_left(held[stride::stride], cutoff)
    base = held[stride * first : stride * (first + 1)].tolist()
    base[0] = held[0]
    return struct.pack(f"<{stride}q", *base) + held[stride * (first + 1) :].tobytes()


def _insert_event(
    held: memoryview, stride: int, event_time: Instant, values: Sequence[float | None]
) -> bytes:
    """Put a late event where it belongs and carry its contribution through every later entry. Cost: O(events)."""
    position = bisect_right(held[stride::stride], event_time)
    flat = held.tolist()
    at = stride * (position + 1)
    before = flat[at - stride : at]
    entry = [event_time]
    for column, value in enumerate(values):
        part = 1 + 3 * column
        entry += _added(before[part], before[part + 1], before[part + 2], value)
    for start in range(at, len(flat), stride):
        for column, value in enumerate(values):
            part = start + 1 + 3 * column
            flat[part : part + 3] = _added(flat[part], flat[part + 1], flat[part + 2], value)
    flat[at:at] = entry
    return struct.pack(f"<{len(flat)}q", *flat)


@dataclass(frozen=True, slots=True)
class WindowReader:
    """A window view's aggregates, prepared once, read from the state of one entity."""

    stride: int
    features: tuple[tuple[int, str, int], ...]
    """(window in microseconds, function, position of the column's running count in an entry; 0 for rows)."""

    @classmethod
    def of(cls, view: WindowView, features: Sequence[Aggregate]) -> WindowReader:
        """Prepare the reading of some of a view's aggregates."""
        columns = view.value_columns
        return cls(
            1 + 3 * len(columns),
            tuple(
                (f.over, f.function, 0 if f.column is None else 1 + 3 * columns.index(f.column))
                for f in features
            ),
        )

    def read(self, stored: bytes | None, at: Instant) -> list[float | None]:
        """Return the aggregates at `at`. Cost: two binary searches per distinct window, a few microseconds."""
        if stored is None:
            return [None if function == "mean" else 0.0 for _, function, _ in self.features]
        held = memoryview(stored).cast("q")
        stride = self.stride
        times = held[stride::stride]
        last = bisect_left(times, at)
        out: list[float | None] = []
        window, first = -1, 0
        for over, function, part in self.features:
            if over != window:
                window, first = over, bisect_left(times, at - over, 0, last)
            if part == 0:
                out.append(float(last - first))
                continue
            low_at, high_at = first * stride + part, last * stride + part
            counted = held[high_at] - held[low_at]
            if function == "count":
                out.append(float(counted))
            elif function == "mean" and counted == 0:
                out.append(None)
            else:
                added = join(
                    wrap(held[high_at + 1] - held[low_at + 1]),
                    wrap(held[high_at + 2] - held[low_at + 2]),
                )
                out.append(added / counted if function == "mean" else added)
        return out
