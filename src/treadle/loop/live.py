"""The wheel of a running server: it answers, feeds, logs, watches, retrains and swaps, all by the same clock.

Six threads beside those that answer, and one for each stream:

* **feed**, every second: rows that became known reach the online store, and a moved alias is followed.
* **intake**, when events were pushed: they reach the online store, as many at once as have come.
* **stream …**, one for each source whose events are fetched from a broker or an inbox: they go to the event log.
* **tables**, every few seconds: events go from the log to their tables, and the log is freed of what is in both.
* **log**, ten times a second: the predictions appended since are made to survive a power cut, in one sync.
* **data**, every second: a changed data folder is read, stored and taken over, or refused whole.
* **loop**: predictions go from the log to their tables, and the controller ticks.

Killed at any moment, the next start finds everything acknowledged in the log, the online store at a commit,
and an interrupted tick or turn in the journal, to be finished.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from treadle.define.origins import is_object_url
from treadle.loop.answering import Answerer
from treadle.loop.champions import Champions
from treadle.loop.data_watch import DataWatch
from treadle.loop.freshness import stale_views
from treadle.loop.intake import Intake, not_open
from treadle.loop.label_answers import said_rows
from treadle.loop.lineage import LineageFollower, LineageSender
from treadle.loop.live_feed import LiveFeed
from treadle.loop.periodic import Periodic
from treadle.loop.pushed_online import PushedOnline
from treadle.loop.pushed_store import event_sources, make_flusher, refreshed
from treadle.loop.pushed_tables import EventFlusher
from treadle.loop.stored import load_store
from treadle.loop.streams import BATCH, Consumer, consumed, open_stream
from treadle.loop.training import Store
from treadle.loop.wheel import Wheel
from treadle.loop.world import World
from treadle.ports.lineage import LineageTransport
from treadle.records.errors import NotFound, NotReady, TreadleError
from treadle.records.instants import DAY, HOUR, MINUTE, Duration, Instant, iso
from treadle.records.intake import Accepted
from treadle.stages.data.intake import Bounds, Row
from treadle.stages.data.pushed import pushed_reader
from treadle.stages.serving.predictor import Predictor

KEPT_NEWS = 50
PATIENCE = 10.0
"""Seconds that stopping waits for a piece of feeding, logging or flushing to end."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each part works."""

    feed: float = 1.0
    """Seconds between two looks for rows that became known and for a moved alias."""
    sync: float = 0.1
    """Seconds after which what was appended to the log is made durable."""
    data: float = 1.0
    """Seconds between two looks at the data folder."""
    loop: float = 5.0
    """Seconds between two looks whether a flush or a tick is due."""
    flush: Duration = 10 * MINUTE
    """Predictions reach their tables this often, by the world's clock; each flush is one file."""
    streams: float = 0.01
    """Seconds between two portions of a stream."""
    portion: int = BATCH
    """At most so many messages of a stream in one portion."""
    tables: float = 10.0
    """Seconds after which pushed events reach their tables; each time is one file a source."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """How pushed events are judged, and for how long they are remembered."""

    bounds: Bounds = field(default_factory=Bounds)
    """Which event times are believed."""
    ids: Duration | None = 30 * DAY
    """How long the id of an event is known; offered again later, it counts as new. None keeps ids for good, at some
    100 bytes each in the online store."""
    log: Duration = HOUR
    """How long events stay in the log after every store has got them."""


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened while the server ran."""

    at: Instant
    text: str


class Live:
    """A project being served from its home.

    Args:
        world: the project and its ports.
        data: a folder, or the URL of one in object storage, to watch for new data, if any.
        pace: how often what is done.
        keeping: how pushed events are judged, and for how long they are remembered.
        lineage: where lineage events are sent, if anywhere; they are in the journal anyway.
        say: called with a sentence about each thing worth knowing; may be called by any thread.
    """

    def __init__(
        self,
        world: World,
        *,
        lineage: LineageTransport | None = None,
        data: Path | str | None = None,
        pace: Pace | None = None,
        keeping: Keeping | None = None,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.world = world
        self.draining = False
        self.news: deque[News] = deque(maxlen=KEPT_NEWS)
        self.synced = world.predictions.end()
        self.wheel: Wheel | None = None
        self._say = say
        self._follower = LineageFollower(world.project, world.metadata)
        self._sender = None if lineage is None else LineageSender(world.metadata, lineage, self.tell)
        self.intake: Intake | None = None
        """Takes in events, from the start on."""
        self.consumers: dict[str, Consumer] = {}
        """What fetches the events of sources from their streams, by source."""
        self.flusher: EventFlusher | None = None
        self.events_synced = 0
        self._keeping = keeping or Keeping()
        self._pruned = world.clock.now()
        # Of those that write or read pushed rows of tables one is at work at a time.
        self._tables = threading.Lock()
        self.feed = self._make_feed(world)
        self.data = None if data is None else DataWatch(world, data, self.tell)
        self._folder = None if data is None or is_object_url(str(data)) else Path(data)
        self.answerers: Mapping[str, Answerer] = {
            endpoint.name: Answerer(
                endpoint, online=world.online, feed=self.feed, log=world.predictions, clock=world.clock
            )
            for endpoint in world.project.endpoints
        }
        self.champions = {name: Champions(world, answerer) for name, answerer in self.answerers.items()}
        self._pace = pace or Pace()
        self.threads: dict[str, Periodic] = {}

    def start(self) -> None:
        """Bring everything to the present and begin; on return requests are answered if a version serves.

        Raises:
            NotReady: the home has no data and no data folder was named.
            InvalidInput: the home has no data and the folder's cannot be used.
        """
        store = self._first_store()
        at = self.world.clock.now()
        if self.feed.use(store, at):
            self.tell(f"filled the online store as of {iso(at)}")
        for said in stale_views(self.world.project.views, store.rows, at):
            self.tell(said)
        self._follow()
        self.wheel = Wheel(self.world, store, self._pace.flush, self.tell, self._refreshed)
        self._repeat("feed", self._feed_once, self._pace.feed)
        self._open_intake()
        self._open_streams()
        self._repeat("log", self.sync, self._pace.sync)
        self._repeat("loop", self.wheel.turn, self._pace.loop)
        if self.data is not None:
            self._repeat("data", self._data_once, self._pace.data)
        self._repeat("lineage", self._lineage_once, self._pace.loop)

    def stop(self) -> None:
        """End the threads; what was answered is durable in the log and in its table.

        A turn under way is not waited for, nor anything flushed then: the first tick of the next start does it.
        """
        self.draining = True
        self.intake = None
        for thread in self.threads.values():
            thread.ask_to_stop()
        ended = [thread.wait(PATIENCE) for name, thread in self.threads.items() if name != "loop"]
        self.sync()
        if all(ended):
            self._close_streams()
        if all(ended):
            self._last_flush()
        loop = self.threads.get("loop")
        if self.wheel is not None and loop is not None and all(ended) and loop.wait(0.5):
            try:
                self.wheel.flush()
            except TreadleError as error:
                self.tell(f"the newest predictions are in the log but not yet in their table: {error}")

    def not_ready(self) -> list[str]:
        """Return why requests cannot be answered now; nothing when they can."""
        if self.draining:
            return ["the server is stopping"]
        if self.wheel is None:
            return ["the server is starting"]
        reasons = []
        for name, answerer in self.answerers.items():
            if answerer.predictor is None:
                why = self.champions[name].fault or f"no version of {answerer.endpoint.model!r} serves yet"
                reasons.append(f"endpoint {name!r}: {why}")
        return reasons or ([] if self.answerers else ["the project has no endpoint"])

    def answerer(self, endpoint: str) -> Answerer:
        """Return what answers an endpoint.

        Raises:
            NotFound: there is no such endpoint; near names are offered.
        """
        found = self.answerers.get(endpoint)
        if found is None:
            raise NotFound.among("model", endpoint, self.answerers)
        return found

    def pinned(self, endpoint: str, version: str) -> Predictor:
        """Return the predictor of one version of an endpoint's model; may have to open it.

        Raises:
            NotFound: there is no such version.
            TreadleError: it cannot be opened.
        """
        self.answerer(endpoint)
        if not (version.isascii() and version.isdigit()) or len(version) > 9:
            raise NotFound(
                f"{endpoint!r} has no version {version!r}", fix="versions are whole numbers, counted from 1"
            )
        return self.champions[endpoint].pinned(int(version))

    def push(self, source: str, rows: Sequence[Row], *, ids: Sequence[str] | None = None) -> Accepted:
        """Take in rows of a source; when this returns no kill of the process can lose them.

        They are online within milliseconds, and in the source's table within seconds.

        Args:
            source: the source's name.
            rows: column → value, with all of the source's columns.
            ids: what identifies each event, for a source without an `event_id` column; pushed again it counts once.

        Raises:
            InvalidInput: a row is faulty; every fault is listed and nothing was taken in.
            NotFound: there is no such source.
            NotReady: the server is starting or stopping, has no event log, or the log cannot be written.
        """
        intake = self.intake
        if intake is None:
            raise not_open()
        return intake.offer(source, rows, ids=ids)

    def label(
        self, endpoint: str, said: Mapping[str, bool | None], *, annotator: str, ids: Sequence[str]
    ) -> Accepted:
        """Take in labels by the ids of predictions, as rows of the labels' source; see `push`.

        Raises:
            InvalidInput: the endpoint's labels cannot be said so.
            NotFound: there is no such endpoint.
            NotReady: as for `push`.
        """
        found = self.answerer(endpoint).endpoint
        source, rows = said_rows(found, said, annotator, ids, self.world.clock.now())
        return self.push(source, rows, ids=ids)

    def tell(self, text: str) -> None:
        """Note a piece of news and say it."""
        self.news.append(News(self.world.clock.now(), text))
        self._say(text)

    def sync(self) -> None:
        """Make what is in the log survive a power cut."""
        end = self.world.predictions.end()
        if end != self.synced:
            self.world.predictions.sync()
            self.synced = end
        events = self.world.events
        if events is not None and events.end() != self.events_synced:
            end = events.end()
            events.sync()
            self.events_synced = end

    def _repeat(self, name: str, work: Callable[[], None], every: float) -> None:
        self.threads[name] = Periodic(name, work, every=every, clock=self.world.clock, say=self.tell)
        self.threads[name].start()

    def _first_store(self) -> Store:
        try:
            return load_store(self.world)
        except NotReady:
            if self.data is None:
                raise
            return self.data.take()

    def _feed_once(self) -> None:
        self.feed.advance(self.world.clock.now())
        self._follow()

    def _follow(self) -> None:
        for name, champions in self.champions.items():
            had = champions.fault
            version = champions.follow()
            if version is not None:
                self.tell(f"endpoint {name!r} answers with version {version}")
            elif champions.fault is not None and champions.fault != had:
                self.tell(f"endpoint {name!r}: {champions.fault}")

    def _lineage_once(self) -> None:
        self._follower.follow(self.world.clock.now())
        if self._sender is not None:
            self._sender.send()

    def _data_once(self) -> None:
        if self.data is None or self.wheel is None:
            return
        with self._tables:
            store = self.data.look()
            if store is not None:
                self.feed.use(store, self.world.clock.now())
                self.wheel.use(store)

    def _make_feed(self, world: World) -> LiveFeed:
        if world.events is None:
            return LiveFeed(world.project.views, world.online)
        pushed = PushedOnline(
            world.project.views, event_sources(world), world.events, remember=self._keeping.ids
        )
        return LiveFeed(world.project.views, world.online, pushed, pushed_reader(world.tables))

    def _open_intake(self) -> None:
        world = self.world
        if world.events is None:
            return
        self.flusher = make_flusher(world, keep=self._keeping.log)
        self._repeat("intake", self._apply_events, self._pace.feed)
        self._repeat("tables", self._flush_events, self._pace.tables)
        self.intake = Intake(
            event_sources(world),
            log=world.events,
            online=world.online,
            clock=world.clock,
            frontier=self.feed.frontier,
            applied=self.feed.log_position,
            announce=self.feed.announce,
            bounds=self._keeping.bounds,
            wake=self.threads["intake"].wake,
        )

    def _open_streams(self) -> None:
        streams, intake = self.world.streams, self.intake
        if streams is None or intake is None:
            return
        for source in event_sources(self.world):
            if consumed(source):
                consumer = Consumer(
                    source,
                    partial(open_stream, streams, source.origin, self._folder),
                    intake=intake,
                    metadata=self.world.metadata,
                    clock=self.world.clock,
                    batch=self._pace.portion,
                )
                self.consumers[source.name] = consumer
                self._repeat(f"stream {source.name}", consumer.turn, self._pace.streams)

    def _close_streams(self) -> None:
        for consumer in self.consumers.values():
            try:
                consumer.close()
            except TreadleError as error:
                self.tell(f"the stream of {consumer.source.name!r} did not close: {error}")

    def _apply_events(self) -> None:
        if self.feed.behind():
            self.feed.advance(self.world.clock.now())

    def _flush_events(self) -> None:
        if self.flusher is None:
            return
        at = self.world.clock.now()
        with self._tables:
            self.flusher.flush()
            self.flusher.drop(self.feed.log_position(), at)
        if at - self._pruned >= HOUR:
            self._pruned = at
            self.feed.prune(at)

    def _refreshed(self, store: Store) -> Store:
        if self.flusher is None:
            return store
        with self._tables:
            self.flusher.flush()
            return refreshed(self.world, store)

    def _last_flush(self) -> None:
        try:
            self._flush_events()
        except TreadleError as error:
            self.tell(f"the newest events are in the log but not yet in their tables: {error}")
