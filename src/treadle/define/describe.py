"""Definitions as JSON: for digests, for the record of what was defined, and for people who ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass

import msgspec

from treadle.define.steps import source_digest
from treadle.records.digests import Digest, Json, digest_value


def describe(value: object) -> Json:
    """Return a definition as JSON that changes exactly when its meaning does.

    Functions are represented by the digest of their source without decorators and comments.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [describe(item) for item in value]
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
        return {"is": type(value).__name__, **{name: describe(getattr(value, name)) for name in names}}
    as_json = getattr(value, "as_json", None)
    if callable(as_json):
        return {"is": type(value).__name__, "value": as_json()}
    if is_dataclass(value):
        return {
            "is": type(value).__name__,
            **{field.name: describe(getattr(value, field.name)) for field in fields(value)},
        }
    if callable(value):
        return {"is": "function", "name": getattr(value, "__qualname__", "?"), "source": source_digest(value)}
    return {"is": type(value).__name__, "text": str(value)}


def definition_digest(value: object) -> Digest:
    """Return the digest of a definition's meaning."""
    return digest_value(describe(value))
