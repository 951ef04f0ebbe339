"""Lineage: the journal's events told again as OpenLineage run events, each once; and sent on to whoever collects them.

What happened is in the journal already. `follow` reads on from where it stood and writes, in the same transaction, what it
means as lineage: data brought in, tables built, features defined, pipelines run, models put behind an alias. So nothing that
trains or serves waits for lineage, and nothing fails for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version as installed_version

from treadle.define.describe import definition_digest
from treadle.define.project import Project
from treadle.define.sources import Rows, Source
from treadle.define.views import FeatureView, View
from treadle.ports.lineage import LineageTransport
from treadle.ports.metadata import Metadata, Unit
from treadle.records.digests import Json
from treadle.records.errors import InvalidInput, NotFound, TreadleError
from treadle.records.events import Event
from treadle.records.instants import Instant
from treadle.records.openlineage import (
    EventType,
    FieldOrigin,
    LineageDataset,
    about_facet,
    column_facet,
    engine_facet,
    error_facet,
    job_facets,
    owner_facet,
    place_facet,
    rows_facet,
    run_event,
    run_uuid,
    schema_facet,
    version_facet,
)
from treadle.records.runs import Run, RunStatus

FOLLOWER = "lineage"
SENDER = "lineage-http"
EMITTED = "lineage.emitted"
REFUSED = "lineage.refused"
KINDS = ("dataset.created", "run.created", "run.updated", "alias.set")
_AT_ONCE = 200
_VERSION = installed_version("treadle")
_ENDS: Mapping[str, EventType] = {"FINISHED": "COMPLETE", "FAILED": "FAIL", "KILLED": "ABORT"}

Lines = Iterator[dict[str, Json]]


class LineageFollower:
    """Writes the lineage of what the journal says.

    Args:
        project: whose definitions give columns, owners and places.
        metadata: the home's metadata.
    """

    def __init__(self, project: Project, metadata: Metadata) -> None:
        self._project = project
        self._metadata = metadata
        self._namespace = f"treadle:{project.name}"
        self._features_told = False
        self._rows: dict[str, Rows] = {definition.name: definition for definition in project.sources}
        self._telling: Mapping[str, Callable[[Unit, Event], Lines]] = {
            "dataset.created": self._data,
            "run.created": self._run_began,
            "run.updated": self._run_ended,
            "alias.set": self._deployed,
        }

    def follow(self, at: Instant) -> int:
        """Write what is new as lineage events; returns how many.

        Args:
            at: when the present definitions are told of, should they be new.
        """
        written = 0 if self._features_told else self._features(at)
        self._features_told = True  # definitions do not change while a process lives
        while True:
            with self._metadata.begin() as unit:
                position = unit.journal.position(FOLLOWER)
                events = unit.journal.read(position, kinds=KINDS, limit=_AT_ONCE)
                for event in events:
                    for number, line in enumerate(self._lines(unit, event)):
                        unit.journal.append(
                            EMITTED, _job_of(line), event.at, line, f"{event.cursor}:{number}"
                        )
                        written += 1
                if events:
                    unit.journal.advance(FOLLOWER, events[-1].cursor, since=position)
            if len(events) < _AT_ONCE:
                return written

    def _lines(self, unit: Unit, event: Event) -> Lines:
        try:
            yield from self._telling[event.kind](unit, event)
        except NotFound:
            return  # what the event speaks of has been removed since: there is nothing left to tell

    def _data(self, unit: Unit, event: Event) -> Lines:
        name, _, version = event.subject.rpartition("/")
        manifest = unit.datasets.get(name, int(version))
        definition = self._rows.get(name)
        inputs = [self._stored(parent.name, parent.version) for parent in manifest.parents]
        if isinstance(definition, Source):
            inputs.append(outside(definition))
        made = self._stored(name, manifest.version, rows=manifest.rows)
        kind, verb = ("TABLE", "table") if manifest.parents else ("INGEST", "ingest")
        run = run_uuid(self._namespace, event.world, "data", event.subject)
        for what in ("START", "COMPLETE"):
            done = what == "COMPLETE"
            yield run_event(
                "COMPLETE" if done else "START",
                event.at,
                run,
                namespace=self._namespace,
                job=f"{verb}.{name}",
                inputs=inputs if done else (),
                outputs=[made] if done else (),
                run_facets=engine_facet(_VERSION),
                job_facets=job_facets(kind, definition.description if definition else ""),
            )

    def _run_began(self, unit: Unit, event: Event) -> Lines:
        yield self._run_line(unit.runs.get_run(event.subject), "START", event)

    def _run_ended(self, unit: Unit, event: Event) -> Lines:
        status = event.data.get("status") if isinstance(event.data, dict) else None
        kind = _ENDS.get(str(status))
        if kind is None:
            return
        run = unit.runs.get_run(event.subject)
        steps = unit.runs.steps(run.run_id)
        inputs: dict[str, LineageDataset] = {}
        for step in steps:
            for name, content in step.inputs.items():
                manifest = unit.datasets.find(name, content) if name in self._rows else None
                if manifest is not None:
                    inputs[name] = self._stored(name, manifest.version)
        outputs = [self._model(output.model_id) for output in run.models]
        failed = next((step.error for step in reversed(steps) if step.error), None)
        facets = error_facet(failed or "the run failed") if run.status is RunStatus.FAILED else {}
        yield self._run_line(run, kind, event, tuple(inputs.values()), tuple(outputs), facets)

    def _run_line(
        self,
        run: Run,
        kind: EventType,
        event: Event,
        inputs: tuple[LineageDataset, ...] = (),
        outputs: tuple[LineageDataset, ...] = (),
        facets: dict[str, Json] | None = None,
    ) -> dict[str, Json]:
        return run_event(
            kind,
            event.at,
            run_uuid(self._namespace, event.world, "run", run.run_id),
            namespace=self._namespace,
            job=f"pipeline.{run.pipeline or run.name or 'run'}",
            inputs=inputs,
            outputs=outputs,
            run_facets={**engine_facet(_VERSION), **(facets or {})},
            job_facets=job_facets("PIPELINE"),
        )

    def _deployed(self, unit: Unit, event: Event) -> Lines:
        version = event.data.get("version") if isinstance(event.data, dict) else None
        if not isinstance(version, int):
            return
        model, _, alias = event.subject.partition("@")
        served = [e for e in self._project.endpoints if (e.model_name, e.alias) == (model, alias)]
        run = run_uuid(self._namespace, event.world, "alias", str(event.cursor))
        for what in ("START", "COMPLETE"):
            done = what == "COMPLETE"
            yield run_event(
                "COMPLETE" if done else "START",
                event.at,
                run,
                namespace=self._namespace,
                job=f"deploy.{event.subject}",
                inputs=[self._model(f"{model}/{version}"), *self._vectors(served)] if done else (),
                outputs=[LineageDataset(self._namespace, f"predictions.{e.name}") for e in served]
                if done
                else (),
                run_facets=engine_facet(_VERSION),
                job_facets=job_facets("DEPLOYMENT"),
            )

    def _vectors(self, served: object) -> list[LineageDataset]:
        endpoints = served if isinstance(served, list) else []
        views = {view.name: view for endpoint in endpoints for view in endpoint.features.views}
        return [LineageDataset(self._namespace, f"features.{name}") for name in views]

    def _features(self, at: Instant) -> int:
        """Tell of the feature views, once for each definition of them."""
        written = 0
        with self._metadata.begin() as unit:
            for view in self._project.views:
                key = f"{view.name}:{definition_digest(view)}"
                for number, line in enumerate(self._view_lines(view, key, at)):
                    before = unit.journal.end()
                    made = unit.journal.append(EMITTED, _job_of(line), at, line, f"{key}:{number}")
                    written += made.cursor > before
        return written

    def _view_lines(self, view: View, key: str, at: Instant) -> Lines:
        source = self._stored(view.source.name)
        columns = {f.name: _made_of(view, f.column, source) for f in view.features}
        types = {
            f.name: view.source.columns[f.column] if isinstance(view, FeatureView) and f.column else "float"
            for f in view.features
        }
        made = LineageDataset(
            self._namespace,
            f"features.{view.name}",
            {
                **schema_facet(types),
                **column_facet(columns),
                **about_facet(view.description),
                **owner_facet(view.owner),
            },
        )
        run = run_uuid(self._namespace, "features", key)
        for what in ("START", "COMPLETE"):
            done = what == "COMPLETE"
            yield run_event(
                "COMPLETE" if done else "START",
                at,
                run,
                namespace=self._namespace,
                job=f"features.{view.name}",
                inputs=[source] if done else (),
                outputs=[made] if done else (),
                run_facets=engine_facet(_VERSION),
                job_facets=job_facets("FEATURES", view.description),
            )

    def _stored(self, name: str, version: int | None = None, rows: int | None = None) -> LineageDataset:
        definition = self._rows.get(name)
        facets: dict[str, Json] = {}
        if definition is not None:
            facets |= {**schema_facet(definition.columns), **about_facet(definition.description)}
        if version is not None:
            facets |= version_facet(str(version))
        return LineageDataset(self._namespace, name, facets, {} if rows is None else rows_facet(rows))

    def _model(self, ref: str) -> LineageDataset:
        name, _, version = ref.rpartition("/")
        return LineageDataset(
            self._namespace, f"models.{name or ref}", version_facet(version) if name else {}
        )


class LineageSender:
    """Sends what `LineageFollower` wrote, in order; what cannot be delivered now waits.

    Args:
        metadata: the home's metadata.
        transport: where events go.
        say: called with a sentence when an event was refused for good.
    """

    def __init__(
        self, metadata: Metadata, transport: LineageTransport, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self._metadata = metadata
        self._transport = transport
        self._say = say

    def send(self) -> int:
        """Send what is new; returns how many events were taken.

        Raises:
            NotReady: the receiver is not there; what it has not taken is sent the next time.
        """
        taken = 0
        while True:
            with self._metadata.read() as view:
                position = view.journal.position(SENDER)
                events = view.journal.read(position, kinds=[EMITTED], limit=1)
            if not events:
                return taken
            refused = self._hand_over(events[0])
            with self._metadata.begin() as unit:
                if refused is not None:
                    key = str(events[0].cursor)
                    unit.journal.append(REFUSED, events[0].subject, events[0].at, {"why": refused}, key)
                unit.journal.advance(SENDER, events[0].cursor, since=position)
            taken += refused is None

    def _hand_over(self, event: Event) -> str | None:
        try:
            self._transport.send(event.data)
        except InvalidInput as error:
            self._say(f"lineage of {event.subject} was refused: {error.what}")
            return error.what
        return None


def emitted(metadata: Metadata) -> Iterator[Json]:
    """Yield every lineage event, the oldest first."""
    position = 0
    while True:
        with metadata.read() as view:
            events = view.journal.read(position, kinds=[EMITTED], limit=_AT_ONCE)
        if not events:
            return
        yield from (event.data for event in events)
        position = events[-1].cursor


def outside(source: Source) -> LineageDataset:
    """Return where a source's rows come from, without any secret: addresses that may hold one are left out."""
    kind = type(source.origin).__name__.lower()
    place = {"files": "file", "sql": "database", "deltatable": "delta", "push": "push", "inbox": "file"}.get(
        kind, kind.removesuffix("stream").removesuffix("topic")
    )
    label = next(
        (
            str(value)
            for name in ("path", "table", "topic", "stream")
            if isinstance(value := getattr(source.origin, name, None), str) and value
        ),
        source.name,
    )
    return LineageDataset(
        place, label, {**schema_facet(source.columns), **place_facet(source.name, f"{place}:{label}")}
    )


def _made_of(view: View, column: str | None, source: LineageDataset) -> list[FieldOrigin]:
    if column is None:
        return []
    return [FieldOrigin(source, column, "IDENTITY" if isinstance(view, FeatureView) else "AGGREGATION")]


def _job_of(line: Mapping[str, Json]) -> str:
    job = line["job"]
    if not isinstance(job, dict):
        raise TreadleError("a lineage event has no job")
    return str(job["name"])
