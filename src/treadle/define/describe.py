"""Definitions as JSON: for digests, for the record of what was defined, and for people who ask."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass

import msgspec

from treadle.define.code import source_digest
from treadle.records.digests import Digest, Json, canonical, digest_value

WORDS = frozenset({"description", "owner", "tags", "deprecated"})
"""Parts of definitions that are for people: they change nothing that is computed."""


def describe(value: object) -> Json:
    """Return a definition as JSON, with the words for people in it. Pure, but for reading the source of functions.

    Functions are represented by a digest of their code and of what they use in their project (`treadle.define.code`).

    Raises:
        TypeError: the value is none that definitions are made of, so that nothing lasting can be said of it.
    """
    return _described(value, frozenset())


def definition_digest(value: object) -> Digest:
    """Return the digest of a definition's meaning: it changes when the meaning does, and not with words or layout.

    Parts left at their defaults do not count, so a part that a later treadle adds changes no digest; a default is therefore
    never changed, only replaced by a part of another name. It is the same in every process.
    """
    return digest_value(meaning(value))


def meaning(value: object) -> Json:
    """Return a definition as JSON without the words for people: equal where the same is computed."""
    return _described(value, WORDS)


def _described(value: object, without: frozenset[str]) -> Json:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _described(item, without) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_described(item, without) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_described(item, without) for item in value), key=canonical)
    if inspect.isfunction(value):
        return {"is": "function", "name": value.__qualname__, "source": source_digest(value)}
    kind = {"is": type(value).__name__}
    if isinstance(value, msgspec.Struct):
        return kind | _parts(value, value.__struct_fields__, without)
    as_json = getattr(value, "as_json", None)
    if callable(as_json):
        plain: Json = as_json()
        if isinstance(plain, dict):
            plain = {key: item for key, item in plain.items() if key not in without}
        return {**kind, "value": plain}
    if is_dataclass(value) and not isinstance(value, type):
        return kind | _parts(value, [field.name for field in fields(value)], without)
    raise TypeError(f"{value!r} cannot be part of a definition's description")


def _parts(value: object, names: Sequence[str], without: frozenset[str]) -> dict[str, Json]:
    kept = {name: getattr(value, name) for name in names if name not in without}
    if (
        without
    ):  # the meaning: what is left at its default says nothing, so that a part added later changes no digest
        usual = _usual.get(type(value))
        if usual is None:
            usual = _usual[type(value)] = _defaults(type(value))
        kept = {name: part for name, part in kept.items() if not (name in usual and _same(part, usual[name]))}
    return {name: _described(part, without) for name, part in kept.items()}


_usual: dict[type, Mapping[str, object]] = {}
"""What `_defaults` found, for each kind of definition."""


def _defaults(kind: type) -> Mapping[str, object]:
    """Return the defaults of a kind of definition: of its fields, and of the arguments of those that check their own."""
    found: dict[str, object] = {}
    if issubclass(kind, msgspec.Struct):
        names, values = kind.__struct_fields__, kind.__struct_defaults__
        return dict(zip(names[len(names) - len(values) :], values, strict=True))
    for one in fields(kind):  # type: ignore[arg-type]  # _described has seen that it is a dataclass
        if one.default is not MISSING:
            found[one.name] = one.default
        elif one.default_factory is not MISSING:
            found[one.name] = one.default_factory()
    for name, parameter in inspect.signature(kind).parameters.items():
        if parameter.default is not parameter.empty:
            found.setdefault(name, parameter.default)
    return found


def _same(part: object, usual: object) -> bool:
    return type(part) is type(usual) and part == usual
