"""Small tables for tests of lookups: rows as a person would write them, stored as the data stage stores them."""

from __future__ import annotations

import numpy as np
import polars as pl

from treadle.adapters.online_memory import MemoryOnline
from treadle.define.entities import Entity
from treadle.define.feature_sets import FeatureSet
from treadle.define.sources import Source
from treadle.records.instants import HOUR, instant
from treadle.stages.data.canonical import add_canonical
from treadle.stages.data.conform import conform
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.features.plan import ServingPlan
from treadle.stages.features.writer import make_applier

NOON = instant("2025-03-01T12:00:00Z")
SHOP = Entity("shop", keys=["shop"])
PAIR = Entity("pair", keys=["a", "b"])
WORLD = Entity("world", keys=[])


def at(hours):
    """So many hours after noon."""
    return NOON + round(hours * HOUR)


def facts(name="facts", **timing):
    """A source of a shop's or pair's value `v`, true at `t`; `seen` and `written` are known and created times."""
    columns = {"shop": "string", "a": "string", "b": "string", "v": "float", "t": "time", "gone": "bool"}
    columns |= dict.fromkeys(("seen", "written"), "time")
    return Source.parquet(
        name, path="facts.parquet", columns=columns, event_time="t", tombstone="gone", **timing
    )


LATE = facts(known_at="seen")
VERSIONED = facts(created_time="written")
PLAIN = facts()


def stored(source, *rows):
    """Store rows given as dicts; what is left out is null, times are hours after noon or what Polars takes as a time."""
    frame = pl.DataFrame(
        [{column: row.get(column) for column in source.columns} for row in rows],
        schema=_schema(source),
    )
    for column in ("t", "seen", "written"):
        hours = [None if row.get(column) is None else at(row[column]) for row in rows]
        frame = frame.with_columns(pl.Series(column, hours, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")))
    return stored_frame(source, frame)


def stored_frame(source, frame):
    """Store a frame as it came, its times in any form."""
    rows, faults = conform(frame, source.columns, source.zone)
    assert faults == []
    return add_canonical(rows, source.timing, source.unique)


def _schema(source):
    kinds = {
        "string": pl.String,
        "float": pl.Float64,
        "bool": pl.Boolean,
        "time": pl.Float64,
        "int": pl.Int64,
    }
    return {column: kinds[kind] for column, kind in source.columns.items()}


class Asked:
    """What one view, or several, answer to rows asked about."""

    def __init__(self, engine, view, rows, *more):
        self.views = [view, *(other for other, _ in more)]
        tables = {one.source.name: table for one, table in [(view, rows), *more]}
        keys = dict.fromkeys(key for one in self.views for key in one.entity.keys)
        request = dict.fromkeys(keys or ["row"], "string")
        self.features = FeatureSet("set", request=request, features=self.views)
        self.keys = list(keys)
        self.offline = OfflineFeatures(tables.__getitem__, engine)

    def frame(self, *asked, **columns):
        """Answer rows of (key parts…, hours after noon)."""
        spine = pl.DataFrame(
            {
                key: pl.Series(key, [row[i] for row in asked], dtype=pl.String)
                for i, key in enumerate(self.keys)
            }
            | columns
            | ({} if self.keys else {"row": [str(row) for row in asked]})
        )
        moments = np.array([at(row[-1]) for row in asked], dtype=np.int64)
        return self.offline.vectors(self.features, spine, moments)

    def values(self, *asked):
        """The first feature of each answer."""
        return self.frame(*asked).to_series(0).to_list()


def fed(view, *batches):
    """An online store that was given these stored rows, a batch after the other."""
    online = MemoryOnline()
    applier = make_applier(view.source.name, [view])
    for batch in batches:
        with online.begin() as writing:
            for known, row, values in applier.events(batch):
                applier.apply(writing, known, row, values)
    return online


def online_vector(view, online, key, hours):
    """What a model would get of the view at so many hours after noon."""
    request = dict.fromkeys(view.entity.keys or ["row"], "string")
    plan = ServingPlan(FeatureSet("set", request=request, features=[view]))
    with online.read() as snapshot:
        return plan.vector(snapshot, list(key) or ["any"], at(hours))
