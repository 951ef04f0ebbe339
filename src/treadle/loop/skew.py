"""The skew audit: at every tick, some of each endpoint's served vectors are recomputed from the stored rows at their T.

What was served is read from the prediction tables, what should have been served from the same lookups that make training
sets. The stored rows must have everything that was known by the audited Ts: the tick flushes and reads them first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from treadle.define.describe import definition_digest
from treadle.define.endpoints import Endpoint
from treadle.define.feature_sets import FeatureSet
from treadle.define.monitors import Skew
from treadle.define.project import Project
from treadle.define.row_features import RowFeature
from treadle.define.views import Selection
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.ports.metadata import Unit, View
from treadle.ports.tables import Tables
from treadle.records.digests import Digest, Json, digest_value
from treadle.records.estimates import Window
from treadle.records.instants import DAY, Duration, Instant
from treadle.records.skew import SkewReading
from treadle.stages.features.offline import OfflineFeatures
from treadle.stages.monitoring.skew import Compared, changed_since, choose, judge, newly_alerting
from treadle.stages.serving.prediction_log import raw_features, table_name, to_frame

AUDITED = "skew.audited"
"""The journal's event of an audit; its subject is the endpoint."""
FIRST_LOOK: Duration = DAY
"""So far the first audit of an endpoint looks back."""
FURTHEST: Duration = 7 * DAY
"""So far any audit looks back, however long ago the last one was."""

AT_ONCE = 20_000
"""Up to so many predictions of a window are read whole."""


class SkewAudits:
    """The audits of a world's endpoints; each goes on where the one before it ended."""

    def __init__(self, world: World) -> None:
        self.latest: dict[str, SkewReading] = {}
        """Endpoint → the newest reading."""
        self._world = world
        self._definitions: dict[str, Mapping[str, Digest]] = {}
        self._followed = False

    def follow(self, view: View) -> None:
        """Take up what earlier processes found; once is enough, since one process controls a home."""
        if self._followed:
            return
        for endpoint in self._world.project.endpoints:
            event = view.journal.latest(AUDITED, subject=endpoint.name)
            if event is not None:
                self.latest[endpoint.name] = SkewReading.from_json(event.data)
        self._followed = True

    def read(self, store: Store, at: Instant) -> list[SkewReading]:
        """Audit what was served before an instant and has not been audited; nothing is recorded yet."""
        readings = []
        for endpoint in self._world.project.endpoints:
            rule = rule_of(self._world.project, endpoint.name)
            earlier = self.latest.get(endpoint.name)
            if rule.sample <= 0.0 or (earlier is not None and earlier.at >= at):
                continue
            if not self._world.tables.exists(table_name(endpoint.name)):
                continue  # it has never answered
            since = at - FIRST_LOOK if earlier is None else min(max(earlier.resume, at - FURTHEST), at)
            window = Window(since, at)
            served = read_served(self._world.tables, endpoint, window)
            defined = self._defined(endpoint)
            found = audit(
                store.offline, endpoint, rule, served, window, at, definitions=defined, earlier=earlier
            )
            if found.served or earlier is None or earlier.served:  # that nobody asks is said once
                readings.append(found)
        return readings

    def record(self, unit: Unit, readings: Sequence[SkewReading]) -> None:
        """Write the readings to the journal, and an alert for each that has features newly beyond their bound."""
        for reading in readings:
            earlier = self.latest.get(reading.endpoint)
            key = f"{reading.endpoint}:{reading.at}"
            unit.journal.append(AUDITED, reading.endpoint, reading.at, reading.as_json(), key=key)
            fresh = newly_alerting(reading, earlier)
            if fresh:
                told: dict[str, Json] = {
                    "monitor": reading.endpoint,
                    "kind": "feature_skew",
                    "features": list(fresh),
                    "message": reading.sentence,
                }
                unit.journal.append(
                    "alert.raised", reading.endpoint, reading.at, told, key=f"{key}:feature_skew"
                )

    def accept(self, readings: Sequence[SkewReading]) -> None:
        """Go on from these readings; called after they were committed."""
        self.latest.update({reading.endpoint: reading for reading in readings})

    def _defined(self, endpoint: Endpoint) -> Mapping[str, Digest]:
        if endpoint.name not in self._definitions:
            self._definitions[endpoint.name] = feature_digests(endpoint.features)
        return self._definitions[endpoint.name]


def rule_of(project: Project, endpoint: str) -> Skew:
    """Return how an endpoint is audited: as a monitor of it says, else as every endpoint is. Pure."""
    found = [monitor.skew for monitor in project.monitors if monitor.endpoint == endpoint and monitor.skew]
    return found[0] if found else Skew()


def audit(
    offline: OfflineFeatures,
    endpoint: Endpoint,
    rule: Skew,
    served: pl.LazyFrame,
    window: Window,
    at: Instant,
    *,
    definitions: Mapping[str, Digest],
    earlier: SkewReading | None = None,
) -> SkewReading:
    """Recompute some of the served vectors and return what was found.

    Args:
        offline: lookups over stored rows that have everything known by the window's end.
        endpoint: whose predictions.
        rule: how they are chosen and judged.
        served: the window's rows of the prediction table.
        window: where they lie.
        at: the present.
        definitions: feature → digest of its present definition.
        earlier: the reading before this one, which tells what features were defined as then.
    """
    features = endpoint.features
    rows, count = _chosen(served, rule)
    left_out = changed_since(definitions, {} if earlier is None else earlier.definitions)
    left_out |= _not_logged(rows, features)
    names = [name for name in features.names if name not in left_out]
    instants = rows["at"].to_physical()
    enough = rows.height >= rule.min_rows and bool(names)
    recomputed = offline.vectors(features, rows, instants.to_numpy()) if enough else None
    present = _typed(rows, features, names)
    compared = Compared(
        rows["prediction_id"], instants, present, present if recomputed is None else recomputed.select(names)
    )
    return judge(
        rule,
        compared,
        endpoint=endpoint.name,
        window=window,
        at=at,
        served=count,
        not_comparable=left_out,
        definitions=definitions,
        earlier=earlier,
    )


def _chosen(served: pl.LazyFrame, rule: Skew) -> tuple[pl.DataFrame, int]:
    """Return the predictions to recompute, and how many there are; few are read in one go, of many only their ids first."""
    some = served.head(AT_ONCE + 1).collect()
    whole = some.height <= AT_ONCE
    ids = some["prediction_id"] if whole else served.select("prediction_id").collect()["prediction_id"]
    picked = pl.col("prediction_id").is_in(choose(ids, rule))
    rows = some.filter(picked) if whole else served.filter(picked).collect()
    return rows.sort("at", "prediction_id"), ids.len()


def read_served(tables: Tables, endpoint: Endpoint, window: Window) -> pl.LazyFrame:
    """Return the rows of an endpoint's prediction table in a window; none where there is no table yet."""
    name = table_name(endpoint.name)
    rows = tables.read(name) if tables.exists(name) else to_frame([], endpoint.features).lazy()
    return inside(rows, window)


def inside(rows: pl.LazyFrame, window: Window) -> pl.LazyFrame:
    """Return the predictions with start <= T < end. Pure."""
    first, after = (
        pl.lit(one, pl.Int64).cast(pl.Datetime("us", "UTC")) for one in (window.start, window.end)
    )
    return rows.filter((pl.col("at") >= first) & (pl.col("at") < after))


def feature_digests(features: FeatureSet) -> dict[str, Digest]:
    """Return for each feature the digest of all that defines it: views with their sources, functions with their inputs."""
    views = {selection.view.name: definition_digest(selection.view) for selection in features.selections}
    found: dict[str, Digest] = {}
    for part in features.parts:
        if isinstance(part, Selection):
            found |= dict.fromkeys(part.columns, views[part.view.name])
        elif isinstance(part, RowFeature):
            # A function may read any of the views, through other functions too.
            functions = [definition_digest(one) for one in features.row_features]
            found[part.name] = digest_value([definition_digest(part), functions, views])
        else:
            found[part.name] = definition_digest(part)
    return {name: found[name] for name in features.names}


def _not_logged(rows: pl.DataFrame, features: FeatureSet) -> dict[str, str]:
    """Return the features that cannot be recomputed or compared, since the log has them, or the request, in another form."""
    wanted, there = to_frame([], features).schema, rows.schema
    lacking = [field for field in features.request if there.get(field) != wanted[field]]
    if lacking:
        return dict.fromkeys(features.names, f"the request was logged without {lacking[0]!r} as it is now")
    return {
        name: "it was not logged as it is now" for name in features.names if there.get(name) != wanted[name]
    }


def _typed(rows: pl.DataFrame, features: FeatureSet, names: Sequence[str]) -> pl.DataFrame:
    """Return served raw features in the types that lookups give."""
    if set(names) == set(features.names):
        return raw_features(rows, features).select(names)
    return rows.select(
        pl.col(name).cast(pl.String if name in features.categories else pl.Float64) for name in names
    )
