"""The metadata store: one unit of work across all the narrow ports of what is known.

The store is the sum of narrow ports. What an adapter guarantees for all of them:

- **One transaction.** Everything done inside one `begin()` becomes visible and durable at its end, or not at
  all; also when the process is killed in between. Durable means: on disk, not in a cache of the operating
  system.
- **One order.** Units that write are serial. An event's cursor grows in the order of commits, so a reader
  that has seen a cursor never finds a smaller one later.
- **Nothing changes silently.** Every method that changes state writes an event in the same transaction. Only
  positions are exempt, for they are no news to anyone: lease heartbeats, consumer cursors and checkpoints.
- **The same key, the same thing.** A creation with a `key` already used (for that kind of event, in that
  world) returns what was created then, as it is now, and writes nothing.
- **No clock.** Times come in as `at`.
- **Several processes** may use one store at once. A `Metadata` may be used by several threads; a `Unit` by
  one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from treadle.ports.checkpoints import Checkpoints, CheckpointsView
from treadle.ports.datasets import Datasets, DatasetsView
from treadle.ports.definitions import Definitions, DefinitionsView
from treadle.ports.jobs import Jobs, JobsView
from treadle.ports.journal import Journal, JournalView
from treadle.ports.models import Models, ModelsView
from treadle.ports.runs import Runs, RunsView
from treadle.records.events import LIVE


class View(Protocol):
    """What can be asked, all of it as of one moment."""

    @property
    def runs(self) -> RunsView:
        """Experiments, runs and steps."""
        ...

    @property
    def models(self) -> ModelsView:
        """Registered models, versions, aliases and verdicts."""
        ...

    @property
    def datasets(self) -> DatasetsView:
        """Dataset manifests."""
        ...

    @property
    def definitions(self) -> DefinitionsView:
        """What people defined."""
        ...

    @property
    def journal(self) -> JournalView:
        """Events and consumers."""
        ...

    @property
    def jobs(self) -> JobsView:
        """The job queue."""
        ...

    @property
    def checkpoints(self) -> CheckpointsView:
        """Progress of what can be resumed."""
        ...


class Unit(Protocol):
    """What can be asked and done in one transaction; reads see the unit's own writes."""

    @property
    def runs(self) -> Runs:
        """Experiments, runs and steps."""
        ...

    @property
    def models(self) -> Models:
        """Registered models, versions, aliases and verdicts."""
        ...

    @property
    def datasets(self) -> Datasets:
        """Dataset manifests."""
        ...

    @property
    def definitions(self) -> Definitions:
        """What people defined."""
        ...

    @property
    def journal(self) -> Journal:
        """Events and consumers."""
        ...

    @property
    def jobs(self) -> Jobs:
        """The job queue."""
        ...

    @property
    def checkpoints(self) -> Checkpoints:
        """Progress of what can be resumed."""
        ...


class Metadata(Protocol):
    """The store."""

    def begin(self, world: str = LIVE) -> AbstractContextManager[Unit]:
        """Open a unit of work: committed on normal exit, rolled back when the block raises.

        Waits for another writer to finish, so keep the block short and do slow work (training, network)
        outside.

        Args:
            world: the name under which the unit's events are written; a replay has its own.

        Raises:
            NotReady: another writer did not finish in time; nothing was changed, try again.
        """
        ...

    def read(self) -> AbstractContextManager[View]:
        """Open a read-only view of one moment; it neither waits for writers nor keeps them waiting."""
        ...

    def tick(self) -> int:
        """Return microseconds of a steady clock that every process using this store shares; for leases only.

        The machine's monotonic clock where the store is a local file, the server's clock where it is a
        server. A replay passes ticks of its own instead.
        """
        ...

    def check(self) -> list[str]:
        """Return every fault found in the stored bytes and references; empty when the store is sound.

        Cost: reads the whole store.
        """
        ...

    def close(self) -> None:
        """Let go of connections and files; the store can't be used afterwards. Closing again is allowed."""
        ...
