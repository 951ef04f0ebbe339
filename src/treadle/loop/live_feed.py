"""The feed of a running server: rows reach the online store when they become known, by the clock.

Loaded rows come from the tables' rows in memory, pushed ones from the event log; both become known in one order, and every
commit of the online store is the exact state of the instant that its cursor names.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import polars as pl

from treadle.define.describe import definition_digest
from treadle.define.views import View
from treadle.loop.feed import Feed, read_cursor, stands_at, write_cursor
from treadle.loop.frontier import Frontier
from treadle.loop.intake import POSITIONS
from treadle.loop.pushed_online import NEVER, SMALLEST_CATCH_UP, Portion, PushedOnline
from treadle.loop.training import Store
from treadle.ports.online import Online
from treadle.records.digests import digest_value
from treadle.records.failpoints import failpoint
from treadle.records.instants import Instant
from treadle.records.rows import PUSHED, ROW
from treadle.stages.data.pushed import ReadPushed, loaded_content
from treadle.stages.features.window_layout import FORMAT

__all__ = ["NEVER", "PENDING", "LiveFeed"]

CONTENT = "feed_content"
"""The online store's cursor that names the rows and views it was filled from."""
PENDING: Instant = -(2**63)
"""As `next_known`: events are on their way, and it is not known yet when they become known."""


class LiveFeed:
    """Keeps the online store at the present.

    Two numbers are read by the thread that answers, without a lock: `position`, up to which everything known
    has been applied, and `next_known`, when the next row becomes known. Both are set after the commit
    they tell of, so whoever reads `next_known` and then opens a snapshot sees every row known before it.

    Args:
        views: the views to keep up to date.
        online: where they are kept.
        pushed: the events of the log, if any are taken in.
        read_pushed: reads the pushed rows of a source's table, for filling.
    """

    def __init__(
        self,
        views: Sequence[View],
        online: Online,
        pushed: PushedOnline | None = None,
        read_pushed: ReadPushed = lambda source: None,
    ) -> None:
        self.position: Instant = -1
        self.next_known: Instant = NEVER
        self.applied = 0
        self.frontier = Frontier()
        self._views = views
        self._online = online
        self._feed: Feed | None = None
        self._pushed = pushed
        self._read_pushed = read_pushed
        self._mutex = threading.Lock()

    def use(self, store: Store, at: Instant) -> bool:
        """Go on with these stored rows; returns whether the online store had to be filled anew.

        It is filled in one batch, so readers see the old state until the new one is whole. Filling is needed
        when it holds other rows or views than these, for the difference may lie in the past, or state of another format.
        Pushed rows that the tables have got meanwhile are no difference: they came through the log.
        """
        content = digest_value(
            {
                "format": FORMAT,
                "views": definition_digest(self._views),
                "rows": {v.source.name: loaded_content(store.manifests[v.source.name]) for v in self._views},
            }
        ).encode()
        rows = {view.source.name: store.rows[view.source.name] for view in self._views}
        feed = Feed(self._views, {name: frame.filter(pl.col(ROW) < PUSHED) for name, frame in rows.items()})
        with self._mutex:
            same = self._online.cursor(CONTENT) == content
            if self._feed is None:
                same = self._take_up() and same
            self._feed = feed
            if same:
                self._advance(feed, at)
            else:
                self._fill(store.rows, rows, content, at)
        return not same

    def advance(self, at: Instant) -> None:
        """Apply what has become known up to an instant."""
        with self._mutex:
            if self._feed is not None:
                self._advance(self._feed, at)

    def catch_up(self, at: Instant) -> bool:
        """Do the same, unless another thread is at it or much is to be done; returns whether it was done."""
        if self.behind() > SMALLEST_CATCH_UP or not self._mutex.acquire(blocking=False):
            return False
        try:
            if self._feed is not None:
                self._advance(self._feed, at)
            return True
        finally:
            self._mutex.release()

    def announce(self) -> None:
        """Let answers know that events are on their way; the frontier's lock must be held."""
        self.next_known = PENDING

    def log_position(self) -> int:
        """Return the position in the event log up to which the online store has everything."""
        return 0 if self._pushed is None else self._pushed.position

    def behind(self) -> int:
        """Return how many bytes of the event log have not reached the online store."""
        return 0 if self._pushed is None else max(self._pushed.end() - self._pushed.position, 0)

    def prune(self, at: Instant) -> int:
        """Forget the ids of events that are older than is remembered; returns how many."""
        return 0 if self._pushed is None else self._pushed.prune(self._online, at)

    def _take_up(self) -> bool:
        """Go on where an earlier process ended; returns whether the events of the log can go on too.

        Neither the instant that the store has reached nor the newest event's is gone back behind, whatever the clock says.
        """
        stands, whole = stands_at(self._online), True
        if self._pushed is not None:
            whole = self._pushed.open(self._online)
            newest = self._pushed.newest()
            with self.frontier.lock:
                self.frontier.received = max(self.frontier.received, newest)
        if stands is not None:
            with self.frontier.lock:
                self.frontier.close_at(stands)
        return whole

    def _advance(self, feed: Feed, at: Instant) -> None:
        end = 0
        with self.frontier.lock:
            at = self.frontier.close_at(max(at, self.position))
            if self._pushed is not None:
                end = self._pushed.end()
        if at <= self.position and end <= self.log_position():
            return
        whole = False
        while not whole:
            whole = self._step(feed, at, end)
        self._reached(feed, at)

    def _step(self, feed: Feed, at: Instant, end: int) -> bool:
        """Commit one portion of the log with the rows known by then; returns whether it was the last."""
        portion = None if self._pushed is None else self._pushed.read(end)
        whole = portion is None or portion.complete_to is None
        with self._online.begin() as batch:
            stands = read_cursor(batch)
            if stands is not None:  # a clock that was set back does not set the store back
                at = max(at, stands)
            reached = at if portion is None or portion.complete_to is None else min(at, portion.complete_to)
            self.applied += feed.advance_in(batch, stands, reached)
            if self._pushed is not None and portion is not None:
                self.applied += self._pushed.apply(batch, portion, reached)
            write_cursor(batch, reached)
            failpoint("intake.before_online")
        failpoint("intake.after_online")
        if self._pushed is not None and portion is not None:
            self._pushed.accept(portion, reached)
        self.position = max(self.position, reached)
        return whole

    def _fill(
        self,
        stored: Mapping[str, pl.DataFrame],
        rows: Mapping[str, pl.DataFrame],
        content: bytes,
        at: Instant,
    ) -> None:
        with self._online.begin() as batch:
            stands = read_cursor(batch)
            with self.frontier.lock:
                at = self.frontier.close_at(at if stands is None else max(at, stands))
            for view in self._online.views():
                for key, _ in self._online.scan(view) if view != POSITIONS else ():
                    batch.delete(view, key)
            # Read anew: what the tables have got since the store was loaded may be gone from the log.
            pushed = self._pushed_rows(stored)
            full = {
                name: pl.concat([frame.filter(pl.col(ROW) < PUSHED), pushed[name].select(frame.columns)])
                if name in pushed
                else frame
                for name, frame in rows.items()
            }
            self.applied += Feed(self._views, full).fill(batch, at)
            rest = Portion(0)
            if self._pushed is not None:
                rest = self._pushed.fill(batch, at, pushed, stored)
                self.applied += self._pushed.apply(batch, rest, at)
            batch.set_cursor(CONTENT, content)
            write_cursor(batch, at)
        if self._pushed is not None:
            self._pushed.accept(rest, at)
        if self._feed is not None:
            self._reached(self._feed, at)

    def _pushed_rows(self, stored: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        if self._pushed is None:
            return {}
        found = {name: self._read_pushed(name) for name in stored}
        return {name: rows for name, rows in found.items() if rows is not None and rows.height}

    def _reached(self, feed: Feed, at: Instant) -> None:
        following = feed.next_known(at)
        with self.frontier.lock:
            self.position = max(self.position, at)
            upcoming = NEVER if following is None else following
            if self._pushed is not None:
                waiting = self._pushed.next_known()
                upcoming = PENDING if self.behind() else min(upcoming, waiting)
            self.next_known = upcoming
