"""The world a loop turns in: one project and the ports it reaches everything through."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.define.project import Project
from treadle.ports.blobs import Blobs
from treadle.ports.clock import Clock
from treadle.ports.executor import Executor
from treadle.ports.log import AppendLog
from treadle.ports.metadata import Metadata
from treadle.ports.online import Online
from treadle.ports.outside import Outside
from treadle.ports.streams import Streams
from treadle.ports.tables import Tables

if TYPE_CHECKING:
    from treadle.records.digests import Digest


@dataclass(frozen=True)
class World:
    """A project and its ports. The same value drives the live loop and a replay; only the clock differs."""

    project: Project
    metadata: Metadata
    blobs: Blobs
    tables: Tables
    online: Online
    predictions: AppendLog
    clock: Clock
    executor: Executor
    environment: Digest
    project_paths: tuple[str, ...] = ()
    code_folder: Path | None = None
    outside: Outside | None = None
    """What reads sources beyond the data folder; without it they cannot be read."""
    streams: Streams | None = None
    """What opens streams that events are fetched from; without it none is read."""
    events: AppendLog | None = None
    """The event log; without one nothing can be pushed."""
