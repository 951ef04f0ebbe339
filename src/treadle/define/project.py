"""The project: one value that lists everything a person has defined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from treadle.define.endpoints import Endpoint
from treadle.define.gates import Gate, NoWorseSlice
from treadle.define.monitors import Monitor
from treadle.define.names import duplicates, name_fault
from treadle.define.sources import Rows, Table
from treadle.define.steps import Pipeline
from treadle.define.triggers import Trigger
from treadle.define.views import View
from treadle.records.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Project:
    """Everything that makes up one loop; nothing registers itself, this value lists it.

    Args:
        name: the project's name.
        sources: sources and tables.
        pipelines: functions made with `@pipeline`.
        endpoints: models behind addresses.
        monitors: what is watched, one or more per endpoint.
        triggers: what starts a pipeline by itself.
        gates: for each alias, what a version must pass to get it, e.g. `{"champion": [...]}`.
        timezone: the zone whose calendar days and months reports use; instants stay UTC.

    Raises:
        InvalidInput: definitions contradict one another; every fault is listed.
    """

    name: str
    sources: Sequence[Rows] = ()
    pipelines: Sequence[Pipeline[..., object]] = ()
    endpoints: Sequence[Endpoint] = ()
    monitors: Sequence[Monitor] = ()
    triggers: Sequence[Trigger] = ()
    gates: Mapping[str, Sequence[Gate]] = field(default_factory=dict)
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        faults = [fault for fault in [name_fault("project", self.name)] if fault]
        for kind, listed in (
            ("source or table", self.sources),
            ("pipeline", self.pipelines),
            ("endpoint", self.endpoints),
            ("monitor", self.monitors),
            ("trigger", self.triggers),
            ("view", self.views),
        ):
            again = duplicates(item.name for item in listed)
            faults += [f"two definitions of {kind} {name!r}" for name in again]
        faults += self._reference_faults()
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            faults.append(f"timezone {self.timezone!r} is not known; write it like Europe/Berlin or UTC")
        if faults:
            raise InvalidInput(f"the project {self.name!r} cannot be defined", faults=faults)

    @property
    def views(self) -> tuple[View, ...]:
        """The feature views its endpoints use, each once."""
        found: dict[int, View] = {}
        for endpoint in self.endpoints:
            for view in endpoint.features.views:
                found.setdefault(id(view), view)
        return tuple(found.values())

    def gates_of(self, endpoint: Endpoint) -> Sequence[Gate]:
        """Return what a version must pass to serve an endpoint."""
        return self.gates.get(endpoint.alias, ())

    def slices_of(self, endpoint: Endpoint) -> list[str]:
        """Return the columns whose slices an endpoint's gates guard."""
        return [gate.column for gate in self.gates_of(endpoint) if isinstance(gate, NoWorseSlice)]

    def monitors_of(self, endpoint: Endpoint) -> list[Monitor]:
        """Return what watches an endpoint."""
        return [monitor for monitor in self.monitors if monitor.endpoint == endpoint.name]

    def _reference_faults(self) -> list[str]:
        faults = []
        names = {source.name for source in self.sources}
        for source in self.sources:
            if isinstance(source, Table):
                faults += [
                    f"table {source.name!r} reads {wanted!r}, which is not among the sources"
                    for wanted in source.inputs
                    if wanted not in names
                ]
        used = {view.source.name: f"view {view.name!r}" for view in self.views}
        for endpoint in self.endpoints:
            used[endpoint.requests.source.name] = f"endpoint {endpoint.name!r} (requests)"
            used[endpoint.labels.source.name] = f"endpoint {endpoint.name!r} (labels)"
        faults += [
            f"{user} uses {name!r}, which is not among the sources"
            for name, user in used.items()
            if name not in names
        ]
        endpoints = {endpoint.name for endpoint in self.endpoints}
        faults += [
            f"monitor {monitor.name!r} watches endpoint {monitor.endpoint!r}, which is not among the endpoints"
            for monitor in self.monitors
            if monitor.endpoint not in endpoints
        ]
        pipelines = {pipeline.name for pipeline in self.pipelines}
        faults += [
            f"trigger {trigger.name!r} runs {trigger.pipeline!r}, which is not among the pipelines"
            for trigger in self.triggers
            if trigger.pipeline not in pipelines
        ]
        return faults
