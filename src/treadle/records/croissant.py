"""Croissant 1.0: what a dataset version is, as JSON-LD that other tools read. Pure.

The vocabulary is that of MLCommons (docs.mlcommons.org/croissant, version 1.0): a file with its SHA-256, and a record set
whose fields are its columns with their types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from treadle.records.digests import Digest, Json
from treadle.records.errors import InvalidInput
from treadle.records.instants import Instant, iso

CONFORMS: Final = "http://mlcommons.org/croissant/1.0"
TYPES: Final = {
    "float": "sc:Float",
    "int": "sc:Integer",
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "time": "sc:DateTime",
}
"""Our column types in Croissant's words."""

_CONTEXT: Final[dict[str, Json]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CroissantFile:
    """One file of the dataset."""

    name: str
    """Its name beside the description."""
    sha256: Digest
    size: int
    format: str = "application/x-parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class CroissantDataset:
    """What a description says of a dataset version."""

    name: str
    version: int
    created: Instant
    columns: Mapping[str, str]
    file: CroissantFile
    description: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    """A sentence for some of the columns."""
    key: Sequence[str] = ()
    """The columns that identify a row."""
    license: str = ""
    url: str = ""


def describe(dataset: CroissantDataset) -> dict[str, Json]:
    """Return the description as JSON-LD.

    Raises:
        InvalidInput: a column has a type that Croissant has no word for.
    """
    strange = [f"column {name!r} is {kind}" for name, kind in dataset.columns.items() if kind not in TYPES]
    if strange:
        raise InvalidInput("the dataset cannot be described as Croissant", faults=strange)
    fields: list[Json] = [_field(dataset, name, kind) for name, kind in dataset.columns.items()]
    rows: dict[str, Json] = {"@type": "cr:RecordSet", "@id": "rows", "name": "rows", "field": fields}
    if dataset.key:
        keys: list[Json] = [{"@id": f"rows/{name}"} for name in dataset.key]
        rows["key"] = keys if len(keys) > 1 else keys[0]
    return {
        "@context": dict(_CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": dataset.name,
        "description": dataset.description or f"Version {dataset.version} of {dataset.name}.",
        "version": f"{dataset.version}.0.0",
        "datePublished": iso(dataset.created),
        "license": dataset.license or "unspecified",
        "url": dataset.url or f"urn:treadle:{dataset.name}:{dataset.version}",
        "citeAs": f"{dataset.name}, version {dataset.version}",
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": dataset.file.name,
                "name": dataset.file.name,
                "contentUrl": dataset.file.name,
                "contentSize": f"{dataset.file.size} B",
                "encodingFormat": dataset.file.format,
                "sha256": dataset.file.sha256,
            }
        ],
        "recordSet": [rows],
    }


def _field(dataset: CroissantDataset, name: str, kind: str) -> Json:
    return {
        "@type": "cr:Field",
        "@id": f"rows/{name}",
        "name": name,
        "description": dataset.about.get(name) or name,
        "dataType": TYPES[kind],
        "source": {"fileObject": {"@id": dataset.file.name}, "extract": {"column": name}},
    }
