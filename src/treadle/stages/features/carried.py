"""A view and its rows as bytes, so that any executor can look values up: what travels, and the function that answers.

Nothing that could execute travels: the view as JSON of its closed definition, rows and answers as Arrow IPC.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, cast

import msgspec
import polars as pl

from treadle.define.aggregates import Aggregate
from treadle.define.entities import Entity
from treadle.define.row_features import RowFeature
from treadle.define.sources import Source
from treadle.define.views import Column, FeatureView, Fill, View, WindowView
from treadle.records.digests import Json
from treadle.stages.features.events import Ints
from treadle.stages.features.latest import LatestTable
from treadle.stages.features.windows import WindowTable

if TYPE_CHECKING:
    from treadle.define.aggregates import Accuracy

RUN_PART = "treadle.stages.features.carried:answer"
"""The target of a partition's task."""

_AT = "__at"


class Question(msgspec.Struct, frozen=True):
    """One partition: the view, its rows in chunks, and the rows asked about with their T."""

    view: dict[str, object]
    rows: list[bytes]
    spine: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Question).decode


def look_up(view: View, rows: pl.DataFrame, spine: pl.DataFrame, at: Ints) -> pl.DataFrame:
    """Return a view's features as known at each row's T; see `LatestTable.lookup` and `WindowTable.lookup`. Pure."""
    if isinstance(view, FeatureView):
        return LatestTable(view, rows).lookup(spine, at)
    return WindowTable(view, rows).lookup(spine, at)


def pack_question(view: View, rows: Sequence[bytes], spine: pl.DataFrame, at: Ints) -> bytes:
    """Return a partition's task payload.

    Args:
        view: what to look up.
        rows: the partition's stored rows, in chunks made by `pack_frame`.
        spine: the partition's rows asked about, with the entity's key columns.
        at: T of each of them.
    """
    asked = pl.DataFrame([*(spine[key] for key in view.entity.keys), pl.Series(_AT, at)])
    return _encode(Question(dict(as_json(view)), list(rows), pack_frame(asked)))


def answer(payload: bytes) -> bytes:
    """Answer a partition's task: the frame of `look_up`, packed. Runs wherever the executor runs it."""
    question = _decode(payload)
    view = from_json(question.view)
    rows = pl.concat([unpack_frame(chunk) for chunk in question.rows])
    spine = unpack_frame(question.spine)
    return pack_frame(look_up(view, rows, spine, spine[_AT].to_numpy()))


def pack_frame(frame: pl.DataFrame) -> bytes:
    """Return a frame as Arrow IPC, uncompressed: the way is short."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def unpack_frame(packed: bytes) -> pl.DataFrame:
    """Return the frame that `pack_frame` packed."""
    return pl.read_ipc(io.BytesIO(packed))


def as_json(view: View) -> dict[str, Json]:
    """Return all of a view that a lookup needs. Pure."""
    source = view.source
    common: dict[str, Json] = {
        "name": view.name,
        "keys": list(view.entity.keys),
        "columns": dict(source.columns),
        "event_time": source.timing.event_time,
    }
    if isinstance(view, FeatureView):
        features: list[Json] = [[feature.column, feature.name, feature.fill] for feature in view.features]
        return {**common, "ttl": view.ttl, "features": features}
    return {**common, "accuracy": view.accuracy, "aggregates": [_aggregate_json(f) for f in view.features]}


def from_json(value: Mapping[str, object]) -> View:
    """Return the view that `as_json` described; its source can only be looked at, not read."""
    plain = msgspec.convert(value, _Carried)
    source = Source.parquet(plain.name, path="carried", columns=plain.columns, event_time=plain.event_time)
    entity = Entity("carried", keys=plain.keys)
    if plain.aggregates is None:
        features = [Column(*parts) for parts in plain.features]
        return FeatureView(plain.name, entity=entity, source=source, features=features, ttl=plain.ttl)
    aggregates = [_aggregate(part) for part in plain.aggregates]
    accuracy = cast("Accuracy", plain.accuracy)  # the view looks at it
    return WindowView(plain.name, entity=entity, source=source, features=aggregates, accuracy=accuracy)


class _Carried(msgspec.Struct, frozen=True):
    name: str
    keys: list[str]
    columns: dict[str, str]
    event_time: str | None
    ttl: int | None = None
    features: list[tuple[str, str, Fill | None]] = []
    accuracy: str = "exact"
    aggregates: list[dict[str, object]] | None = None


def _aggregate_json(aggregate: Aggregate) -> dict[str, Json]:
    parts: dict[str, Json] = {
        f.name: getattr(aggregate, f.name) for f in fields(Aggregate) if f.name != "where"
    }
    return {**parts, "where": None if aggregate.where is None else aggregate.where.as_json()}


def _aggregate(parts: dict[str, object]) -> Aggregate:
    where = parts.pop("where")
    filtered = None if where is None else RowFeature.from_json(msgspec.convert(where, dict[str, object]))
    return Aggregate(**parts, where=filtered)  # type: ignore[arg-type]  # the fields of `_aggregate_json`
