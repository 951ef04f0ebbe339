"""Lineage in the words of OpenLineage 2-0-2: pure builders of run events and their facets, as JSON values.

What is written follows the published schemas of the core and of each facet; a test holds every event against them. Facets
carry the address of their schema, so a reader knows what to expect.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from treadle.records.digests import Json
from treadle.records.instants import Instant, iso

SPEC: Final = "https://openlineage.io/spec"
PRODUCER: Final = "https://pypi.org/project/treadle"
EventType: TypeAlias = Literal["START", "COMPLETE", "FAIL", "ABORT"]

_VERSIONS: Final = {
    "SchemaDatasetFacet": "1-2-0",
    "DatasourceDatasetFacet": "1-0-1",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "OwnershipDatasetFacet": "1-0-1",
    "ColumnLineageDatasetFacet": "1-2-0",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "JobTypeJobFacet": "2-0-4",
    "DocumentationJobFacet": "1-1-0",
    "ErrorMessageRunFacet": "1-0-1",
    "ProcessingEngineRunFacet": "1-1-1",
}

Facets: TypeAlias = dict[str, Json]


@dataclass(frozen=True, slots=True)
class LineageDataset:
    """A dataset as one event tells of it."""

    namespace: str
    name: str
    facets: Facets = field(default_factory=dict)
    output_facets: Facets = field(default_factory=dict)

    def as_json(self, *, output: bool) -> Json:
        """Return it as an input or an output of an event."""
        found: dict[str, Json] = {"namespace": self.namespace, "name": self.name, "facets": self.facets}
        if output and self.output_facets:
            found["outputFacets"] = self.output_facets
        return found


def run_uuid(*parts: str) -> str:
    """Return the UUID that stands for a run of ours: the same parts, the same UUID."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "treadle:" + "\x1f".join(parts)))


def run_event(
    kind: EventType,
    at: Instant,
    run_id: str,
    *,
    namespace: str,
    job: str,
    inputs: Sequence[LineageDataset] = (),
    outputs: Sequence[LineageDataset] = (),
    run_facets: Facets | None = None,
    job_facets: Facets | None = None,
) -> dict[str, Json]:
    """Return one run event.

    Args:
        kind: what happened to the run; a run has a START and one of the others.
        at: when.
        run_id: a UUID.
        namespace: whose job it is.
        job: its name there.
        inputs: what was read.
        outputs: what was made.
        run_facets: about this run.
        job_facets: about every run of the job.
    """
    return {
        "eventType": kind,
        "eventTime": iso(at),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id, "facets": run_facets or {}},
        "job": {"namespace": namespace, "name": job, "facets": job_facets or {}},
        "inputs": [one.as_json(output=False) for one in inputs],
        "outputs": [one.as_json(output=True) for one in outputs],
    }


def schema_facet(columns: Mapping[str, str]) -> Facets:
    """Return the columns of a dataset with their types."""
    fields: list[Json] = [
        {"name": name, "type": kind, "ordinal_position": place}
        for place, (name, kind) in enumerate(columns.items(), 1)
    ]
    return {"schema": _facet("SchemaDatasetFacet", fields=fields)}


def version_facet(version: str) -> Facets:
    """Return which version of a dataset is meant."""
    return {"version": _facet("DatasetVersionDatasetFacet", datasetVersion=version)}


def place_facet(name: str, uri: str) -> Facets:
    """Return where a dataset lies; the address must hold no secret."""
    return {"dataSource": _facet("DatasourceDatasetFacet", name=name, uri=uri)}


def about_facet(text: str) -> Facets:
    """Return what a dataset is, in a sentence; nothing when there is none."""
    return {"documentation": _facet("DocumentationDatasetFacet", description=text)} if text else {}


def owner_facet(owner: str) -> Facets:
    """Return who answers for a dataset; nothing when nobody is named."""
    return {"ownership": _facet("OwnershipDatasetFacet", owners=[{"name": owner}])} if owner else {}


def rows_facet(rows: int) -> Facets:
    """Return how many rows were written, as a facet of an output."""
    return {"outputStatistics": _facet("OutputStatisticsOutputDatasetFacet", rowCount=rows)}


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """A column that another one is made of, and how."""

    dataset: LineageDataset
    field: str
    subtype: Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
    description: str = ""


def column_facet(fields: Mapping[str, Sequence[FieldOrigin]]) -> Facets:
    """Return of which columns each column is made; nothing when nothing is known."""
    known: dict[str, Json] = {
        name: {"inputFields": [_input_field(one) for one in origins]}
        for name, origins in fields.items()
        if origins
    }
    return {"columnLineage": _facet("ColumnLineageDatasetFacet", fields=known)} if known else {}


def job_facets(kind: str, about: str = "", *, streaming: bool = False) -> Facets:
    """Return what sort of job it is, and what it does in a sentence."""
    found: Facets = {
        "jobType": _facet(
            "JobTypeJobFacet",
            processingType="STREAMING" if streaming else "BATCH",
            integration="TREADLE",
            jobType=kind,
        )
    }
    if about:
        found["documentation"] = _facet("DocumentationJobFacet", description=about)
    return found


def engine_facet(version: str) -> Facets:
    """Return what ran the job."""
    return {"processing_engine": _facet("ProcessingEngineRunFacet", version=version, name="treadle")}


def error_facet(message: str) -> Facets:
    """Return why a run failed."""
    return {"errorMessage": _facet("ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")}


def _input_field(origin: FieldOrigin) -> Json:
    how: dict[str, Json] = {"type": "DIRECT", "subtype": origin.subtype, "masking": False}
    if origin.description:
        how["description"] = origin.description
    return {
        "namespace": origin.dataset.namespace,
        "name": origin.dataset.name,
        "field": origin.field,
        "transformations": [how],
    }


def _facet(name: str, /, **values: Json) -> Json:
    url = f"{SPEC}/facets/{_VERSIONS[name]}/{name}.json#/$defs/{name}"
    return {"_producer": PRODUCER, "_schemaURL": url, **values}
