"""The published schemas of OpenLineage, taken from the classes that its own client generates from them, as strict checks.

The client itself checks little. Here every field must be known, of its declared type, and required ones must be there.
"""

from __future__ import annotations

import importlib
import pkgutil
import types
import typing
import uuid
from datetime import datetime

import attr
from openlineage.client import generated
from openlineage.client.generated import base

OPTIONAL_ANYWAY = {"_producer", "_schemaURL"}


def facet_classes() -> dict[str, type]:
    """Every facet class by the address of its schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for value in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, base.BaseFacet) and attr.has(value):
                found[value._get_schema()] = value
    return found


FACETS = facet_classes()


def event_faults(event: dict) -> list[str]:
    """What is wrong with a run event and its facets."""
    faults = [
        f"{name} is missing"
        for name in ("eventType", "eventTime", "run", "job", "producer", "schemaURL")
        if name not in event
    ]
    if faults:
        return faults
    if event["schemaURL"] != base.RunEvent._get_schema():
        faults.append(f"schemaURL {event['schemaURL']}")
    if event["eventType"] not in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}:
        faults.append(f"eventType {event['eventType']}")
    if datetime.fromisoformat(event["eventTime"]).tzinfo is None:
        faults.append("eventTime has no zone")
    uuid.UUID(event["run"]["runId"])
    facets = [("run", name, facet) for name, facet in event["run"]["facets"].items()]
    facets += [("job", name, facet) for name, facet in event["job"]["facets"].items()]
    for role in ("inputs", "outputs"):
        for dataset in event[role]:
            faults += [
                f"{role}: {k} is missing"
                for k in ("namespace", "name")
                if not isinstance(dataset.get(k), str)
            ]
            faults += [
                f"{role}: {k} is unknown"
                for k in dataset.keys() - {"namespace", "name", "facets", "outputFacets"}
            ]
            facets += [(role, name, facet) for name, facet in dataset["facets"].items()]
            facets += [
                ("outputFacets", name, facet) for name, facet in dataset.get("outputFacets", {}).items()
            ]
    for role, name, facet in facets:
        faults += [f"{role}.{name}: {fault}" for fault in facet_faults(role, facet)]
    return faults


KINDS = {
    "run": base.RunFacet, "job": base.JobFacet, "inputs": base.DatasetFacet, "outputs": base.DatasetFacet,
    "outputFacets": base.OutputDatasetFacet,
}  # fmt: skip


def facet_faults(role: str, facet: dict) -> list[str]:
    known = FACETS.get(facet.get("_schemaURL"))
    if known is None:
        return [f"unknown schema {facet.get('_schemaURL')}"]
    wrong = [] if issubclass(known, KINDS[role]) else [f"{known.__name__} is no facet of {role}"]
    return wrong + value_faults(known, facet, "")


def value_faults(kind: object, value: object, where: str) -> list[str]:
    """Why a JSON value is not of a declared type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        tries = [value_faults(one, value, where) for one in arguments]
        return [] if any(not found for found in tries) else min(tries, key=len)
    if kind is type(None):
        return [] if value is None else [f"{where} is not null"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{where} is no array"]
        return [
            fault for i, one in enumerate(value) for fault in value_faults(arguments[0], one, f"{where}[{i}]")
        ]
    if origin is dict:
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        return [
            fault for key, one in value.items() for fault in value_faults(arguments[1], one, f"{where}.{key}")
        ]
    if isinstance(kind, type) and attr.has(kind):
        return object_faults(kind, value, where)
    if kind is float:
        kind = (int, float)
    return (
        []
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        else [f"{where} is {type(value).__name__}"]
    )


def object_faults(kind: type, value: object, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where} is no object"]
    module = vars(importlib.import_module(kind.__module__))
    hints = typing.get_type_hints(kind, globalns={**vars(base), **module})
    fields = {one.name: one for one in attr.fields(kind)}
    faults = [f"{where}.{name} is unknown to {kind.__name__}" for name in value.keys() - fields.keys()]
    for name, one in fields.items():
        if name in value:
            faults += value_faults(hints[name], value[name], f"{where}.{name}")
        elif one.default is attr.NOTHING and name not in OPTIONAL_ANYWAY:
            faults.append(f"{where}.{name} is missing")
    return faults
