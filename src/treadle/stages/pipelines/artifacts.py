"""Artifacts: the values that pass between steps, as bytes that say what they are. Nothing in them can execute.

One line of JSON (`{"kind": …}`), a newline, and the payload: JSON, a frame (Arrow IPC), a packaged model, or a report.
"""

from __future__ import annotations

import io
import json

import polars as pl

from treadle.records.digests import Digest, canonical, digest_bytes
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
        kind = header["kind"]
    except (ValueError, KeyError, TypeError):
        newline = b""
        header, kind = {}, ""
    if newline and kind == "frame":
        return _decode_frame(header, payload)
    if newline and kind == "model":
        return Model.from_bytes(payload)
    if newline and kind == "report":
        return EvaluationReport.from_json(json.loads(payload))
    if newline and kind == "json":
        return json.loads(payload)
    raise Corrupt(
        "these bytes are not an artifact", fix="restore the blob folder from a backup, or run the step again"
    )


def frame_digest(frame: Frame) -> Digest:
    """Return a digest of a frame's content that does not depend on compression or chunks."""
    header, payload = _encode_frame(frame, compress=False)
    return digest_bytes(canonical(header) + payload)


def _pack(header: dict[str, object], payload: bytes) -> bytes:
    return canonical(header) + b"\n" + payload


def _encode_frame(frame: Frame, compress: bool) -> tuple[dict[str, object], bytes]:
    sink = io.BytesIO()
    frame.rows.rechunk().write_ipc(sink, compression="lz4" if compress else "uncompressed")
    header: dict[str, object] = {
        "kind": "frame",
        "features": list(frame.features),
        "categories": list(frame.categories),
        "vocabularies": {name: list(values) for name, values in frame.vocabularies.items()},
        "until": frame.until,
    }
    return header, sink.getvalue()


def _decode_frame(header: dict[str, object], payload: bytes) -> Frame:
    vocabularies = header["vocabularies"]
    assert isinstance(vocabularies, dict)
    return Frame(
        rows=pl.read_ipc(io.BytesIO(payload)),
        features=tuple(header["features"]),  # type: ignore[arg-type]  # written by _encode_frame
        categories=tuple(header["categories"]),  # type: ignore[arg-type]
        vocabularies={name: tuple(values) for name, values in vocabularies.items()},
        until=int(header["until"]),  # type: ignore[call-overload]
    )
