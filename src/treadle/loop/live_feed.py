"""The feed of a running server: rows reach the online store when they become known, by the clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from treadle.define.describe import definition_digest
from treadle.define.views import View
from treadle.loop.feed import Feed, read_cursor, write_cursor
from treadle.loop.training import Store
from treadle.ports.online import Online
from treadle.records.digests import digest_value
from treadle.records.instants import Instant

CONTENT = "feed_content"
"""The online store's cursor that names the rows and views it was filled from."""
NEVER: Instant = 2**63 - 1


class LiveFeed:
    """Keeps the online store at the present.

    Two numbers are read by the thread that answers, without a lock: `position`, up to which everything known
    has been applied, and `next_known`, when the next stored row becomes known. Both are set after the commit
    they tell of, so whoever reads `next_known` and then opens a snapshot sees every row known before it.

    Args:
        views: the views to keep up to date.
        online: where they are kept.
    """

    def __init__(self, views: Sequence[View], online: Online) -> None:
        self.position: Instant = -1
        self.next_known: Instant = NEVER
        self.applied = 0
        self._views = views
        self._online = online
        self._feed: Feed | None = None
        self._mutex = threading.Lock()

    def use(self, store: Store, at: Instant) -> bool:
        """Go on with these stored rows; returns whether the online store had to be filled anew.

        It is filled in one batch, so readers see the old state until the new one is whole. Filling is needed
        when it holds other rows or views than these, for the difference may lie in the past.
        """
        content = digest_value(
            {
                "views": definition_digest(self._views),
                "rows": {v.source.name: store.manifests[v.source.name].content_hash for v in self._views},
            }
        ).encode()
        feed = Feed(self._views, store.rows)
        with self._mutex:
            with self._online.read() as snapshot:
                same = snapshot.cursor(CONTENT) == content
            self._feed = feed
            if same:
                self._advance(feed, at)
            else:
                self._fill(feed, content, at)
        return not same

    def advance(self, at: Instant) -> None:
        """Apply what has become known up to an instant."""
        with self._mutex:
            if self._feed is not None:
                self._advance(self._feed, at)

    def catch_up(self, at: Instant) -> bool:
        """Do the same, unless another thread is at it; returns whether it was done."""
        if not self._mutex.acquire(blocking=False):
            return False
        try:
            if self._feed is not None:
                self._advance(self._feed, at)
            return True
        finally:
            self._mutex.release()

    def _advance(self, feed: Feed, at: Instant) -> None:
        if at <= self.position:
            return
        self.applied += feed.advance(self._online, at)
        self._reached(feed, at)

    def _fill(self, feed: Feed, content: bytes, at: Instant) -> None:
        with self._online.begin() as batch:
            stands = read_cursor(batch)
            at = at if stands is None else max(at, stands)
            for view in self._online.views():
                for key, _ in self._online.scan(view):
                    batch.delete(view, key)
            self.applied += feed.fill(batch, at)
            batch.set_cursor(CONTENT, content)
            write_cursor(batch, at)
        self._reached(feed, at)

    def _reached(self, feed: Feed, at: Instant) -> None:
        self.position = at
        following = feed.next_known(at)
        self.next_known = NEVER if following is None else following
