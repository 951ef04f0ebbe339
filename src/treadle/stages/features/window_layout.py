"""Where things stand in the bytes that the online store holds of one entity of a window view.

Everything is a 64-bit word. Entries of one stride follow each other in time: an entry is an event (accuracy "exact") or a tile
(accuracy "tile"). Its first word is a time; then come running totals up to and including it, which make a sum over
any window one subtraction; then words of its own, which are looked through. The first word of all names the layout: bytes
that were written under another one are refused and never misread.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from treadle.define.aggregates import Accuracy, Aggregate, AggregateFunction
from treadle.define.expressions import digest
from treadle.records.errors import Corrupt
from treadle.stages.features.channels import Channel, Reading, channel_of, channels_of
from treadle.stages.features.exact import SQUARES, split, squares, wrap

FORMAT = 2
"""Changes when the bytes of any online state do; stores that were written under another one are filled anew."""

_NAMED = 1 << 62
_bits = struct.Struct("<d").pack
_whole = struct.Struct("<q").unpack

OUT: int = 0x7FF8_0000_0000_0001
"""The word of an event that does not count: a NaN, and another one than that of null."""

_PLACES = ("count", "sums", "squares", "value", "low", "high", "first", "last")
_SQUARED = frozenset({"var", "std"})
_LISTED = frozenset({"min", "max", "quantile"})


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a channel's words stand in an entry; 0 where it has none of a kind."""

    channel: Channel
    count: int = 0
    """Running: how many contributed."""
    sums: int = 0
    """Running: two words, the sum in fixed point."""
    squares: int = 0
    """Running: the sum of the squares."""
    value: int = 0
    """An event's own number or code."""
    low: int = 0
    """A tile's smallest number."""
    high: int = 0
    """A tile's largest number."""
    first: int = 0
    """A tile's first event: event time, created time, row, number."""
    last: int = 0
    """A tile's last event."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The entries of some aggregates: how long they are and what stands where."""

    stride: int
    running: int
    """Where the running totals begin; the words from 1 up to there order entries of one time."""
    own: int
    """Where the running totals end."""
    slots: tuple[Slot, ...]

    def slot(self, feature: Aggregate) -> Slot | None:
        """Return an aggregate's slot; None when its channel has no words, for entries can be counted."""
        wanted = channel_of(feature)
        return next((slot for slot in self.slots if slot.channel == wanted), None)

    @property
    def plain(self) -> bool:
        """Whether there are counts and sums of values only, the usual case."""
        every = all(s.channel.kind == "value" and s.sums and not s.squares for s in self.slots)
        return every and self.own == self.stride and self.running == 1


def event_layout(features: Sequence[Aggregate]) -> Layout:
    """Return the layout of entries that are events."""
    needs = _needs(features)
    ordered = any(channel.kind == "event" for channel in needs)
    running = 3 if ordered else 1
    at = running
    slots: dict[Channel, dict[str, int]] = {}
    for channel, functions in needs.items():
        if channel.everything:
            continue
        slots[channel], at = _running_words(channel, functions, at)
    own = at
    for channel, places in slots.items():
        if channel.kind in ("event", "code") or needs[channel] & _LISTED:
            places["value"] = at
            at += 1
    return Layout(at, running, own, tuple(Slot(channel, **places) for channel, places in slots.items()))


def tile_layout(features: Sequence[Aggregate]) -> Layout:
    """Return the layout of entries that are tiles."""
    needs = _needs(features)
    at = 1
    slots: dict[Channel, dict[str, int]] = {}
    for channel, functions in needs.items():
        slots[channel], at = _running_words(channel, functions, at)
    own = at
    for channel, places in slots.items():
        for place, function, words in (
            ("low", "min", 1),
            ("high", "max", 1),
            ("first", "first", 4),
            ("last", "last", 4),
        ):
            if function in needs[channel]:
                places[place] = at
                at += words
    return Layout(at, 1, own, tuple(Slot(channel, **places) for channel, places in slots.items()))


def head_of(accuracy: Accuracy, parts: Sequence[tuple[int, Layout]]) -> int:
    """Return the word that names the layouts of a state.

    Args:
        accuracy: exact or tile.
        parts: hop (0 for events) and layout of each part.
    """
    said = [
        (
            hop,
            layout.stride,
            [
                (s.channel.kind, s.channel.column, _said(s.channel), [getattr(s, place) for place in _PLACES])
                for s in layout.slots
            ],
        )
        for hop, layout in parts
    ]
    return _NAMED | zlib.crc32(repr((FORMAT, accuracy, said)).encode())


def check_head(found: int, wanted: int) -> None:
    """Refuse bytes of another layout.

    Raises:
        Corrupt: they were written under another definition of the view, or by another version of treadle.
    """
    if found != wanted:
        raise Corrupt(
            "the online store holds window state that was written under another definition or format",
            fix="it is filled anew from the tables when the server starts",
            command="treadle up",
        )


def running_adds(slot: Slot, reading: Reading) -> list[int]:
    """Return what an event adds to a slot's running totals, a word each."""
    if not slot.count:
        return []
    words = 1 + (2 if slot.sums else 0) + (SQUARES if slot.squares else 0)
    if reading is None:
        return [0] * words
    if not slot.sums:
        return [1]
    high, low = split(reading)
    return [1, high, low, *squares(high, low)] if slot.squares else [1, high, low]


def add(totals: Sequence[int], adds: Sequence[int]) -> list[int]:
    """Return running totals with an event's part added, modulo 2**64."""
    return [wrap(total + more) for total, more in zip(totals, adds, strict=True)]


def word_of(number: float) -> int:
    """Return a float's bits as a word."""
    word: int = _whole(_bits(number))[0]
    return word


def number_in(word: int) -> float | None:
    """Return the float behind a word; None for NaN, which stands for null."""
    number: float = struct.unpack("<d", struct.pack("<q", word))[0]
    return number if number == number else None


Needs: TypeAlias = dict[Channel, set[AggregateFunction]]


def _needs(features: Sequence[Aggregate]) -> Needs:
    needs: Needs = {channel: set() for channel in channels_of(features)}
    for feature in features:
        needs[channel_of(feature)].add(feature.function)
    return needs


def _running_words(
    channel: Channel, functions: set[AggregateFunction], at: int
) -> tuple[dict[str, int], int]:
    """Return the places of a channel's running totals, and where the next ones begin."""
    if channel.kind == "rows":
        return {"count": at}, at + 1
    if channel.kind != "value" or functions <= _LISTED:
        return {}, at
    places = {"count": at, "sums": at + 1}
    at += 3
    if functions & _SQUARED:
        places["squares"] = at
        at += SQUARES
    return places, at


def _said(channel: Channel) -> str:
    return "" if channel.where is None else digest(channel.where.expression)
