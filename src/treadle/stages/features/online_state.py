"""What the online store holds of each view: how many keys, how new, and how many of them have nothing to say any more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from treadle.define.views import FeatureView, View, WindowView
from treadle.ports.online import Online
from treadle.records.instants import Instant
from treadle.stages.features.forms import forms_of
from treadle.stages.features.state import Latest
from treadle.stages.features.window_state import window_reader

_decode = msgspec.msgpack.Decoder(Latest).decode


@dataclass(frozen=True, slots=True)
class ViewState:
    """One view's keys at an instant."""

    view: str
    keys: int
    """Keys that are held, deleted ones left out."""
    expired: int
    """Keys whose newest value is older than the ttl, or than the longest window: a model gets nothing, or counts of zero."""
    deleted: int
    """Keys whose newest row takes them back."""
    newest: Instant | None
    """The event time of the newest row of all; None without any, or where rows are always true."""

    @property
    def expired_share(self) -> float | None:
        """The share of expired keys; None without keys."""
        return self.expired / self.keys if self.keys else None


def view_state(online: Online, view: View, at: Instant) -> ViewState:
    """Return what the store holds of a view at an instant. Cost: one pass over its keys."""
    newest_of = _window_newest(view, at) if isinstance(view, WindowView) else _latest_newest(view, at)
    reach = view.longest if isinstance(view, WindowView) else view.ttl
    keys = expired = deleted = 0
    newest: Instant | None = None
    for _, stored in online.scan(_stored(view)):
        gone, event_time = newest_of(stored)
        deleted += gone
        if gone:
            continue
        keys += 1
        if event_time is not None:
            newest = event_time if newest is None else max(newest, event_time)
        expired += reach is not None and (event_time is None or at - event_time > reach)
    return ViewState(view.name, keys, expired, deleted, newest)


def _stored(view: View) -> str:
    return view.name if isinstance(view, WindowView) else forms_of(view)[0].stored


def _window_newest(view: WindowView, at: Instant) -> Callable[[bytes], tuple[bool, Instant | None]]:
    reader = window_reader(view, view.features)
    return lambda stored: (False, reader.newest(stored, at))


def _latest_newest(view: FeatureView, at: Instant) -> Callable[[bytes], tuple[bool, Instant | None]]:
    timeless = view.source.timing.event_time is None

    def newest(stored: bytes) -> tuple[bool, Instant | None]:
        row = _decode(stored)
        return row.tombstone, None if timeless else row.event_time

    return newest
