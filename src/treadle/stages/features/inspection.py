"""What the online store holds of an entity, for people who ask: values, their ages, whether they count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec

from treadle.define.entities import Entity
from treadle.define.views import FeatureView, View, WindowView
from treadle.ports.online import Online, Reader
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.instants import Duration, Instant
from treadle.stages.features.forms import Form, forms_of
from treadle.stages.features.keys import pack_key
from treadle.stages.features.state import Latest, Value, latest_values
from treadle.stages.features.window_state import window_reader

Status: TypeAlias = Literal["ok", "expired", "absent"]
"""`ok`: a model gets it. `expired`: known, but older than ttl or window. `absent`: never seen, or deleted."""

KeyValue: TypeAlias = str | int | bool

_decode_latest = msgspec.msgpack.Decoder(Latest).decode
_decode_key = msgspec.msgpack.Decoder(list[KeyValue]).decode


@dataclass(frozen=True, slots=True)
class Held:
    """One feature of one entity at an instant."""

    view: str
    feature: str
    value: Value
    """What a model gets: None for "no value"."""
    status: Status
    event_time: Instant | None
    """When the newest row behind it was true."""
    age: Duration | None
    """How long before the instant that was."""


def parse_key(entity: Entity, types: Mapping[str, str], given: Mapping[str, str]) -> list[KeyValue]:
    """Return an entity's key from text.

    Args:
        entity: whose key.
        types: the declared type of each key column.
        given: key column to text.

    Raises:
        InvalidInput: a column is missing, unknown or of another type; every fault is listed.
    """
    faults = [f"{name!r} is no key of {entity.name!r}" for name in given if name not in entity.keys]
    faults += [f"key {name!r} is missing" for name in entity.keys if name not in given]
    values: list[KeyValue] = []
    for name in entity.keys:
        if name in given:
            value, fault = _key_value(name, types.get(name, "string"), given[name])
            values.append(value)
            faults += [fault] if fault else []
    if faults:
        wanted = " ".join(f"{name}={types.get(name, 'string').upper()}" for name in entity.keys)
        raise InvalidInput(
            f"this is not a key of entity {entity.name!r}", faults=faults, fix=f"write it like: {wanted}"
        )
    return values


def held_values(view: View, reader: Reader, key: Sequence[KeyValue], at: Instant) -> list[Held]:
    """Return a view's features of one entity as a model would get them at an instant."""
    packed = pack_key(key)
    if isinstance(view, WindowView):
        return _held_window(view, reader.get(view.name, packed), at)
    forms = [form for form in forms_of(view) if form.features]
    held = [one for form in forms for one in _held_latest(view, form, reader.get(form.stored, packed), at)]
    places = [feature.name for feature in view.features]
    return sorted(held, key=lambda one: places.index(one.feature))


def known_keys(views: Sequence[View], online: Online) -> Iterator[tuple[tuple[KeyValue, ...], list[str]]]:
    """Yield the keys that any of the views holds, in order, with the names of those views.

    Cost: one pass over the views' keys, all of them in memory.
    """
    found: dict[tuple[KeyValue, ...], list[str]] = {}
    for view in views:
        for packed, _ in online.scan(view.name):
            found.setdefault(unpack_key(packed), []).append(view.name)
    yield from sorted(found.items(), key=lambda item: tuple((str(type(part)), part) for part in item[0]))


def unpack_key(packed: bytes) -> tuple[KeyValue, ...]:
    """Return the key values that `pack_key` packed.

    Raises:
        Corrupt: the bytes are no key.
    """
    try:
        return tuple(_decode_key(packed))
    except msgspec.DecodeError as error:
        raise Corrupt(
            f"the online store holds a key that is none: {error}", command="treadle doctor"
        ) from None


def _held_latest(view: FeatureView, form: Form, stored: bytes | None, at: Instant) -> list[Held]:
    columns = form.columns
    values = latest_values(stored, at, view.ttl)
    status: Status = "absent"
    event_time: Instant | None = None
    if stored is not None:
        row = _decode_latest(stored)
        if not row.tombstone and row.known_at <= at:
            status, event_time = ("ok" if values is not None else "expired"), row.event_time
    timeless = view.source.timing.event_time is None
    since = None if timeless or event_time is None else at - event_time
    return [
        Held(
            view.name,
            feature.name,
            None if values is None else values[columns.index(feature.column)],
            status,
            None if timeless else event_time,
            since,
        )
        for feature in form.features
    ]


def _held_window(view: WindowView, stored: bytes | None, at: Instant) -> list[Held]:
    reader = window_reader(view, view.features)
    values = reader.read(stored, at)
    last = None if stored is None else reader.newest(stored, at)
    held = []
    for feature, value in zip(view.features, values, strict=True):
        in_window = last is not None and last >= feature.begin(at, view.accuracy)
        status: Status = "absent" if last is None else "ok" if in_window else "expired"
        held.append(Held(view.name, feature.name, value, status, last, None if last is None else at - last))
    return held


def _key_value(name: str, kind: str, text: str) -> tuple[KeyValue, str | None]:
    if kind == "int":
        try:
            return int(text), None
        except ValueError:
            return 0, f"key {name!r} must be a whole number, not {text!r}"
    if kind == "bool":
        if text.lower() in ("true", "false"):
            return text.lower() == "true", None
        return False, f"key {name!r} must be true or false, not {text!r}"
    return text, None
