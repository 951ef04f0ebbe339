"""Materialise: the online store is brought to an instant without a server, by the parts that a server does it with.

Incremental from the store's cursor. A store that holds other rows or views than the tables is filled anew first, as a
server does at its start. On demand the views are rebuilt from the tables, portion by portion: see
`treadle.stages.features.rebuilding`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from treadle.define.views import View
from treadle.loop.feed import stands_at
from treadle.loop.live_feed import LiveFeed
from treadle.loop.pushed_online import PushedOnline
from treadle.loop.pushed_store import event_sources
from treadle.loop.stored import load_store
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.errors import Conflict, NotFound
from treadle.records.instants import Instant, iso
from treadle.records.rows import KNOWN_AT
from treadle.stages.data.pushed import loaded_content, pushed_reader
from treadle.stages.features.online_state import ViewState, view_state
from treadle.stages.features.rebuilding import Rebuilt, rebuild


@dataclass(frozen=True, slots=True)
class ViewDone:
    """What became of one view."""

    state: ViewState
    rows: int
    """Rows that were applied, or gone through to rebuild it."""
    rebuilt: Rebuilt | None


@dataclass(frozen=True, slots=True)
class Materialised:
    """What was done."""

    began: Instant | None
    """Where the store stood; None: it was empty."""
    position: Instant
    """Where it stands now: everything known by then is in it."""
    filled: bool
    """Whether it was filled anew, since it held other rows or views."""
    views: tuple[ViewDone, ...]


def materialise(
    world: World,
    names: Sequence[str],
    *,
    until: Instant,
    since: Instant | None = None,
    anew: bool = False,
    told: Callable[[str, int, int], None] = lambda view, done, portions: None,
) -> Materialised:
    """Bring the online store to an instant.

    Args:
        world: the home, held, and its project.
        names: the views that are reported, and rebuilt if asked for; all without any. The store as a whole is brought up.
        until: to which instant; it does not go back.
        since: with `anew`: only keys with a row that became known from here on.
        anew: whether the views are rebuilt from the tables, at the store's position, before it is brought on.
        told: called with a view, how many of its portions are rebuilt, and of how many.

    Raises:
        NotFound: there is no such view.
        NotReady: the home has no data.
        Conflict: the store stands at a later instant.
    """
    views = choose_views(world, names)
    online, began = world.online, stands_at(world.online)
    if began is not None and until < began:
        raise Conflict(
            f"the online store stands at {iso(began)} already; it cannot be brought back to {iso(until)}",
            fix="leave --until out, or give a later one",
        )
    store = load_store(world)
    feed = _make_feed(world)
    filled = feed.use(store, until if began is None else began)
    rebuilt: dict[str, Rebuilt] = {}
    if anew and not filled:
        stands = stands_at(online)
        assert stands is not None  # the feed has just written it
        for view in views:
            source = view.source.name
            rebuilt[view.name] = rebuild(
                online,
                view,
                store.rows[source],
                content=loaded_content(store.manifests[source]),
                position=stands,
                since=since,
                told=lambda done, portions, view=view: told(view.name, done, portions),  # type: ignore[misc]  # mypy: lambda default
            )
    feed.advance(until)
    position = stands_at(online)
    assert position is not None
    return Materialised(
        began,
        position,
        filled,
        tuple(
            ViewDone(
                view_state(online, view, position),
                rebuilt[view.name].rows
                if view.name in rebuilt
                else _rows(store, view, filled, began, position),
                rebuilt.get(view.name),
            )
            for view in views
        ),
    )


def choose_views(world: World, names: Sequence[str]) -> list[View]:
    """Return the project's views of these names, all of them without any name.

    Raises:
        NotFound: there is no such view; the nearest names are offered.
    """
    known = {view.name: view for view in world.project.views}
    for name in names:
        if name not in known:
            raise NotFound.among("feature view", name, known, command="treadle features")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _make_feed(world: World) -> LiveFeed:
    views = world.project.views
    if world.events is None:
        return LiveFeed(views, world.online)
    pushed = PushedOnline(views, event_sources(world), world.events)
    return LiveFeed(views, world.online, pushed, pushed_reader(world.tables))


def _rows(store: Store, view: View, filled: bool, began: Instant | None, position: Instant) -> int:
    """Return how many rows of a view's source became known between two positions of the store."""
    known = pl.col(KNOWN_AT) <= position
    if not filled and began is not None:
        known &= pl.col(KNOWN_AT) > began
    return int(store.rows[view.source.name].select(known.sum()).item())
