"""Watching sources: windows of their rows are measured as they end, kept, and judged against those before.

What was measured is an event of the journal (`quality.measured`, the newest of a window counts), and so are readings
(`monitor.read`) and drift verdicts (`data.drift`); the state is what these events say. So nothing is counted twice after a
crash: a tick that was cut off has left none of them, and one that was not is not repeated. Rows that come late change the
number of rows of a window that was measured; it is measured again, its profile by merging that of the new rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import polars as pl

from treadle.define.endpoints import Endpoint
from treadle.define.source_monitors import NEWEST, SourceMonitor
from treadle.define.sources import Rows
from treadle.loop.leaning import columns_behind, measure_importances, sources_of, top_features
from treadle.loop.source_drift import judge_source_drift, profile_rows, reference_windows
from treadle.loop.source_history import MEASURED, flush_history
from treadle.loop.training import Store
from treadle.loop.world import World
from treadle.ports.metadata import Unit, View
from treadle.records.digests import Json
from treadle.records.drifts import DataDrift, TrainingCall
from treadle.records.instants import Instant
from treadle.records.models import ModelVersion
from treadle.records.profiles import Profile
from treadle.records.readings import CALLS, MonitorReading
from treadle.records.rows import EVENT_TIME, KNOWN_AT
from treadle.records.source_windows import SourceWindow
from treadle.stages.data.versions import find_version, version_rows
from treadle.stages.monitoring.data_drift import calls_for_training
from treadle.stages.monitoring.source_quality import LIKE_REACH, judge_freshness, judge_window
from treadle.stages.monitoring.source_windows import (
    bounds_of,
    closed_starts,
    counts_by_window,
    known_rows,
    measure_windows,
    rows_of,
)
from treadle.stages.monitoring.windows import is_due

DRIFT = "data.drift"
HISTORY = 400
"""So many windows back are measured when a source is watched for the first time, and may still get rows."""
MOST_JUDGED = 7
"""After a pause the newest windows are judged, at most so many."""
PAGE = 1_000


@dataclass
class Watched:
    """What one tick found of one monitor's source; nothing of it is on record yet."""

    monitor: SourceMonitor
    measured: list[SourceWindow] = field(default_factory=list)
    verdicts: list[DataDrift] = field(default_factory=list)
    readings: list[MonitorReading] = field(default_factory=list)


@dataclass
class _Kept:
    """What the journal says of a monitor: its windows, its verdicts, and up to where it has been judged."""

    windows: dict[Instant, SourceWindow] = field(default_factory=dict)
    verdicts: dict[Instant, DataDrift] = field(default_factory=dict)
    after: int = 0

    def follow(self, view: View, monitor: str) -> None:
        while True:
            events = view.journal.read(self.after, kinds=[MEASURED, DRIFT], subject=monitor, limit=PAGE)
            for event in events:
                if event.kind == MEASURED:
                    one = SourceWindow.from_json(event.data)
                    self.windows[one.window.start] = one
                else:
                    verdict = DataDrift.from_json(event.data)
                    self.verdicts[verdict.window.start] = verdict
            self.after = events[-1].cursor if events else self.after
            if len(events) < PAGE:
                return

    def ordered(self) -> list[SourceWindow]:
        return [self.windows[start] for start in sorted(self.windows)]


class SourceWatch:
    """Watches the sources that a project's source monitors name.

    Args:
        world: the project and its ports.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._kept: dict[str, _Kept] = {}
        self._profiles: dict[str, Profile] = {}
        self._pinned: dict[str, list[tuple[SourceWindow, Profile | None]]] = {}
        self._top: dict[str, tuple[str, ...]] = {}
        self._unwritten = 0
        self._newest: dict[str, Instant] = {}

    def latest(self) -> list[tuple[SourceMonitor, Instant | None, SourceWindow | None]]:
        """Return each monitor with its source's newest event time, as of its last reading, and its newest window."""
        found = []
        for monitor in self._world.project.source_monitors:
            kept = self._kept.get(monitor.name, _Kept()).windows.copy()
            newest = kept[max(kept)] if kept else None
            found.append((monitor, self._newest.get(monitor.name), newest))
        return found

    def due(self, view: View, at: Instant) -> list[SourceMonitor]:
        """Return the monitors that are due, with what the journal says of them brought up to date."""
        found = []
        for monitor in self._world.project.source_monitors:
            kept = self._kept.setdefault(monitor.name, _Kept())
            kept.follow(view, monitor.name)
            last = view.journal.latest("quality.looked", subject=monitor.name)
            if is_due(monitor, None if last is None else last.at, at):
                found.append(monitor)
        return found

    def read(
        self,
        due: Sequence[SourceMonitor],
        store: Store,
        readings: Sequence[MonitorReading],
        at: Instant,
    ) -> list[Watched]:
        """Measure and judge what has ended of each monitor's source; profiles are put among the blobs, nothing else is written.

        Args:
            due: the monitors.
            store: the stored rows.
            readings: those of the endpoints' monitors, old and new: whether scores drifted or performance fell.
            at: the instant.
        """
        return [self._watch(monitor, store, readings, at) for monitor in due]

    def record(self, unit: Unit, found: Sequence[Watched], at: Instant) -> None:
        """Write what was found; alerts are raised when they begin, and resolved when they end."""
        for watched in found:
            name = watched.monitor.name
            unit.journal.append(
                "quality.looked", name, at, {"windows": len(watched.measured)}, key=f"{name}:{at}"
            )
            for window in watched.measured:
                key = f"{name}:{window.window.start}:{window.revision}"
                unit.journal.append(MEASURED, name, at, window.as_json(), key=key)
            for verdict in watched.verdicts:
                unit.journal.append(DRIFT, name, at, verdict.as_json(), key=f"{name}:{verdict.window.start}")
            for reading in watched.readings:
                _record_reading(unit, reading)
            self._unwritten += len(watched.measured)

    def flush(self, least: int = 1) -> None:
        """Bring what was measured to the tables of its sources, once there are so many windows to bring."""
        if self._unwritten < least:
            return
        flush_history(self._world.metadata, self._world.tables, self._world.project.source_monitors)
        self._unwritten = 0

    def _watch(
        self, monitor: SourceMonitor, store: Store, readings: Sequence[MonitorReading], at: Instant
    ) -> Watched:
        kept, source = self._kept[monitor.name], self._source(monitor)
        found = Watched(monitor)
        rows = known_rows(store.rows[monitor.source], at, since=_reach(monitor, at))
        newest = rows[EVENT_TIME].max()
        if isinstance(newest, int):
            self._newest[monitor.name] = newest
        fresh = judge_freshness(monitor, newest if isinstance(newest, int) else None, at)
        found.readings += [] if fresh is None else [fresh]
        found.measured = self._measure(monitor, source, rows, at)
        windows = {**kept.windows, **{one.window.start: one for one in found.measured}}
        ordered = [windows[start] for start in sorted(windows)]
        verdicts = dict(kept.verdicts)
        for window in self._unjudged(found.measured, kept):
            earlier = [one for one in ordered if one.window.start < window.window.start]
            drift, reference = self._drift(monitor, source, window, earlier, verdicts, at)
            found.readings += judge_window(monitor, window, earlier, reference, at)
            if drift is not None:
                verdicts[window.window.start] = drift
                found.verdicts.append(drift)
                found.readings.append(self._drift_reading(monitor, drift, verdicts, store, readings, at))
        return found

    def _measure(
        self, monitor: SourceMonitor, source: Rows, rows: pl.DataFrame, at: Instant
    ) -> list[SourceWindow]:
        """Return the windows that have ended and are not measured yet, or have got rows since."""
        kept = self._kept[monitor.name].windows
        counts = counts_by_window(rows, monitor.window)
        wanted = [
            start
            for start in closed_starts(counts, monitor, at)
            if start not in kept or kept[start].rows != counts.get(start, 0)
        ]
        if not wanted:
            return []
        schema = next((one for one in self._world.project.schemas if one.name == monitor.source), None)
        measured = measure_windows(
            rows, wanted, monitor, at, columns=source.columns, unique=source.unique, bounds=bounds_of(schema)
        )
        return [self._complete(monitor, source, rows, one) for one in measured]

    def _complete(
        self, monitor: SourceMonitor, source: Rows, rows: pl.DataFrame, one: SourceWindow
    ) -> SourceWindow:
        """Return a window with its revision, and its profile where drift is watched."""
        former = self._kept[monitor.name].windows.get(one.window.start)
        one = msgspec.structs.replace(one, revision=0 if former is None else former.revision + 1)
        if monitor.drift is None or not one.rows:
            return one
        inside = rows_of(rows, one.window)
        profile: Profile | None = None
        if former is not None and former.profile is not None:
            new = inside.filter(pl.col(KNOWN_AT) > former.at)
            # Merged when that accounts for every row; rows that were stored late, or taken away, are counted anew.
            if former.rows + new.height == one.rows:
                profile = self._profile(former.profile).merge(profile_rows(new, monitor, source, one.window))
        profile = profile or profile_rows(inside, monitor, source, one.window)
        digest = self._world.blobs.put(profile.to_bytes())
        self._profiles[digest] = profile
        return msgspec.structs.replace(one, profile=digest)

    def _unjudged(self, measured: Sequence[SourceWindow], kept: _Kept) -> list[SourceWindow]:
        """Return the windows to be judged: new ones after the last that was; of a first history the newest alone."""
        last = max(kept.windows, default=None)
        fresh = [one for one in measured if last is None or one.window.start > last]
        return fresh[-1:] if last is None else fresh[-MOST_JUDGED:]

    def _drift(
        self,
        monitor: SourceMonitor,
        source: Rows,
        current: SourceWindow,
        earlier: Sequence[SourceWindow],
        verdicts: Mapping[Instant, DataDrift],
        at: Instant,
    ) -> tuple[DataDrift | None, list[SourceWindow]]:
        """Return the verdict on a window, None where drift is not watched, and the windows it was compared with."""
        if isinstance(monitor.reference, str):
            pinned = self._pinned_windows(monitor, source, at)
            reference = [one for one, _ in pinned]
            profiles = [profile for _, profile in pinned if profile is not None]
        else:
            alerted = {start for start, one in verdicts.items() if one.state == "alert"}
            reference = reference_windows(monitor, current.window, earlier, alerted, self._promoted(monitor))
            profiles = [self._profile(one.profile) for one in reference if one.profile is not None]
        if monitor.drift is None:
            return None, reference
        now = Profile(name=monitor.source) if current.profile is None else self._profile(current.profile)
        return judge_source_drift(monitor, monitor.drift, now, current.window, profiles, at), reference

    def _drift_reading(
        self,
        monitor: SourceMonitor,
        drift: DataDrift,
        verdicts: Mapping[Instant, DataDrift],
        store: Store,
        readings: Sequence[MonitorReading],
        at: Instant,
    ) -> MonitorReading:
        recent = [verdicts[start] for start in sorted(verdicts) if start <= drift.window.start][-3:]
        call = self._call(monitor, recent, store, readings, at)
        distances = [one.value for column in drift.columns for one in column.findings]
        return MonitorReading(
            name=monitor.name,
            kind="data_drift",
            window=drift.window,
            at=at,
            state=drift.state,
            n=drift.rows,
            value=max(distances, default=None),
            sentence=drift.sentence if call is None else f"{call.because}; {drift.sentence}",
            details={CALLS: float(call is not None), "columns": float(len(drift.drifted()))},
        )

    def _call(
        self,
        monitor: SourceMonitor,
        recent: Sequence[DataDrift],
        store: Store,
        readings: Sequence[MonitorReading],
        at: Instant,
    ) -> TrainingCall | None:
        """Return whether lasting drift calls for a training of one of the models that the source feeds."""
        lasting = calls_for_training(recent, score_drifted=True, performance_fell=True)
        if lasting is None:
            return None
        for endpoint, champion in self._served(monitor):
            call = calls_for_training(
                recent,
                score_drifted=self._alerting(endpoint, champion, "score_drift", readings),
                performance_fell=self._alerting(endpoint, champion, "auc", readings),
                important=columns_behind(
                    endpoint, monitor.source, self._top_features(endpoint, champion, store, at)
                ),
            )
            if call is not None:
                return call
        return None

    def _alerting(
        self, endpoint: Endpoint, champion: ModelVersion, kind: str, readings: Sequence[MonitorReading]
    ) -> bool:
        names = {monitor.name for monitor in self._world.project.monitors_of(endpoint)}
        newest = {
            reading.name: reading
            for reading in readings
            if reading.name in names and reading.kind == kind and reading.model_version == champion.version
        }
        return any(reading.state == "alert" for reading in newest.values())

    def _served(self, monitor: SourceMonitor) -> list[tuple[Endpoint, ModelVersion]]:
        """Return the endpoints whose answers come from the source, with the versions that give them."""
        using = [one for one in self._world.project.endpoints if monitor.source in sources_of(one)]
        with self._world.metadata.read() as view:
            found = [(one, view.models.find_by_alias(one.model_name, one.alias)) for one in using]
        return [(endpoint, version) for endpoint, version in found if version is not None]

    def _promoted(self, monitor: SourceMonitor) -> Instant | None:
        """Return when the newest of the models that the source feeds was promoted."""
        using = [one for one in self._world.project.endpoints if monitor.source in sources_of(one)]
        with self._world.metadata.read() as view:
            moves = [view.models.alias_history(one.model_name, one.alias)[:1] for one in using]
        return max((move.at for one in moves for move in one), default=None)

    def _top_features(
        self, endpoint: Endpoint, champion: ModelVersion, store: Store, at: Instant
    ) -> tuple[str, ...]:
        key = f"{endpoint.name}@{champion.ref}"
        if key not in self._top:
            self._top[key] = top_features(measure_importances(self._world, store, endpoint, champion, at))
        return self._top[key]

    def _pinned_windows(
        self, monitor: SourceMonitor, source: Rows, at: Instant
    ) -> list[tuple[SourceWindow, Profile | None]]:
        """Return the windows of the version that a monitor is pinned to; read once a process."""
        if monitor.name not in self._pinned:
            assert isinstance(monitor.reference, str)
            with self._world.metadata.read() as view:
                selector = monitor.reference.removeprefix(NEWEST)
                manifest = find_version(view.datasets, monitor.source, selector)
            rows = known_rows(version_rows(self._world.tables, manifest, times=True).collect(), at)
            starts = sorted(counts_by_window(rows, monitor.window))
            windows = measure_windows(rows, starts, monitor, at, columns=source.columns, unique=source.unique)
            self._pinned[monitor.name] = [
                (
                    one,
                    None
                    if monitor.drift is None
                    else profile_rows(rows_of(rows, one.window), monitor, source, one.window),
                )
                for one in windows
            ]
        return self._pinned[monitor.name]

    def _profile(self, digest: str) -> Profile:
        if digest not in self._profiles:
            self._profiles[digest] = Profile.from_bytes(self._world.blobs.get(digest))
        return self._profiles[digest]

    def _source(self, monitor: SourceMonitor) -> Rows:
        return next(one for one in self._world.project.sources if one.name == monitor.source)


def _reach(monitor: SourceMonitor, at: Instant) -> Instant:
    """Return the begin of the oldest window that is looked at."""
    back = max(HISTORY * monitor.window, LIKE_REACH)
    if not isinstance(monitor.reference, str):
        back = max(back, monitor.reference + MOST_JUDGED * monitor.window)
    return (at - back) // monitor.window * monitor.window


def _record_reading(unit: Unit, reading: MonitorReading) -> None:
    key = f"{reading.name}:{reading.kind}:{reading.window.end}:{reading.at}"
    said: Json = {"monitor": reading.name, "kind": reading.kind, "message": reading.sentence}
    subject = f"{reading.name}:{reading.kind}"
    raised = unit.journal.latest("alert.raised", subject=subject)
    over = unit.journal.latest("alert.resolved", subject=subject)
    standing = raised is not None and (over is None or over.cursor < raised.cursor)
    unit.journal.append("monitor.read", reading.name, reading.at, reading.as_json(), key=key)
    if reading.state == "alert" and not standing:
        unit.journal.append("alert.raised", subject, reading.at, said, key=key)
    elif reading.state in ("ok", "warn") and standing:
        unit.journal.append("alert.resolved", subject, reading.at, said, key=key)
