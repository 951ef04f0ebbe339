"""The project: one value that lists everything a person has defined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from treadle.define.endpoints import Endpoint
from treadle.define.gates import Gate, NoWorseSlice
from treadle.define.monitors import Monitor
from treadle.define.names import duplicates, kind_fault, name_fault, zone_known
from treadle.define.schema_faults import schema_faults
from treadle.define.source_monitors import SourceMonitor
from treadle.define.sources import Rows, Source, Table, reading_order
from treadle.define.steps import Pipeline
from treadle.define.triggers import AllOf, AnyOf, Condition, Trigger
from treadle.define.views import View
from treadle.records.errors import InvalidInput, did_you_mean
from treadle.records.schemas import DatasetSchema


@dataclass(frozen=True, kw_only=True)
class Project:
    """Everything that makes up one loop; nothing registers itself, this value lists it.

    Args:
        name: the project's name.
        sources: sources and tables.
        pipelines: functions made with `@pipeline`.
        endpoints: models behind addresses.
        monitors: what is watched, one or more per endpoint.
        source_monitors: what is watched of sources and tables.
        triggers: what starts a pipeline by itself.
        schemas: what data must be, as `read_schemas` reads them; one with the name of a source or table is held to its rows
            before they are stored, the others are for `validated`.
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
    schemas: Sequence[DatasetSchema] = ()
    gates: Mapping[str, Sequence[Gate]] = field(default_factory=dict)
    timezone: str = "UTC"
    source_monitors: Sequence[SourceMonitor] = ()

    def __post_init__(self) -> None:
        faults = [fault for fault in [name_fault("project", self.name)] if fault]
        if not zone_known(self.timezone):
            faults.append(f"timezone {self.timezone!r} is not known; write it like 'Europe/Berlin' or 'UTC'")
        wrong = self._kind_faults()
        if not wrong:  # the rest looks into the parts
            wrong = (
                self._name_faults()
                + self._table_faults()
                + self._reference_faults()
                + self._gate_faults()
                + self._schema_faults()
            )
        if faults + wrong:
            raise InvalidInput(f"the project {self.name!r} cannot be defined", faults=faults + wrong)

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

    def _monitor_names(self) -> list[str]:
        """Return the names of all monitors, of endpoints and of sources: readings are found by them."""
        return [one.name for one in self.monitors] + [one.name for one in self.source_monitors]

    def _kind_faults(self) -> list[str]:
        """Return what stands in a list it does not belong in."""
        kinds: list[tuple[str, Sequence[object], type | tuple[type, ...], str]] = [
            (
                "sources",
                self.sources,
                (Source, Table),
                "tr.Source.parquet(...) and functions made tables by @tr.table",
            ),
            ("pipelines", self.pipelines, Pipeline, "functions made pipelines by @tr.pipeline"),
            ("endpoints", self.endpoints, Endpoint, "tr.Endpoint(...)"),
            ("monitors", self.monitors, Monitor, "tr.Monitor(...)"),
            ("source_monitors", self.source_monitors, SourceMonitor, "tr.SourceMonitor(...)"),
            ("schemas", self.schemas, DatasetSchema, "tr.read_schemas(folder)"),
            ("triggers", self.triggers, Trigger, "tr.on(condition, run=pipeline)"),
        ]
        kinds += [
            (f"gates[{alias!r}]", gates, get_args(Gate), "tr.better_than_champion(...) and its like")
            for alias, gates in self.gates.items()
        ]
        faults = []
        for role, listed, kind, wanted in kinds:
            if isinstance(listed, str) or not isinstance(listed, Sequence):
                faults.append(f"{role} is a {type(listed).__name__}; give a list of {wanted}")
                continue
            found = (kind_fault(role, "an entry", item, kind, wanted) for item in listed)
            faults += [fault for fault in found if fault]
        return faults

    def _name_faults(self) -> list[str]:
        faults = []
        for kind, names in (
            ("source or table", [source.name for source in self.sources]),
            ("pipeline", [pipeline.name for pipeline in self.pipelines]),
            ("endpoint", [endpoint.name for endpoint in self.endpoints]),
            ("monitor", self._monitor_names()),
            ("trigger", [trigger.name for trigger in self.triggers]),
            ("view", [view.name for view in self.views]),
            ("schema", [schema.name for schema in self.schemas]),
        ):
            faults += [f"two definitions of {kind} {name!r}" for name in duplicates(names)]
        return faults

    def _schema_faults(self) -> list[str]:
        return [
            f"schema {schema.name!r}: {'.'.join(path)}: {fault}"
            for schema in self.schemas
            for path, fault in schema_faults(schema)
        ]

    def _table_faults(self) -> list[str]:
        try:
            reading_order(self.sources)
        except InvalidInput as error:
            return list(error.faults)
        return []

    def _reference_faults(self) -> list[str]:
        """Return what is named or used and not listed."""
        listed = {source.name: source for source in self.sources}
        used = [(view.source, f"view {view.name!r}") for view in self.views]
        for endpoint in self.endpoints:
            if endpoint.requests.source is not None:
                used.append((endpoint.requests.source, f"endpoint {endpoint.name!r} (requests)"))
            used.append((endpoint.labels.source, f"endpoint {endpoint.name!r} (labels)"))
        faults = []
        for source, user in used:
            if source.name not in listed:
                meant = _meant(source.name, listed)
                faults.append(f"{user} uses {source.name!r}, which is not among the sources{meant}")
            elif listed[source.name] != source:
                faults.append(f"{user} uses a {source.name!r} that is not the one among the sources")
        endpoints = [endpoint.name for endpoint in self.endpoints]
        faults += [
            f"monitor {monitor.name!r} watches endpoint {monitor.endpoint!r}, which is not among the endpoints"
            + _meant(monitor.endpoint, endpoints)
            for monitor in self.monitors
            if monitor.endpoint not in endpoints
        ]
        pipelines = [pipeline.name for pipeline in self.pipelines]
        faults += [
            f"trigger {trigger.name!r} runs {trigger.pipeline!r}, which is not among the pipelines"
            + _meant(trigger.pipeline, pipelines)
            for trigger in self.triggers
            if trigger.pipeline not in pipelines
        ]
        faults += [fault for monitor in self.source_monitors for fault in _watched_faults(monitor, listed)]
        monitors = self._monitor_names()
        faults += [
            f"trigger {trigger.name!r} heeds monitor {name!r}, which is not among the monitors"
            + _meant(name, monitors)
            for trigger in self.triggers
            for name in _heeded(trigger.condition)
            if name not in monitors
        ]
        return faults

    def _gate_faults(self) -> list[str]:
        """Return gates that would never be asked, or that look at columns that are not there."""
        aliases = dict.fromkeys(endpoint.alias for endpoint in self.endpoints)
        faults = [
            f"gates of the alias {alias!r} guard nothing: no endpoint serves it (they serve {', '.join(aliases)})"
            + _meant(alias, aliases)
            for alias in self.gates
            if aliases and alias not in aliases
        ]
        for endpoint in self.endpoints:
            known = {*endpoint.features.request, *endpoint.features.names, *endpoint.labels.key}
            faults += [
                f"the gate no_worse_slice({column!r}) finds no such column at endpoint {endpoint.name!r}: "
                f"name a request field, a feature or a label key{_meant(column, known)}"
                for column in self.slices_of(endpoint)
                if column not in known
            ]
        return faults


def _meant(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"; {near}" if near else ""


def _watched_faults(monitor: SourceMonitor, listed: Mapping[str, Rows]) -> list[str]:
    """Return what a source monitor asks for that its source does not have."""
    who, source = f"source monitor {monitor.name!r}", listed.get(monitor.source)
    if source is None:
        return [
            f"{who} watches {monitor.source!r}, which is not among the sources{_meant(monitor.source, listed)}"
        ]
    if source.timing.event_time is None:
        return [
            f"{who} watches {monitor.source!r}, which has no event_time: its rows cannot be cut into windows"
        ]
    asked = () if monitor.drift is None else monitor.drift.columns or ()
    return [
        f"{who}: {column!r} is no column of {monitor.source!r}{_meant(column, source.columns)}"
        for column in asked
        if column not in source.columns
    ]


def _heeded(condition: Condition) -> list[str]:
    """Return the names of monitors that a condition asks for."""
    if isinstance(condition, AnyOf | AllOf):
        return [name for part in condition.parts for name in _heeded(part)]
    name = getattr(condition, "monitor", None)
    return [] if name is None else [name]
