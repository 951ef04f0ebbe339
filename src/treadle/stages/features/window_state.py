"""The online state of window views: who writes it and who reads it, by the view's accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from treadle.define.aggregates import Aggregate
from treadle.define.views import WindowView
from treadle.records.instants import Instant
from treadle.stages.features.channels import Reads
from treadle.stages.features.state import Value
from treadle.stages.features.window_events import EventReader, EventWriter
from treadle.stages.features.window_tiles import TileReader, TileWriter


@dataclass(frozen=True, slots=True)
class WindowWriter:
    """Adds rows to the states of a window view's entities."""

    append: Callable[[bytes | None, Instant, Instant, int, Instant, Sequence[Value]], bytes]
    """From the state so far (or None), event time, created time, row number, known_at and the row's values, in the order of
    the view's `value_columns`, to the state with the row."""
    canonical: Callable[[bytes, Instant], bytes]
    """From a state and an instant to the one form of all states that answer alike from then on. Raises `Corrupt` for a state
    of another layout, and `ValueError` for bytes that are none."""
    empty: bytes
    """The state without events."""


def window_writer(view: WindowView) -> WindowWriter:
    """Return the writer of a view."""
    longest = view.longest
    writer = EventWriter(view.features, longest) if view.accuracy == "exact" else TileWriter(view.features)
    read, add = Reads(view, writer.channels).of, writer.append

    def append(
        stored: bytes | None,
        event_time: Instant,
        created_time: Instant,
        row: int,
        known_at: Instant,
        values: Sequence[Value],
    ) -> bytes:
        return add(stored, event_time, created_time, row, known_at, read(values))

    if isinstance(writer, EventWriter):
        events = writer
        return WindowWriter(append, lambda stored, at: events.canonical(stored, at - longest), writer.empty)
    return WindowWriter(append, writer.canonical, writer.empty)


def window_reader(view: WindowView, features: Sequence[Aggregate]) -> EventReader | TileReader:
    """Return what reads some of a view's aggregates from the state of one entity."""
    reader = EventReader if view.accuracy == "exact" else TileReader
    return reader(view.features, features)
