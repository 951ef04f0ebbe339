"""Rebuilding: a view's online state is made anew from the stored rows, portion by portion, and put in place in one commit.

A portion holds whole keys (a hash says which), so that its states are made by the writer itself from that portion's rows
alone. Portions are kept in the online store under a name of their own, with how far the rebuild has come in the same
commit. Killed at any moment, the next call goes on; readers see the old state until the new is whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from treadle.define.describe import definition_digest
from treadle.define.views import FeatureView, View, WindowView
from treadle.ports.online import Batch, Online
from treadle.records.digests import Digest, digest_value
from treadle.records.errors import Corrupt
from treadle.records.failpoints import failpoint
from treadle.records.instants import Instant
from treadle.records.rows import CREATED_TIME, EVENT_TIME, KNOWN_AT, ROW, TOMBSTONE
from treadle.stages.features.forms import forms_of
from treadle.stages.features.keys import pack_key
from treadle.stages.features.partition import partition_of, places_of
from treadle.stages.features.window_layout import FORMAT
from treadle.stages.features.window_state import window_writer
from treadle.stages.features.writer import make_applier

PORTION = 50_000
"""About so many rows make a portion."""
MOST_PORTIONS = 1_000
_SHADOW = "~"
"""Stands before the name of a state that is being built; no view's name begins so."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did."""

    rows: int
    """Rows that were gone through, in all calls that it took."""
    keys: int
    """Keys whose state was made."""
    changed: int
    """How many of them were missing online, or wrong, and are right now."""
    removed: int
    """Keys online that no row speaks of; they are gone."""
    resumed: bool
    """Whether it went on from an earlier call."""


class _Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far a rebuild has come; kept as a cursor of the online store."""

    version: Digest
    done: int
    """Portions that are built."""
    rows: int
    states: int
    """States built so far, over all forms of the view."""


_NONE = _Progress("", 0, 0, 0)


def rebuild(
    online: Online,
    view: View,
    rows: pl.DataFrame,
    *,
    content: Digest,
    position: Instant,
    since: Instant | None = None,
    portion: int = PORTION,
    told: Callable[[int, int], None] = lambda done, portions: None,
) -> Rebuilt:
    """Make a view's online state anew, as of the store's position.

    Nothing else may write the store meanwhile. A call that was killed is taken up where it stood by the next one with the same
    arguments; otherwise the next one begins anew.

    Args:
        online: the store.
        view: whose state.
        rows: the stored rows of its source.
        content: the digest of those rows.
        position: the instant up to which the store has everything; rows that are known later don't count.
        since: only keys with a row that became known from here on are made anew, and none is removed.
        portion: rows of a portion.
        told: called with the number of portions that are built, and of all.
    """
    known = _known_rows(view, rows, position, since)
    portions = min(max(math.ceil(known.height / portion), 1), MOST_PORTIONS)
    asked = [content, definition_digest(view), FORMAT, position, since, portions]
    progress = _take_up(online, view, digest_value(asked))
    resumed = progress.done > 0
    places = dict(places_of(partition_of(known, view.entity.keys, portions)))
    applier = make_applier(view.source.name, [view])
    told(progress.done, portions)
    while progress.done < portions:
        part = known[places[progress.done]] if progress.done in places else known.clear()
        held = _Held(window_writer(view).empty if isinstance(view, WindowView) else None)
        for known_at, row, values in applier.events(_counting(view, part, position)):
            applier.apply(held, known_at, row, values)  # type: ignore[arg-type]  # all an applier uses
        held.add_empty(view, part)
        progress = _Progress(
            progress.version,
            progress.done + 1,
            progress.rows + part.height,
            progress.states + len(held.states),
        )
        with online.begin() as batch:
            for (stored, key), state in held.states.items():
                batch.put(_SHADOW + stored, key, state)
            _note(batch, view, progress)
            failpoint("materialise.before_portion")
        failpoint("materialise.after_portion")
        told(progress.done, portions)
    found = _switch(online, view, position, whole=since is None)
    for stored in stored_names(view):
        online.drop(_SHADOW + stored)
    return Rebuilt(progress.rows, *found, resumed)


def stored_names(view: View) -> tuple[str, ...]:
    """Return the names that a view's states have in the online store; the first is the view's own. Pure."""
    return (view.name,) if isinstance(view, WindowView) else tuple(form.stored for form in forms_of(view))


def _known_rows(view: View, rows: pl.DataFrame, position: Instant, since: Instant | None) -> pl.DataFrame:
    """Return the rows that a state can be made of: known by the position, with a whole key."""
    keys = list(view.entity.keys)
    known = rows.filter(pl.col(KNOWN_AT) <= position)
    if keys:
        known = known.drop_nulls(keys)
    if since is None:
        return known
    touched = known.filter(pl.col(KNOWN_AT) >= since)
    if not keys:
        return known if touched.height else known.clear()
    return known.join(touched.select(keys).unique(), on=keys, how="semi", maintain_order="left")


def _counting(view: View, rows: pl.DataFrame, position: Instant) -> pl.DataFrame:
    """Return the rows that leave a trace in the state: the rest need not be written one by one."""
    if isinstance(view, WindowView):
        return rows.filter(pl.col(KNOWN_AT) >= position - view.longest)
    keys, best = list(view.entity.keys), []
    for form in forms_of(view):
        counted = form.counted(rows).sort(EVENT_TIME, CREATED_TIME, ROW)
        best.append(counted.unique(keys, keep="last") if keys else counted.tail(1))
    return pl.concat(best).unique(ROW)


class _Held:
    """A batch in memory, for the states of one portion."""

    def __init__(self, empty: bytes | None) -> None:
        self.states: dict[tuple[str, bytes], bytes] = {}
        self._empty = empty

    def get(self, view: str, key: bytes) -> bytes | None:
        return self.states.get((view, key))

    def put(self, view: str, key: bytes, value: bytes) -> None:
        self.states[view, key] = value

    def add_empty(self, view: View, rows: pl.DataFrame) -> None:
        """Keep the keys of a window view that have rows, but none that a window still sees: they have been seen."""
        if self._empty is None:
            return
        seen = rows.filter(~pl.col(TOMBSTONE))
        keys = list(view.entity.keys)
        names = seen.select(keys).unique().rows() if keys else [()] * bool(seen.height)
        for key in names:
            self.states.setdefault((view.name, pack_key(key)), self._empty)


def _take_up(online: Online, view: View, version: Digest) -> _Progress:
    """Return how far this very rebuild has come; what another one left behind is removed."""
    stored = online.cursor(_cursor(view))
    progress = _NONE if not stored else msgspec.msgpack.decode(stored, type=_Progress)
    there = sum(online.count(_SHADOW + name) for name in stored_names(view))
    if progress.version == version and progress.states == there:
        return progress
    for name in stored_names(view):
        online.drop(_SHADOW + name)
    return _Progress(version, 0, 0, 0)


def _switch(online: Online, view: View, position: Instant, *, whole: bool) -> tuple[int, int, int]:
    """Put the new states in place of the old in one commit; returns how many keys there are, changed, and gone."""
    changed: set[bytes] = set()
    removed: set[bytes] = set()
    seen: set[bytes] = set()
    with online.begin() as batch:
        for stored in stored_names(view):
            fresh = set()
            for key, state in online.scan(_SHADOW + stored):
                fresh.add(key)
                if not _alike(view, batch.get(stored, key), state, position):
                    batch.put(stored, key, state)
                    changed.add(key)
            strangers = [key for key, _ in online.scan(stored) if key not in fresh] if whole else []
            for key in strangers:
                batch.delete(stored, key)
            removed.update(strangers)
            seen |= fresh
        batch.set_cursor(_cursor(view), b"")
        failpoint("materialise.before_switch")
    failpoint("materialise.after_switch")
    return len(seen), len(changed), len(removed - seen)


def _alike(view: View, held: bytes | None, state: bytes, position: Instant) -> bool:
    if held is None or isinstance(view, FeatureView):
        return held == state
    try:
        canonical = window_writer(view).canonical
        return canonical(held, position) == canonical(state, position)
    except (Corrupt, ValueError):
        return False


def _note(batch: Batch, view: View, progress: _Progress) -> None:
    batch.set_cursor(_cursor(view), msgspec.msgpack.encode(progress))


def _cursor(view: View) -> str:
    return f"rebuild {view.name}"


def pending(online: Online, views: Sequence[View]) -> list[str]:
    """Return the names of the views whose rebuild was cut off."""
    return [view.name for view in views if online.cursor(_cursor(view))]
