"""Healing: window state online is built again from the tables, and what differs is replaced.

Online state is written event by event and may be wrong where the writer was: a fault, a hand, rows that were loaded late.
The tables are right. A rebuild makes each entity's state anew with the writer itself, from the rows known by the store's
position, and compares the one form of both (`WindowWriter.canonical`), so a healthy key is not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from treadle.define.views import WindowView
from treadle.ports.online import Batch, Online
from treadle.records.errors import Corrupt
from treadle.records.instants import Instant
from treadle.records.rows import KNOWN_AT, TOMBSTONE
from treadle.stages.features.events import Ints
from treadle.stages.features.keys import KeyCodes, pack_key
from treadle.stages.features.window_state import window_writer
from treadle.stages.features.writer import make_applier

KEYS_A_BATCH = 500
"""So many keys are compared and replaced in one batch; writers wait no longer than that takes."""


@dataclass(frozen=True, slots=True)
class Healed:
    """What a rebuild found."""

    keys: int
    """How many keys were compared, in this call."""
    changed: int
    """How many of them were wrong online, or missing, and are right now."""
    removed: int
    """How many keys online no row speaks of; they are gone."""


class _Progress(msgspec.Struct, frozen=True, array_like=True):
    """How far the rebuild of a version has come; kept as a cursor of the online store."""

    version: str
    key: bytes
    done: bool


class WindowRows:
    """A view's rows by key, from which the state of any key at any instant is made.

    Args:
        view: the view.
        rows: the stored rows of its source.
    """

    def __init__(self, view: WindowView, rows: pl.DataFrame) -> None:
        self._view = view
        self._applier = make_applier(view.source.name, [view])
        self._writer = window_writer(view)
        self._rows = rows
        codes = KeyCodes(rows, view.entity.keys).of(rows)
        order: Ints = np.argsort(codes, kind="stable")
        order = order[codes[order] >= 0]
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        places = np.split(order, starts[1:]) if len(order) else []
        names = (
            rows.select(view.entity.keys)[order[starts]]
            if len(order)
            else rows.select(view.entity.keys).clear()
        )
        packed = [pack_key(key) for key in names.rows()]
        self._places = dict(sorted(zip(packed, places, strict=True)))

    @property
    def keys(self) -> list[bytes]:
        """All keys the rows speak of, packed, in order."""
        return list(self._places)

    def states(self, keys: Sequence[bytes], at: Instant) -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys with their state from the rows known by an instant."""
        for key in keys:
            rows = self._rows[self._places[key]]
            seen = rows.filter(pl.col(KNOWN_AT).is_between(at - self._view.longest, at) & ~pl.col(TOMBSTONE))
            state = _One()
            for known_at, row, values in self._applier.events(seen) if seen.height else ():
                self._applier.apply(state, known_at, row, values)  # type: ignore[arg-type]  # all an applier uses
            yield key, state.value or self._writer.empty

    def healthy(self, held: bytes | None, state: bytes, at: Instant) -> bool:
        """Say whether what is held answers as it should from an instant on; what cannot be read does not."""
        try:
            return self._writer.canonical(held or self._writer.empty, at) == self._writer.canonical(state, at)
        except (Corrupt, ValueError):
            return False


class _One:
    """A batch that holds one value."""

    def __init__(self) -> None:
        self.value: bytes | None = None

    def get(self, _view: str, _key: bytes) -> bytes | None:
        return self.value

    def put(self, _view: str, _key: bytes, value: bytes) -> None:
        self.value = value


def heal(
    online: Online,
    view: WindowView,
    rows: pl.DataFrame,
    *,
    version: str,
    position: Callable[[Batch], Instant],
) -> Healed:
    """Replace what the online store holds of a view by what the rows say, key by key.

    Each batch reads the store's position, so a feed may go on between two of them. A call that was killed is taken up
    where it stood by the next with the same version; one with a version that is done does nothing.

    Args:
        online: the store.
        view: whose state.
        rows: all stored rows of the view's source that are known by the position of any batch; later ones don't disturb.
        version: names the rows, e.g. their content digest.
        position: tells up to which instant everything known has been applied, as a batch sees it.
    """
    stored = online.cursor(_cursor(view))
    progress = _Progress("", b"", False) if stored is None else msgspec.msgpack.decode(stored, type=_Progress)
    if progress.version != version:
        progress = _Progress(version, b"", False)
    if progress.done:
        return Healed(0, 0, 0)
    table = WindowRows(view, rows)
    waiting = [key for key in table.keys if key > progress.key]
    changed = 0
    for start in range(0, len(waiting), KEYS_A_BATCH):
        portion = waiting[start : start + KEYS_A_BATCH]
        with online.begin() as batch:
            changed += _replace(batch, view, table, portion, position(batch))
            _note(batch, view, _Progress(version, portion[-1], False))
    known = set(table.keys)
    strangers = [key for key, _ in online.scan(view.name) if key not in known]
    with online.begin() as batch:
        for key in strangers:
            batch.delete(view.name, key)
        _note(batch, view, _Progress(version, b"", True))
    return Healed(len(waiting), changed, len(strangers))


def _replace(batch: Batch, view: WindowView, table: WindowRows, keys: Sequence[bytes], at: Instant) -> int:
    """Put what is right in place of what is wrong; returns how many keys were wrong."""
    changed = 0
    for key, state in table.states(keys, at):
        held = batch.get(view.name, key)
        if table.healthy(held, state, at):
            continue
        batch.put(view.name, key, state)
        changed += 1
    return changed


def _note(batch: Batch, view: WindowView, progress: _Progress) -> None:
    batch.set_cursor(_cursor(view), msgspec.msgpack.encode(progress))


def _cursor(view: WindowView) -> str:
    return f"healing {view.name}"
