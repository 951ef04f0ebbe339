"""Reading a monitor: the predictions and labels of its window, held against what the champion promised."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.monitors import Monitor
from treadle.loop.observations import served_between, with_labels
from treadle.loop.training import Store
from treadle.loop.turn import load_reference, load_report
from treadle.loop.world import World
from treadle.records.estimates import Window
from treadle.records.frames import LABEL
from treadle.records.instants import DAY, Instant
from treadle.records.models import ModelVersion
from treadle.records.readings import MonitorReading


def read_monitor(
    world: World,
    store: Store,
    endpoint: Endpoint,
    monitor: Monitor,
    champion: ModelVersion,
    at: Instant,
    earlier: Sequence[MonitorReading],
) -> list[MonitorReading]:
    """Return a monitor's readings at an instant, of the present champion's predictions only."""
    return []
