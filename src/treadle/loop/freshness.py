"""Which views have nothing to say at an instant: their newest row is older than anything they look back to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from treadle.define.views import FeatureView, View
from treadle.records.instants import DAY, SECOND, Instant, iso, short
from treadle.records.rows import EVENT_TIME, KNOWN_AT


def stale_views(views: Sequence[View], rows: Mapping[str, pl.DataFrame], at: Instant) -> list[str]:
    """Return a sentence for every view whose values have all expired at an instant.

    Args:
        views: the views; one without a ttl, or on rows that are always true, never expires.
        rows: the stored rows of each of their sources, by source name.
        at: the instant; rows that become known later don't count.
    """
    return [said for view in views if (said := _stale(view, rows[view.source.name], at))]


def _stale(view: View, rows: pl.DataFrame, at: Instant) -> str | None:
    reach = view.ttl if isinstance(view, FeatureView) else view.longest
    if reach is None or view.source.timing.event_time is None:
        return None
    newest = rows.filter(pl.col(KNOWN_AT) <= at)[EVENT_TIME].max()
    if not isinstance(newest, int) or at - newest <= reach:
        return None
    age = at - newest
    shown = short(age // DAY * DAY if age >= DAY else age // SECOND * SECOND)
    when = iso(newest // SECOND * SECOND)
    kind = "ttl" if isinstance(view, FeatureView) else "longest window"
    return (
        f"every value of {view.name!r} has expired: the newest row of {view.source.name!r} is of {when}, "
        f"{shown} ago, and its {kind} is {short(reach)}; bring newer data, or start the clock at the data's end: --from INSTANT"
    )
