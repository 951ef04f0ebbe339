"""Artifacts: the values that pass between steps, as bytes that say what they are. Nothing in them can execute.

One line of JSON (`{"kind": …}`), a newline, and the payload: JSON, a frame (Arrow IPC), a packaged model, or a report.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from treadle.records.digests import Digest, canonical
from treadle.records.errors import Corrupt, InvalidInput
from treadle.records.evaluation import EvaluationReport
from treadle.records.frames import Frame
from treadle.records.trained import Model


def encode(value: object, *, compress: bool = True) -> bytes:
    """Return a value as an artifact.

    Args:
        value: a frame, a model, a report, or anything JSON can hold.
        compress: whether frames are compressed; not worth it for a trip to a worker on the same machine.

    Raises:
        InvalidInput: the value is of a kind that cannot be stored safely.
    """
    if isinstance(value, Frame):
        return _pack(*_encode_frame(value, compress))
    if isinstance(value, Model):
        return _pack({"kind": "model"}, value.to_bytes())
    if isinstance(value, EvaluationReport):
        return _pack({"kind": "report"}, canonical(value.as_json()))
    try:
        _check_keys(value)
        return _pack({"kind": "json"}, canonical(value))
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"a step's value of type {type(value).__name__} cannot be stored: {error}",
            fix="pass tr.Frame, tr.Model, reports, or values JSON can hold between steps; annotate a step that returns a "
            "fitted estimator with -> tr.Model",
        ) from None


def decode(data: bytes) -> object:
    """Return the value an artifact holds.

    Raises:
        Corrupt: the bytes are not an artifact.
    """
    head, newline, payload = data.partition(b"\n")
    try:
        header = json.loads(head)
        kind = header["kind"] if newline else ""
        if kind == "frame":
            return _decode_frame(header, payload)
        if kind == "model":
            return Model.from_bytes(payload)
        if kind == "report":
            return EvaluationReport.from_json(json.loads(payload))
        if kind == "json":
            value: object = json.loads(payload)
            return value
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _corrupt(f": {error}") from None
    raise _corrupt("")


def frame_digest(frame: Frame) -> Digest:
    """Return a digest of a frame's content: equal for equal frames, whatever way their memory came to look.

    Cost: about 1 ms for each MB of values.
    """
    digest = hashlib.sha256(canonical(_header(frame)))
    for column in frame.rows:
        digest.update(canonical([column.name, str(column.dtype), len(column)]))
        missing = column.is_null()
        if column.null_count():
            digest.update(np.packbits(missing.to_numpy()).tobytes())
        digest.update(_plain_bytes(column))
    return digest.hexdigest()


def _plain_bytes(column: pl.Series) -> bytes:
    """Return a column's values one after the other; what lies under a null in memory doesn't show."""
    if column.dtype == pl.String:
        texts = column.fill_null("")
        lengths = texts.str.len_bytes().cast(pl.Int64).to_numpy().tobytes()
        return lengths + "".join(texts.to_list()).encode()
    physical = column.to_physical()
    if physical.dtype.is_numeric() or physical.dtype == pl.Boolean:
        zero = False if physical.dtype == pl.Boolean else 0
        return physical.fill_null(zero).to_numpy().tobytes()
    return canonical(column.to_list())


def _pack(header: dict[str, object], payload: bytes) -> bytes:
    return canonical(header) + b"\n" + payload


def _check_keys(value: object) -> None:
    """Refuse keys that JSON would turn into text without a word, so that a stored value is the value.

    Raises:
        TypeError: a mapping in the value has a key that is not text.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not text")
            _check_keys(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_keys(item)


def _corrupt(detail: str) -> Corrupt:
    return Corrupt(
        f"these bytes are not an artifact{detail}",
        fix="restore the blob folder from a backup, or run the step again",
    )


def _header(frame: Frame) -> dict[str, object]:
    return {
        "kind": "frame",
        "features": list(frame.features),
        "categories": list(frame.categories),
        "vocabularies": {name: list(values) for name, values in frame.vocabularies.items()},
        "until": frame.until,
    }


def _encode_frame(frame: Frame, compress: bool) -> tuple[dict[str, object], bytes]:
    sink = io.BytesIO()
    frame.rows.rechunk().write_ipc(sink, compression="lz4" if compress else "uncompressed")
    return _header(frame), sink.getvalue()


def _decode_frame(header: Mapping[str, object], payload: bytes) -> Frame:
    """Return the frame of a header and its payload.

    Raises:
        Corrupt: they are not what `encode` wrote.
    """
    try:
        layout = msgspec.convert(header, _FrameHeader)
        rows = pl.read_ipc(io.BytesIO(payload))
    except (msgspec.ValidationError, PolarsError, PanicException, OSError, ValueError) as error:
        # A panic of Polars on bytes that are no Arrow file is no reason to end the process.
        raise _corrupt(f": the frame cannot be read: {str(error)[:200]}") from None
    absent = [name for name in (*layout.features, *layout.categories) if name not in rows.columns]
    if absent:
        raise _corrupt(f": the frame has no column {absent[0]!r}, which its header names")
    return Frame(rows, layout.features, layout.categories, layout.vocabularies, layout.until)


class _FrameHeader(msgspec.Struct, frozen=True):
    """The first line of a frame's artifact."""

    features: tuple[str, ...]
    categories: tuple[str, ...]
    vocabularies: dict[str, tuple[str, ...]]
    until: int
