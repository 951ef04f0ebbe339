"""The slow part of a running server: predictions go to their tables, and the controller ticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from treadle.define.source_monitors import SourceMonitor
from treadle.loop.controller import Controller, Turned
from treadle.loop.stopwatch import Stopwatch
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.records.instants import HOUR, MINUTE, Duration, Instant
from treadle.records.skew import SkewReading
from treadle.records.source_windows import SourceWindow
from treadle.stages.serving.prediction_log import PredictionFlusher


class Wheel:
    """The part of a server that need not be quick: flushing predictions to tables, and the ticks.

    Ticks come at whole multiples of a period, so a tick that was cut off is found again under the same key.

    Args:
        world: the project and its ports.
        store: the stored rows.
        flush_every: how often predictions reach their tables between ticks.
        tell: called with a sentence about each turn.
        refresh: gives stored rows with what was pushed since, before each tick.
    """

    def __init__(
        self,
        world: World,
        store: Store,
        flush_every: Duration,
        tell: Callable[[str], None],
        refresh: Callable[[Store], Store] = lambda store: store,
    ) -> None:
        project = world.project
        steps = [one.every for one in project.monitors]
        steps += [one.every for one in project.source_monitors]
        self.every = tick_period(steps)
        self.last_tick: Instant | None = None
        self.next_tick = _following(world.clock.now(), self.every)
        self._world = world
        self._tell = tell
        self._controller = Controller(world, store, Stopwatch())
        with world.metadata.read() as view:
            self._controller.skew.follow(view)
        self._flusher = PredictionFlusher(world.project.endpoints, world.predictions, world.tables)
        self._new_store: Store | None = None
        self._store = store
        self._refresh = refresh
        self._flush_every = flush_every
        self._flushed = world.clock.now()

    @property
    def skew(self) -> Mapping[str, SkewReading]:
        """The newest audit of each endpoint's features, by endpoint; of those that have answered."""
        return self._controller.skew.latest

    def sources(self) -> list[tuple[SourceMonitor, Instant | None, SourceWindow | None]]:
        """Return each source monitor with its source's newest event time and its newest window, as far as they are known."""
        return self._controller.sources.latest()

    def use(self, store: Store) -> None:
        """Go on with newly stored rows, from the next tick on."""
        self._new_store = store

    def turn(self) -> None:
        """Do what is due: a tick, with all the turns it causes, or a flush."""
        at = self._world.clock.now()
        if at >= self.next_tick:
            self._tick(at - at % self.every)
        elif at - self._flushed >= self._flush_every:
            self.flush()

    def flush(self) -> None:
        """Move predictions from the log to their tables."""
        self._flusher.flush()
        self._flushed = self._world.clock.now()

    def _tick(self, due: Instant) -> None:
        # Taken and then used, so that rows that come meanwhile are not lost.
        store, self._new_store = self._new_store, None
        refreshed = self._refresh(store or self._store)
        if refreshed is not self._store:
            self._store = refreshed
            self._controller.use(refreshed)
        for turned in self._controller.tick(due):
            self._tell(_sentence(turned))
        self._controller.sources.flush()
        self.last_tick, self.next_tick = due, _following(due, self.every)
        self._flushed = self._world.clock.now()


def tick_period(every: Sequence[Duration]) -> Duration:
    """Return how often the controller ticks: like the most frequent monitor, at least hourly. Pure."""
    return max(min([*every, HOUR]), MINUTE)


def _following(at: Instant, every: Duration) -> Instant:
    return at - at % every + every


def _sentence(turned: Turned) -> str:
    decision = turned.result.decision
    verdict = "no gate" if decision is None else decision.verdict.value
    why = "" if decision is None or not decision.reasons else f" ({decision.reasons[0]})"
    return f"{turned.reason} → trained on {turned.result.trained.rows:,} rows → {verdict}{why}"
