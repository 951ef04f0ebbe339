"""The Open Inference Protocol v2 in JSON: from a request body to rows of fields, from scores to a response.

Every request field is one input tensor of shape [n] (or [n, 1]), named after the field. Text and times are
BYTES; times may also be INT64 microseconds since 1970 UTC. `null` means that there is no value.
Spec: kserve/open-inference-protocol, REST.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from treadle.records.errors import InvalidInput, near_names
from treadle.records.instants import instant
from treadle.records.predictions import Value

MAX_ROWS = 10_000
"""Rows that one request may ask about."""
MAX_FAULTS = 20
"""So many faults are named; of a request with more, the rest is counted."""

_EXAMPLE = '{"inputs": [{"name": "…", "shape": [1], "datatype": "BYTES", "data": ["…"]}]}'

_INTEGERS = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
_ACCEPTED: Mapping[str, frozenset[str]] = {
    "float": _FLOATS | _INTEGERS,
    "int": _INTEGERS,
    "string": frozenset({"BYTES"}),
    "bool": frozenset({"BOOL"}),
    "time": frozenset({"BYTES", "INT64"}),
}
DATATYPES: Mapping[str, str] = {
    "float": "FP64",
    "int": "INT64",
    "string": "BYTES",
    "bool": "BOOL",
    "time": "BYTES",
}
"""The datatype that metadata states for each field type."""


class Tensor(msgspec.Struct, frozen=True):
    """One named input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[bool | int | float | str | list[bool | int | float | str | None] | None]


class WantedOutput(msgspec.Struct, frozen=True):
    """An output that the caller asks for by name."""

    name: str


class InferRequest(msgspec.Struct, frozen=True):
    """The body of an infer request; unknown keys are passed over, as the protocol wants."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[WantedOutput] | None = None


OUTPUTS = ("probability", "prediction_id")
"""What an endpoint answers, in this order unless the caller names outputs."""

_decode = msgspec.json.Decoder(InferRequest).decode
_encode = msgspec.json.Encoder().encode


class RequestParser:
    """Reads the infer requests of one endpoint.

    A request for one row that is written as most are is read in one pass; anything else goes the long way,
    which knows every form that is allowed and names every fault.

    Args:
        fields: the request's fields and their types, in order.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)
        self._plan = {
            name: (place, _ACCEPTED[kind], _EXACT[kind], _CONVERT[kind])
            for place, (name, kind) in enumerate(fields.items())
        }

    def parse(self, body: bytes) -> tuple[InferRequest, list[list[Value]]]:
        """Return the request and its rows; see `parse_request`."""
        request = read_request(body)
        row = self._one_row(request)
        return request, read_rows(request, self._fields) if row is None else [row]

    def _one_row(self, request: InferRequest) -> list[Value] | None:
        """Return the row of a request that holds one, plainly written and right; None for any other."""
        plan = self._plan
        if len(request.inputs) != len(plan):
            return None
        row: list[Value] = [_MISSING] * len(plan)
        for tensor in request.inputs:
            known = plan.get(tensor.name)
            if known is None or tensor.shape != _ONE or len(tensor.data) != 1:
                return None
            place, accepted, exact, convert = known
            item = tensor.data[0]
            if tensor.datatype not in accepted or row[place] is not _MISSING:
                return None
            if type(item) is exact or item is None:
                row[place] = item  # type: ignore[assignment]  # no list: its type was just looked at
                continue
            try:
                row[place] = convert(item)
            except InvalidInput:
                return None
        return row


def parse_request(body: bytes, fields: Mapping[str, str]) -> tuple[InferRequest, list[list[Value]]]:
    """Return the request and its rows: one list of field values per row, in the order of `fields`.

    Args:
        body: the JSON body.
        fields: the request's fields and their types.

    Raises:
        InvalidInput: the body is not such a request; every fault is listed.
    """
    request = read_request(body)
    return request, read_rows(request, fields)


def read_request(body: bytes) -> InferRequest:
    """Return the request as it is written.

    Raises:
        InvalidInput: the body is no infer request.
    """
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_a_request(str(error)) from None
    except RecursionError:
        raise _not_a_request("its JSON is nested too deeply") from None


def read_rows(request: InferRequest, fields: Mapping[str, str]) -> list[list[Value]]:
    """Return a request's rows: one list of field values per row, in the order of `fields`.

    Raises:
        InvalidInput: the inputs do not fit the fields; every fault is listed.
    """
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
    if faults:
        named = faults[:MAX_FAULTS]
        if len(faults) > MAX_FAULTS:
            named.append(f"and {len(faults) - MAX_FAULTS} more")
        raise InvalidInput("the request cannot be answered", where="inputs", faults=named, fix=_hint(fields))
    return [list(row) for row in zip(*(columns[name] for name in fields), strict=True)]


def response_body(
    model: str,
    version: int,
    request: InferRequest,
    request_id: str,
    scores: Sequence[float],
    ids: Sequence[str],
) -> bytes:
    """Return the JSON body of the answer; a score that is not a number goes as null.

    Raises:
        InvalidInput: an output was asked for that there is not, or one was asked for twice.
    """
    shape = [len(scores)]
    known = {
        "probability": {"name": "probability", "shape": shape, "datatype": "FP64", "data": scores},
        "prediction_id": {"name": "prediction_id", "shape": shape, "datatype": "BYTES", "data": ids},
    }
    return _encode(
        {
            "model_name": model,
            "model_version": str(version),
            "id": request_id,
            "outputs": [known[name] for name in wanted_outputs(request)],
        }
    )


def wanted_outputs(request: InferRequest) -> Sequence[str]:
    """Return the names of the outputs to give, in order; asked before anything is predicted or logged.

    Raises:
        InvalidInput: an output was asked for that there is not, or one was asked for twice.
    """
    if request.outputs is None:
        return OUTPUTS
    wanted = [output.name for output in request.outputs]
    faults = [
        f"there is no output {name!r}; there are {', '.join(OUTPUTS)}"
        for name in wanted
        if name not in OUTPUTS
    ]
    if len(set(wanted)) != len(wanted):
        faults.append("an output is asked for twice")
    if faults:
        raise InvalidInput("the outputs cannot be given", where="outputs", faults=faults[:MAX_FAULTS])
    return wanted


def request_body(columns: Mapping[str, Sequence[Value]], fields: Mapping[str, str]) -> bytes:
    """Return the JSON body that asks about rows given as columns; instants go as INT64 microseconds."""
    return _encode(
        {
            "inputs": [
                {
                    "name": name,
                    "shape": [len(values)],
                    "datatype": "INT64" if fields[name] == "time" else DATATYPES[fields[name]],
                    "data": values,
                }
                for name, values in columns.items()
            ]
        }
    )


def metadata_body(model: str, versions: Sequence[int], fields: Mapping[str, str]) -> bytes:
    """Return the JSON body that describes a model's inputs and outputs."""
    return msgspec.json.encode(
        {
            "name": model,
            "versions": [str(version) for version in versions],
            "platform": "treadle_onnx",
            "inputs": [
                {"name": name, "datatype": DATATYPES[kind], "shape": [-1]} for name, kind in fields.items()
            ],
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
        near = near_names(name, fields, 1)
        faults.append(f"input {name!r} is not a field" + (f"; did you mean {near[0]!r}?" if near else ""))
        return
    if name in columns:
        faults.append(f"input {name!r} is given twice")
        return
    columns[name] = []
    if tensor.datatype not in _ACCEPTED[kind]:
        accepted = " or ".join(sorted(_ACCEPTED[kind]))
        faults.append(f"input {name!r} has datatype {tensor.datatype!r}; {kind} takes {accepted}")
        return
    rows, *rest = tensor.shape or [-1]
    if rows < 0 or rest not in ([], [1]):
        faults.append(f"input {name!r} has shape {tensor.shape[:9]}; it must be [n] or [n, 1]")
        return
    flat = [item for part in tensor.data for item in (part if isinstance(part, list) else [part])]
    if len(flat) > MAX_ROWS:
        faults.append(
            f"input {name!r} has {len(flat)} rows, more than the {MAX_ROWS} of one request; send several"
        )
        return
    if rows != len(flat):
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
    try:
        return float(item)
    except OverflowError:
        raise InvalidInput(f"{str(item)[:20]}… does not fit into a float") from None


def _int(item: object) -> Value:
    if isinstance(item, bool) or not isinstance(item, int):
        raise InvalidInput(f"{item!r} is not a whole number")
    if not -(2**63) <= item < 2**63:
        raise InvalidInput(f"{str(item)[:20]}… does not fit into 64 bits")
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
    at = instant(item)
    if not _FIRST <= at <= _LAST:
        raise InvalidInput(f"{str(item)[:40]} lies outside of the years 1 to 9999")
    return at


_FIRST, _LAST = instant("0001-01-02T00:00:00Z"), instant("9999-12-30T00:00:00Z")  # a zone may add a day

_CONVERT: Mapping[str, Callable[[object], Value]] = {
    "float": _float,
    "int": _int,
    "string": _string,
    "bool": _bool,
    "time": _time,
}


_EXACT: Mapping[str, type | None] = {"float": float, "int": None, "string": str, "bool": bool, "time": None}
"""Types of JSON values that need no conversion; whole numbers and times are looked at more closely."""
_ONE = [1]
_MISSING: Value = "\0missing"


def _not_a_request(why: str) -> InvalidInput:
    return InvalidInput(
        f"the body is not an Open Inference Protocol v2 request: {why}",
        where="the request body",
        fix=f"send JSON like {_EXAMPLE}",
    )


def _hint(fields: Mapping[str, str]) -> str:
    return "fields are " + ", ".join(f"{name} ({kind})" for name, kind in fields.items())
