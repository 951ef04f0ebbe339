"""Window features offline: exact aggregates over sliding windows, two binary searches a row and window.

An event counts at T when its key matches, `T - w <= event_time < T` and `known_at <= T`; with accuracy "tile" the window begins
at the hop boundary at or before `T - w`. Where every row is known the same time after its event, both conditions are one range
of the (key, event time) order. Where lateness varies, the range is walked and the rows not yet known are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from treadle.define.aggregates import Aggregate
from treadle.define.views import WindowView
from treadle.stages.features.channels import Channel, Contributions, channel_of, channels_of, contributions
from treadle.stages.features.events import Ints, TimeRanks, Times
from treadle.stages.features.keys import KeyCodes
from treadle.stages.features.ranges import Ranged, walk


class WindowTable:
    """A view's events, arranged for point-in-time windows; built once per table version. Cost: one sort of the rows."""

    def __init__(self, view: WindowView, rows: pl.DataFrame) -> None:
        self.view = view
        self._keys = KeyCodes(rows, view.entity.keys)
        codes, times = self._keys.of(rows), Times.of(rows)
        channels = channels_of(view.features)
        ties = (times.row, times.created_time) if any(c.kind == "event" for c in channels) else ()
        order = np.lexsort((*ties, times.event_time, codes))
        order = order[(codes[order] >= 0) & ~times.tombstone[order]]
        event_time = times.event_time[order]
        self._known_at = times.known_at[order]
        lateness = self._known_at - event_time
        self._lateness: int | None = 0 if len(order) == 0 else int(lateness[0])
        if len(order) and (lateness != lateness[0]).any():
            self._lateness = None
        self._ranks = TimeRanks.of(event_time)
        self._packed = self._ranks.pack(codes[order], self._ranks.of_known(event_time))
        ordered = (
            rows.select(view.value_columns)[order] if view.value_columns else pl.DataFrame(height=len(order))
        )
        self._each = contributions(view, channels, ordered)
        self._ranged: dict[Channel, Ranged] = {}

    def lookup(self, spine: pl.DataFrame, at: Ints) -> pl.DataFrame:
        """Return the view's aggregates as known at each row's T (float64), one output row per spine row, in order.

        Args:
            spine: rows that have the entity's key columns.
            at: T of each row, shape (rows,).
        """
        codes = self._keys.of(spine)
        last = self._position(codes, self._last_rank(at))
        columns: dict[str, pl.Series] = {}
        for over in dict.fromkeys(feature.over for feature in self.view.features):
            features = [feature for feature in self.view.features if feature.over == over]
            first = self._position(codes, self._ranks.below(self._begin(features[0], at)))
            first = np.where(codes < 0, last, np.minimum(first, last))
            if self._lateness is not None:
                found = [self._whole(feature).aggregate(feature, first, last) for feature in features]
            else:
                found = self._walked(features, first, last, at)
            columns |= zip((feature.name for feature in features), found, strict=True)
        return pl.DataFrame({f"{self.view.name}_{f.name}": columns[f.name] for f in self.view.features})

    def _begin(self, feature: Aggregate, at: Ints) -> Ints:
        begin: Ints = feature.begin(at, self.view.accuracy)  # type: ignore[arg-type,assignment]  # arrays add and divide like ints
        return begin

    def _last_rank(self, at: Ints) -> Ints:
        before = self._ranks.below(at)
        if self._lateness:
            return np.minimum(before, self._ranks.up_to(at - self._lateness))
        return before

    def _position(self, codes: Ints, ranks: Ints) -> Ints:
        return np.searchsorted(self._packed, self._ranks.pack(codes, ranks), "left").astype(np.int64)

    def _whole(self, feature: Aggregate) -> Ranged:
        channel = channel_of(feature)
        if channel not in self._ranged:
            self._ranged[channel] = Ranged(self._each[channel])
        return self._ranged[channel]

    def _walked(self, features: Sequence[Aggregate], first: Ints, last: Ints, at: Ints) -> list[pl.Series]:
        """Return aggregates of the events in each range that are known by T. Cost: the events of all ranges."""
        found: list[list[pl.Series]] = [[] for _ in features]
        for rows, owners, events in walk(first, last):
            known = self._known_at[events] <= at[rows][owners]
            inside = events[known]
            ends = np.cumsum(np.bincount(owners[known], minlength=len(rows)))
            starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
            parts: dict[Channel, Ranged] = {}
            for feature, portions in zip(features, found, strict=True):
                channel = channel_of(feature)
                if channel not in parts:
                    each = self._each[channel]
                    parts[channel] = Ranged(Contributions(each.present[inside], each.numbers[inside]))
                portions.append(parts[channel].aggregate(feature, starts, ends))
        return [pl.concat(portions) if portions else pl.Series([], dtype=pl.Float64) for portions in found]
