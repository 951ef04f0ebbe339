"""The online state of a window view of accuracy "exact": the events of the longest window, in order, with running totals.

The first entry is the base: the layout's name, then the totals before the first kept event. Every further entry is one
event (see `window_layout`). What can be summed is two binary searches and a subtraction away; smallest, largest, first,
last, distinct and quantile look at the window's own words. Size: the events of the longest window, and up to as many again
before they are dropped, times 8 bytes times the stride.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import chain
from typing import cast

import numpy as np
import numpy.typing as npt

from treadle.define.aggregates import Aggregate
from treadle.records.instants import Duration, Instant
from treadle.stages.features.channels import NO_CODE, Reading
from treadle.stages.features.exact import interpolated, join, split, wrap
from treadle.stages.features.window_layout import (
    OUT,
    Slot,
    add,
    check_head,
    event_layout,
    head_of,
    number_in,
    running_adds,
    word_of,
)
from treadle.stages.features.window_reading import (
    COUNT,
    DISTINCT,
    FIRST,
    LAST,
    MAX,
    MEAN,
    MIN,
    ROWS,
    SUM,
    Task,
    nothing,
    summed,
    task_of,
)

_HALF = 1 << 63
_PACK = {stride: struct.Struct(f"<{stride}q").pack for stride in range(1, 33)}
_TRIMMED_FROM = 8
"""States of fewer events are not worth trimming."""

Words = npt.NDArray[np.int64]


class EventWriter:
    """Adds events to the states of one view's entities.

    Args:
        features: all aggregates of the view.
        longest: how long an event can count.
    """

    def __init__(self, features: Sequence[Aggregate], longest: Duration) -> None:
        layout = event_layout(features)
        self.channels = tuple(slot.channel for slot in layout.slots)
        self._layout = layout
        self._longest = longest
        self._head = head_of("exact", [(0, layout)])
        self._empty = struct.pack(f"<{layout.stride}q", self._head, *([0] * (layout.stride - 1)))
        self._pack = struct.Struct(f"<{layout.stride}q").pack
        self._plain = layout.plain

    def append(
        self,
        stored: bytes | None,
        event_time: Instant,
        created_time: Instant,
        row: int,
        known_at: Instant,
        readings: Sequence[Reading],
    ) -> bytes:
        """Return the state with one more event, without expired ones once they are half of it.

        Args:
            stored: the state so far, or None.
            event_time: when the event was true; it may be earlier than events already held.
            created_time: orders events of one time.
            row: orders those of one created time.
            known_at: when it became known; no earlier T will be asked for.
            readings: what it contributes to each of `channels`.
        """
        if stored is None:
            stored = self._empty
        held = memoryview(stored).cast("q")
        if held[0] != self._head:
            check_head(held[0], self._head)
        stride = self._layout.stride
        if len(held) > stride and not self._in_order(held, event_time, created_time, row):
            return self._insert(stored, event_time, created_time, row, readings)
        if self._plain:
            entry = _plain_entry(held, stride, event_time, readings)
        else:
            entry = self._entry(held[len(held) - stride :], event_time, created_time, row, readings)
        packed = self._pack(*entry)
        events = len(held) // stride - 1
        cutoff = known_at - self._longest
        if events >= _TRIMMED_FROM and held[stride * (events // 2)] < cutoff:
            return self.trim(stored, cutoff) + packed
        return stored + packed

    def trim(self, stored: bytes, cutoff: Instant) -> bytes:
        """Return the state without events before an instant; running totals go on from there."""
        held = memoryview(stored).cast("q")
        stride = self._layout.stride
        first = bisect_left(held[stride::stride], cutoff)
        base = held[stride * first : stride * (first + 1)].tolist()
        base[0] = self._head
        return self._pack(*base) + held[stride * (first + 1) :].tobytes()

    @property
    def empty(self) -> bytes:
        """The state without events."""
        return self._empty

    def canonical(self, stored: bytes, cutoff: Instant) -> bytes:
        """Return the one form of all states that answer alike from an instant on: trimmed, totals counted from there.

        Raises:
            Corrupt: the state has another layout.
            ValueError: the bytes are no state.
        """
        layout = self._layout
        if len(stored) % (8 * layout.stride) or not stored:
            raise ValueError("the state ends within an entry")
        check_head(memoryview(stored).cast("q")[0], self._head)
        words = np.frombuffer(self.trim(stored, cutoff), np.int64).reshape(-1, layout.stride).copy()
        words[:, layout.running : layout.own] -= words[0, layout.running : layout.own]
        words[0, 1:] = 0
        return words.tobytes()

    def _in_order(self, held: memoryview, event_time: int, created_time: int, row: int) -> bool:
        last = len(held) - self._layout.stride
        if self._layout.running == 1 or held[last] != event_time:
            return bool(held[last] <= event_time)
        return (held[last + 1], held[last + 2]) <= (created_time, row)

    def _entry(
        self, before: Sequence[int], event_time: int, created_time: int, row: int, readings: Sequence[Reading]
    ) -> list[int]:
        layout = self._layout
        adds = self._adds(readings)
        order = [created_time, row] if layout.running == 3 else []
        own = [_own_word(s, r) for s, r in zip(layout.slots, readings, strict=True) if s.value]
        return [event_time, *order, *add(before[layout.running : layout.own], adds), *own]

    def _adds(self, readings: Sequence[Reading]) -> list[int]:
        slots = self._layout.slots
        return list(chain.from_iterable(running_adds(s, r) for s, r in zip(slots, readings, strict=True)))

    def _insert(
        self, stored: bytes, event_time: int, created_time: int, row: int, readings: Sequence[Reading]
    ) -> bytes:
        """Put a late event where it belongs and carry it through every later total. Cost: O(events)."""
        layout = self._layout
        held = np.frombuffer(stored, np.int64).reshape(-1, layout.stride)
        place = int(np.searchsorted(held[1:, 0], event_time, "right")) + 1
        if layout.running == 3:
            while place > 1 and tuple(held[place - 1, :3].tolist()) > (event_time, created_time, row):
                place -= 1
        entry = self._entry(held[place - 1].tolist(), event_time, created_time, row, readings)
        words = np.concatenate([held[:place], np.array([entry], np.int64), held[place:]])
        words[place + 1 :, layout.running : layout.own] += np.array(self._adds(readings), np.int64)
        return words.tobytes()


def _plain_entry(held: Sequence[int], stride: int, event_time: int, readings: Sequence[Reading]) -> list[int]:
    """Return the entry of an event after the last, where there are only counts and sums: the usual, fast case."""
    entry = [event_time]
    at = len(held) - stride + 1
    for reading in readings:
        count, high, low = held[at], held[at + 1], held[at + 2]
        at += 3
        if reading is not None:
            more_high, more_low = split(reading)
            count, high, low = count + 1, high + more_high, low + more_low
            if not (-_HALF <= high < _HALF and -_HALF <= low < _HALF):  # nearly never
                high, low = wrap(high), wrap(low)
        entry += (count, high, low)
    return entry


def _own_word(slot: Slot, reading: Reading) -> int:
    if slot.channel.kind == "code":
        return NO_CODE if reading is None else int(reading)
    return OUT if reading is None else word_of(reading)


class EventReader:
    """Reads some of a view's aggregates from the state of one entity.

    Args:
        every: all aggregates of the view, which the layout comes from.
        features: those to read, in the order of the answers.
    """

    def __init__(self, every: Sequence[Aggregate], features: Sequence[Aggregate]) -> None:
        layout = event_layout(every)
        self._stride = layout.stride
        self._head = head_of("exact", [(0, layout)])
        self._tasks = [task_of(feature, layout) for feature in features]
        self._steps = [(task.operation, task.over, task.place, task) for task in self._tasks]

    def newest(self, stored: bytes, at: Instant) -> Instant | None:
        """Return the time of the newest event before an instant, or None."""
        held = memoryview(stored).cast("q")
        check_head(held[0], self._head)
        times = cast("Sequence[int]", held[self._stride :: self._stride])
        before = bisect_left(times, at)
        return times[before - 1] if before else None

    def read(self, stored: bytes | None, at: Instant) -> list[float | None]:
        """Return the aggregates at `at`.

        Cost: two binary searches per distinct window, a few microseconds; what cannot be summed also looks at every event of
        its window, some nanoseconds each.
        """
        if stored is None:
            return [nothing(task) for task in self._tasks]
        held = memoryview(stored).cast("q")
        if held[0] != self._head:
            check_head(held[0], self._head)
        stride = self._stride
        times = held[stride::stride]
        last = bisect_left(times, at)
        out: list[float | None] = []
        window, first = -1, 0
        for operation, over, place, task in self._steps:
            if over != window:
                window, first = over, bisect_left(times, at - over, 0, last)
            if operation == ROWS:
                out.append(float(last - first))
                continue
            if operation > MEAN:
                out.append(_other(task, stored, held, stride, first, last))
                continue
            low_at, high_at = first * stride + place, last * stride + place
            counted = held[high_at] - held[low_at]
            if operation == COUNT:
                out.append(float(counted))
            elif operation == MEAN and counted == 0:
                out.append(None)
            else:
                added = join(
                    wrap(held[high_at + 1] - held[low_at + 1]),
                    wrap(held[high_at + 2] - held[low_at + 2]),
                )
                out.append(added if operation == SUM else added / counted)
        return out


def _other(task: Task, stored: bytes, held: memoryview, stride: int, first: int, last: int) -> float | None:
    """Return an aggregate of the events from `first` to before `last` that is more than a count or a sum."""
    if task.operation < MIN:
        return summed(task, held, first * stride + task.place, last * stride + task.place)
    words = held[(first + 1) * stride + task.place : (last + 1) * stride : stride]
    look = _LOOKS.get(task.operation)
    if look is not None:
        return look(words)
    numbers = np.frombuffer(stored, np.float64)[
        (first + 1) * stride + task.place : (last + 1) * stride : stride
    ]
    numbers = numbers[numbers == numbers]
    if len(numbers) == 0:
        return None
    if task.operation == MIN:
        return float(numbers.min())
    if task.operation == MAX:
        return float(numbers.max())
    return interpolated(np.sort(numbers), task.level)  # type: ignore[arg-type]  # an array reads like a sequence


def _first_of(words: Sequence[int]) -> float | None:
    return next((number_in(word) for word in words if word != OUT), None)


def _last_of(words: Sequence[int]) -> float | None:
    return next((number_in(words[i]) for i in range(len(words) - 1, -1, -1) if words[i] != OUT), None)


def _distinct_of(words: Sequence[int]) -> float:
    different = set(words)
    different.discard(NO_CODE)
    return float(len(different))


_LOOKS: dict[int, Callable[[Sequence[int]], float | None]] = {
    FIRST: _first_of,
    LAST: _last_of,
    DISTINCT: _distinct_of,
}
