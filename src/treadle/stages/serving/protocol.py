"""The Open Inference Protocol v2 in JSON: from a request body to rows of fields, from scores to a response body.

Every request field is one input tensor of shape [n] (or [n, 1]), named after the field. Text and times are BYTES; times may
also be INT64 microseconds since 1970 UTC. `null` means that there is no value. Spec: kserve/open-inference-protocol, REST.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from treadle.records.errors import InvalidInput
from treadle.records.instants import instant
from treadle.records.predictions import Value

MAX_ROWS = 10_000
"""Rows that one request may ask about."""

_INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_ACCEPTED: Mapping[str, frozenset[str]] = {
    "float": _FLOATS | _INTEGERS,
    "int": _INTEGERS,
    "string": frozenset({"BYTES"}),
    "bool": frozenset({"BOOL"}),
    "time": frozenset({"BYTES", "INT64"}),
}
DATATYPES: Mapping[str, str] = {"float": "FP64", "int": "INT64", "string": "BYTES", "bool": "BOOL", "time": "BYTES"}
"""The datatype that metadata states for each field type."""


class Tensor(msgspec.Struct, frozen=True):
    """One named input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[None | bool | int | float | str | list[None | bool | int | float | str]]


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that the caller asks for by name."""

    name: str


class InferRequest(msgspec.Struct, frozen=True):
    """The body of an infer request; unknown keys are passed over, as the protocol wants."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[WantedOutput] | None = None


_decode = msgspec.json.Decoder(InferRequest).decode


def parse_request(body: bytes, fields: Mapping[str, str]) -> tuple[InferRequest, list[list[Value]]]:
    """Return the request and its rows: one list of field values per row, in the order of `fields`.

    Args:
        body: the JSON body.
        fields: the request's fields and their types.

    Raises:
        InvalidInput: the body is not such a request; every fault is listed.
    """
    try:
        request = _decode(body)
    except msgspec.DecodeError as error:
        raise InvalidInput(
            f"the body is not an Open Inference Protocol v2 request: {error}",
            where="the request body",
            fix='send JSON like {"inputs": [{"name": …, "shape": [1], "datatype": "BYTES", "data": [...]}]}',
        ) from None
    faults: list[str] = []
    columns: dict[str, list[Value]] = {}
    for tensor in request.inputs:
        _read_tensor(tensor, fields, columns, faults)
    faults += [f"input {name!r} ({kind}) is missing" for name, kind in fields.items() if name not in columns]
    sizes = {len(column) for column in columns.values()}
    if not faults and len(sizes) != 1:
        faults.append(f"inputs have different numbers of rows: {sorted(sizes)}")
    if not faults and sizes == {0}:
        faults.append("inputs have no rows")
    if sizes and max(sizes) > MAX_ROWS:
        faults.append(f"{max(sizes)} rows are more than the {MAX_ROWS} of one request; send several")
    if faults:
        raise InvalidInput("the request cannot be answered", where="inputs", faults=faults, fix=_hint(fields))
    return request, [list(row) for row in zip(*(columns[name] for name in fields), strict=True)]


def response_body(
    model: str, version: int, request: InferRequest, request_id: str, scores: Sequence[float], ids: Sequence[str]
) -> bytes:
    """Return the JSON body of the answer.

    Raises:
        InvalidInput: an output was asked for that there is not, or one was asked for twice.
    """
    shape = [len(scores)]
    known = {
        "probability": {"name": "probability", "shape": shape, "datatype": "FP64", "data": list(scores)},
        "prediction_id": {"name": "prediction_id", "shape": shape, "datatype": "BYTES", "data": list(ids)},
    }
    wanted = list(known) if request.outputs is None else [output.name for output in request.outputs]
    faults = [f"there is no output {name!r}; there are {', '.join(known)}" for name in wanted if name not in known]
    if len(set(wanted)) != len(wanted):
        faults.append("an output is asked for twice")
    if faults:
        raise InvalidInput("the outputs cannot be given", where="outputs", faults=faults)
    return msgspec.json.encode(
        {
            "model_name": model,
            "model_version": str(version),
            "id": request_id,
            "outputs": [known[name] for name in wanted],
        }
    )


def check_outputs(request: InferRequest) -> None:
    """Refuse unknown or repeated outputs before anything is predicted, so that a refused request leaves no trace."""
    response_body("", 0, request, "", (), ())


def metadata_body(model: str, versions: Sequence[int], fields: Mapping[str, str]) -> bytes:
    """Return the JSON body that describes a model's inputs and outputs."""
    return msgspec.json.encode(
        {
            "name": model,
            "versions": [str(version) for version in versions],
            "platform": "treadle_onnx",
            "inputs": [{"name": name, "datatype": DATATYPES[kind], "shape": [-1]} for name, kind in fields.items()],
            "outputs": [
                {"name": "probability", "datatype": "FP64", "shape": [-1]},
                {"name": "prediction_id", "datatype": "BYTES", "shape": [-1]},
            ],
        }
    )


def _read_tensor(
    tensor: Tensor, fields: Mapping[str, str], columns: dict[str, list[Value]], faults: list[str]
) -> None:
    name = tensor.name
    kind = fields.get(name)
    if kind is None:
        near = difflib.get_close_matches(name, fields, n=1)
        faults.append(f"input {name!r} is not a field" + (f"; did you mean {near[0]!r}?" if near else ""))
        return
    if name in columns:
        faults.append(f"input {name!r} is given twice")
        return
    columns[name] = []
    if tensor.datatype not in _ACCEPTED[kind]:
        faults.append(
            f"input {name!r} has datatype {tensor.datatype!r}; {kind} takes {' or '.join(sorted(_ACCEPTED[kind]))}"
        )
        return
    if any(size < 0 for size in tensor.shape) or len(tensor.shape) > 2 or (len(tensor.shape) == 2 and tensor.shape[1] != 1):
        faults.append(f"input {name!r} has shape {tensor.shape}; it must be [n] or [n, 1]")
        return
    flat = [item for part in tensor.data for item in (part if isinstance(part, list) else [part])]
    if math.prod(tensor.shape) != len(flat):
        faults.append(f"input {name!r} has shape {tensor.shape} but {len(flat)} values")
        return
    convert = _CONVERT[kind]
    for row, item in enumerate(flat):
        try:
            columns[name].append(None if item is None else convert(item))
        except InvalidInput as error:
            faults.append(f"input {name!r} row {row}: {error.what}")
            columns[name].append(None)


def _float(item: object) -> Value:
    if isinstance(item, bool) or not isinstance(item, int | float):
        raise InvalidInput(f"{item!r} is not a number")
    return float(item)


def _int(item: object) -> Value:
    if isinstance(item, bool) or not isinstance(item, int):
        raise InvalidInput(f"{item!r} is not a whole number")
    if not -(2**63) <= item < 2**63:
        raise InvalidInput(f"{item!r} does not fit into 64 bits")
    return item


def _string(item: object) -> Value:
    if not isinstance(item, str):
        raise InvalidInput(f"{item!r} is not text")
    return item


def _bool(item: object) -> Value:
    if not isinstance(item, bool):
        raise InvalidInput(f"{item!r} is not true or false")
    return item


def _time(item: object) -> Value:
    if isinstance(item, float) or not isinstance(item, str | int) or isinstance(item, bool):
        raise InvalidInput(f"{item!r} is not a time")
    return _int(instant(item))


_CONVERT: Mapping[str, Callable[[object], Value]] = {
    "float": _float,
    "int": _int,
    "string": _string,
    "bool": _bool,
    "time": _time,
}


def _hint(fields: Mapping[str, str]) -> str:
    return "fields are " + ", ".join(f"{name} ({kind})" for name, kind in fields.items())
